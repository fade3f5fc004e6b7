"""A call without words gets a transcript: who is told apart, and who is not."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mmser.audio import open_recording
from mmser.errors import AudioError, TranscriptError, UsageError
from mmser.labels import Role
from mmser.transcription.call import AsrRequest, transcribe_call
from mmser.transcription.chunks import Chunk, cut_chunks
from mmser.transcription.segments import Segment
from mmser.transcription.transcribe import transcribe
from mmser.transcripts import read_transcript, write_json
from mmser.types import Transcript, Turn
from tests.transcription.scripted import RATE, Reader, phrase
from tests.transcription.test_channels_heard import PART, SAMPLE, wav

RTTM = """SPEAKER mono 1 0.0 9.0 <NA> <NA> anna <NA> <NA>
SPEAKER mono 1 9.0 12.0 <NA> <NA> bert <NA> <NA>
SPEAKER mono 1 21.0 19.0 <NA> <NA> anna <NA> <NA>
"""


@pytest.fixture(scope="module")
def mono() -> bytes:
    """Both parties of the bundled call on one channel, 40 s."""
    with open_recording(SAMPLE, **PART) as source:
        both = source.read(0.0, 40.0, 0) + source.read(0.0, 40.0, 1)
    return wav(np.clip(both, -1, 1))


def chunks_of(recording: bytes | Path) -> list[Chunk]:
    with open_recording(recording, **PART) as source:
        return cut_chunks(transcribe(source, Reader()).speech.stretches, source.end)


def seconds_as_words(chunk: Chunk) -> list[Segment]:
    """A word a second of a chunk that says which second of the recording it is."""
    return [
        phrase(second - start + heard, f"s{second:.0f}", second - start + heard + 0.4)
        for (start, end), (heard, _) in zip(chunk.speech, chunk.heard_speech(), strict=True)
        for second in np.arange(np.ceil(start), end - 0.4)
    ]


def call(recording: bytes | Path, reader: Reader | None = None, **options: object) -> Transcript:
    diarization = options.pop("diarization", None)
    reader = reader or Reader(*map(seconds_as_words, chunks_of(recording)))
    with open_recording(recording, **PART) as source:
        asr = AsrRequest(recogniser=reader, diarization=diarization)  # type: ignore[arg-type]
        return transcribe_call(source, asr, **options)  # type: ignore[arg-type]


def told(turns: tuple[Turn, ...]) -> set[tuple[int | None, str | None, Role]]:
    return {(turn.channel, turn.speaker, turn.role) for turn in turns}


def test_roles_are_those_of_the_channels():
    found = call(SAMPLE, channel_roles=("agent", "customer"))
    assert told(found.turns) == {(0, "ch_0", "agent"), (1, "ch_1", "customer")}
    assert (found.format, found.language, found.times) == ("whisper:recorded", "en", "given")


def test_roles_are_never_guessed():
    assert told(call(SAMPLE).turns) == {(0, "ch_0", "unknown"), (1, "ch_1", "unknown")}
    named = call(SAMPLE, speaker_roles={"ch_1": "customer"})
    assert told(named.turns) == {(0, "ch_0", "unknown"), (1, "ch_1", "customer")}


def test_how_words_were_recognised_is_told():
    found = call(SAMPLE, Reader([phrase(0.2, "hello there", 1.0, confidence=0.5)]))
    known = found.recognition
    assert known is not None
    assert (known.recogniser, known.version) == ("whisper:recorded", "recorded 1 0123456789ab")
    assert (known.num_words, known.confidence) == (2, 0.5)
    assert (known.language, known.language_probability) == ("en", 0.9)
    assert read_transcript(write_json(found).encode()) == found


def test_one_channel_without_speakers_is_refused_with_the_ways_on(mono: bytes):
    reader = Reader()
    with pytest.raises(UsageError, match=r"one channel.*--diarization.*--transcript.*--roles"):
        call(mono, reader)
    assert reader.heard == []


def test_one_party_alone_may_be_on_one_channel(mono: bytes):
    assert told(call(mono, channel_roles=("customer",)).turns) == {(0, "ch_0", "customer")}


def test_words_alone_may_stand_without_speakers(mono: bytes):
    found = call(mono, alone=True)
    assert told(found.turns) == {(0, None, "unknown")}
    assert any("who speaks is not told apart; give --diarization" in w for w in found.warnings)


def test_a_diarization_tells_the_speakers_of_one_channel_apart(mono: bytes):
    found = call(mono, diarization=read_transcript(RTTM.encode()), speaker_roles={"anna": "agent"})
    assert told(found.turns) == {(0, "anna", "agent"), (0, "bert", "unknown")}
    seconds = {
        name: [int(w.text[1:]) for turn in found.turns if turn.speaker == name for w in turn.words]
        for name in ("anna", "bert")
    }
    assert seconds["bert"] and all(9 <= second <= 21 for second in seconds["bert"])
    assert seconds["anna"] and all(second <= 9 or second >= 20 for second in seconds["anna"])


def test_a_transcript_with_speakers_serves_as_a_diarization(mono: bytes):
    found = call(mono, diarization=read_transcript(SAMPLE.with_suffix(".vtt")))
    assert {turn.role for turn in found.turns} == {"agent", "customer"}


def test_mono_saved_as_stereo_needs_a_diarization_and_is_heard_once(mono: bytes):
    with open_recording(mono) as source:
        one = source.read(0.0, 40.0, 0)
    twins = wav(one, one)
    with pytest.raises(AudioError, match=r"hold the same sound .*--diarization"):
        call(twins, Reader(), alone=True)
    answers = list(map(seconds_as_words, chunks_of(mono)))
    found = call(twins, Reader(*answers), diarization=read_transcript(RTTM.encode()))
    assert {turn.channel for turn in found.turns} == {0}
    assert {turn.speaker for turn in found.turns} == {"anna", "bert"}


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ("start,end,speaker,text\n0,2,Anna,hi\n3,4,,hello\n", "without a speaker"),
        ("Anna: hi\nBert: hello\n", "without times"),
        ("SPEAKER mono 1 90.0 9.0 <NA> <NA> anna <NA> <NA>\n", "after the recording ends"),
    ],
)
def test_a_diarization_that_does_not_say_who_speaks_when_is_refused(turns: str, message: str, mono: bytes):
    with pytest.raises(TranscriptError, match=message):
        call(mono, Reader(), diarization=read_transcript(turns.encode()))


def test_what_is_odd_about_a_diarization_is_told(mono: bytes):
    long = read_transcript((RTTM + "SPEAKER mono 1 800.0 9.0 <NA> <NA> anna <NA> <NA>\n").encode())
    found = call(mono, diarization=long)
    assert any(w.startswith("the diarization: the transcript ends at 809.00 s") for w in found.warnings)


def test_roles_of_channels_beside_a_diarization_are_refused(mono: bytes):
    with pytest.raises(UsageError, match="--role SPEAKER=ROLE"):
        call(mono, Reader(), diarization=read_transcript(RTTM.encode()), channel_roles=("customer",))


def test_a_diarization_of_a_recording_with_channels_is_refused():
    with pytest.raises(UsageError, match="which tell who speaks"):
        call(SAMPLE, Reader(), diarization=read_transcript(RTTM.encode()))


def test_what_was_left_out_is_told(mono: bytes):
    answers = [[phrase(0.2, "and so on and so on and so on and so on", 2.0)], [phrase(0.2, "thanks", 1.0)]]
    found = call(SAMPLE, Reader(*answers))
    assert any("1 recognised phrase was not believed and left out (loop 1)" in w for w in found.warnings)
    assert found.recognition is not None and found.recognition.dropped == {"loop": 1}


def test_nobody_speaks_in_noise():
    rng = np.random.default_rng(1)
    noise: npt.NDArray[np.float32] = rng.normal(0, 0.1, (2, 40 * RATE)).astype(np.float32)
    found = call(wav(noise[0], noise[1]), Reader())
    assert found.turns == () and "no speech was found in the recording" in found.warnings
