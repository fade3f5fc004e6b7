"""A recording and its transcript → turns with times, channels and roles, ready to be scored."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from mmser.audio import AudioSource, find_twin_channels
from mmser.channels import check_channel_roles, flag_unsure_places, place_on_channels, roles_by_channel
from mmser.errors import AudioError, TranscriptError, UsageError
from mmser.labels import Role
from mmser.language import detect_language
from mmser.progress import ProgressCallback, ignore_progress
from mmser.redaction import UNSURE, Pattern, is_unsure, redact_lines, redact_transcript
from mmser.segmentation import place_turns, turns_from_speech
from mmser.speech import NOBODY, find_all_speech, leaks_told
from mmser.transcription.call import AsrRequest, transcribe_call
from mmser.transcription.parties import same_sound
from mmser.transcription.word_times import with_times
from mmser.transcripts import (
    assign_roles,
    check_against,
    check_turns,
    read_transcript,
    speaker_label,
    with_plain_text,
)
from mmser.transcripts.fields import language_code
from mmser.types import Recognition, Redaction, Seconds, Transcript, TranscriptInfo, Turn
from mmser.utterances import word_spans

LANGUAGE_SAMPLE = 5_000  # characters that are enough to tell a language
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
    recognition: Recognition | None = None
    redaction: Redaction | None = None


def prepare_call(
    source: AudioSource | None,
    transcript: TranscriptSource | None,
    *,
    channel_roles: Sequence[Role] | None = None,
    speaker_roles: Mapping[str, Role] | None = None,
    language: str | None = None,
    languages_read: Sequence[str] = ("en",),
    asr: AsrRequest | None = None,
    patterns: Sequence[Pattern] | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Call:
    """Bring a recording and a transcript together; either may be missing, not both.

    Args:
        source: the opened recording.
        transcript: its words; without them, they are recognised, or turns are found by listening.
        channel_roles: one role for each channel, in order.
        speaker_roles: speaker in the transcript → role.
        language: of the words, where the user states it, in any form that `stated_language` takes.
        languages_read: codes that the text encoder knows.
        asr: how words are recognised where there is no transcript; None = they are not.
        patterns: the user's own, beside the personal data that are redacted; None = nothing is redacted.
        progress: called with what is under way.

    Raises:
        AudioError: if two channels hold the same sound and no transcript tells who speaks.
        TranscriptError: if the transcript is broken, empty, or belongs to another recording.
        UsageError: if roles do not fit the channels or the speakers.
    """
    language = stated_language(language)
    check_channel_roles(channel_roles, None if source is None else source.num_channels)
    if transcript is None and asr is None:
        assert source is not None
        return _by_ear(source, channel_roles, speaker_roles, progress)
    if transcript is None:
        assert source is not None and asr is not None
        read = transcribe_call(
            source,
            asr,
            channel_roles=channel_roles,
            speaker_roles=speaker_roles,
            language=language,
            patterns=patterns,
            progress=progress,
        )
        turns, path, digest, warnings = read.turns, None, None, list(read.warnings)
    else:
        read, path, digest = _read(transcript, language)
        warnings = list(read.warnings)
        read = assign_roles(read, roles=speaker_roles or {})
        if source is None:
            turns = _roles_without_sound(read.turns, channel_roles)
        else:
            twins = find_twin_channels(source)
            turns, read, found = _lay_over(read, source, channel_roles, twins, progress)
            warnings += found
        turns = tuple(map(_with_word_times, turns))
    read = dataclasses.replace(read, turns=turns)
    if patterns is not None and transcript is not None:
        read = redact_transcript(read, patterns)
        warnings = redact_lines(warnings, patterns)
        if is_unsure(read):
            warnings.append(UNSURE)
    spoken = language or read.language or guess_language(turn.text for turn in read.turns)
    turns, unread, told = _flag_unread(read.turns, spoken, languages_read)
    return Call(
        turns=turns,
        transcript=TranscriptInfo(
            path=path, format=read.format, sha256=digest, language=spoken, times=read.times
        ),
        channels=_channel_table(turns, channel_roles, source),
        words_read=not unread,
        warnings=(*warnings, *told),
        recognition=read.recognition,
        redaction=read.redaction,
    )


def _with_word_times(turn: Turn) -> Turn:
    """Lay words without times, such as numbers, between those that have them."""
    if turn.start is None or turn.end is None or all(word.start is None for word in turn.words):
        return turn
    return dataclasses.replace(turn, words=with_times(turn.words, turn.start, turn.end))


def _flag_unread(
    turns: tuple[Turn, ...], spoken: str | None, languages_read: Sequence[str]
) -> tuple[tuple[Turn, ...], bool, list[str]]:
    """Mark words that the text encoder cannot read; tell whether there are such, and say so."""
    if spoken is None or spoken in languages_read or not any(turn.text for turn in turns):
        return turns, False, []
    warning = (
        f"the words are in the language {spoken!r}, which this model does not read (it reads "
        f"{', '.join(languages_read)}): they count as missing; if that is wrong, state it with --language"
    )
    flagged = tuple(
        dataclasses.replace(turn, flags=(*turn.flags, UNREAD)) if turn.text else turn for turn in turns
    )
    return flagged, True, [warning]


def _lay_over(
    read: Transcript,
    source: AudioSource,
    channel_roles: Sequence[Role] | None,
    twins: tuple[int, int] | None,
    progress: ProgressCallback,
) -> tuple[tuple[Turn, ...], Transcript, list[str]]:
    """Bring a transcript's turns onto the recording: times, the part, channels.

    Returns:
        The turns, the transcript with all its times, and warnings.
    """
    warnings = []
    if twins is not None:
        warnings.append(f"{same_sound(twins)}: who speaks is known from the transcript alone")
    if any(turn.start is None or turn.end is None for turn in read.turns):
        read, found = _place(read, source, channel_roles, progress)
        warnings += found
    read, found = check_against(read, source.recording.duration)
    warnings += found
    turns = _end_with(read.turns, source.recording.duration)
    turns = cut_to_part(turns, source.start, source.end) if is_part(source) else turns
    if not turns:
        raise TranscriptError(
            f"no turn of the transcript lies in the part from {source.start:g} s to {source.end:g} s; "
            "choose another part"
        )
    progress("placing", 0, 0)
    turns, found_channels = place_on_channels(
        turns, num_channels=source.num_channels, channel_roles=channel_roles, read=source.read
    )
    return flag_unsure_places(turns, twins), read, [*warnings, *found_channels]


def _require_distinct(twins: tuple[int, int] | None) -> None:
    """Refuse channels that are the same: one party's voice would be judged as the other's."""
    if twins is not None:
        raise AudioError(
            f"{same_sound(twins)}, so they do not tell who speaks; give --transcript with speakers, or the "
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
    spans = word_spans(turn, begin, stop)
    inside = [start <= (left + right) / 2 < end for left, right in spans]
    texts = [word.text for word in turn.words] or (turn.text or "").split()
    return dataclasses.replace(
        turn,
        start=start,
        end=end,
        words=tuple(word for word, kept in zip(turn.words, inside, strict=False) if kept),
        text=" ".join(text for text, kept in zip(texts, inside, strict=True) if kept) or None,
        flags=(*turn.flags, "cut_at_part"),
    )


def _end_with(turns: Sequence[Turn], duration: Seconds) -> tuple[Turn, ...]:
    """End turns with the recording at the latest: nothing sounds past it. Their words all stay."""
    return tuple(
        dataclasses.replace(turn, end=duration)
        if turn.start is not None and turn.end is not None and turn.start < duration < turn.end
        else turn
        for turn in turns
    )


def stated_language(text: str | None) -> str | None:
    """Return the ISO 639-1 code of a stated language (`en`, `en-US`, `English`); None stays None.

    Raises:
        UsageError: if it is no language.
    """
    if text is None:
        return None
    code = language_code(text)
    if code is None:
        raise UsageError(f"the language {text!r} is not known; write a code such as en, de or en-US")
    return code


def _read(transcript: TranscriptSource, language: str | None) -> tuple[Transcript, str | None, str | None]:
    """Return the transcript, its path and its hash."""
    if isinstance(transcript, Transcript):
        check_turns(transcript)
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
    return with_plain_text(read), path, digest


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
    if not stated and len(channel_roles) == 1 and len({turn.speaker for turn in turns}) == 1:
        return roles_by_channel((dataclasses.replace(turn, channel=0) for turn in turns), channel_roles)
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
    _require_distinct(find_twin_channels(source))
    speech = find_all_speech(source, progress=lambda share: progress("listening", share, 1.0))
    turns = turns_from_speech(speech.stretches, dict(enumerate(channel_roles or ())))
    warnings = leaks_told(speech) if turns else (NOBODY,)
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
    # Over the whole recording, also where a part is asked for: which words belong to it shows afterwards.
    whole = source.whole()
    speech = find_all_speech(whole, progress=lambda share: progress("listening", share, 1.0)).stretches
    roles = list(channel_roles or ())
    turns = tuple(
        dataclasses.replace(turn, channel=roles.index(turn.role))
        if turn.role != "unknown" and roles.count(turn.role) == 1
        else turn
        for turn in transcript.turns
    )
    placed = place_turns(dataclasses.replace(transcript, turns=turns), speech, whole.end)
    over = "detected speech" if any(speech.values()) else "the whole length, as no speech was found"
    return placed, [
        f"the transcript has turns without times: they were placed over {over} (times: estimated)"
    ]


def guess_language(texts: Iterable[str | None]) -> str | None:
    """Return the language of the first words, or None where they are too few or too alike to tell."""
    sample: list[str] = []
    length = 0
    for text in texts:
        sample.append(text or "")
        length += len(sample[-1])
        if length > LANGUAGE_SAMPLE:
            break
    return detect_language(" ".join(sample))


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
