"""Where somebody speaks on each channel: voice activity, without what leaks in from another channel."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mmser.audio import SAMPLING_RATE, AudioSource

if TYPE_CHECKING:
    import torch

Speech = Sequence[tuple[float, float]]  # (start, end) in seconds, in order, apart from each other
Block = np.ndarray[Any, np.dtype[np.float32]]
Floats = npt.NDArray[np.float64]

FRAME: Final = 512  # samples at 16 kHz that the detector judges at once, 32 ms
FRAME_SECONDS: Final = FRAME / SAMPLING_RATE
CONTEXT: Final = 64  # samples of the frame before that it also sees
BLOCK_FRAMES: Final = 480  # 15.36 s a pass: bounds memory, however long the call
MIN_SILENCE: Final = 0.35  # s that end a stretch
MIN_SPEECH: Final = 0.25  # s; what is shorter is dropped
MIN_PEAK: Final = 0.75  # somewhere in a stretch; speech on calls reaches 0.96, babble 0.59 (by hand)
SMOOTHED_FRAMES: Final = 11  # 0.35 s, about two syllables: over it levels are compared
JOINED_FRAMES: Final = 14  # 0.45 s: a leak goes on over a shorter stretch that does not look like one
LEAK_DECIBELS: Final = 6.0  # another channel must be louder by this for a voice to be its leak
MIN_LEAK: Final = 1.0  # s; less is not worth a word
NOBODY: Final = "no speech was found in the recording"
OWN_DECIBELS: Final = 3.0  # and the voice softer by this than the channel's own party otherwise is


@dataclass(frozen=True, kw_only=True)
class ChannelSpeech:
    """Who speaks when, by channel."""

    stretches: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    leaked: dict[int, float] = field(default_factory=dict)  # seconds of another's voice that were left out


def find_speech(
    source: AudioSource,
    channel: int,
    *,
    progress: Callable[[float], None] | None = None,
    threshold: float = 0.5,
    min_silence: float = MIN_SILENCE,
    min_speech: float = MIN_SPEECH,
    pad: float = 0.03,
    max_speech: float = float("inf"),
    powers: list[Floats] | None = None,
) -> list[tuple[float, float]]:
    """Return the stretches (start, end) in seconds in which somebody speaks on one channel.

    Args:
        source: the opened recording; only its part is searched, times are on the recording's clock.
        channel: counted from 0.
        progress: called with the share done, in [0, 1].
        threshold: probability of speech from which a stretch begins, in (0, 1).
        min_silence: seconds of silence that end a stretch.
        min_speech: seconds; what is shorter is dropped.
        pad: seconds added on either side.
        max_speech: seconds; a longer stretch is cut where it is quiet for a moment.
        powers: filled with the mean squares of 32 ms frames, an array a block, in the same pass.
    """
    from silero_vad.utils_vad import get_speech_timestamps_from_probs

    num_samples = round(source.duration * SAMPLING_RATE)
    probabilities = _speech_probabilities(_measured(_padded_blocks(source, channel, progress), powers))
    stretches = get_speech_timestamps_from_probs(
        probabilities,
        sampling_rate=SAMPLING_RATE,
        threshold=threshold,
        min_speech_duration_ms=round(min_speech * 1000),
        min_silence_duration_ms=round(min_silence * 1000),
        speech_pad_ms=round(pad * 1000),
        max_speech_duration_s=max_speech,
        audio_length_samples=num_samples,
    )
    return [
        (source.start + s["start"] / SAMPLING_RATE, min(source.end, source.start + s["end"] / SAMPLING_RATE))
        for s in stretches
        if max(probabilities[s["start"] // FRAME : s["end"] // FRAME + 1]) >= MIN_PEAK
    ]


def _padded_blocks(
    source: AudioSource, channel: int, progress: Callable[[float], None] | None
) -> Iterator[Block]:
    """Yield blocks of whole frames; the last is filled up with silence."""
    size = BLOCK_FRAMES * FRAME / SAMPLING_RATE
    begin = source.start
    while begin < source.end:
        end = min(begin + size, source.end)
        block = source.read(begin, end, channel)
        yield np.pad(block, (0, -len(block) % FRAME))
        begin += size
        if progress:
            progress(min(1.0, (begin - source.start) / source.duration))


def _measured(blocks: Iterable[Block], powers: list[Floats] | None) -> Iterator[Block]:
    """Pass blocks on and note the mean square of their frames."""
    for block in blocks:
        if powers is not None:
            powers.append(np.square(block.reshape(-1, FRAME), dtype=np.float64).mean(axis=1))
        yield block


def _speech_probabilities(blocks: Iterable[Block]) -> array[float]:
    """Return one probability of speech for each 32 ms frame, with the detector's state kept over blocks.

    The package's own loop calls the network once a frame. The same modules and weights are run here on
    all frames of a block at once, and only the recurrent layer in sequence: the same numbers, much faster.
    """
    import torch

    network, recurrent = _load_detector()
    context = torch.zeros(1, CONTEXT)
    state: tuple[torch.Tensor, torch.Tensor] | None = None
    probabilities = array("f")  # of ten hours 5 MB; as Python's floats 36
    with torch.inference_mode():
        for block in blocks:
            if not len(block):
                continue
            frames = torch.from_numpy(np.ascontiguousarray(block)).view(-1, FRAME)
            before = torch.cat([context, frames[:-1, -CONTEXT:]])
            context = frames[-1:, -CONTEXT:]
            features = network.encoder(network.run_extractors(torch.cat([before, frames], dim=1)))
            hidden, state = recurrent(features.squeeze(-1), state)  # (frames, 128)
            scores = network.decoder.decoder(hidden.unsqueeze(-1))  # (frames, 1, 1)
            probabilities.extend(scores.flatten().tolist())
    return probabilities


@cache
def _load_detector() -> tuple[Any, torch.nn.LSTM]:
    """Load silero-vad's 16 kHz network from its package, and its LSTM cell as a layer over sequences."""
    import torch
    from silero_vad import load_silero_vad

    network = load_silero_vad()._model
    cell = network.decoder.rnn
    layer = torch.nn.LSTM(cell.weight_ih.shape[1], cell.weight_hh.shape[1])
    layer.load_state_dict({f"{name}_l0": value for name, value in cell.named_parameters()})
    return network, layer.eval().requires_grad_(False)


