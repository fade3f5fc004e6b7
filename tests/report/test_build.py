import dataclasses
import math
import subprocess
import sys
import time

import pytest
from examples import (
    LINES,
    MODEL,
    RECORDING,
    TRANSCRIPT,
    emotion,
    example_predictions,
    example_report,
    example_turns,
    intensity,
    many_turns,
    prediction,
)

from mmser.report.document import to_json
from mmser.types import Change, Turn, Window


def customer(report):
    return next(summary for summary in report.roles if summary.role == "customer")


def customer_call(spans, tops, **more):
    """A call of one customer: spans of (start, end), and each turn's top emotion."""
    turns = [
        Turn(id=f"t{i}", start=s, end=e, speaker="Customer", role="customer", text="one two")
        for i, (s, e) in enumerate(spans)
    ]
    predictions = [prediction(f"t{i}", top, 0.8) for i, top in enumerate(tops)]
    arguments = {"turns": turns, "predictions": predictions, "loudness": {}} | more
    return example_report(**arguments)


def test_the_conversation_is_measured_from_turn_times():
    talk = example_report().conversation
    assert (talk.talk_time, talk.non_talk, talk.longest_silence, talk.overlap) == (50.5, 13.5, 7.5, 1.4)
    assert [(one.turn_id, one.by, one.of, one.overlap) for one in talk.interruptions] == [
        ("t7", "agent", "customer", 0.9)
    ]  # the customer's "Mhm." inside t9 is none


def test_change_points_stand_where_a_turn_shifted_with_before_and_after():
    points = [(p.time, p.turn_id, p.before, p.after, p.direction) for p in example_report().change_points]
    assert points[:3] == [
        (11.6, "t4", "neutral", "surprise", None),
        (27.5, "t6", "surprise", "anger", None),
        (42.9, "t10", "anger", "neutral", "better"),
    ]


def test_change_points_inside_a_long_turn_need_a_shift_and_a_new_top_emotion():
    def window(start, top, shifted):
        change = None if shifted is None else Change(probability=0.7, shifted=shifted, direction=None)
        return Window(
            start=start, end=start + 20, emotion=emotion(top, 0.8), intensity=intensity(0.5), change=change
        )

    windows = (
        window(0.0, "neutral", None),
        window(20.0, "anger", True),
        window(40.0, "anger", True),  # shifted, but the same emotion
        window(60.0, "sadness", False),  # another emotion, but no shift
    )
    turns = [Turn(id="t1", start=0.0, end=80.0, speaker="c", role="customer", text="x")]
    report = example_report(
        turns=turns, predictions=[prediction("t1", "anger", 0.5, windows=windows)], duration=80
    )
    assert [(p.time, p.before, p.after) for p in report.change_points] == [(20.0, "neutral", "anger")]
    settled = [window.change for window in report.turns[0].windows]
    assert [change and (change.shifted, change.direction) for change in settled] == [
        None,
        (True, "worse"),
        (False, None),
        (False, None),
    ]
    shares = customer(report).shares  # the long turn counts by its windows
    assert (shares["neutral"], shares["anger"], shares["sadness"]) == (0.25, 0.5, 0.25)
    assert [quarter.num_turns for quarter in customer(report).quarters] == [1, 1, 1, 1]


def moved(before, after, *, shifted=True, direction="worse"):
    """Two turns of one customer, where the model says so and so of the second's change."""
    said = prediction("t1", after, 0.8, before=before)
    change = Change(
        probability=0.9 if shifted else 0.1, shifted=shifted, direction=direction if shifted else None
    )
    predictions = [prediction("t0", before, 0.8), dataclasses.replace(said, change=change)]
    return customer_call([(0, 5), (6, 9)], [before, after], predictions=predictions)


@pytest.mark.parametrize(
    ("before", "after", "said", "direction"),
    [
        ("neutral", "anger", "better", "worse"),  # the table of valence has the word
        ("anger", "sadness", "better", "lateral"),
        ("anger", "happiness", "worse", "better"),
        ("surprise", "anger", "worse", "worse"),  # surprise has no valence: the model has the word
        ("neutral", "surprise", "better", "better"),
        ("surprise", "sadness", "better", None),  # but nothing gets better by becoming sadness
        ("happiness", "surprise", "better", None),
        ("anger", "surprise", "worse", None),
        ("surprise", "happiness", "lateral", "lateral"),
    ],
)
def test_turns_and_change_points_agree_on_a_direction_that_fits_the_emotions(before, after, said, direction):
    report = moved(before, after, direction=said)
    (point,) = report.change_points
    assert (point.before, point.after, point.direction) == (before, after, direction)
    assert report.turns[1].change.direction == direction and report.turns[1].change.shifted


