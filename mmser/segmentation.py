"""Where somebody speaks, and turns from it: for sound without words, and for words without times."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mmser.audio import SAMPLING_RATE, AudioSource
from mmser.errors import UsageError
from mmser.labels import Role
from mmser.types import Transcript, Turn

if TYPE_CHECKING:
    import torch

Speech = Sequence[tuple[float, float]]  # (start, end) in seconds, in order, apart from each other

FRAME: Final = 512  # samples at 16 kHz that the detector judges at once, 32 ms
CONTEXT: Final = 64  # samples of the frame before that it also sees
BLOCK_FRAMES: Final = 480  # 15.36 s a pass: bounds memory, however long the call
MAX_PAUSE: Final = 1.0  # s of silence within one turn
MIN_FLOOR: Final = 1.0  # s; what another says for less within a pause ("mhm") does not end the turn
MIN_OVERLAP: Final = 0.1  # s of speech at once that earns the flag; the detector pads by 0.03 s a side


def find_speech(
    source: AudioSource,
    channel: int,
    *,
    progress: Callable[[float], None] | None = None,
    threshold: float = 0.5,
    min_silence: float = 0.35,
    min_speech: float = 0.25,
    pad: float = 0.03,
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
    """
    from silero_vad.utils_vad import get_speech_timestamps_from_probs

    num_samples = round(source.duration * SAMPLING_RATE)
    stretches = get_speech_timestamps_from_probs(
        _speech_probabilities(_padded_blocks(source, channel, progress)),
        sampling_rate=SAMPLING_RATE,
        threshold=threshold,
        min_speech_duration_ms=round(min_speech * 1000),
        min_silence_duration_ms=round(min_silence * 1000),
        speech_pad_ms=round(pad * 1000),
        audio_length_samples=num_samples,
    )
    return [
        (source.start + s["start"] / SAMPLING_RATE, min(source.end, source.start + s["end"] / SAMPLING_RATE))
        for s in stretches
    ]


def _padded_blocks(
    source: AudioSource, channel: int, progress: Callable[[float], None] | None
) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
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


def _speech_probabilities(blocks: Iterable[np.ndarray[Any, np.dtype[np.float32]]]) -> list[float]:
    """Return one probability of speech for each 32 ms frame, with the detector's state kept over blocks.

    The package's own loop calls the network once a frame. The same modules and weights are run here on
    all frames of a block at once, and only the recurrent layer in sequence: the same numbers, much faster.
    """
    import torch

    network, recurrent = _load_detector()
    context = torch.zeros(1, CONTEXT)
    state: tuple[torch.Tensor, torch.Tensor] | None = None
    probabilities: list[float] = []
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


def turns_from_speech(
    source: AudioSource,
    roles: Mapping[int, Role],
    *,
    speech: Mapping[int, Speech] | None = None,
    max_pause: float = MAX_PAUSE,
    progress: Callable[[float], None] | None = None,
) -> tuple[Turn, ...]:
    """Return turns without words: each channel's speech, joined over short pauses.

    A turn ends at a pause longer than `max_pause` seconds, or where another channel takes the floor
    within the pause. Turns during which another channel speaks bear the flag "overlap".

    Args:
        source: the opened recording.
        roles: channel → role; a channel that is not named is "unknown".
        speech: channel → stretches, where they are known already; otherwise they are found here.
        max_pause: seconds.
        progress: called with the share done, in [0, 1].

    Raises:
        UsageError: if a role is given for a channel that the recording does not have.
    """
    missing = sorted(set(roles) - set(range(source.num_channels)))
    if missing:
        raise UsageError(
            f"a role is given for channel {missing[0]}, but the recording has {source.num_channels} (from 0)"
        )
    if speech is None:
        speech = find_all_speech(source, progress=progress)
    turns = []
    for channel, stretches in speech.items():
        others = merge_speech(s for other, found in speech.items() if other != channel for s in found)
        for parts in _join(stretches, others, max_pause):
            overlaps = any(
                min(end, other[1]) - max(start, other[0]) >= MIN_OVERLAP
                for start, end in parts
                for other in _touching(others, start, end)
            )
            turns.append(
                Turn(
                    id="",
                    start=parts[0][0],
                    end=parts[-1][1],
                    channel=channel,
                    speaker=f"ch_{channel}",
                    role=roles.get(channel, "unknown"),
                    flags=("overlap",) if overlaps else (),
                )
            )
    turns.sort(key=lambda turn: (turn.start, turn.channel))
    return tuple(replace(turn, id=f"t{number}") for number, turn in enumerate(turns, 1))


