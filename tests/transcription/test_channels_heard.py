"""A recording becomes words, channel by channel: with recorded answers over real voice activity."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from mmser.audio import open_recording
from mmser.errors import UsageError
from mmser.transcription.chunks import cut_chunks
from mmser.transcription.journal import Journal
from mmser.transcription.segments import Segment
from mmser.transcription.transcribe import Heard, transcribe
from mmser.types import Word
from tests.transcription.scripted import RATE, Reader, phrase

SAMPLE = Path(__file__).parents[2] / "mmser" / "assets" / "sample" / "call.wav"
PART = {"start": 0.0, "end": 40.0}


def wav(*channels: npt.NDArray[np.float32], rate: int = RATE) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, np.stack(channels, axis=1), rate, format="WAV", subtype="PCM_16")
    return target.getvalue()


@pytest.fixture(scope="module")
def voices() -> npt.NDArray[np.float32]:
    """(samples, 2) at 16 kHz: the bundled call's first 40 s."""
    with open_recording(SAMPLE, **PART) as source:
        return np.stack([source.read(0.0, 40.0, channel) for channel in (0, 1)], axis=1)


def hear(reader: Reader, **options: object) -> Heard:
    with open_recording(SAMPLE, **PART) as source:
        return transcribe(source, reader, **options)  # type: ignore[arg-type]


def num_chunks() -> int:
    reader = Reader()
    hear(reader)
    return len(reader.heard)


def test_each_channel_is_heard_in_chunks_of_speech_and_words_get_the_recordings_times():
    reader = Reader(*[[phrase(0.2, f"words number {i}", 1.2)] for i in range(99)])
    found = hear(reader)
    assert 2 <= len(reader.heard) < sum(map(len, found.speech.stretches.values()))
    assert set(found.words) == {0, 1} and found.language == "en"
    for channel, words in found.words.items():
        stretches = found.speech.stretches[channel]
        assert words and all(word.start is not None and word.end is not None for word in words)
        for word in words:
            assert any(s - 0.3 <= (word.start or 0) <= e + 0.3 for s, e in stretches)


def test_a_silent_recording_asks_for_nothing(voices: npt.NDArray[np.float32]):
    rng = np.random.default_rng(0)
    silence, hiss = np.zeros(60 * RATE, np.float32), rng.normal(0, 0.05, 60 * RATE).astype(np.float32)
    reader = Reader([phrase(0, "Thanks for watching!", 1)])
    with open_recording(wav(silence, hiss)) as source:
        found = transcribe(source, reader)
    assert (reader.heard, reader.asked, reader.looked) == ([], [], 0)
    assert found.words == {} and found.language is None


def test_batches_give_what_single_chunks_give():
    answers = [[phrase(0.1, f"this is {i}", 0.9)] for i in range(20)]
    single, batched = hear(Reader(*answers)), hear(Reader(*answers, batch_size=3))
    assert single == batched


def test_the_language_is_found_in_the_fullest_chunks_and_then_holds_for_all():
    reader = Reader(languages=[{"en": 0.4, "de": 0.6}])
    found = hear(reader)
    assert (found.language, found.language_probability) == ("de", pytest.approx(0.6))
    assert set(reader.asked) == {"de"} and reader.looked <= 6


def test_a_language_that_the_weights_cannot_tell_is_not_made_up():
    reader = Reader(languages=[{}])
    found = hear(reader)
    assert (found.language, found.language_probability) == (None, None)
    assert set(reader.asked) == {None}


def test_a_stated_language_is_taken_and_not_looked_for():
    reader = Reader()
    found = hear(reader, language="de")
    assert (found.language, found.language_probability, reader.looked) == ("de", None, 0)
    assert set(reader.asked) == {"de"}


def test_a_language_that_the_weights_do_not_know_is_refused():
    reader = Reader()
    with pytest.raises(UsageError, match="whisper:recorded does not know the language 'pl'"):
        hear(reader, language="pl")
    assert reader.heard == []


