"""What the model says of utterances, put into words for their turn."""

from types import SimpleNamespace

import pytest

from mmser.aggregation import Answer, TurnAnswers, predict_turn, to_emotion
from mmser.labels import EMOTIONS
from mmser.types import Turn
from mmser.utterances import Utterance

TURN = Turn(id="t", start=0.0, end=1.0, channel=0, speaker="s", role="customer", text="so late", words=())


def thresholds_of(**values: object) -> SimpleNamespace:
    defaults = {
        "abstain_below": 0.1,
        "abstain_opposed": 0.3,
        "change_thresholds": {"fused": 0.5, "audio": 0.5, "text": 0.5},
        "intensity_thresholds": (0.4, 0.7),
    }
    return SimpleNamespace(**(defaults | values))


def test_words_against_the_voice_leave_a_turn_without_a_label_however_sure_it_seems():
    probabilities = [0.94, *[0.01] * 6]
    calm, torn = (to_emotion(probabilities, EMOTIONS, thresholds_of(), p) for p in (0.2, 0.4))
    assert calm.label == calm.top == torn.top == EMOTIONS[0]
    assert torn.abstained and torn.label is None and not calm.abstained
    assert to_emotion(probabilities, EMOTIONS, thresholds_of(abstain_below=0.95), 0.2).abstained


def test_a_turn_whose_pieces_are_torn_on_the_whole_says_that_words_oppose_the_voice():
    row = [0.94, *[0.01] * 6]
    for opposition, opposed in (((0.2, 0.6), True), ((0.2, 0.3), False), ((0.2, 0.6, None), True)):
        pieces = [
            (
                Utterance(start=float(i), end=i + 1.0, text="so late"),
                Answer(
                    emotion=row,
                    intensity=0.5,
                    change=None,
                    direction=[0.2, 0.5, 0.3],
                    audio_only=row,
                    text_only=None if value is None else row,
                    opposition=value,
                ),
            )
            for i, value in enumerate(opposition)
        ]
        found = predict_turn(TurnAnswers(TURN, pieces), EMOTIONS, thresholds_of())
        assert found.opposed is found.emotion.abstained is opposed
        assert not found.windows[0].emotion.abstained


@pytest.mark.parametrize(("heard", "read"), [(True, True), (True, False), (False, True)])
def test_a_shift_is_reported_from_the_threshold_of_what_the_turn_has(heard: bool, read: bool):
    pattern = "fused" if heard and read else "audio" if heard else "text"
    even = [1 / len(EMOTIONS)] * len(EMOTIONS)
    answer = Answer(
        emotion=even,
        intensity=0.5,
        change=0.5,
        direction=[0.2, 0.5, 0.3],
        audio_only=even if heard else None,
        text_only=even if read else None,
    )
    answers = TurnAnswers(TURN, [(Utterance(start=0.0, end=1.0, text="so late"), answer)])
    for threshold, shifted in ((0.4, True), (0.6, False)):
        found = {"fused": 0.5, "audio": 0.5, "text": 0.5} | {pattern: threshold}
        thresholds = thresholds_of(change_thresholds=found)
        change = predict_turn(answers, EMOTIONS, thresholds).change
        assert change is not None and change.shifted is shifted
        assert change.direction == ("better" if shifted else None)