def find_all_speech(
    source: AudioSource, *, progress: Callable[[float], None] | None = None
) -> dict[int, list[tuple[float, float]]]:
    """Return the stretches of speech of every channel, by channel; see `find_speech`."""
    count = source.num_channels
    found = {}
    for channel in range(count):
        report = None
        if progress:
            report = lambda share, channel=channel: progress((channel + share) / count)  # noqa: E731
        found[channel] = find_speech(source, channel, progress=report)
    return found


def merge_speech(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the union of stretches (seconds), in order and apart from each other."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged


def _join(stretches: Speech, others: Speech, max_pause: float) -> list[list[tuple[float, float]]]:
    """Group one channel's stretches into turns."""
    turns: list[list[tuple[float, float]]] = []
    for stretch in stretches:
        if turns:
            pause = (turns[-1][-1][1], stretch[0])
            taken = any(end - start >= MIN_FLOOR for start, end in _touching(others, *pause))
            if pause[1] - pause[0] <= max_pause and not taken:
                turns[-1].append(stretch)
                continue
        turns.append([stretch])
    return turns


def _touching(stretches: Speech, start: float, end: float) -> Iterator[tuple[float, float]]:
    """Yield those of ordered, separate stretches that share time with [start, end] seconds."""
    i = bisect.bisect_right(stretches, start, key=lambda stretch: stretch[1])
    while i < len(stretches) and stretches[i][0] < end:
        yield stretches[i]
        i += 1


# --- words without times -------------------------------------------------------------------------


def place_turns(transcript: Transcript, speech: Mapping[int, Speech] | Speech, duration: float) -> Transcript:
    """Give times to the turns that have none: laid over detected speech, by number of characters.

    Each run of such turns is laid between the timed turns around it: over the speech of its channel
    where the turn names one and the order of the transcript survives that, over all speech otherwise,
    and over the bare clock where nobody was heard. Starts never decrease, and no turn has zero length.

    Args:
        transcript: turns in the order in which they were spoken.
        speech: stretches by channel, or of the recording as a whole, in seconds.
        duration: of the recording, in seconds.

    Returns:
        The transcript with `times="estimated"` and the flag "times_estimated" on each placed turn; the
        same transcript if every turn has its times.
    """
    by_channel = speech if isinstance(speech, Mapping) else {}
    everyone = merge_speech(
        [s for stretches in speech.values() for s in stretches] if isinstance(speech, Mapping) else speech
    )
    turns = list(transcript.turns)
    runs = list(_untimed_runs(turns))
    for first, last in runs:
        low, high = _room(turns, first, last, duration)
        for i, (start, end) in enumerate(_lay(turns[first:last], by_channel, everyone, low, high), first):
            flags = tuple(dict.fromkeys((*turns[i].flags, "times_estimated")))
            turns[i] = replace(turns[i], start=start, end=end, flags=flags)
    return replace(transcript, turns=tuple(turns), times="estimated") if runs else transcript


def _untimed_runs(turns: Sequence[Turn]) -> Iterator[tuple[int, int]]:
    """Yield [first, last) of neighbouring turns without times; one with a start of its own begins a run."""
    first: int | None = None
    for i, turn in enumerate(turns):
        if first is not None and turn.start is not None:
            yield first, i
            first = None
        if first is None and (turn.start is None or turn.end is None):
            first = i
    if first is not None:
        yield first, len(turns)


def _room(turns: Sequence[Turn], first: int, last: int, duration: float) -> tuple[float, float]:
    """Return the seconds between which a run may lie; never empty."""
    before = turns[first - 1].end if first else 0.0
    own = turns[first].start
    low = own if own is not None else before or 0.0
    after = turns[last].start if last < len(turns) else duration
    high = duration if after is None else after
    if (
        low >= high
    ):  # timed turns that touch or overlap leave nothing between: share the end of the one before
        low = min(low, max(0.0, high - 0.1 * (last - first)))
    return (low, high) if high > low else (low, low + 0.1 * (last - first))


def _lay(
    turns: Sequence[Turn], by_channel: Mapping[int, Speech], everyone: Speech, low: float, high: float
) -> list[tuple[float, float]]:
    """Return (start, end) of each turn of one run between `low` and `high` seconds."""
    members: defaultdict[int | None, list[int]] = defaultdict(list)
    for i, turn in enumerate(turns):
        members[turn.channel if turn.channel in by_channel else None].append(i)
    times = [(low, high)] * len(turns)
    for channel, indices in members.items():
        own = everyone if channel is None else by_channel[channel]
        heard = own if any(_touching(own, low, high)) else everyone
        for i, span in zip(indices, _spread([turns[i] for i in indices], heard, low, high), strict=True):
            times[i] = span
    for first, last, start, end in _disordered(times):
        times[first:last] = _spread(turns[first:last], everyone, start, end)
    return times


def _disordered(times: Sequence[tuple[float, float]]) -> Iterator[tuple[int, int, float, float]]:
    """Yield (first, last, start, end): the ranges outside which starts increase, and the room of each.

    A range grows over its neighbours until its room is at least half of what its turns take.
    """
    starts, ends = np.array(times).T
    latest_before = np.maximum.accumulate(starts)
    earliest_after = np.minimum.accumulate(starts[::-1])[::-1]
    taken = np.concatenate([[0.0], np.cumsum(ends - starts)])
    cuts = [0, *(np.flatnonzero(latest_before[:-1] < earliest_after[1:]) + 1).tolist(), len(times)]
    first = 0
    for cut in cuts[1:]:
        start = earliest_after[first]
        if cut - first > 1:
            end = ends[first:cut].max() if cut == len(times) else earliest_after[cut]
            if cut < len(times) and end - start < (taken[cut] - taken[first]) / 2:
                continue
            yield first, cut, float(start), float(min(end, ends[first:cut].max()))
        first = cut


def _spread(turns: Sequence[Turn], stretches: Speech, low: float, high: float) -> list[tuple[float, float]]:
    """Lay turns end to end over the stretches within [low, high], in proportion to their characters."""
    inside = [(max(s, low), min(e, high)) for s, e in stretches if min(e, high) > max(s, low)]
    starts, ends = np.array(inside or [(low, high)]).T
    reached = np.cumsum(ends - starts)  # seconds of speech up to the end of each stretch
    weights = np.array([max(1, len(turn.text or "")) for turn in turns], float)
    marks = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()]) * reached[-1]
    snap = 1e-9 * reached[-1]  # a mark on the edge of a stretch is neither before nor after it by rounding
    opens = np.minimum(np.searchsorted(reached, marks[:-1] + snap, side="right"), len(reached) - 1)
    closes = np.minimum(np.searchsorted(reached, marks[1:] - snap, side="left"), len(reached) - 1)
    begin = np.maximum(ends[opens] - (reached[opens] - marks[:-1]), starts[opens])
    finish = np.minimum(ends[closes] - (reached[closes] - marks[1:]), ends[closes])
    return list(zip(begin.tolist(), finish.tolist(), strict=True))
