"""Prints of sound that outlive gain, resampling, codecs and trims, and the search for clips that share one.

After Haitsma & Kalker (2002): every 10 ms, 32 bits say whether the energy between neighbouring bands
rose or fell. Differences of log energies over time cancel the level and any fixed filter; the bands end
at 3 kHz, so a telephone passes them. Copies through a codec differ in a few hundredths to a quarter of the
bits; two takes of one sentence by one actor in a third, but in a fifth at the closest, so doubtful pairs
are held against each other as waveforms, where takes correlate by up to 0.45 and copies from 0.74.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr
from scipy import fft

from mmser.audio import SAMPLING_RATE

RATE: Final = 8_000  # Hz, at which prints are taken
HOP: Final = 80  # samples, 10 ms
WINDOW: Final = 2_048  # samples, 256 ms: long enough to resolve a voice's harmonics
LAG: Final = 8  # hops, between the two spectra of one difference
LOW, HIGH, NUM_BANDS = 300.0, 3_000.0, 33  # Hz
FLOOR: Final = 10**-3.5  # of the loudest frame's energy: what is 35 dB below it counts as nothing
ACTIVE: Final = 10**-3.0  # a frame more than 30 dB below the loudest has no print
MIN_CHANGE: Final = 0.05  # mean |difference| of log energies; a steady tone or hum has no print
MAX_BIT_ERROR: Final = 0.3
SURE_BIT_ERROR: Final = 0.1  # no two takes come near it
MIN_CORRELATION: Final = 0.6  # of the waveforms of two copies, at their best lag
MAX_SHIFT: Final = 0.05  # seconds, between the offset of two prints and that of their waveforms
MIN_FRAMES: Final = 50  # active and common to both clips: half a second
MIN_COMMON: Final = 0.7  # of the active frames of the clip that has fewer
NUM_WEAK: Final = 3  # bits that a search also tries the other way round
MIN_HITS: Final = 2  # equal words at one offset, before a pair is compared bit by bit
MAX_WORDS: Final = 4_000_000  # indexed words above which weak bits are not tried, and words are sampled
MAX_PLACES: Final = 200  # a word that stands in more places tells nothing
BLOCK_WORDS: Final = 200_000  # words looked up at a time

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Print:
    """One clip's words, one every 10 ms."""

    words: Words  # (frames,)
    active: npt.NDArray[np.bool_]  # (frames,): where there is sound that changes
    weak: npt.NDArray[np.uint8]  # (frames, `NUM_WEAK`): places of the least certain bits


@dataclass(frozen=True, kw_only=True)
class Match:
    """Two clips, by their places in the list that was searched."""

    first: int
    second: int
    bit_error: float  # [0, `MAX_BIT_ERROR`]
    offset: float  # seconds at which the second begins within the first


_BINS: Final = slice(int(LOW * WINDOW / RATE), int(HIGH * WINDOW / RATE) + 1)


