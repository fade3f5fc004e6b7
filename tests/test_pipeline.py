"""The pipeline: recording and transcript in, report out."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest

from mmser.errors import AudioError, MmserError, ModelError, TranscriptError, UsageError
from mmser.pipeline import EmotionPipeline
from mmser.report.document import to_json
from mmser.transcripts import read_transcript
from mmser.types import CallReport, Transcript, Turn, TurnReport
from tests.call_fixtures import RATE, VTT, agent_voice, customer_voice, voice, wav_bytes, write_call
from tests.model_fixtures import save_tiny


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def pipeline(model_dir: Path) -> EmotionPipeline:
    return EmotionPipeline.from_pretrained(model_dir)


@pytest.fixture(scope="session")
def call(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_call(tmp_path_factory.mktemp("call"))


@pytest.fixture(scope="session")
def report(pipeline: EmotionPipeline, call: tuple[Path, Path]) -> CallReport:
    return pipeline(call[0], transcript=call[1], roles=("agent", "customer"))


def _of(report: CallReport, role: str) -> list[TurnReport]:
    return [turn for turn in report.turns if turn.role == role]


def _probabilities(report: CallReport) -> list[list[float]]:
    return [list(turn.emotion.probabilities.values()) for turn in report.turns if turn.emotion]


# --- what is scored, and from what ----------------------------------------------------------------


def test_customer_turns_are_scored_from_sound_and_words(report: CallReport):
    turns = _of(report, "customer")
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
    turns = _of(report, "agent")
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
    assert _probabilities(changed) == _probabilities(report)


def test_the_agents_words_do_reach_the_customers_context(pipeline: EmotionPipeline, report: CallReport):
    text = VTT.replace("thank you where is it", "happy happy happy fine")
    changed = pipeline(
        wav_bytes(agent_voice(), customer_voice()), transcript=text.encode(), roles=("agent", "customer")
    )
    assert _probabilities(changed) != _probabilities(report)


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
    expected = _probabilities(report)
    assert _probabilities(pipeline(stereo, transcript=VTT.encode(), roles=roles)) == expected
    assert _probabilities(pipeline(io.BytesIO(stereo), transcript=VTT.encode(), roles=roles)) == expected
    two = (wav_bytes(agent_voice()), wav_bytes(customer_voice()))
    assert _probabilities(pipeline(two, transcript=VTT.encode(), roles=roles)) == expected


def test_words_alone_give_a_report_with_reasons_for_what_is_missing(pipeline: EmotionPipeline):
    report = pipeline(None, transcript=VTT.encode())
    assert report.recording is None and report.reasons["recording"]
    for turn in _of(report, "customer"):
        assert turn.modalities == ("text",) and turn.audio_only is None
        assert turn.reasons["audio_only"] == "there is no recording"
        assert turn.loudness_dbfs is None and turn.reasons["loudness_dbfs"]


def test_sound_alone_finds_turns_by_listening(pipeline: EmotionPipeline, monkeypatch: pytest.MonkeyPatch):
    # The made tones are no speech, so the detector's stretches are given here.
    spans = {0: [(0.2, 1.8), (3.7, 5.0)], 1: [(2.0, 3.5), (5.2, 7.0)]}
    monkeypatch.setattr("mmser.segmentation.find_all_speech", lambda source, progress=None: spans)
    report = pipeline(
        wav_bytes(agent_voice(), customer_voice()), transcribe=False, roles=("agent", "customer")
    )
    assert report.transcript is None
    assert [turn.role for turn in report.turns] == ["agent", "customer", "agent", "customer"]
    assert all(turn.modalities == ("audio",) for turn in _of(report, "customer"))
    assert all(turn.emotion is None for turn in _of(report, "agent"))


def test_words_without_times_are_placed_and_flagged(
    pipeline: EmotionPipeline, monkeypatch: pytest.MonkeyPatch
):
    spans = {0: [(0.2, 1.8), (3.7, 5.0)], 1: [(2.0, 3.5), (5.2, 7.0)]}
    monkeypatch.setattr("mmser.calls.find_all_speech", lambda source, progress=None: spans)
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
    assert _probabilities(given) != _probabilities(report)
    withheld = pipeline(
        stereo, transcript=VTT.encode(), roles=("agent", "customer"), references={"agent": quiet}
    )
    assert _probabilities(withheld) == _probabilities(report)
    assert any("withheld" in warning for warning in withheld.warnings)
    with pytest.raises(UsageError, match="fits nobody"):
        pipeline(stereo, transcript=VTT.encode(), roles=("agent", "customer"), references={"spk_9": quiet})


def test_a_part_keeps_the_clock_of_the_whole_recording(pipeline: EmotionPipeline, call: tuple[Path, Path]):
    report = pipeline(call[0], transcript=call[1], roles=("agent", "customer"), start=3.0, end=6.0)
    assert report.part == (3.0, 6.0)
    assert [(turn.start, turn.end) for turn in report.turns] == [(3.0, 3.5), (3.7, 5.0), (5.2, 6.0)]
    assert "cut_at_part" in report.turns[0].flags
    assert report.turns[0].text == "parcel is late"
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
    for turn in _of(report, "customer"):
        assert turn.modalities == ("audio",) and "text_language_unread" in turn.flags
        assert turn.text  # kept in the report, only not read
    assert any("'fr'" in warning for warning in report.warnings)


def test_without_sound_and_with_unread_words_there_is_no_answer_but_a_reason(pipeline: EmotionPipeline):
    report = pipeline(None, transcript=VTT.encode(), language="fr")
    for turn in _of(report, "customer"):
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
    for one, other in zip(_probabilities(again), _probabilities(report), strict=True):
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


# --- channels ---------------------------------------------------------------------------------------


def test_unnamed_speakers_find_their_channel_by_loudness_with_a_warning(pipeline: EmotionPipeline, report):
    text = VTT.replace("<v Agent>", "<v spk_0>").replace("<v Customer>", "<v spk_1>")
    stereo = wav_bytes(agent_voice(), customer_voice())
    found = pipeline(stereo, transcript=text.encode(), roles=("agent", "customer"))
    assert [turn.channel for turn in found.turns] == [turn.channel for turn in report.turns]
    assert [turn.role for turn in found.turns] == [turn.role for turn in report.turns]
    assert any("'spk_0'" in warning and "louder" in warning for warning in found.warnings)


def test_channels_alike_give_no_unnamed_speaker_a_role(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "<v spk_0>").replace("<v Customer>", "<v spk_1>")
    both = agent_voice() + customer_voice()
    found = pipeline(wav_bytes(both, both), transcript=text.encode(), roles=("agent", "customer"))
    assert {turn.role for turn in found.turns} == {"unknown"}
    assert all(turn.emotion is None for turn in found.turns)
    assert any("same sound" in warning for warning in found.warnings)


def test_channels_alike_never_tell_the_parties_apart_by_ear(pipeline: EmotionPipeline):
    """Mono saved as stereo: the agent's voice is on the customer's channel too."""
    both = agent_voice() + customer_voice()
    with pytest.raises(AudioError, match=r"same sound.*--transcript"):
        pipeline(wav_bytes(both, both), transcribe=False, roles=("agent", "customer"))


def test_a_role_goes_before_the_channel_that_the_transcript_states(pipeline: EmotionPipeline):
    turn = Turn(id="t1", start=2.0, end=3.5, channel=0, speaker="Customer", role="customer", text="no")
    stereo = wav_bytes(agent_voice(), customer_voice())
    report = pipeline(
        stereo, transcript=Transcript(turns=(turn,), format="made"), roles=("agent", "customer")
    )
    assert report.turns[0].channel == 1 and report.turns[0].loudness_dbfs is not None
    assert any("channel 0" in warning for warning in report.warnings)


def test_turns_without_speakers_go_to_the_louder_channel(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "").replace("<v Customer>", "").replace("</v>", "")
    stereo = wav_bytes(agent_voice(), customer_voice())
    report = pipeline(stereo, transcript=text.encode(), roles=("agent", "customer"))
    assert [turn.role for turn in report.turns] == ["agent", "customer", "agent", "customer", "customer"]


# --- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transcript": VTT.encode(), "roles": ("agent", "customer", "system")}, "3 channels"),
        ({"transcript": VTT.encode(), "roles": ("agent", "boss")}, "'boss' is not a role"),
        ({"transcript": VTT.encode(), "roles": "agent"}, "give a sequence"),
        ({"transcript": VTT.encode(), "agent_reason": "curiosity"}, "'curiosity'"),
        ({"transcript": VTT.encode(), "speaker_roles": {"spk_9": "customer"}}, "spk_9"),
        ({"transcript": VTT.encode(), "start": 9.0, "end": 12.0}, "does not lie within"),
        ({}, "no transcript"),
    ],
)
def test_a_call_that_contradicts_itself_is_refused(
    pipeline: EmotionPipeline, call: tuple[Path, Path], options: dict, message: str
):
    with pytest.raises(UsageError, match=message):
        pipeline(call[0], **options)


def test_nothing_to_analyse_is_refused(pipeline: EmotionPipeline):
    with pytest.raises(UsageError, match="nothing to analyse"):
        pipeline(None)


def test_channel_roles_without_channels_are_refused(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "<v spk_0>")
    with pytest.raises(UsageError, match="name speakers with --role"):
        pipeline(None, transcript=text.encode(), roles=("agent", "customer"))


def test_one_role_for_a_channel_that_several_share_is_refused(pipeline: EmotionPipeline):
    text = VTT.replace("<v Agent>", "<v spk_0>").replace("<v Customer>", "<v spk_1>")
    with pytest.raises(UsageError, match="2 speakers are on it"):
        pipeline(wav_bytes(customer_voice()), transcript=text.encode(), roles=("customer",))


def test_a_transcript_without_turns_is_refused(pipeline: EmotionPipeline):
    with pytest.raises(TranscriptError):
        pipeline(None, transcript=Transcript(turns=(), format="made"))


# --- models ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_folder_without_a_file_is_named(model_dir: Path, tmp_path: Path, name: str):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name}"):
        EmotionPipeline.from_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("config.json", '"schema_version": 1', '"schema_version": 99', "schema version 99"),
        ("config.json", '"model_type": "mmser"', '"model_type": "bert"', "of type 'bert'"),
        ("config.json", "{", "", "cannot be read as JSON"),
        ("config.json", '"fusion_size": 24', '"fusion_size": 48', "weights"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    model_dir: Path, tmp_path: Path, name: str, old: str, new: str, message: str
):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    text = (folder / name).read_text("utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ModelError, match=message):
        EmotionPipeline.from_pretrained(folder)


def test_cut_weights_are_refused(model_dir: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    weights = folder / "model.safetensors"
    weights.chmod(0o600)
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        EmotionPipeline.from_pretrained(folder)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="no model folder"):
        EmotionPipeline.from_pretrained(tmp_path / "nothing")


def test_the_report_names_the_weights_by_their_hash(pipeline: EmotionPipeline, model_dir: Path, report):
    import hashlib

    digest = hashlib.sha256((model_dir / "model.safetensors").read_bytes()).hexdigest()
    assert report.model.revision == digest
    assert report.model.id == "model"


# --- clips ------------------------------------------------------------------------------------------------


def test_clips_are_judged_each_by_itself(pipeline: EmotionPipeline):
    one, two = (wav_bytes(voice(2.0, ((0.0, 2.0),), pitch=p, seed=5)) for p in (110, 240))
    both = pipeline.predict_clips([one, two], ["so angry", None])
    assert [clip.modalities for clip in both] == [("audio", "text"), ("audio",)]
    (alone,) = pipeline.predict_clips([two])
    assert dataclasses.replace(alone, clip="clip 2") == both[1]


def test_a_broken_clip_is_reported_and_the_rest_go_on(pipeline: EmotionPipeline):
    good = wav_bytes(voice(2.0, ((0.0, 2.0),), pitch=110, seed=5))
    bad, fine = pipeline.predict_clips([b"no sound at all", good])
    assert bad.error and bad.emotion is None
    assert fine.emotion is not None and fine.error is None


def test_a_clip_of_several_channels_is_never_mixed(pipeline: EmotionPipeline):
    loud, quiet = (voice(2.0, ((0.0, 2.0),), pitch=p, seed=5) for p in (110, 240))
    (stereo,) = pipeline.predict_clips([wav_bytes(0.01 * quiet, loud)])
    (mono,) = pipeline.predict_clips([wav_bytes(loud)])
    assert stereo.channel == 1 and stereo.warnings
    assert stereo.emotion == mono.emotion


def test_a_silent_clip_has_a_reason_instead_of_an_answer(pipeline: EmotionPipeline):
    (clip,) = pipeline.predict_clips([wav_bytes(np.zeros(RATE, np.float32))])
    assert clip.emotion is None and "silence" in clip.reasons["emotion"]


def test_texts_must_match_clips(pipeline: EmotionPipeline):
    with pytest.raises(UsageError, match="1 texts are given for 2 clips"):
        pipeline.predict_clips([b"a", b"b"], ["x"])
    with pytest.raises(MmserError):
        pipeline.predict_clips([])


def test_reading_a_transcript_first_makes_no_difference(pipeline: EmotionPipeline, report, call):
    read = read_transcript(call[1])
    again = pipeline(call[0], transcript=read, roles=("agent", "customer"))
    assert again.turns == report.turns