def find_all_speech(
    source: AudioSource,
    *,
    progress: Callable[[float], None] | None = None,
    max_speech: float = float("inf"),
) -> ChannelSpeech:
    """Return the stretches of speech of every channel, each without what leaks in from another.

    On many a line the one party's voice is heard softly on the other's channel, and taken for the other's.

    Args:
        source: the opened recording.
        progress: called with the share done, in [0, 1].
        max_speech: seconds; a longer stretch is cut where it is quiet for a moment.
    """
    count = source.num_channels
    found, powers = {}, []
    for channel in range(count):
        report = None
        if progress:
            report = lambda share, channel=channel: progress((channel + share) / count)  # noqa: E731
        blocks: list[Floats] = []
        found[channel] = find_speech(source, channel, progress=report, max_speech=max_speech, powers=blocks)
        powers.append(np.concatenate(blocks) if blocks else np.zeros(0))
    return (
        ChannelSpeech(stretches=found) if count < 2 else without_leaks(found, np.array(powers), source.start)
    )


def leaks_told(speech: ChannelSpeech) -> tuple[str, ...]:
    """Say how much of another party's voice was left out of each channel."""
    return tuple(
        f"{seconds:.0f} s of speech on channel {channel} (counted from 0) was another channel's voice, "
        "leaking in, and was left out"
        for channel, seconds in speech.leaked.items()
        if seconds >= MIN_LEAK
    )


def without_leaks(
    stretches: dict[int, list[tuple[float, float]]], powers: Floats, start: float
) -> ChannelSpeech:
    """Leave out of each channel the speech that is another channel's, heard softly.

    That is where a louder channel speaks at the same time, and where the voice is also softer than the
    channel's own party is when nobody is louder: two who really talk at once both stay.

    Args:
        stretches: of speech, by channel, in seconds.
        powers: mean square of 32 ms frames, (channels, frames).
        start: time of the first frame, in seconds.
    """
    levels = np.stack([_smooth(10 * np.log10(row + 1e-12)) for row in powers])
    speaks = np.stack([_frames_of(stretches[i], start, levels.shape[1]) for i in range(len(levels))])
    kept, leaked = {}, {}
    for channel, own in stretches.items():
        others = np.delete(np.where(speaks, levels, -np.inf), channel, axis=0).max(axis=0)
        alone = speaks[channel] & (levels[channel] > others)
        usual = float(np.median(levels[channel][alone])) if alone.any() else np.inf
        leak = (levels[channel] < others - LEAK_DECIBELS) & (levels[channel] < usual - OWN_DECIBELS)
        kept[channel] = [part for stretch in own for part in _keep(stretch, _closed(leak), start)]
        leaked[channel] = sum(e - s for s, e in own) - sum(e - s for s, e in kept[channel])
    return ChannelSpeech(stretches=kept, leaked=leaked)


def _smooth(values: Floats) -> Floats:
    kernel = np.ones(SMOOTHED_FRAMES)
    weight = np.convolve(np.ones_like(values), kernel, "same")
    return np.asarray(np.convolve(values, kernel, "same")[: len(values)] / weight[: len(values)])


def _closed(frames: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Fill the short gaps between frames that are True."""
    filled = frames.copy()
    for first, last in _runs(~frames, 0.0):
        if first > 0 and last < len(frames) and last - first <= JOINED_FRAMES:
            filled[first:last] = True
    return filled


def _frames_of(stretches: Speech, start: float, count: int) -> npt.NDArray[np.bool_]:
    frames = np.zeros(count, bool)
    for begin, end in stretches:
        frames[_frame(begin, start) : _frame(end, start) + 1] = True
    return frames


def _frame(time: float, start: float) -> int:
    return int((time - start) / FRAME_SECONDS)


def _keep(
    stretch: tuple[float, float], leaked: npt.NDArray[np.bool_], start: float
) -> Iterator[tuple[float, float]]:
    """Yield what is left of a stretch; a leak too short for a pause is a soft syllable, and stays."""
    first, last = _frame(stretch[0], start), _frame(stretch[1], start) + 1
    runs = _runs(leaked[first:last], MIN_SILENCE)
    begin = stretch[0]
    for low, high in runs:
        end = start + (first + low) * FRAME_SECONDS
        if end - begin >= MIN_SPEECH:
            yield begin, end
        begin = start + (first + high) * FRAME_SECONDS
    if (not runs and begin < stretch[1]) or stretch[1] - begin >= MIN_SPEECH:
        yield begin, stretch[1]


def _runs(frames: npt.NDArray[np.bool_], min_seconds: float) -> list[tuple[int, int]]:
    """Return [first, last) of the runs of True that last at least `min_seconds`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], frames, [False]]).astype(np.int8)))
    pairs = edges.reshape(-1, 2).tolist()
    return [(low, high) for low, high in pairs if (high - low) * FRAME_SECONDS >= min_seconds]


def merge_speech(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the union of stretches (seconds), in order and apart from each other."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged
