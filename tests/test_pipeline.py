"""The pipeline: recording and transcript in, report out."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest

from mmser.errors import TranscriptError, UsageError
from mmser.pipeline import EmotionPipeline
from mmser.report.document import to_json
from mmser.transcripts import read_transcript
from mmser.types import CallReport, Transcript, Turn
from tests.call_fixtures import (
    RATE,
    VTT,
    agent_voice,
    customer_voice,
    given_speech,
    probabilities_of,
    turns_of,
    voice,
    wav_bytes,
)

# --- what is scored, and from what ----------------------------------------------------------------


def test_customer_turns_are_scored_from_sound_and_words(report: CallReport):
    turns = turns_of(report, "customer")
    assert len(turns) == 3
    for turn in turns:
        assert turn.emotion is not None and turn.intensity is not None
        assert turn.modalities == ("audio", "text")
        assert turn.audio_only is not None and turn.text_only is not None
        assert sum(turn.emotion.probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert turn.loudness_dbfs is not None and -60 < turn.loudness_dbfs < 0
    assert turns[0].change is None and turns[1].change is not None
    assert turns[0].reasons["change"]


def test_agent_turns_carry_no_answer_and_say_why(report: CallReport):
    turns = turns_of(report, "agent")
    assert len(turns) == 2
    for turn in turns:
        assert turn.emotion is turn.intensity is turn.change is turn.audio_only is turn.text_only is None
        assert "withheld" in turn.reasons["emotion"]
        assert turn.loudness_dbfs is None and turn.windows == ()
        assert turn.text and turn.words_per_minute
    assert report.policy.withheld_turns == {"agent": 2}
    assert all(point.role == "customer" for point in report.change_points)


def test_a_reason_lets_agents_be_scored_and_is_recorded(pipeline: EmotionPipeline, call: tuple[Path, Path]):
    report = pipeline(call[0], transcript=call[1], roles=("agent", "customer"), agent_reason="safety")
    assert all(turn.emotion is not None for turn in report.turns)
    assert report.policy.agent_reason == "safety"


def test_the_agents_sound_never_changes_the_customers_answers(pipeline: EmotionPipeline, report: CallReport):
    other = voice(8.0, ((0.2, 1.8), (3.7, 5.0)), pitch=333, seed=9) * 3
    changed = pipeline(
        wav_bytes(other, customer_voice()), transcript=VTT.encode(), roles=("agent", "customer")
    )
    assert probabilities_of(changed) == probabilities_of(report)


def test_the_agents_words_do_reach_the_customers_context(pipeline: EmotionPipeline, report: CallReport):
    text = VTT.replace("thank you where is it", "happy happy happy fine")
    changed = pipeline(
        wav_bytes(agent_voice(), customer_voice()), transcript=text.encode(), roles=("agent", "customer")
    )
    assert probabilities_of(changed) != probabilities_of(report)


def test_unknown_roles_are_withheld_with_the_flag_that_helps(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "<v spk_0>").replace("<v Customer>", "<v spk_1>")
    report = pipeline(None, transcript=text.encode())
    assert all(turn.emotion is None for turn in report.turns)
    assert "--role spk_0=" in report.turns[0].reasons["emotion"]


def test_speakers_named_with_roles_are_scored(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "<v spk_0>").replace("<v Customer>", "<v spk_1>")
    report = pipeline(None, transcript=text.encode(), speaker_roles={"spk_0": "agent", "spk_1": "customer"})
    assert [turn.emotion is not None for turn in report.turns] == [False, True, False, True, True]


# --- ways in ---------------------------------------------------------------------------------------


def test_bytes_file_objects_and_two_mono_files_say_the_same(pipeline: EmotionPipeline, report: CallReport):
    stereo = wav_bytes(agent_voice(), customer_voice())
    roles = ("agent", "customer")
    expected = probabilities_of(report)
    assert probabilities_of(pipeline(stereo, transcript=VTT.encode(), roles=roles)) == expected
    assert probabilities_of(pipeline(io.BytesIO(stereo), transcript=VTT.encode(), roles=roles)) == expected
    two = (wav_bytes(agent_voice()), wav_bytes(customer_voice()))
    assert probabilities_of(pipeline(two, transcript=VTT.encode(), roles=roles)) == expected


def test_words_alone_give_a_report_with_reasons_for_what_is_missing(pipeline: EmotionPipeline):
    report = pipeline(None, transcript=VTT.encode())
    assert report.recording is None and report.reasons["recording"]
    for turn in turns_of(report, "customer"):
        assert turn.modalities == ("text",) and turn.audio_only is None
        assert turn.reasons["audio_only"] == "there is no recording"
        assert turn.loudness_dbfs is None and turn.reasons["loudness_dbfs"]


def test_sound_alone_finds_turns_by_listening(pipeline: EmotionPipeline, monkeypatch: pytest.MonkeyPatch):
    spans = {0: [(0.2, 1.8), (3.7, 5.0)], 1: [(2.0, 3.5), (5.2, 7.0)]}
    given_speech(monkeypatch, spans)
    report = pipeline(
        wav_bytes(agent_voice(), customer_voice()), transcribe=False, roles=("agent", "customer")
    )
    assert report.transcript is None
    assert [turn.role for turn in report.turns] == ["agent", "customer", "agent", "customer"]
    assert all(turn.modalities == ("audio",) for turn in turns_of(report, "customer"))
    assert all(turn.emotion is None for turn in turns_of(report, "agent"))


def test_words_without_times_are_placed_and_flagged(
    pipeline: EmotionPipeline, monkeypatch: pytest.MonkeyPatch
):
    spans = {0: [(0.2, 1.8), (3.7, 5.0)], 1: [(2.0, 3.5), (5.2, 7.0)]}
    given_speech(monkeypatch, spans)
    text = b"Agent: thank you\nCustomer: i am so angry\nAgent: yes\nCustomer: no refund\n"
    report = pipeline(
        wav_bytes(agent_voice(), customer_voice()), transcript=text, roles=("agent", "customer")
    )
    assert report.transcript is not None and report.transcript.times == "estimated"
    assert all("times_estimated" in turn.flags for turn in report.turns)
    assert [turn.channel for turn in report.turns] == [0, 1, 0, 1]
    assert any("without times" in warning for warning in report.warnings)


def test_who_spoke_when_without_words_is_judged_by_sound(pipeline: EmotionPipeline):
    rttm = b"SPEAKER call 1 0.2 1.6 <NA> <NA> a <NA> <NA>\nSPEAKER call 1 2.0 1.5 <NA> <NA> b <NA> <NA>\n"
    report = pipeline(
        wav_bytes(agent_voice() + customer_voice()),
        transcript=rttm,
        speaker_roles={"a": "agent", "b": "customer"},
    )
    assert [turn.modalities for turn in report.turns] == [(), ("audio",)]
    assert report.turns[1].text is None


def test_a_neutral_reference_shifts_the_speakers_answers(pipeline: EmotionPipeline, report: CallReport):
    quiet = wav_bytes(0.2 * voice(3.0, ((0.0, 3.0),), pitch=95, seed=4))
    stereo = wav_bytes(agent_voice(), customer_voice())
    given = pipeline(
        stereo, transcript=VTT.encode(), roles=("agent", "customer"), references={"customer": quiet}
    )
    assert len(given.turns) == len(report.turns)
    assert probabilities_of(given) != probabilities_of(report)
    withheld = pipeline(
        stereo, transcript=VTT.encode(), roles=("agent", "customer"), references={"agent": quiet}
    )
    assert probabilities_of(withheld) == probabilities_of(report)
    assert any("withheld" in warning for warning in withheld.warnings)
    with pytest.raises(UsageError, match="fits nobody"):
        pipeline(stereo, transcript=VTT.encode(), roles=("agent", "customer"), references={"spk_9": quiet})


def test_what_is_odd_about_a_reference_is_told(pipeline: EmotionPipeline):
    clip = np.stack([voice(2.0, ((0.0, 2.0),), pitch=95, seed=4), np.zeros(2 * RATE)])
    report = pipeline(
        wav_bytes(agent_voice(), customer_voice()),
        transcript=VTT.encode(),
        roles=("agent", "customer"),
        references={"customer": wav_bytes(*clip)},
    )
    assert any("digital silence" in warning for warning in report.warnings)


def test_a_turn_that_outlasts_the_recording_is_heard_to_its_end_only(pipeline: EmotionPipeline):
    longer = VTT.replace("00:00:07.900", "00:00:11.000")
    call = wav_bytes(agent_voice(), customer_voice())
    report = pipeline(call, transcript=longer.encode(), roles=("agent", "customer"))
    assert report.turns[-1].end == pytest.approx(8.0)
    to_the_end = VTT.replace("00:00:07.900", "00:00:08.000")
    other = pipeline(call, transcript=to_the_end.encode(), roles=("agent", "customer"))
    assert report.turns[-1].emotion == other.turns[-1].emotion
    assert any("goes beyond it" in warning for warning in report.warnings)


def test_words_at_guessed_places_on_a_shared_channel_are_judged_as_words_alone(
    pipeline: EmotionPipeline, monkeypatch: pytest.MonkeyPatch
):
    """In mono, what sounds at a guessed place may be the agent."""
    spans = {0: [(0.2, 1.8), (2.0, 3.5), (3.7, 5.0), (5.2, 7.0)]}
    given_speech(monkeypatch, spans)
    text = b"Agent: thank you\nCustomer: i am so angry\nAgent: yes\nCustomer: no refund\n"
    report = pipeline(wav_bytes(agent_voice() + customer_voice()), transcript=text)
    for turn in turns_of(report, "customer"):
        assert turn.modalities == ("text",) and "place is estimated" in turn.reasons["audio_only"]
    alone = pipeline(
        wav_bytes(customer_voice()), transcript=b"Customer: i am so angry\nCustomer: no refund\n"
    )
    assert all(turn.modalities == ("audio", "text") for turn in turns_of(alone, "customer"))


def test_words_without_times_are_placed_before_a_part_is_cut(
    pipeline: EmotionPipeline, monkeypatch: pytest.MonkeyPatch
):
    spans = {0: [(0.2, 1.8), (3.7, 5.0)], 1: [(2.0, 3.5), (5.2, 7.0)]}
    given_speech(monkeypatch, spans)
    text = b"Agent: thank you\nCustomer: i am so angry\nAgent: yes\nCustomer: no refund\n"
    report = pipeline(
        wav_bytes(agent_voice(), customer_voice()), transcript=text, roles=("agent", "customer"), start=5.8
    )
    assert [turn.text for turn in report.turns if turn.role == "customer"] == ["no refund"]


def test_the_same_speaker_name_on_two_channels_is_two_speakers(pipeline: EmotionPipeline):
    """Some tools number speakers from 1 on each channel again."""
    text = VTT.replace("<v Agent>", "<v Speaker 1>").replace("<v Customer>", "<v Speaker 1>")
    turns = read_transcript(text.encode()).turns
    placed = Transcript(
        turns=tuple(dataclasses.replace(turn, channel=i % 2 if i < 4 else 1) for i, turn in enumerate(turns)),
        format="made",
    )
    call = wav_bytes(agent_voice(), customer_voice())
    report = pipeline(call, transcript=placed, roles=("agent", "customer"))
    assert turns_of(report, "customer")[0].change is None
    assert "no earlier" in turns_of(report, "customer")[0].reasons["change"]


def test_one_label_for_everybody_is_placed_turn_by_turn(pipeline: EmotionPipeline, report):
    text = VTT.replace("<v Agent>", "<v Speaker 0>").replace("<v Customer>", "<v Speaker 0>")
    found = pipeline(
        wav_bytes(agent_voice(), customer_voice()), transcript=text.encode(), roles=("agent", "customer")
    )
    assert [turn.role for turn in found.turns] == [turn.role for turn in report.turns]
    assert len(found.warnings) == 1 and "each put" in found.warnings[0]


@pytest.mark.parametrize("language", ["en-US", "English", "EN"])
def test_a_language_may_be_stated_in_any_form(pipeline: EmotionPipeline, language: str):
    report = pipeline(transcript=VTT.encode(), language=language)
    assert all(turn.text_only is not None for turn in turns_of(report, "customer"))
    (clip,) = pipeline.predict_clips([], ["i am so angry"], language=language)
    assert clip.emotion is not None


def test_a_language_that_is_none_is_refused(pipeline: EmotionPipeline):
    for use in (
        lambda: pipeline(transcript=VTT.encode(), language="klingon"),
        lambda: pipeline.predict_clips([], ["so angry"], language="klingon"),
    ):
        with pytest.raises(UsageError, match="klingon"):
            use()


def test_a_part_keeps_the_clock_of_the_whole_recording(pipeline: EmotionPipeline, call: tuple[Path, Path]):
    report = pipeline(call[0], transcript=call[1], roles=("agent", "customer"), start=3.0, end=6.0)
    assert report.part == (3.0, 6.0)
    assert [(turn.start, turn.end) for turn in report.turns] == [(3.0, 3.5), (3.7, 5.0), (5.2, 6.0)]
    assert "cut_at_part" in report.turns[0].flags
    assert report.turns[0].text == "is late"
    with pytest.raises(TranscriptError, match="no turn of the transcript lies"):
        pipeline(
            wav_bytes(customer_voice(30.0)),
            transcript=VTT.encode(),
            roles=("customer",),
            start=20.0,
            end=25.0,
        )


def test_words_in_another_language_count_as_missing(pipeline: EmotionPipeline, call: tuple[Path, Path]):
    report = pipeline(call[0], transcript=call[1], roles=("agent", "customer"), language="fr")
    for turn in turns_of(report, "customer"):
        assert turn.modalities == ("audio",) and "text_language_unread" in turn.flags
        assert turn.text  # kept in the report, only not read
    assert any("'fr'" in warning for warning in report.warnings)


def test_without_sound_and_with_unread_words_there_is_no_answer_but_a_reason(pipeline: EmotionPipeline):
    report = pipeline(None, transcript=VTT.encode(), language="fr")
    for turn in turns_of(report, "customer"):
        assert turn.emotion is None and "language" in turn.reasons["emotion"]


# --- turns and utterances --------------------------------------------------------------------------


def test_a_long_turn_has_windows_and_their_mean(pipeline: EmotionPipeline):
    sound = wav_bytes(voice(45.0, ((0.0, 45.0),), pitch=120, seed=3))
    turn = Turn(id="t1", start=0.0, end=45.0, speaker="Customer", role="customer", text="so angry " * 40)
    report = pipeline(sound, transcript=Transcript(turns=(turn,), format="made"))
    (only,) = report.turns
    assert len(only.windows) == 3 and only.emotion is not None
    assert only.windows[0].start == 0.0 and only.windows[-1].end == 45.0
    lengths = [window.end - window.start for window in only.windows]  # type: ignore[operator]
    assert max(lengths) <= 20.0
    mean = sum(
        window.emotion.probabilities["anger"] * length
        for window, length in zip(only.windows, lengths, strict=True)
    )
    assert only.emotion.probabilities["anger"] == pytest.approx(mean / 45.0, abs=2e-4)
    assert only.change is None  # the speaker's first turn, though its later windows have predecessors


@pytest.mark.parametrize("seconds", [0.0, 4.0, 1e6])
def test_batches_of_any_size_give_the_same_answers(
    pipeline: EmotionPipeline, report: CallReport, call: tuple[Path, Path], monkeypatch, seconds: float
):
    monkeypatch.setattr(pipeline, "batch_seconds", seconds)
    again = pipeline(call[0], transcript=call[1], roles=("agent", "customer"))
    for one, other in zip(probabilities_of(again), probabilities_of(report), strict=True):
        assert one == pytest.approx(other, abs=2e-4)


def test_short_silent_and_wordless_turns_say_why_there_is_no_sound(pipeline: EmotionPipeline):
    turns = (
        Turn(id="t1", start=0.2, end=0.25, speaker="c", role="customer", text="yes"),
        Turn(id="t2", start=2.0, end=3.0, speaker="c", role="customer", text="no"),
        Turn(id="t3", start=2.0, end=3.0, speaker="d", role="customer"),
        Turn(id="t4", start=9.0, end=9.5, speaker="d", role="customer", text="late"),
    )
    sound = wav_bytes(voice(8.0, ((0.0, 1.0),), pitch=120, seed=3))
    report = pipeline(sound, transcript=Transcript(turns=turns, format="made"))
    by_id = {turn.id: turn for turn in report.turns}
    assert by_id["t1"].modalities == ("text",)
    assert by_id["t1"].reasons["audio_only"] == "the turn is shorter than 0.1 s"
    assert "digital silence" in by_id["t2"].reasons["audio_only"]
    assert by_id["t3"].emotion is None and "digital silence" in by_id["t3"].reasons["emotion"]
    assert "end of the recording" in by_id["t4"].reasons["audio_only"]


def test_two_speakers_on_one_channel_are_both_scored_and_overlap_is_marked(pipeline: EmotionPipeline):
    turns = (
        Turn(id="t1", start=2.0, end=3.5, speaker="c", role="customer", text="no"),
        Turn(id="t2", start=3.0, end=4.8, speaker="d", role="customer", text="yes"),
    )
    sound = wav_bytes(agent_voice() + customer_voice())
    report = pipeline(sound, transcript=Transcript(turns=turns, format="made"))
    assert [turn.modalities for turn in report.turns] == [("audio", "text")] * 2
    assert all("overlap" in turn.flags and turn.channel == 0 for turn in report.turns)


def test_the_same_input_gives_the_same_bytes(pipeline: EmotionPipeline, report: CallReport, call):
    again = pipeline(call[0], transcript=call[1], roles=("agent", "customer"))
    assert to_json(again) == to_json(report)


def test_a_call_of_many_turns_stays_in_bounded_batches(
    pipeline: EmotionPipeline, monkeypatch: pytest.MonkeyPatch
):
    sizes: list[tuple[int, ...]] = []
    whole = type(pipeline.processor).__call__

    def spy(self, *args, **kwargs):
        batch = whole(self, *args, **kwargs)
        sizes.append(tuple(batch["input_values"].shape))
        return batch

    monkeypatch.setattr(type(pipeline.processor), "__call__", spy)
    monkeypatch.setattr(pipeline, "batch_seconds", 6.0)
    sound = wav_bytes(np.tile(customer_voice(), 4))
    turns = tuple(
        Turn(id=f"t{i}", start=i * 0.3, end=i * 0.3 + 0.25, speaker="c", role="customer", text="no")
        for i in range(100)
    )
    report = pipeline(sound, transcript=Transcript(turns=turns, format="made"))
    assert all(turn.emotion for turn in report.turns)
    assert len(sizes) >= 5
    assert max(rows * samples for rows, samples in sizes) <= 6.0 * 16000
