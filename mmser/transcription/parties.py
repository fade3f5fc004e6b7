"""Who can be told apart on a recording: by its channels, or by a diarization."""

from collections.abc import Sequence

from mmser.audio import AudioSource, find_twin_channels
from mmser.errors import AudioError, TranscriptError, UsageError
from mmser.labels import Role
from mmser.speech import Speech, merge_speech
from mmser.transcription.turns import Party
from mmser.transcripts import check_against
from mmser.types import Transcript


def channels_heard(
    source: AudioSource, diarization: Transcript | None, roles: Sequence[Role] | None, *, alone: bool
) -> Sequence[int]:
    """Return the channels that are heard, if they tell who speaks, or a diarization does.

    Args:
        source: the opened recording.
        diarization: who speaks when.
        roles: one for each channel.
        alone: whether one channel may stand without telling who speaks on it.

    Raises:
        UsageError: if one channel holds who knows how many speakers, or a diarization tells nothing new.
        AudioError: if two channels hold the same sound, and no diarization tells who speaks.
    """
    twins = find_twin_channels(source)
    ways = (
        "give --diarization with who speaks when (RTTM, or any transcript with speakers), --transcript with "
        "speakers, or the recording with each party on a channel of its own"
    )
    if twins is not None and diarization is None:
        raise AudioError(f"{same_sound(twins)}, so they do not tell who speaks; {ways}")
    if diarization is not None and source.num_channels > (1 if twins is None else 2):
        raise UsageError(
            f"--diarization is for a recording with one channel, and this one has {source.num_channels}, "
            "which tell who speaks; drop it"
        )
    if diarization is not None and roles:
        raise UsageError(
            "--roles says who is on a channel, and --diarization that several are; say who is who with "
            "--role SPEAKER=ROLE"
        )
    if diarization is None and source.num_channels == 1 and not roles and not alone:
        raise UsageError(
            f"the recording has one channel, which does not tell who speaks; {ways}; where one party alone "
            "is on it, say who with --roles"
        )
    return (min(twins),) if twins is not None else range(source.num_channels)


def same_sound(twins: tuple[int, int]) -> str:
    """Say which two channels hold the same sound."""
    return f"channels {twins[0]} and {twins[1]} (counted from 0) hold the same sound (mono saved as stereo?)"


def speakers_of(diarization: Transcript | None, source: AudioSource) -> tuple[dict[Party, Speech], list[str]]:
    """Return when each speaker of a diarization speaks, in seconds; and warnings.

    Raises:
        TranscriptError: if it does not say who speaks when, or does not belong to the recording.
    """
    if diarization is None:
        return {}, []
    if any(turn.start is None or turn.end is None for turn in diarization.turns):
        raise TranscriptError(
            "the diarization has turns without times; give one that says when each speaker speaks"
        )
    if any(turn.speaker is None for turn in diarization.turns):
        raise TranscriptError("the diarization has turns without a speaker; give one that names all of them")
    _, found = check_against(diarization, source.recording.duration)
    # That speakers overlap is what a diarization is there to tell.
    warnings = [f"the diarization: {one}" for one in (*diarization.warnings, *found) if "overlap" not in one]
    spoken: dict[Party, list[tuple[float, float]]] = {}
    for turn in diarization.turns:
        start, end = max(turn.start or 0.0, source.start), min(turn.end or 0.0, source.end)
        if end > start:
            party = Party(channel=0, speaker=turn.speaker, role=turn.role)
            spoken.setdefault(party, []).append((start, end))
    if not spoken:
        raise TranscriptError(
            f"nobody speaks between {source.start:g} s and {source.end:g} s by the diarization; choose "
            "another part, or another diarization"
        )
    return {party: merge_speech(stretches) for party, stretches in spoken.items()}, warnings
