"""Made pairs and dialogues for fusion: what each kind holds and what it is trained towards."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mmser.labels import DIRECTIONS, EMOTIONS, ROLES
from mmser.training.pairs import Dialogues, PairMix, PairSampler, dialogue_rows
from tests.training.made_clips import sound, words


def dialogues(mix: PairMix, calls: int, count: int, agent_turns: float = 0.0) -> Dialogues:
    sampler = PairSampler([sound(e) for e in EMOTIONS], [words(e) for e in EMOTIONS], mix, agent_turns)
    return sampler.dialogues(np.random.default_rng(1), calls, count)


@pytest.mark.parametrize(
    ("kind", "has_sound", "has_words"), [(0, True, True), (3, True, False), (4, False, True)]
)
def test_pairs_hold_what_their_kind_says(kind: int, has_sound: bool, has_words: bool):
    shares = [0.0] * 5
    shares[kind] = 1.0
    rows = dialogues(PairMix(*shares), 3, 5)
    assert all((s is not None) == has_sound for s in rows.sounds)
    assert all((w is not None) == has_words for w in rows.words)
    for s, w, target in zip(rows.sounds, rows.words, rows.emotion, strict=True):
        emotion = EMOTIONS[int(np.argmax(target))]
        assert s is None or s.example.emotions[0] == emotion
        assert w is None or w.example.emotions[0] == emotion


def test_change_targets_follow_the_emotions_of_the_made_call():
    rows = dialogues(PairMix(1, 0, 0, 0, 0), 5, 6)
    for i, position in enumerate(rows.positions):
        if position == 1:
            assert math.isnan(rows.change[i])
        else:
            assert rows.change[i] == float(rows.emotion[i] != rows.emotion[i - 1])


def test_conflicting_pairs_share_their_target_and_ask_for_no_change():
    rows = dialogues(PairMix(0, 0, 1, 0, 0), 2, 6)
    assert all(sorted(t)[-2:] == [0.5, 0.5] for t in rows.emotion)
    assert all(math.isnan(c) for c in rows.change)


def test_after_a_conflicting_pair_nothing_is_known_of_a_change():
    rows = dialogues(PairMix(0.5, 0, 0.5, 0, 0), 20, 6)
    after = [
        rows.change[i]
        for i in range(1, len(rows.kinds))
        if rows.kinds[i - 1] == "conflicting" and rows.positions[i] > 1
    ]
    known = [c for c in rows.change if not math.isnan(c)]
    assert after and all(math.isnan(c) for c in after)
    assert 0 < np.mean(known) < 1


def test_agents_come_in_as_words_without_a_label():
    rows = dialogues(PairMix(1, 0, 0, 0, 0), 10, 6, agent_turns=0.5)
    agents = [i for i, kind in enumerate(rows.kinds) if kind == "agent"]
    assert agents
    for i in agents:
        assert rows.sounds[i] is None and rows.words[i] is not None
        assert rows.keys[i][2] == ROLES.index("agent")
        assert sum(rows.emotion[i]) == 0 and math.isnan(rows.change[i]) and rows.direction[i] == -100


def test_no_clip_is_heard_against_itself_while_there_are_others():
    sampler = PairSampler([sound("anger") for _ in range(6)], [], PairMix(0, 0, 0, 1, 0))
    rows = sampler.dialogues(np.random.default_rng(1), 1, 6)
    assert len({id(s) for s in rows.sounds}) == 6


def test_meld_compares_with_the_same_speakers_previous_turn():
    turns = (("anger", "a", -1), ("happiness", "b", 1), ("happiness", "a", 1), ("happiness", "b", 1))
    dialogue = [
        words(emotion, dialogue_id="d", speaker=speaker, turn_index=index, valence=valence)
        for index, (emotion, speaker, valence) in enumerate((*turns, ("surprise", "b", 1)))
    ]
    rows = dialogue_rows([dialogue])
    assert [None if math.isnan(c) else c for c in rows.change] == [None, None, 1.0, 0.0, 1.0]
    assert rows.direction == [-100, -100, DIRECTIONS.index("better"), -100, DIRECTIONS.index("lateral")]


def test_turns_without_a_label_or_a_name_are_laid_out_and_known_of_nothing():
    dialogue = [
        words("anger", dialogue_id="d", speaker=None, turn_index=0),
        words("anger", dialogue_id="d", speaker="a", turn_index=1),
        words("happiness", dialogue_id="d", speaker="a", turn_index=2),
        words("happiness", dialogue_id="d", speaker=None, turn_index=3),
        words("sadness", dialogue_id="d", speaker="a", turn_index=4),
    ]
    dialogue[1] = replace(dialogue[1], example=replace(dialogue[1].example, emotions=()))
    rows = dialogue_rows([dialogue])
    assert sum(rows.emotion[1]) == 0 and sum(rows.emotion[2]) == 1
    assert [speaker for _, speaker, _ in rows.keys] == [0, 1, 1, 2, 1]
    assert [None if math.isnan(c) else c for c in rows.change] == [None, None, None, None, 1.0]
    # Without a rating of sentiment the emotions tell the direction.
    assert rows.direction[4] == DIRECTIONS.index("worse")


def test_shares_that_are_no_shares_are_refused():
    with pytest.raises(ValueError, match="must be at least 0 and sum to 1"):
        PairMix(0.5, 0, 0, 0, 0)
