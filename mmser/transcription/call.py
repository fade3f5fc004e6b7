"""A recorded call without words → its transcript: who said what and when, in which role."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmser import __version__
from mmser.audio import AudioSource
from mmser.labels import Role
from mmser.progress import ProgressCallback, ignore_progress
from mmser.redaction import Pattern, redact_transcript
from mmser.speech import NOBODY, Speech, leaks_told
from mmser.transcription.journal import Journal
from mmser.transcription.parties import channels_heard, speakers_of
from mmser.transcription.recogniser import Recogniser
from mmser.transcription.transcribe import Heard, check_language, transcribe
from mmser.transcription.turns import Dropped, Party, build_turns, deal_to_speakers
from mmser.transcripts import assign_roles
from mmser.transcripts.entries import join_words
from mmser.types import Recognition, Transcript, Turn, Word

OTHER_WORK = "what an earlier run with other options had recognised was thrown away"


@dataclass(frozen=True, kw_only=True)
class AsrRequest:
    """How words are to be recognised."""

    recogniser: Recogniser | Callable[[], Recogniser]  # opened once the recording is known to fit
    diarization: Transcript | None = None  # who speaks when, of a recording with one channel
    journal: Path | None = None  # where the steps are kept until the end, for a run that is stopped


def transcribe_call(
    source: AudioSource,
    asr: AsrRequest,
    *,
    channel_roles: Sequence[Role] | None = None,
    speaker_roles: Mapping[str, Role] | None = None,
    language: str | None = None,
    alone: bool = False,
    patterns: Sequence[Pattern] | None = None,
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
        patterns: the user's own, beside the personal data that are redacted; None = nothing is redacted.
        progress: called with what is under way.

    Raises:
        UsageError: if one channel holds who knows how many speakers, or roles do not fit.
        AudioError: if two channels hold the same sound, and no diarization tells who speaks.
        TranscriptError: if the diarization does not belong to the recording.
        OutputError: if the journal cannot be written.
    """
    channels = channels_heard(source, asr.diarization, channel_roles, alone=alone)
    spoken, warnings = speakers_of(asr.diarization, source)
    _check_names(spoken, source, speaker_roles or {})
    recogniser = asr.recogniser() if callable(asr.recogniser) else asr.recogniser
    check_language(recogniser, language)
    with contextlib.ExitStack() as stack:
        journal = None
        if asr.journal is not None:
            journal = stack.enter_context(Journal(asr.journal, _key(source, recogniser, channels, language)))
            warnings += [OTHER_WORK] * journal.discarded
        heard = transcribe(
            source, recogniser, channels=channels, language=language, journal=journal, progress=progress
        )
    turns = _by_speaker(heard, spoken, channels[0]) if spoken else _by_channel(heard, channel_roles, source)
    read = Transcript(
        turns=turns,
        format=recogniser.name,
        language=heard.language,
        warnings=(*warnings, *_warnings(heard, turns)),
        recognition=_recognition(heard, recogniser),
    )
    read = assign_roles(read, roles=speaker_roles or {})
    return read if patterns is None else _redacted(read, heard, patterns)


def _check_names(
    spoken: Mapping[Party, Speech], source: AudioSource, speaker_roles: Mapping[str, Role]
) -> None:
    """Refuse a role of somebody who will not be there, before hours of work."""
    names = [party.speaker for party in spoken] or [f"ch_{c}" for c in range(source.num_channels)]
    turns = [Turn(id=str(i), start=None, end=None, speaker=name) for i, name in enumerate(names)]
    assign_roles(Transcript(turns=tuple(turns), format=""), roles=speaker_roles)


def _redacted(read: Transcript, heard: Heard, patterns: Sequence[Pattern]) -> Transcript:
    """Redact the words, and the sound of phrases that were not believed too: they may well have been said."""
    lost = [
        dataclasses.replace(
            _turn_at(read.turns, channel, one), id=f"dropped{number}", words=one.words, flags=()
        )
        for channel, dropped in heard.dropped.items()
        for number, one in enumerate(dropped)
        if any(turn.channel == channel for turn in read.turns)
    ]
    lost = [dataclasses.replace(t, id=f"{t.id}/{t.channel}", text=join_words(t.words)) for t in lost]
    everything = sorted((*read.turns, *lost), key=lambda turn: turn.start or 0.0)
    found = redact_transcript(dataclasses.replace(read, turns=tuple(everything)), patterns)
    own = {turn.id for turn in read.turns}
    return dataclasses.replace(found, turns=tuple(turn for turn in found.turns if turn.id in own))


def _turn_at(turns: Sequence[Turn], channel: int, phrase: Dropped) -> Turn:
    """Return a turn of whoever said a phrase, at its time."""
    near = min(
        (turn for turn in turns if turn.channel == channel),
        key=lambda turn: max((turn.start or 0.0) - phrase.end, phrase.start - (turn.end or 0.0)),
    )
    return dataclasses.replace(near, start=phrase.start, end=phrase.end)


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


def _by_channel(heard: Heard, roles: Sequence[Role] | None, source: AudioSource) -> tuple[Turn, ...]:
    nobody = source.num_channels == 1 and not roles
    parties = [
        Party(
            channel=channel,
            speaker=None if nobody else f"ch_{channel}",
            role=roles[channel] if roles else "unknown",
        )
        for channel in range(source.num_channels)
    ]
    return build_turns(parties, heard.speech.stretches, heard.words, heard.dropped, heard.language)


def _by_speaker(heard: Heard, spoken: Mapping[Party, Speech], channel: int) -> tuple[Turn, ...]:
    """Deal the words of one channel to its speakers."""
    parties = [Party(channel=channel, speaker=party.speaker, role=party.role) for party in spoken]
    speech = dict(enumerate(spoken.values()))
    words: dict[int, list[Word]] = {number: [] for number in speech}
    dropped: dict[int, list[Dropped]] = {number: [] for number in speech}
    said, lost = heard.words.get(channel, []), heard.dropped.get(channel, [])
    spans = [(word.start or 0.0, word.end or 0.0) for word in said]
    for word, number in zip(said, deal_to_speakers(spans, speech), strict=True):
        words[number].append(word)
    for one, number in zip(lost, deal_to_speakers([(d.start, d.end) for d in lost], speech), strict=True):
        dropped[number].append(one)
    return build_turns(parties, speech, words, dropped, heard.language)


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
    found = [*([] if turns else [NOBODY]), *leaks_told(heard.speech)]
    if turns and all(turn.speaker is None for turn in turns):
        found.append(
            "the recording has one channel, so who speaks is not told apart; give --diarization, or --roles "
            "if one party alone is on it"
        )
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
