"""A recording and its transcript → turns with times, channels and roles, ready to be scored."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from mmser.audio import AudioSource, find_twin_channels
from mmser.channels import check_channel_roles, place_on_channels, roles_by_channel
from mmser.errors import AudioError, TranscriptError, UsageError
from mmser.labels import Role
from mmser.language import detect_language
from mmser.progress import ProgressCallback, ignore_progress
from mmser.segmentation import find_all_speech, place_turns, turns_from_speech
from mmser.transcripts import assign_roles, check_against, read_transcript, speaker_label
from mmser.types import Seconds, Transcript, TranscriptInfo, Turn

LANGUAGE_SAMPLE = 5_000  # characters that are enough to tell a language
DISTINCT_WORDS = 8  # fewer do not tell it
UNREAD = "text_language_unread"

TranscriptSource = str | PathLike[str] | bytes | Transcript


@dataclass(frozen=True, kw_only=True)
class Call:
    """Who speaks when, on which channel, in what role, with which words."""

    turns: tuple[Turn, ...]
    transcript: TranscriptInfo | None
    channels: dict[int, Role]
    words_read: bool  # False where the text encoder does not know the language
    warnings: tuple[str, ...]


def prepare_call(
    source: AudioSource | None,
    transcript: TranscriptSource | None,
    *,
    channel_roles: Sequence[Role] | None = None,
    speaker_roles: Mapping[str, Role] | None = None,
    language: str | None = None,
    languages_read: Sequence[str] = ("en",),
    progress: ProgressCallback = ignore_progress,
) -> Call:
    """Bring a recording and a transcript together; either may be missing, not both.

    Args:
        source: the opened recording.
        transcript: its words; without them, turns are found by listening.
        channel_roles: one role for each channel, in order.
        speaker_roles: speaker in the transcript → role.
        language: ISO 639-1 code of the words, where the user states it.
        languages_read: codes that the text encoder knows.
        progress: called with what is under way.

    Raises:
        AudioError: if two channels hold the same sound and no transcript tells who speaks.
        TranscriptError: if the transcript is broken, empty, or belongs to another recording.
        UsageError: if roles do not fit the channels or the speakers.
    """
    check_channel_roles(channel_roles, None if source is None else source.num_channels)
    twins = None if source is None else find_twin_channels(source)
    if transcript is None:
        assert source is not None
        _require_distinct(twins)
        return _by_ear(source, channel_roles, speaker_roles, progress)
    read, path, digest = _read(transcript, language)
    warnings = list(read.warnings)
    if twins is not None:
        warnings.append(f"{_same_sound(twins)}: who speaks is known from the transcript alone")
    read = assign_roles(read, roles=speaker_roles or {})
    if source is None:
        turns = _roles_without_sound(read.turns, channel_roles)
    else:
        if any(turn.start is None or turn.end is None for turn in read.turns):
            read, found = _place(read, source, channel_roles, progress)
            warnings += found
        read, found = check_against(read, source.recording.duration)
        warnings += found
        turns = cut_to_part(read.turns, source.start, source.end) if is_part(source) else read.turns
        if not turns:
            raise TranscriptError(
                f"no turn of the transcript lies in the part from {source.start:g} s to {source.end:g} s; "
                "choose another part"
            )
        progress("placing", 0, 0)
        turns, found_channels = place_on_channels(
            turns, num_channels=source.num_channels, channel_roles=channel_roles, read=source.read
        )
        warnings += found_channels
    spoken = language or read.language or guess_language(turn.text for turn in turns)
    unread = spoken is not None and spoken not in languages_read and any(turn.text for turn in turns)
    if unread:
        warnings.append(
            f"the words are in the language {spoken!r}, which this model does not read (it reads "
            f"{', '.join(languages_read)}): they count as missing; if that is wrong, state it with --language"
        )
        turns = tuple(
            dataclasses.replace(turn, flags=(*turn.flags, UNREAD)) if turn.text else turn for turn in turns
        )
    return Call(
        turns=turns,
        transcript=TranscriptInfo(
            path=path, format=read.format, sha256=digest, language=spoken, times=read.times
        ),
        channels=_channel_table(turns, channel_roles, source),
        words_read=not unread,
        warnings=tuple(warnings),
    )


def _same_sound(twins: tuple[int, int]) -> str:
    return f"channels {twins[0]} and {twins[1]} (counted from 0) hold the same sound (mono saved as stereo?)"


def _require_distinct(twins: tuple[int, int] | None) -> None:
    """Refuse channels that are the same: one party's voice would be judged as the other's."""
    if twins is not None:
        raise AudioError(
            f"{_same_sound(twins)}, so they do not tell who speaks; give --transcript with speakers, or the "
            "recording with each party on a channel of its own"
        )


def is_part(source: AudioSource) -> bool:
    """Tell whether only a part of the recording is to be analysed."""
    return source.start > 0 or source.end < source.recording.duration


def cut_to_part(turns: Sequence[Turn], start: Seconds, end: Seconds) -> tuple[Turn, ...]:
    """Return the turns inside a part of the recording; those that cross its edge are cut, with a flag.

    Words go with their times; without any, they are kept in proportion.
    """
    kept = []
    for turn in turns:
        if turn.start is None or turn.end is None or (start <= turn.start and turn.end <= end):
            kept.append(turn)
        elif turn.start < end and turn.end > start:
            kept.append(_cut(turn, turn.start, turn.end, start, end))
    return tuple(kept)


def _cut(turn: Turn, begin: Seconds, stop: Seconds, start: Seconds, end: Seconds) -> Turn:
    start, end = max(begin, start), min(stop, end)
    flags = (*turn.flags, "cut_at_part")
    words = tuple(
        word
        for word in turn.words
        if word.start is None or word.end is None or start <= (word.start + word.end) / 2 < end
    )
    texts = [word.text for word in turn.words] or (turn.text or "").split()
    if not turn.words and stop > begin:
        span = len(texts) / (stop - begin)
        texts = texts[round((start - begin) * span) : round((end - begin) * span)]
    elif turn.words:
        texts = [word.text for word in words]
    return dataclasses.replace(
        turn, start=start, end=end, words=words, text=" ".join(texts) or None, flags=flags
    )


def _read(transcript: TranscriptSource, language: str | None) -> tuple[Transcript, str | None, str | None]:
    """Return the transcript, its path and its hash."""
    if isinstance(transcript, Transcript):
        read, path, digest = transcript, None, None
    else:
        path = None if isinstance(transcript, bytes) else fspath(transcript)
        read = read_transcript(transcript, language=language)
        data = transcript if isinstance(transcript, bytes) else Path(transcript).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
    if not read.turns:
        raise TranscriptError(
            f"{path or 'the transcript'} holds no turns; give a transcript with at least one turn"
        )
    return read, path, digest


def _roles_without_sound(turns: Sequence[Turn], channel_roles: Sequence[Role] | None) -> tuple[Turn, ...]:
    """Give roles by the channels that the transcript states.

    Raises:
        UsageError: if roles are given by channel and the transcript does not tell every channel.
    """
    if not channel_roles:
        return tuple(turns)
    stated = {turn.channel for turn in turns if turn.channel is not None}
    if stated and max(stated) >= len(channel_roles):
        check_channel_roles(channel_roles, max(stated) + 1)
    lost = next((turn for turn in turns if turn.channel is None and turn.role == "unknown"), None)
    if lost is not None:
        raise UsageError(
            "--roles names channels, but without a recording the transcript does not tell which channel "
            f"{speaker_label(lost) or 'a speaker'} is on; name speakers with --role SPEAKER=ROLE"
        )
    return roles_by_channel(turns, channel_roles)


def _by_ear(
    source: AudioSource,
    channel_roles: Sequence[Role] | None,
    speaker_roles: Mapping[str, Role] | None,
    progress: ProgressCallback,
) -> Call:
    """Find turns without words: each channel's speech."""
    turns = turns_from_speech(
        source,
        dict(enumerate(channel_roles or ())),
        progress=lambda share: progress("listening", share, 1.0),
    )
    warnings = () if turns else ("no speech was found in the recording",)
    if speaker_roles:
        turns = assign_roles(Transcript(turns=turns, format="none"), roles=speaker_roles).turns
    return Call(
        turns=turns,
        transcript=None,
        channels=_channel_table(turns, channel_roles, source),
        words_read=True,
        warnings=warnings,
    )


