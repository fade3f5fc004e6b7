"""A recorded call without words → its transcript: who said what and when, in which role."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmser import __version__
from mmser.audio import AudioSource, find_twin_channels
from mmser.errors import AudioError, TranscriptError, UsageError
from mmser.labels import Role
from mmser.progress import ProgressCallback, ignore_progress
from mmser.speech import Speech, merge_speech
from mmser.transcription.journal import Journal
from mmser.transcription.recogniser import Recogniser
from mmser.transcription.transcribe import Heard, transcribe
from mmser.transcription.turns import Dropped, Line, build_turns, deal_to_speakers
from mmser.transcripts import assign_roles, check_against
from mmser.types import Recognition, Seconds, Transcript, Turn, Word

MIN_LEAK: Seconds = 1.0  # less leaking speech is not worth a warning
NOBODY = "no speech was found in the recording"


@dataclass(frozen=True, kw_only=True)
class Asr:
    """How words are to be recognised."""

    recogniser: Recogniser | Callable[[], Recogniser]  # opened once the recording is known to fit
    diarization: Transcript | None = None  # who speaks when, of a recording with one channel
    journal: Path | None = None  # where the steps are kept until the end, for a run that is stopped


def transcribe_call(
    source: AudioSource,
    asr: Asr,
    *,
    channel_roles: Sequence[Role] | None = None,
    speaker_roles: Mapping[str, Role] | None = None,
    language: str | None = None,
    alone: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Transcript:
    """Recognise the words of a call, each channel by itself, and return its turns with channels and roles.

    Args:
        source: the opened recording.
        asr: how to.
        channel_roles: one role for each channel, in order.
        speaker_roles: speaker of the diarization, or ch_0, ch_1 …, → role.
        language: ISO 639-1 code; None = it is found out.
        alone: whether one channel may stand without telling who speaks on it.
        progress: called with what is under way.

    Raises:
        UsageError: if one channel holds who knows how many speakers, or roles do not fit.
        AudioError: if two channels hold the same sound, and no diarization tells who speaks.
        TranscriptError: if the diarization does not belong to the recording.
        OutputError: if the journal cannot be written.
    """
    channels = _channels(source, asr.diarization, channel_roles, alone=alone)
    spoken = _spoken(asr.diarization, source)
    recogniser = asr.recogniser() if callable(asr.recogniser) else asr.recogniser
    with contextlib.ExitStack() as stack:
        journal = None
        if asr.journal is not None:
            journal = stack.enter_context(Journal(asr.journal, _key(source, recogniser, channels, language)))
        heard = transcribe(
            source, recogniser, channels=channels, language=language, journal=journal, progress=progress
        )
    turns = _by_speaker(heard, spoken, channels[0]) if spoken else _by_channel(heard, channel_roles, source)
    read = Transcript(
        turns=turns,
        format=recogniser.name,
        language=heard.language,
        warnings=_warnings(heard, turns),
        recognition=_recognition(heard, recogniser),
    )
    return assign_roles(read, roles=speaker_roles or {})


def _key(
    source: AudioSource, recogniser: Recogniser, channels: Sequence[int], language: str | None
) -> dict[str, object]:
    """Return what decides what is recognised: steps of an earlier run count only where all is the same."""
    return {
        "mmser": __version__,
        "recording": source.recording.sha256,
        "part": [source.start, source.end],
        "channels": list(channels),
        "recogniser": [recogniser.name, recogniser.version],
        "language": language,
    }


def _channels(
    source: AudioSource, diarization: Transcript | None, roles: Sequence[Role] | None, *, alone: bool
) -> Sequence[int]:
    """Return the channels that are heard, if they tell who speaks, or a diarization does."""
    twins = find_twin_channels(source)
    ways = (
        "give --diarization with who speaks when (RTTM, or any transcript with speakers), --transcript with "
        "speakers, or the recording with each party on a channel of its own"
    )
    if twins is not None and diarization is None:
        raise AudioError(
            f"channels {twins[0]} and {twins[1]} (counted from 0) hold the same sound (mono saved as "
            f"stereo?), so they do not tell who speaks; {ways}"
        )
    if diarization is not None and twins is None and source.num_channels > 1:
        raise UsageError(
            f"--diarization is for a recording with one channel, and this one has {source.num_channels}, "
            "which tell who speaks; drop it"
        )
    if diarization is None and source.num_channels == 1 and not roles and not alone:
        raise UsageError(
            f"the recording has one channel, which does not tell who speaks; {ways}; where one party alone "
            "is on it, say who with --roles"
        )
    return (min(twins),) if twins is not None else range(source.num_channels)


def _spoken(diarization: Transcript | None, source: AudioSource) -> dict[Line, Speech]:
    """Return when each speaker of a diarization speaks."""
    if diarization is None:
        return {}
    if any(turn.start is None or turn.end is None for turn in diarization.turns):
        raise TranscriptError(
            "the diarization has turns without times; give one that says when each speaker speaks"
        )
    if any(turn.speaker is None for turn in diarization.turns):
        raise TranscriptError("the diarization has turns without a speaker; give one that names all of them")
    check_against(diarization, source.recording.duration)
    spoken: dict[Line, list[tuple[float, float]]] = {}
    for turn in diarization.turns:
        start, end = max(turn.start or 0.0, source.start), min(turn.end or 0.0, source.end)
        if end > start:
            line = Line(channel=0, speaker=turn.speaker, role=turn.role)
            spoken.setdefault(line, []).append((start, end))
    if not spoken:
        raise TranscriptError(
            f"nobody speaks between {source.start:g} s and {source.end:g} s by the diarization; choose "
            "another part, or another diarization"
        )
    return {line: merge_speech(stretches) for line, stretches in spoken.items()}


def _by_channel(heard: Heard, roles: Sequence[Role] | None, source: AudioSource) -> tuple[Turn, ...]:
    nobody = source.num_channels == 1 and not roles
    lines = [
        Line(
            channel=channel,
            speaker=None if nobody else f"ch_{channel}",
            role=roles[channel] if roles else "unknown",
        )
        for channel in range(source.num_channels)
    ]
    return build_turns(lines, heard.speech.stretches, heard.words, heard.dropped, heard.language)


def _by_speaker(heard: Heard, spoken: Mapping[Line, Speech], channel: int) -> tuple[Turn, ...]:
    """Deal the words of one channel to its speakers."""
    lines = [Line(channel=channel, speaker=line.speaker, role=line.role) for line in spoken]
    speech = dict(enumerate(spoken.values()))
    words: dict[int, list[Word]] = {number: [] for number in speech}
    dropped: dict[int, list[Dropped]] = {number: [] for number in speech}
    said, lost = heard.words.get(channel, []), heard.dropped.get(channel, [])
    spans = [(word.start or 0.0, word.end or 0.0) for word in said]
    for word, number in zip(said, deal_to_speakers(spans, speech), strict=True):
        words[number].append(word)
    for one, number in zip(lost, deal_to_speakers([(d.start, d.end) for d in lost], speech), strict=True):
        dropped[number].append(one)
    return build_turns(lines, speech, words, dropped, heard.language)


def _recognition(heard: Heard, recogniser: Recogniser) -> Recognition:
    words = [word for spoken in heard.words.values() for word in spoken]
    stated = [word.confidence for word in words if word.confidence is not None]
    return Recognition(
        recogniser=recogniser.name,
        version=recogniser.version,
        language=heard.language,
        language_probability=_rounded(heard.language_probability),
        num_words=len(words),
        confidence=_rounded(sum(stated) / len(stated)) if stated else None,
        dropped=heard.reasons(),
        crosstalk_words=heard.crosstalk_words,
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _warnings(heard: Heard, turns: Sequence[Turn]) -> tuple[str, ...]:
    found = [] if turns else [NOBODY]
    found += [
        f"{seconds:.0f} s of speech on channel {channel} (counted from 0) was another channel's voice, "
        "leaking in, and was left out"
        for channel, seconds in heard.speech.leaked.items()
        if seconds >= MIN_LEAK
    ]
    if heard.crosstalk_words:
        found.append(
            f"recognised words that stood on two channels at once were left out of the softer one "
            f"({heard.crosstalk_words})"
        )
    if heard.reasons():
        told = ", ".join(f"{reason} {count}" for reason, count in heard.reasons().items())
        number = Counter(heard.reasons()).total()
        found.append(
            f"{number} recognised {'phrase was' if number == 1 else 'phrases were'} not believed and left "
            f"out ({told})"
        )
    return tuple(found)
