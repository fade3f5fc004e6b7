"""A call without a transcript, end to end: recorded answers, real voice activity, the packaged model."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from mmser.audio import open_recording
from mmser.errors import ModelError, UsageError
from mmser.outputs import write_report
from mmser.pipeline import EmotionPipeline
from mmser.report.document import from_json, to_json
from mmser.transcription.chunks import Chunk, cut_chunks
from mmser.transcription.segments import Segment
from mmser.transcription.transcribe import transcribe
from mmser.types import CallReport, TurnReport
from tests.transcription.scripted import Reader, phrase

SAMPLE = Path(__file__).parents[1] / "mmser" / "assets" / "sample" / "call.wav"
ROLES = ("agent", "customer")
SAID = {
    0: ["How can I help you today?", "Could you give me the number, please?", "Thank you, one moment."],
    1: ["My card is 4111 1111 1111 1111.", "I am so angry with you!", "Nobody called me back at all."],
}


def answers(confidence: float = 0.9, first: Segment | None = None) -> list[list[Segment]]:
    """A sentence for each stretch of speech; `first`, at its place, for the customer's second one."""
    with open_recording(SAMPLE) as source:
        chunks: list[Chunk] = cut_chunks(transcribe(source, Reader()).speech.stretches, source.end)
    found, count = [], {0: 0, 1: 0}
    for chunk in chunks:
        segments = []
        for start, end in chunk.heard_speech():
            number = count[chunk.channel]
            count[chunk.channel] += 1
            text = f"{SAID[chunk.channel][number % 3]} {number}."
            if first is not None and chunk.channel == 1 and number == 1:
                segments.append(dataclasses.replace(first, start=start, end=end, words=()))
            else:
                segments.append(phrase(start, text, end, confidence=confidence))
        found.append(segments)
    return found


@pytest.fixture(scope="module")
def default() -> EmotionPipeline:
    return EmotionPipeline.from_pretrained()


@pytest.fixture(scope="module")
def recognised(default: EmotionPipeline) -> CallReport:
    made_up = Segment(start=0, end=1, text="Thanks for watching!", no_speech=0.9, log_probability=-0.2)
    reader = Reader(*answers(first=made_up))
    return default(SAMPLE, asr=reader, roles=ROLES, redact=True, timeline=False)


def customer(report: CallReport) -> list[TurnReport]:
    return [turn for turn in report.turns if turn.role == "customer"]


def test_words_that_were_recognised_are_fused_with_the_sound(recognised: CallReport):
    scored = customer(recognised)
    assert len(scored) >= 9
    assert sum(turn.modalities == ("audio", "text") for turn in scored) == len(scored) - 1
    assert all(turn.emotion is None for turn in recognised.turns if turn.role == "agent")


def test_a_phrase_that_is_not_believed_leaves_a_turn_to_the_sound_which_says_so(recognised: CallReport):
    (turn,) = [turn for turn in customer(recognised) if turn.text is None]
    assert turn.flags[-1] == "words_dropped_stock_phrase"
    assert turn.reasons["text"] == "what was recognised was not believed (stock phrase)"
    assert turn.modalities == ("audio",) and turn.emotion == turn.audio_only and turn.emotion is not None
    assert turn.text_only is None and turn.reasons["text_only"]
    assert recognised.recognition is not None
    assert recognised.recognition.dropped == {"stock phrase": 1}


def test_the_report_shows_how_sure_the_words_are(recognised: CallReport):
    sure = [turn.text_confidence for turn in recognised.turns if turn.text is not None]
    assert all(one is not None and one == pytest.approx(0.9, abs=0.06) for one in sure)
    assert from_json(to_json(recognised)) == recognised


def test_redacted_words_are_in_no_file_of_the_report_and_its_sound_is_silent_there(
    recognised: CallReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert recognised.redaction is not None and recognised.redaction.counts["card"] >= 2
    heard = []

    def encode(source):  # type: ignore[no-untyped-def]
        heard.append(np.concatenate([block for _, block in source.blocks()], axis=1))
        return b"\xff\xfb"

    monkeypatch.setattr("mmser.outputs.encode_mp3", encode)
    exports = ["aws", "parquet", "srt", "transcript", "vtt"]
    write_report(recognised, tmp_path / "out", sources=[SAMPLE], exports=exports)
    for path in (tmp_path / "out").iterdir():
        data = path.read_bytes()
        assert b"4111" not in data, path.name
    assert b"[card]" in (tmp_path / "out" / "report.html").read_bytes()
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "turns.parquet").to_pylist()
    assert any("[card]" in (row["text"] or "") for row in rows)
    assert not any("4111" in str(row) for row in rows)
    (sound,) = heard
    with open_recording(SAMPLE) as source:
        for start, end in recognised.redaction.spans:
            inside = slice(round(start * 16_000), round(end * 16_000))
            assert not sound[:, inside].any()
            assert source.read(start, end, 1).any(), "there was something to hear"
    assert sound.any()


def test_doubtful_words_weigh_less(default: EmotionPipeline):
    """The same angry words, believed less and less, give way to the voice."""
    apart = []
    for confidence in (1.0, 0.5, 0.1):
        reader = Reader(*answers(confidence))
        report = default(SAMPLE, asr=reader, roles=ROLES, timeline=False, end=45.0)
        apart.append([_distance(turn) for turn in customer(report)])
    for sure, half, doubtful in zip(*apart, strict=True):
        assert sure >= half >= doubtful
    assert np.mean(apart[2]) < 0.2 * np.mean(apart[0])