def test_a_shift_from_an_emotion_to_itself_is_none():
    report = moved("anger", "anger")
    assert report.change_points == ()
    assert report.turns[1].change == Change(probability=0.9, shifted=False, direction=None)


def test_another_emotion_without_a_probable_shift_is_no_change_point():
    assert moved("neutral", "anger", shifted=False).change_points == ()


def test_a_change_against_a_turn_that_the_report_does_not_hold_is_left_out():
    report = customer_call(
        [(0, 5)], ["anger"], predictions=[prediction("t0", "anger", 0.8, before="neutral")]
    )
    assert report.change_points == () and report.turns[0].change is None
    assert "no earlier" in report.turns[0].reasons["change"]


def test_words_alone_have_no_intensity_and_say_why():
    silent = [
        dataclasses.replace(one, intensity=None, modalities=("text",), audio_only=None)
        for one in example_predictions()
    ]
    report = example_report(recording=None, loudness={}, duration=None, predictions=silent)
    scored = [turn for turn in report.turns if turn.emotion]
    assert scored and all(turn.intensity is None for turn in scored)
    assert {turn.reasons["intensity"] for turn in scored} == {"judged from sound, and none was used"}
    summary = customer(report)
    assert summary.shares and summary.reasons["intensity"] == "judged from sound, and none was used"
    assert all(quarter.intensity is None for quarter in summary.quarters)
    assert any(quarter.probabilities for quarter in summary.quarters)


def test_a_turn_whose_words_oppose_the_voice_is_flagged():
    torn = [dataclasses.replace(one, opposed=n == 0) for n, one in enumerate(example_predictions())]
    turns = {turn.id: turn for turn in example_report(predictions=torn).turns}
    assert "words_against_voice" in turns[torn[0].turn_id].flags
    assert not any("words_against_voice" in turns[one.turn_id].flags for one in torn[1:])


def test_a_quarter_s_intensity_is_the_mean_over_the_turns_that_have_one():
    predictions = [
        prediction("t0", "anger", 0.8, 0.9),
        dataclasses.replace(prediction("t1", "anger", 0.8), intensity=None),
    ]
    report = customer_call([(0, 5), (6, 9)], ["anger"] * 2, predictions=predictions, duration=100.0)
    assert customer(report).quarters[0].intensity == 0.9


def test_shares_are_of_scored_talk_time_with_abstained_turns_uncertain():
    shares = customer(example_report()).shares
    lengths = {top: 0.0 for top in shares}
    for start, end, role, _, top, confidence, _ in LINES:
        if role == "customer":
            lengths[top if confidence >= 0.4 else "uncertain"] += end - start
    total = sum(lengths.values())
    assert shares == pytest.approx({k: v / total for k, v in lengths.items()}, abs=1e-4)
    assert shares["uncertain"] > 0


def test_quarters_and_deltas_follow_the_call():
    spans = [(0, 5), (10, 15), (85, 90), (95, 100)]
    report = customer_call(spans, ["neutral", "neutral", "anger", "anger"], duration=100.0)
    summary = customer(report)
    assert [q.num_turns for q in summary.quarters] == [2, 0, 0, 2]
    assert summary.quarters[1].probabilities is None
    assert [(q.start, q.end) for q in summary.quarters] == [(0, 25), (25, 50), (50, 75), (75, 100)]
    delta = {d.emotion: d for d in summary.deltas}
    expected = 0.8 - prediction("x", "neutral", 0.8).emotion.probabilities["anger"]
    assert delta["anger"].value == pytest.approx(expected, abs=2e-4)
    assert delta["anger"].low <= delta["anger"].value <= delta["anger"].high


def test_deltas_need_two_turns_in_both_quarters():
    report = customer_call([(0, 5), (10, 15), (90, 95)], ["neutral", "anger", "anger"], duration=100.0)
    assert customer(report).deltas == ()
    assert "fewer than 2" in customer(report).reasons["deltas"]


def test_the_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    spans = [(i, i + 0.9) for i in range(100)]
    tops = ["anger" if i % 3 else "neutral" for i in range(100)]
    delta = {d.emotion: d for d in customer(customer_call(spans, tops, duration=100.0)).deltas}["anger"]
    assert delta.low < 0 < delta.high  # the same mix at both ends
    assert 0.1 < delta.high - delta.low < 0.8