def test_made_up_phrases_are_dropped_with_their_reason_and_their_place():
    loop = phrase(0.2, "and so on and so on and so on and so on", 2.0)
    unsure = phrase(0.2, "mumble", 2.0, log_probability=-2.0)
    reader = Reader([loop], [unsure], [phrase(0.2, "...", 1.0)])
    found = hear(reader)
    assert found.reasons() == {"loop": 1, "low confidence": 1}
    assert sum(map(len, found.words.values())) == 0
    places = [one for dropped in found.dropped.values() for one in dropped]
    assert all(one.end - one.start == pytest.approx(1.8) for one in places)


def test_words_without_times_get_some_and_say_so():
    told = phrase(0.2, "it costs $25 a day", 2.2)
    words = tuple(Word(text=w.text) if w.text == "$25" else w for w in told.words)
    reader = Reader([Segment(start=0.2, end=2.2, text=told.text, words=words)], [phrase(0.2, "x", 2.2)])
    found = hear(reader)
    spoken = next(words for words in found.words.values() if any(w.text == "$25" for w in words))
    by_text = {word.text: word for word in spoken}
    assert by_text["$25"].estimated and not by_text["costs"].estimated
    assert by_text["costs"].end <= by_text["$25"].start <= by_text["$25"].end <= by_text["a"].start


def test_the_same_words_on_both_channels_are_counted_once(voices: npt.NDArray[np.float32]):
    """One voice on both lines, half as loud on the second, so that voice activity keeps both."""
    one = voices[:, 0]
    with open_recording(wav(one, 0.6 * one + voices[:, 1])) as source:
        speech_only = transcribe(source, Reader())
        chunks = cut_chunks(speech_only.speech.stretches, source.end)
        answers = [
            [
                phrase(heard[0], f"good morning number {start:.0f} is here", heard[1])
                for (start, _), heard in zip(chunk.speech, chunk.heard_speech(), strict=True)
            ]
            for chunk in chunks
        ]
        found = transcribe(source, Reader(*answers))
    own, other = (speech_only.speech.stretches[channel] for channel in (0, 1))
    leaks = [s for s in other if any(abs(s[0] - o[0]) < 0.1 and abs(s[1] - o[1]) < 0.1 for o in own)]
    assert leaks, "the first voice must be heard on the second channel"
    assert found.crosstalk_words >= 6 * len(leaks)
    assert len(found.words[0]) == 6 * len(own)
    for start, end in leaks:
        assert not [word for word in found.words[1] if start < (word.start or 0) < end]
        assert (start, end) not in found.speech.stretches[1], "nor is it a turn"


# --- going on ------------------------------------------------------------------------------------


def test_a_run_that_is_stopped_goes_on_at_the_first_unfinished_chunk(tmp_path: Path):
    answers = [[phrase(0.1, f"this is number {i}", 0.9)] for i in range(20)]
    whole = hear(Reader(*answers))
    total = num_chunks()

    class Stopped(Reader):
        def recognise(self, waveforms, language):  # type: ignore[no-untyped-def]
            if len(self.heard) == 1:
                raise KeyboardInterrupt
            return super().recognise(waveforms, language)

    with Journal(tmp_path / "j", {}) as journal, pytest.raises(KeyboardInterrupt):
        hear(Stopped(*answers), journal=journal)
    rest = Reader(*answers[1:])
    told: list[tuple[str, float, float]] = []
    with Journal(tmp_path / "j", {}) as journal:
        found = hear(rest, journal=journal, progress=lambda *step: told.append(step))
    assert found == whole
    assert len(rest.heard) == total - 1 > 0 and rest.looked == 0
    assert all(stage != "listening" for stage, _, _ in told), "voice activity is not looked for twice"
    shares = [done / all_ for stage, done, all_ in told if stage == "transcribing"]
    assert shares[0] > 0 and shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


def test_a_finished_journal_answers_everything(tmp_path: Path):
    with Journal(tmp_path / "j", {}) as journal:
        first = hear(Reader([phrase(0.1, "one two", 0.9)]), journal=journal)
    reader = Reader()
    with Journal(tmp_path / "j", {}) as journal:
        assert hear(reader, journal=journal) == first
    assert reader.heard == []
