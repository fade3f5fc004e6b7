"""Made calls with known change points: clips of one speaker joined so that only the voice tells.

A splice must not betray itself: silence at the clips' edges is trimmed, their levels are matched over speech,
and the edges are cross-faded. At least half of the splices keep the emotion, so that who calls every splice a
change is right at most every second time.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmser.audio import SAMPLING_RATE
from mmser.data import Example
from mmser.data.waveforms import read_part
from mmser.errors import DataError
from mmser.quiet import without_chatter

Waveform = NDArray[np.float32]
Place = tuple[str, float | None, float | None, int | None]  # file, start, end and channel of a clip

FADE = 0.03  # seconds over which two clips overlap
LEVEL = 0.05  # root mean square of speech, of full scale: -26 dB
SPEECH_RANGE = 35.0  # dB under a clip's loudest frame; what is softer is no speech
FRAME, STEP = 320, 160  # samples of a level frame and between two: 20 and 10 ms
MIN_SPEECH = 0.6  # seconds; a shorter clip cannot be judged
KEPT = 0.5  # at least this share of a call's splices keeps the emotion
SEGMENTS = (5, 9)  # fewest and most clips of a call
TRIES = 200


@dataclass(frozen=True, kw_only=True)
class SplicedCall:
    """A made call of one speaker; times in seconds from its beginning."""

    speaker: str
    waveform: Waveform  # (samples,) at 16 kHz, in [-1, 1]
    edges: tuple[float, ...]  # of the segments, one more than there are: 0, each splice, the end
    emotions: tuple[str, ...]  # one for each segment
    clips: tuple[str, ...]  # file that each segment came from

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.edges[-1]

    @property
    def splices(self) -> tuple[float, ...]:
        """Every time at which two clips meet."""
        return self.edges[1:-1]

    @property
    def changes(self) -> tuple[float, ...]:
        """The splices at which the emotion changes."""
        pairs = itertools.pairwise(self.emotions)
        return tuple(t for t, (a, b) in zip(self.splices, pairs, strict=True) if a != b)

    @property
    def stretches(self) -> tuple[tuple[float, float, str], ...]:
        """(start, end, emotion) of each segment."""
        spans = itertools.pairwise(self.edges)
        return tuple((a, b, emotion) for (a, b), emotion in zip(spans, self.emotions, strict=True))


def speech_frames(waveform: Waveform) -> NDArray[np.bool_]:
    """Return which frames of 20 ms, one each 10 ms, hold speech: within 35 dB of the loudest, (frames,)."""
    if len(waveform) < FRAME:
        return np.zeros(0, bool)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, FRAME)[::STEP]
    power = np.square(frames, dtype=np.float64).mean(1)
    loudest = float(power.max())
    return np.asarray(power > max(loudest * 10 ** (-SPEECH_RANGE / 10), 1e-12))


def trim_silence(waveform: Waveform) -> Waveform:
    """Return a clip from its first to its last frame of speech; empty where there is none."""
    heard = np.flatnonzero(speech_frames(waveform))
    return waveform[:0] if not len(heard) else waveform[heard[0] * STEP : heard[-1] * STEP + FRAME]


def match_level(waveform: Waveform, level: float = LEVEL) -> Waveform:
    """Return a clip whose root mean square over its speech, pauses left out, is `level` of full scale."""
    starts = np.flatnonzero(speech_frames(waveform)) * STEP
    spoken = np.zeros(len(waveform), bool)
    for start in starts:
        spoken[start : start + FRAME] = True
    found = float(np.sqrt(np.square(waveform[spoken], dtype=np.float64).mean())) if spoken.any() else 0.0
    return waveform if found == 0 else np.asarray(waveform * (level / found), np.float32)


def join(pieces: Sequence[Waveform], fade: float = FADE) -> tuple[Waveform, tuple[float, ...]]:
    """Join clips, each overlapping the next by `fade` seconds of equal power.

    Returns:
        The sound, (samples,), scaled down as a whole if it would clip, and the edges of the segments in
        seconds, one more than there are; a splice lies in the middle of its cross-fade.

    Raises:
        ValueError: if a piece is shorter than two fades.
    """
    overlap = round(fade * SAMPLING_RATE)
    if any(len(piece) < 2 * overlap for piece in pieces):
        raise ValueError(f"a piece is shorter than the {2 * fade:g} s that its two cross-fades take")
    rise = np.sin(0.5 * np.pi * (np.arange(overlap) + 0.5) / max(overlap, 1))
    joined = np.zeros(sum(map(len, pieces)) - overlap * (len(pieces) - 1))
    edges, place = [0.0], 0
    for number, piece in enumerate(pieces):
        faded = piece.astype(np.float64)
        if overlap and number:
            faded[:overlap] *= rise
            edges.append((place + overlap / 2) / SAMPLING_RATE)
        elif number:
            edges.append(place / SAMPLING_RATE)
        if overlap and number < len(pieces) - 1:
            faded[-overlap:] *= rise[::-1]
        joined[place : place + len(piece)] += faded
        place += len(piece) - overlap
    peak = float(np.abs(joined).max())
    edges.append(len(joined) / SAMPLING_RATE)
    return np.asarray(joined / max(peak, 1.0), np.float32), tuple(edges)


def splice_calls(
    examples: Sequence[Example],
    *,
    calls_per_speaker: int,
    seed: int = 0,
    segments: tuple[int, int] = SEGMENTS,
) -> Iterator[SplicedCall]:
    """Yield made calls of every speaker, the same from the same seed; no clip occurs twice in a call.

    Args:
        examples: labelled clips with `audio` and `speaker`; those with several emotions are left out.
        calls_per_speaker: how many calls each speaker gets.
        seed: of the draw; a speaker's calls do not depend on which others are there.
        segments: fewest and most clips of a call.

    Raises:
        DataError: if a speaker has too few clips or emotions for a call.
        AudioError: if a clip cannot be read.
    """
    for speaker, own in _by_speaker(examples).items():
        trimmed: dict[Place, Waveform] = {}
        for number in range(calls_per_speaker):
            rng = np.random.default_rng([seed, number, *speaker.encode()])
            chosen = _choose(speaker, own, rng, segments, trimmed)
            waveform, edges = join([trimmed[_place(example)] for example in chosen])
            yield SplicedCall(
                speaker=speaker,
                waveform=waveform,
                edges=edges,
                emotions=tuple(example.emotions[0] for example in chosen),
                clips=tuple(str(example.audio) for example in chosen),
            )


def _by_speaker(examples: Sequence[Example]) -> dict[str, dict[str, list[Example]]]:
    """Return speaker → emotion → clips."""
    speakers: dict[str, dict[str, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        if example.audio is not None and example.speaker is not None and len(example.emotions) == 1:
            speakers[example.speaker][example.emotions[0]].append(example)
    return {speaker: dict(own) for speaker, own in speakers.items()}


def run_lengths(segments: int, rng: np.random.Generator, kept: float = KEPT) -> list[int]:
    """Draw how many clips in a row share an emotion, so that at least `kept` of the splices keep it."""
    splices = segments - 1
    keeps = np.arange(splices) < np.ceil(kept * splices)
    cuts = np.flatnonzero(~rng.permutation(keeps)) + 1
    lengths: list[int] = np.diff([0, *cuts, segments]).tolist()
    return lengths


def _choose(
    speaker: str,
    own: dict[str, list[Example]],
    rng: np.random.Generator,
    segments: tuple[int, int],
    trimmed: dict[Place, Waveform],
) -> list[Example]:
    """Draw the clips of a call; a draw that runs out of clips is made again."""
    for _ in range(TRIES):
        lengths = run_lengths(int(rng.integers(segments[0], segments[1] + 1)), rng)
        pools = {label: list(rng.permutation(len(clips))) for label, clips in sorted(own.items())}
        chosen: list[Example] = []
        last = ""
        for length in lengths:
            ready = [label for label, pool in pools.items() if label != last and len(pool) >= length]
            if not ready:
                break
            last = ready[int(rng.integers(len(ready)))]
            chosen += [own[last][pools[last].pop()] for _ in range(length)]
        if len(chosen) == sum(lengths) and all(_usable(example, trimmed) for example in chosen):
            return chosen
    raise DataError(
        f"no call of {segments[0]} to {segments[1]} clips can be spliced from speaker {speaker}, who has "
        f"{', '.join(f'{len(clips)} {label}' for label, clips in sorted(own.items()))}; give more clips"
    )


def _place(example: Example) -> Place:
    return str(example.audio), example.start, example.end, example.channel


def _usable(example: Example, trimmed: dict[Place, Waveform]) -> bool:
    """Say whether a clip holds enough speech, and keep it trimmed and levelled."""
    key = _place(example)
    if key not in trimmed:
        with without_chatter():
            trimmed[key] = match_level(trim_silence(read_part(example)))
    return len(trimmed[key]) >= MIN_SPEECH * SAMPLING_RATE