def test_without_times_nothing_is_measured_and_each_none_has_its_reason():
    turns = [dataclasses.replace(turn, start=None, end=None, words=()) for turn in example_turns()]
    untimed = dataclasses.replace(TRANSCRIPT, times="none")
    report = example_report(
        turns=turns, transcript=untimed, recording=None, channels={}, loudness={}, duration=None
    )
    talk = report.conversation
    assert (talk.talk_time, talk.non_talk, talk.longest_silence, talk.overlap) == (None,) * 4
    assert set(talk.reasons.values()) == {"the transcript gives no times"}
    summary = customer(report)
    assert (summary.talk_time, summary.words_per_minute, summary.interruptions) == (None, None, None)
    assert summary.shares["uncertain"] == 0.125  # one of eight turns
    assert [q.num_turns for q in summary.quarters] == [
        2,
        1,
        3,
        2,
    ]  # by the middle: the 8th of 15 opens half 2
    assert "every turn weighs the same" in summary.reasons["weights"]


def test_every_none_of_a_turn_a_role_and_the_conversation_has_a_reason():
    unknown = [
        dataclasses.replace(turn, role="unknown", speaker=None, channel=None) for turn in example_turns()
    ]
    reports = [
        example_report(),
        example_report(turns=unknown, predictions=[], loudness={}),
        example_report(recording=None, loudness={}, duration=None),
        example_report(turns=[], predictions=[], transcript=None),
    ]
    for report in reports:
        for record in (report, report.conversation, *report.turns, *report.roles):
            for field in dataclasses.fields(record):
                if getattr(record, field.name) is None:
                    assert record.reasons.get(field.name), (type(record).__name__, field.name)


def test_estimated_times_give_no_rate_overlap_or_interruptions():
    report = example_report(transcript=dataclasses.replace(TRANSCRIPT, times="estimated"))
    assert report.turns[0].words_per_minute is None
    assert report.turns[0].reasons["words_per_minute"] == "times are estimated"
    assert report.conversation.overlap is None
    assert report.conversation.talk_time == 50.5
    assert customer(report).reasons["interruptions"] == "turn times are estimated"


def test_words_per_minute_counts_words_not_punctuation_and_not_unspaced_languages():
    report = example_report()
    assert report.turns[0].words_per_minute == 200.0  # nine words in 2.7 s
    japanese = example_report(transcript=dataclasses.replace(TRANSCRIPT, language="ja"))
    assert japanese.turns[0].words_per_minute is None
    assert "without spaces" in japanese.turns[0].reasons["words_per_minute"]


def test_a_part_counts_from_its_own_start():
    report = example_report(part=(20.0, 52.0))
    assert report.conversation.non_talk + report.conversation.talk_time == pytest.approx(32.0)
    assert customer(report).quarters[0].start == 20.0
    assert customer(report).quarters[3].end == 52.0


def test_silence_is_told_as_such_and_never_as_a_number():
    report = example_report(loudness={"t1": None, "t2": -math.inf, "t3": -12.345678})
    assert report.turns[0].loudness_dbfs is None
    assert report.turns[1].loudness_dbfs is None
    assert "silence" in report.turns[1].reasons["loudness_dbfs"]
    assert report.turns[2].loudness_dbfs == -12.35
    assert report.turns[3].reasons["loudness_dbfs"] == "not measured"


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not at nan"):
        example_report(predictions=[prediction("t2", "anger", math.nan), *example_predictions()[1:]])
    with pytest.raises(ValueError, match="finite"):
        example_report(recording=dataclasses.replace(RECORDING, duration=math.inf))


def test_predictions_for_unknown_or_already_scored_turns_are_refused():
    with pytest.raises(ValueError, match="'t99'"):
        example_report(predictions=(*example_predictions(), prediction("t99", "anger", 0.5)))
    with pytest.raises(ValueError, match="two predictions"):
        example_report(predictions=(*example_predictions(), prediction("t2", "anger", 0.5)))


def test_the_same_input_gives_the_same_bytes_in_any_order_of_predictions():
    reordered = example_report(predictions=example_predictions()[::-1], channels={1: "customer", 0: "agent"})
    assert to_json(example_report()) == to_json(reordered)


def test_long_calls_take_time_in_proportion_to_their_turns():
    def seconds(count):
        turns, predictions = many_turns(count)
        begin = time.process_time()
        example_report(turns=turns, predictions=predictions, loudness={}, duration=turns[-1].end)
        return time.process_time() - begin

    seconds(500)
    assert seconds(8_000) < 20 * max(seconds(1_000), 0.05)  # 8 × in proportion, 64 × if quadratic


def test_a_report_is_built_without_torch():
    code = "import sys, mmser.report.build, mmser.report.terminal; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_model_and_its_limits_are_on_the_report():
    report = example_report(warnings=["w"], errors=["e"])
    assert (report.model, report.warnings, report.errors) == (MODEL, ("w",), ("e",))
    assert "not tell what anybody feels" in report.policy.notice
