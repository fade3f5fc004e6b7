"""Draw where somebody is heard to speak over the energy of each channel, to be looked at.

    python scripts/draw_speech.py CALL.wav speech.png [--start 120 --end 180]

Printed are the seconds of speech of each channel beside those in which its energy lies above a level, the
share of frames in which the two agree, and the seconds in which several channels speak at once, by both.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from scipy import ndimage

from mmser.audio import SAMPLING_RATE, open_recording
from mmser.segmentation import turns_from_speech
from mmser.speech import find_all_speech
from mmser.talks import BACKCHANNEL, OVERLAP

FRAME = 0.02  # s over which energy is told
LOUD = -45.0  # dBFS from which a frame counts as loud
PAUSE, SHORTEST = 0.35, 0.24  # s; gaps that are closed, and loud stretches that are too short for speech
COLOURS = ("#005f73", "#ae2012", "#6a4c93", "#386641")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("call", type=Path, nargs="+", help="one recording, or the files of its sides")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--start", type=float)
    parser.add_argument("--end", type=float)
    options = parser.parse_args()
    with open_recording(*options.call, start=options.start, end=options.end) as source:
        found = find_all_speech(source)
        turns = turns_from_speech(found.stretches, {})
        count = source.num_channels
        figure, panels = plt.subplots(count, 1, figsize=(18, 2.6 * count), sharex=True, squeeze=False)
        spoken, loud = [], []
        for channel, panel in enumerate(panels[:, 0]):
            level = decibels(source.read(source.start, source.end, channel))
            spoken.append(frames_of(found.stretches[channel], source.start, len(level)))
            loud.append(loud_frames(level))
            compare(f"channel {channel}", spoken[-1], loud[-1])
            times = source.start + FRAME * np.arange(len(level))
            panel.plot(times, level, color=COLOURS[channel % len(COLOURS)], linewidth=0.6)
            for start, end in found.stretches[channel]:
                panel.axvspan(start, end, ymin=0, ymax=0.92, color="#e9c46a", alpha=0.5, linewidth=0)
            for turn in (turn for turn in turns if turn.channel == channel):
                marks = "~" * (OVERLAP in turn.flags) + "b" * (BACKCHANNEL in turn.flags)
                panel.plot([turn.start, turn.end], [2, 2], color="black", linewidth=4, solid_capstyle="butt")
                panel.text(turn.start or 0, 4, turn.id + marks, fontsize=7)
            talk = sum(end - start for start, end in found.stretches[channel])
            panel.set(ylim=(-90, 10), ylabel=f"channel {channel}, dBFS", xlim=(source.start, source.end))
            panel.set_title(f"channel {channel}: {talk:.1f} s of speech", loc="left", fontsize=9)
        panels[-1, 0].set_xlabel("seconds; yellow: speech, black: turns (~ overlap, b back-channel)")
    if count > 1:
        compare("several at once", np.sum(spoken, 0) > 1, np.sum(loud, 0) > 1)
    figure.tight_layout()
    figure.savefig(options.picture, dpi=110)
    print(f"wrote {options.picture}")


def compare(name: str, spoken: npt.NDArray[np.bool_], loud: npt.NDArray[np.bool_]) -> None:
    agree = (spoken == loud).mean()
    seconds = [FRAME * frames.sum() for frames in (spoken, loud)]
    print(f"{name}: {seconds[0]:.1f} s of speech, {seconds[1]:.1f} s loud, {agree:.1%} of frames agree")


def frames_of(stretches: list[tuple[float, float]], start: float, count: int) -> npt.NDArray[np.bool_]:
    frames = np.zeros(count, bool)
    for begin, end in stretches:
        frames[int((begin - start) / FRAME) : int((end - start) / FRAME)] = True
    return frames


def loud_frames(level: np.ndarray) -> npt.NDArray[np.bool_]:
    closed = ndimage.binary_closing(level > LOUD, np.ones(round(PAUSE / FRAME)))
    return np.asarray(ndimage.binary_opening(closed, np.ones(round(SHORTEST / FRAME))))


def decibels(waveform: np.ndarray) -> np.ndarray:
    """Return the level of each frame relative to full scale."""
    size = round(FRAME * SAMPLING_RATE)
    frames = waveform[: len(waveform) // size * size].reshape(-1, size).astype(np.float64)
    return 10 * np.log10(np.square(frames).mean(axis=1) + 1e-9)


if __name__ == "__main__":
    main()
