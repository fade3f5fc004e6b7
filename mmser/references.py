"""Neutral clips of a voice, that it is judged against."""

from collections.abc import Callable, Mapping, Sequence

from mmser.audio import open_recording
from mmser.audio.intake import Source
from mmser.channels import louder_channel
from mmser.clips import clip_name
from mmser.errors import AudioError, UsageError
from mmser.hearing import MIN_SECONDS
from mmser.scoring import Reference
from mmser.types import Turn

REFERENCE_SECONDS = 20.0  # of a neutral clip, from its start


def hear_references(
    references: Mapping[str, Source], turns: Sequence[Turn], withheld: Callable[[Turn], bool]
) -> tuple[list[Reference], list[str]]:
    """Read each neutral clip for the speakers whom it names by role or name.

    Raises:
        UsageError: if nobody on the call bears a reference's role or name.
        AudioError: if a clip cannot be read.
    """
    heard, warnings = [], []
    for name, clip in references.items():
        named = {turn.speaker_key: turn for turn in turns if name in (turn.role, turn.speaker)}
        if not named:
            known = dict.fromkeys(part for turn in turns for part in (turn.role, turn.speaker) if part)
            raise UsageError(
                f"the reference for {name!r} fits nobody on this call; its roles and speakers are "
                f"{', '.join(list(known)[:12])}"
            )
        kept = {key: turn for key, turn in named.items() if not withheld(turn)}
        if not kept:
            warnings.append(f"the reference for {name!r} was not used, because those turns are withheld")
            continue
        with open_recording(clip) as source:
            warnings += source.warnings
            channel, _ = louder_channel(source)
            end = min(source.end, source.start + REFERENCE_SECONDS)
            waveform = source.read(source.start, end, channel)
            if end - source.start < MIN_SECONDS or not waveform.any():
                raise AudioError(
                    f"the reference {clip_name(clip, 1)} holds no voice (it is silent or shorter than "
                    f"{MIN_SECONDS} s); give a few seconds of calm speech"
                )
        heard += [Reference(speaker_key=key, role=turn.role, waveform=waveform) for key, turn in kept.items()]
    return heard, warnings
