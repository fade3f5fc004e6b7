"""The bundled model on real calls and real transcripts, and on the sample call, end to end."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from mmser import cli
from mmser.pipeline import EmotionPipeline
from mmser.report.document import from_json, json_schema, to_json
from mmser.transcripts import read_transcript
from mmser.types import CallReport, Seconds, Transcript

SAMPLE = Path(cli.__file__).parents[1] / "assets" / "sample"
TRANSCRIPTS = (
    "assemblyai_a.json",
    "aws_call_analytics.json",
    "aws_transcribe_channel_labels_a.json",
    "aws_transcribe_plain_a.json",
    "aws_transcribe_speaker_labels_a.json",
    "azure_batch_a.json",
    "azure_batch_transcription.json",
    "azure_fast_a.json",
    "contact_center_conversation.json",
    "contact_lens_a.json",
    "ctm_a.ctm",
    "deepgram_a.json",
    "google_stt_a.json",
    "revai_a.json",
    "rttm_a.rttm",
    "speechmatics_a.json",
    "stm_a.stm",
    "textgrid_a.TextGrid",
    "vcon_a.json",
    "vcon_wtf_a.json",
    "webvtt_voice_a.vtt",
    "webvtt_zoom_a.vtt",
    "whisper_a.json",
    "whisperx_a.json",
)


@pytest.fixture(scope="session")
def bundled() -> EmotionPipeline:
    return EmotionPipeline.from_pretrained()


def check_schema(report: CallReport) -> None:
    jsonschema.validate(json.loads(to_json(report)), json_schema())


# --- a real call of two files ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def two_files(bundled: EmotionPipeline, data_dir: Path) -> CallReport:
    files = [data_dir / f"calls/aws_lca/Auto_Repairs_40_UTC_{side}.wav" for side in ("agent", "caller")]
    return bundled(files, transcribe=False, roles=("agent", "customer"))


def test_a_real_call_of_two_files_has_plausible_turns(two_files: CallReport):
    check_schema(two_files)
    assert two_files.recording is not None and two_files.recording.duration == pytest.approx(245, abs=1)
    assert 20 <= len(two_files.turns) <= 150
    lengths: dict[str, Seconds] = {"agent": 0.0, "customer": 0.0}
    for turn in two_files.turns:
        assert turn.start is not None and turn.end is not None
        assert 0 <= turn.start < turn.end <= two_files.recording.duration + 0.01
        assert turn.channel == {"agent": 0, "customer": 1}[turn.role]
        lengths[turn.role] += turn.end - turn.start
    assert all(0.15 * 245 < length < 0.85 * 245 for length in lengths.values())
    assert [turn.start for turn in two_files.turns] == sorted(turn.start or 0.0 for turn in two_files.turns)


def test_on_a_real_call_agents_are_withheld_and_customers_judged_by_sound(two_files: CallReport):
    for turn in two_files.turns:
        assert turn.text is None and turn.text_only is None
        if turn.role == "agent":
            assert turn.emotion is turn.intensity is turn.change is turn.audio_only is None
            assert turn.windows == () and "withheld" in turn.reasons["emotion"]
        else:
            assert turn.modalities == ("audio",) and turn.emotion is not None
    assert {point.role for point in two_files.change_points} <= {"customer"}


# --- the bundled sample -------------------------------------------------------------------------------


def test_the_sample_call_gives_a_valid_report_and_the_same_bytes_twice(tmp_path: Path):
    for name in ("one", "two"):
        files = [str(SAMPLE / "call.wav"), "--transcript", str(SAMPLE / "call.vtt")]
        options = ["--roles", "agent,customer", "--quiet", "-o", str(tmp_path / name)]
        assert cli.run(["analyze", *files, *options]) == 0
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two]
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
    text = (tmp_path / "one" / "report.json").read_text("utf-8")
    jsonschema.validate(json.loads(text), json_schema())
    report = from_json(text)
    read = read_transcript(SAMPLE / "call.vtt")
    assert [turn.text for turn in report.turns] == [turn.text for turn in read.turns]
    assert all((turn.emotion is None) == (turn.role == "agent") for turn in report.turns)
    judged = [turn for turn in report.turns if turn.emotion is not None]
    assert judged and all(turn.modalities == ("audio", "text") for turn in judged)


# --- real transcripts ---------------------------------------------------------------------------------


def test_no_real_transcript_is_forgotten(data_dir: Path):
    assert sorted(path.name for path in (data_dir / "calls/transcripts").iterdir()) == sorted(TRANSCRIPTS)


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_real_transcript_alone_keeps_its_turns_words_and_times(
    bundled: EmotionPipeline, data_dir: Path, name: str
):
    path = data_dir / "calls/transcripts" / name
    read = read_transcript(path)
    report = bundled(None, transcript=path)
    check_schema(report)
    assert report.recording is None and report.transcript is not None
    assert report.transcript.format == read.format
    assert len(report.turns) == len(read.turns) > 0
    for turn, source in zip(report.turns, read.turns, strict=True):
        assert (turn.id, turn.text, turn.speaker) == (source.id, source.text, source.speaker)
        assert [word.text for word in turn.words] == [word.text for word in source.words]
        same_times([turn, *turn.words], [source, *source.words])
        assert turn.audio_only is None and "audio" not in turn.modalities


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_real_transcript_of_customers_is_judged_by_its_words(
    bundled: EmotionPipeline, data_dir: Path, name: str
):
    read = read_transcript(data_dir / "calls/transcripts" / name)
    report = bundled(None, transcript=as_customers(read))
    check_schema(report)
    assert report.transcript is not None
    unread = report.transcript.language not in (None, "en")
    for turn in report.turns:
        if turn.text is None or unread:
            assert turn.emotion is None and turn.reasons["emotion"]
        else:
            assert turn.modalities == ("text",) and turn.emotion is not None
            assert sum(turn.emotion.probabilities.values()) == pytest.approx(1, abs=1e-3)


def as_customers(read: Transcript) -> Transcript:
    turns = tuple(dataclasses.replace(turn, role="customer") for turn in read.turns)
    return dataclasses.replace(read, turns=turns)


def same_times(found: list, given: list) -> None:
    """Times are those of the file, up to the report's rounding; none is made up."""
    for one, other in zip(found, given, strict=True):
        for mine, theirs in ((one.start, other.start), (one.end, other.end)):
            assert (mine is None) == (theirs is None)
            assert mine is None or mine == pytest.approx(theirs, abs=0.002)