def _distance(turn: TurnReport) -> float:
    """How far the fused answer lies from that of the sound alone (total variation)."""
    assert turn.emotion is not None and turn.audio_only is not None
    fused, heard = turn.emotion.probabilities, turn.audio_only.probabilities
    return sum(abs(fused[label] - heard[label]) for label in fused) / 2


@pytest.mark.data
def test_words_that_were_swapped_harm_less_where_the_recogniser_doubts_them(
    default: EmotionPipeline, data_dir: Path
):
    """Voices of RAVDESS's test actors under words of any other comment."""
    names = {"05": "anger", "04": "sadness", "03": "happiness", "06": "fear", "07": "disgust"}
    clips = [
        path
        for path in sorted((data_dir / "corpora" / "ravdess").rglob("*.flac"))
        if path.stem[-2:] in ("06", "13", "17", "22") and path.stem.split("-")[2] in names
    ][::4]
    lines = (data_dir / "text" / "goemotions" / "dev.tsv").read_text("utf-8").splitlines()
    pool = " ".join(line.split("\t")[0] for line in lines).split()
    rng = np.random.default_rng(0)
    losses: dict[str, list[float]] = {"trusted": [], "doubted": []}  # negative log-likelihoods
    for path in clips:
        words = [pool[i] for i in rng.integers(len(pool), size=8)]
        with open_recording(path) as source:
            waveform = source.read(0.0, source.end, 0)
        for name, confidence in (("trusted", 1.0), ("doubted", 0.2)):
            batch = default.processor(
                audio=[waveform],
                text=[words],
                sampling_rate=16_000,
                text_confidence=[[confidence] * len(words)],
            )
            said = default.model.predict(**batch).emotion[0]
            wanted = default.info.labels.index(names[path.stem.split("-")[2]])
            losses[name].append(-float(said[wanted].log()))
    assert len(clips) >= 30
    assert np.mean(losses["doubted"]) < np.mean(losses["trusted"])


# --- ways in -------------------------------------------------------------------------------------


def test_without_weights_and_network_three_ways_on_are_named(
    default: EmotionPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        default(SAMPLE, roles=ROLES)
    for way in ("whisper:small", "--transcript FILE", "--asr whisper:FILE.pt", "--no-asr"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mono_call_is_refused_before_weights_are_fetched(default: EmotionPipeline, tmp_path: Path):
    with open_recording(SAMPLE) as source:
        one = source.read(0.0, 20.0, 0)
    import soundfile

    soundfile.write(tmp_path / "mono.wav", one, 16_000)
    with pytest.raises(UsageError, match=r"one channel.*--diarization"):
        default(tmp_path / "mono.wav", asr=lambda: pytest.fail("weights were fetched"))


def test_a_diarization_without_words_to_deal_is_refused(default: EmotionPipeline):
    for options in ({"transcribe": False}, {"transcript": SAMPLE.with_suffix(".vtt")}):
        with pytest.raises(UsageError, match="diarization tells whose"):
            default(SAMPLE, diarization=SAMPLE.with_suffix(".vtt"), roles=ROLES, **options)


def test_a_language_that_the_model_does_not_read_leaves_the_words_out(default: EmotionPipeline):
    report = default(SAMPLE, asr=Reader(*answers(), languages=[{"de": 1.0}]), roles=ROLES, timeline=False)
    assert report.transcript is not None and report.transcript.language == "de"
    assert {turn.modalities for turn in customer(report)} == {("audio",)}
    assert any("'de'" in warning for warning in report.warnings)


def test_the_page_tells_doubtful_words(default: EmotionPipeline, tmp_path: Path):
    report = default(SAMPLE, asr=Reader(*answers(0.4)), roles=ROLES, timeline=False)
    write_report(report, tmp_path / "out", sources=[SAMPLE], include_audio=False)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Words recognised" in page and "40% sure" in page
    assert re.search(r"Words recognised by</dt><dd>whisper:recorded \(recorded 1", page)


def test_a_card_number_in_a_phrase_that_is_not_believed_is_silenced_too(default: EmotionPipeline):
    """Its words are gone, but they may well have been said."""
    number = Segment(start=0, end=1, text=" 4111 1111 1111 1111" * 4, log_probability=-0.2)
    report = default(SAMPLE, asr=Reader(*answers(first=number)), roles=ROLES, redact=True, timeline=False)
    (turn,) = [t for t in customer(report) if "words_dropped_loop" in t.flags]
    assert turn.text is None and report.redaction is not None and turn.start is not None
    assert any(start <= turn.start + 0.3 and end >= turn.start + 1 for start, end in report.redaction.spans)


def test_sound_that_cannot_be_silenced_is_left_out(default: EmotionPipeline, tmp_path: Path):
    lines = "agent: How can I help you today?\ncustomer: My card is 4111 1111 1111 1111.\nagent: Thank you."
    report = default(SAMPLE, transcript=lines.encode(), roles=ROLES, redact=True, timeline=False)
    assert any("cannot be silenced" in warning for warning in report.warnings)
    write_report(report, tmp_path / "out", sources=[SAMPLE])
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "<audio" not in page and "[card]" in page
