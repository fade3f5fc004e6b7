"""Speech cut into chunks that a recogniser takes at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from mmser.speech import Speech

WINDOW = 30.0  # s that Whisper hears at once
PAD = 0.2  # s of sound kept on either side, so that no consonant is cut off
MAX_GAP = 2.0  # s; longer silence is not heard by the recogniser: words are invented over silence


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A part of one channel, at most a window long."""

    channel: int
    start: float  # seconds
    end: float
    speech: tuple[tuple[float, float], ...]  # stretches inside, in seconds


def cut_chunks(
    speech: Mapping[int, Speech], duration: float, *, window: float = WINDOW, start: float = 0.0
) -> list[Chunk]:
    """Cut each channel's speech at pauses into chunks of at most `window` seconds.

    A stretch that is longer than a window without any pause is cut where it is full.

    Args:
        speech: channel → stretches.
        duration: end of the recording, or of its part, in seconds.
        window: seconds.
        start: of the recording's part, in seconds.

    Returns:
        Chunks in order of their start; together they hold every stretch once.
    """
    chunks = []
    for channel, stretches in speech.items():
        for group in _groups(_no_longer(stretches, window - 2 * PAD), window - 2 * PAD):
            chunks.append(
                Chunk(
                    channel=channel,
                    start=max(start, group[0][0] - PAD),
                    end=min(duration, group[-1][1] + PAD),
                    speech=tuple(group),
                )
            )
    return sorted(chunks, key=lambda chunk: (chunk.start, chunk.channel))


def _no_longer(stretches: Speech, longest: float) -> list[tuple[float, float]]:
    """Cut stretches into equal parts that are no longer than `longest` seconds."""
    parts = []
    for begin, end in stretches:
        count = max(1, -int(-(end - begin) // longest))
        size = (end - begin) / count
        parts += [(begin + i * size, begin + (i + 1) * size) for i in range(count)]
    return parts


def _groups(stretches: Speech, longest: float) -> list[list[tuple[float, float]]]:
    """Put stretches together while they fit and the silence between them is short."""
    groups: list[list[tuple[float, float]]] = []
    for stretch in stretches:
        fits = bool(groups) and stretch[1] - groups[-1][0][0] <= longest
        if fits and stretch[0] - groups[-1][-1][1] <= MAX_GAP:
            groups[-1].append(stretch)
        else:
            groups.append([stretch])
    return groups