def _place(
    transcript: Transcript,
    source: AudioSource,
    channel_roles: Sequence[Role] | None,
    progress: ProgressCallback,
) -> tuple[Transcript, list[str]]:
    """Place turns without times over detected speech, on their role's channel where it has one."""
    speech = find_all_speech(source, progress=lambda share: progress("listening", share, 1.0))
    roles = list(channel_roles or ())
    turns = tuple(
        dataclasses.replace(turn, channel=roles.index(turn.role))
        if turn.role != "unknown" and roles.count(turn.role) == 1
        else turn
        for turn in transcript.turns
    )
    placed = place_turns(dataclasses.replace(transcript, turns=turns), speech, source.end)
    over = "detected speech" if any(speech.values()) else "the whole length, as no speech was found"
    return placed, [
        f"the transcript has turns without times: they were placed over {over} (times: estimated)"
    ]


def guess_language(texts: Iterable[str | None]) -> str | None:
    """Return the language of the first words, or None where they are too few or too alike to tell.

    A few words repeated ("no no no") pass for many a language.
    """
    sample: list[str] = []
    length = 0
    for text in texts:
        sample.append(text or "")
        length += len(sample[-1])
        if length > LANGUAGE_SAMPLE:
            break
    joined = " ".join(sample)
    spaced = len(joined.split()) > length / 20  # else it is written without spaces between words
    if spaced and len(set(joined.casefold().split())) < DISTINCT_WORDS:
        return None
    return detect_language(joined)


def _channel_table(
    turns: Sequence[Turn], channel_roles: Sequence[Role] | None, source: AudioSource | None
) -> dict[int, Role]:
    """Return channel → role: as given, else the role that all its turns share."""
    if source is None:
        return {}
    heard: dict[int, set[Role]] = {}
    for turn in turns:
        if turn.channel is not None:
            heard.setdefault(turn.channel, set()).add(turn.role)
    table: dict[int, Role] = {}
    for channel in range(source.num_channels):
        roles = heard.get(channel, set())
        table[channel] = roles.pop() if len(roles) == 1 else "unknown"
    return table if channel_roles is None else dict(enumerate(channel_roles))