def _filters() -> npt.NDArray[np.float32]:
    """Return triangular bands, evenly spaced in log frequency, (bins from `LOW` to `HIGH`, bands)."""
    edges = LOW * (HIGH / LOW) ** (np.arange(NUM_BANDS + 2) / (NUM_BANDS + 1))
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)[_BINS, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters: npt.NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return filters


_FILTERS: Final = _filters()
_HANN: Final = np.hanning(WINDOW).astype(np.float32)


def take_print(waveform: npt.NDArray[np.float32]) -> Print | None:
    """Return the print of a mono waveform at 16 kHz; None if too little of it is sound that changes."""
    if len(waveform) < LAG * HOP * SAMPLING_RATE // RATE:
        return None
    low = soxr.resample(waveform, SAMPLING_RATE, RATE, "LQ")
    padded = np.pad(low, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * _HANN
    spectrum = fft.rfft(frames, axis=1)[:, _BINS]
    power = (np.square(spectrum.real) + np.square(spectrum.imag)) @ _FILTERS
    energy = power.sum(1)
    loudest = float(energy.max())
    if loudest <= 0:
        return None
    levels = np.log(power + loudest * FLOOR / NUM_BANDS)
    slope = levels[:, 1:] - levels[:, :-1]
    change = slope[LAG:] - slope[:-LAG]
    size = np.abs(change)
    active = np.minimum(energy[LAG:], energy[:-LAG]) > loudest * ACTIVE
    active &= size.mean(1) > MIN_CHANGE
    if np.count_nonzero(active) < MIN_FRAMES:
        return None
    words = np.packbits(change > 0, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)
    weak = np.argpartition(size, NUM_WEAK, axis=1)[:, :NUM_WEAK].astype(np.uint8)
    return Print(words=words, active=active, weak=weak)


def bit_error(first: Print, second: Print, offset: int) -> float:
    """Return the share of bits that differ where both are active; 1 where too little is common.

    Args:
        first: one clip.
        second: the other.
        offset: frames of `first` before the second begins.
    """
    begin, end = max(0, offset), min(len(first.words), offset + len(second.words))
    if end - begin < MIN_FRAMES:
        return 1.0
    both = first.active[begin:end] & second.active[begin - offset : end - offset]
    common = int(np.count_nonzero(both))
    fewer = min(np.count_nonzero(first.active), np.count_nonzero(second.active))
    if common < max(MIN_FRAMES, MIN_COMMON * fewer):
        return 1.0
    differing = first.words[begin:end] ^ second.words[begin - offset : end - offset]
    return float(np.bitwise_count(differing[both]).sum() / (32 * common))


def correlation(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32], offset: float) -> float:
    """Return the normalised cross-correlation of two clips between 300 and 3000 Hz, [0, 1], either polarity.

    Args:
        first: mono, 16 kHz.
        second: mono, 16 kHz.
        offset: seconds at which the second begins within the first, within `MAX_SHIFT`.
    """
    start = round(offset * SAMPLING_RATE)
    first, second = first[max(0, start) :], second[max(0, -start) :]
    length = min(len(first), len(second))
    size = fft.next_fast_len(2 * length, real=True)
    hertz = np.fft.rfftfreq(size, 1 / SAMPLING_RATE)
    spectra = [fft.rfft(wave[:length], size) * ((hertz > LOW) & (hertz < HIGH)) for wave in (first, second)]
    norm = float(np.prod([np.linalg.norm(fft.irfft(spectrum, size)) for spectrum in spectra]))
    if norm == 0:
        return 0.0
    products = np.abs(fft.irfft(spectra[0] * spectra[1].conj(), size))
    reach = min(length, round(MAX_SHIFT * SAMPLING_RATE))
    return float(max(products[: reach + 1].max(), products[-reach:].max()) / norm)


def is_copy(match: Match, read: Callable[[int], npt.NDArray[np.float32] | None]) -> bool:
    """Tell whether two clips that match are one recording, and not two takes in one voice.

    Args:
        match: of `find_matches`.
        read: returns the waveform of a clip by its place, mono, 16 kHz; None where it cannot be read.
    """
    if match.bit_error <= SURE_BIT_ERROR:
        return True
    first, second = read(match.first), read(match.second)
    if first is None or second is None:
        return False
    return correlation(first, second, match.offset) >= MIN_CORRELATION


def find_matches(
    prints: Sequence[Print], progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Match]:
    """Return every pair of clips whose prints agree, best offset each, lowest places first.

    Above `SURE_BIT_ERROR` a pair may be two takes in one voice: `is_copy` tells.

    Pairs are never compared all with all: a sorted index of words proposes those that have at least
    `MIN_HITS` words in common at one offset, also with up to three weak bits turned round. Beyond
    `MAX_WORDS` words only those of a fixed pseudo-random subset are looked at and weak bits are not
    tried: memory stays bounded, and copies through the harshest codecs (GSM) may go unseen.

    Args:
        prints: of the clips.
        progress: called with how many clips are done, and of how many.
    """
    index = _Index(prints)
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for first, second, offset in index.candidates(progress):
        errors = [
            (bit_error(prints[first], prints[second], offset + step), offset + step) for step in (-1, 0, 1)
        ]
        found = min(errors)
        if found[0] <= MAX_BIT_ERROR:
            best[first, second] = min(found, best.get((first, second), found))
    return [
        Match(first=first, second=second, bit_error=error, offset=offset * HOP / RATE)
        for (first, second), (error, offset) in sorted(best.items())
    ]


class _Index:
    """All active words, sorted, with the clip and the frame where each stands."""

    def __init__(self, prints: Sequence[Print]) -> None:
        self._prints = prints
        counts = [int(np.count_nonzero(p.active)) for p in prints]
        self._step = -(-sum(counts) // MAX_WORDS) or 1
        self._tries_weak = self._step == 1
        frames = [self._chosen(p) for p in prints]
        words = [p.words[f] for p, f in zip(prints, frames, strict=True)]
        clips = [np.full(len(f), clip, np.int32) for clip, f in enumerate(frames)]
        if not prints:
            words, clips, frames = [np.zeros(0, np.uint32)], [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        joined = np.concatenate(words)
        order = np.argsort(joined, kind="stable")
        self._words, self._clips = joined[order], np.concatenate(clips)[order]
        self._frames = np.concatenate(frames)[order]

    def _chosen(self, one: Print) -> npt.NDArray[np.int32]:
        """Return the frames that are looked up: active, and of the subset that is the same in every clip."""
        # Knuth's multiplicative hash: a plain remainder would choose by the lowest band alone.
        mixed = (one.words * np.uint32(2_654_435_761)) >> np.uint32(8)
        chosen = one.active & (mixed % np.uint32(self._step) == 0)
        return np.flatnonzero(chosen).astype(np.int32)

    def candidates(self, progress: Callable[[int, int], None]) -> Iterator[tuple[int, int, int]]:
        """Yield (clip, later clip, offset in frames) that have enough words in common."""
        held: list[int] = []
        size = 0
        for clip, one in enumerate(self._prints):
            held.append(clip)
            size += int(np.count_nonzero(one.active))
            if size >= BLOCK_WORDS or clip == len(self._prints) - 1:
                yield from self._look_up(held)
                progress(clip + 1, len(self._prints))
                held, size = [], 0

    def _look_up(self, clips: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        queries, owners, places = [], [], []
        for clip in clips:
            frames = self._chosen(self._prints[clip])
            for words in self._variants(self._prints[clip], frames):
                queries.append(words)
                owners.append(np.full(len(frames), clip, np.int32))
                places.append(frames)
        query, owner, place = np.concatenate(queries), np.concatenate(owners), np.concatenate(places)
        order = np.argsort(query, kind="stable")  # neighbours in the index are then neighbours in the cache
        query, owner, place = query[order], owner[order], place[order]
        low = np.searchsorted(self._words, query, "left")
        count = np.searchsorted(self._words, query, "right") - low
        count[count > MAX_PLACES] = 0
        hit = np.repeat(np.arange(len(query)), count)
        within = np.arange(len(hit)) - np.repeat(np.cumsum(count) - count, count)
        found = low[hit] + within
        first, second = owner[hit], self._clips[found]
        later = second > first
        offset = place[hit][later] - self._frames[found][later]
        triples = np.stack([first[later], second[later], offset], 1)
        unique, hits = _count_rows(triples)
        for triple in unique[hits >= MIN_HITS]:
            yield int(triple[0]), int(triple[1]), int(triple[2])

    def _variants(self, one: Print, frames: npt.NDArray[np.int32]) -> Iterator[Words]:
        words = one.words[frames]
        if not self._tries_weak:
            yield words
            return
        bits = np.uint32(1) << one.weak[frames].astype(np.uint32)
        for mask in range(1 << NUM_WEAK):
            turned = words.copy()
            for place in range(NUM_WEAK):
                if mask >> place & 1:
                    turned ^= bits[:, place]
            yield turned


def _count_rows(triples: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return the distinct rows (clip, clip, offset) and how often each stands, with the next offset."""
    if not len(triples):
        return triples, np.zeros(0, np.int64)
    order = np.lexsort(triples.T[::-1])
    ordered = triples[order]
    new = np.ones(len(ordered), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(1)
    starts = np.flatnonzero(new)
    hits = np.diff(np.append(starts, len(ordered)))
    unique = ordered[starts]
    # A trim that is no multiple of the hop spreads its hits over two offsets.
    pooled = hits.copy()
    beside = (unique[1:, :2] == unique[:-1, :2]).all(1) & (unique[1:, 2] == unique[:-1, 2] + 1)
    pooled[:-1] += np.where(beside, hits[1:], 0)
    return unique, pooled
