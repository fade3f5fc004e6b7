"""The envelope that a report draws, the compressed copy that it plays, and channels that are one."""

import tempfile

import numpy as np
import numpy.typing as npt
import soundfile

from mmser.audio.files import SAMPLING_RATE, Waveform
from mmser.audio.source import AudioSource
from mmser.errors import OutputError


def waveform_envelope(source: AudioSource, bins: int) -> npt.NDArray[np.float32]:
    """Return the peaks (channels, bins) of `bins` equal stretches of the part, in one streaming pass.

    They lie in [0, 1], or above where samples do; a bin without a sample holds 0.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    peak = np.zeros((source.num_channels, bins), np.float32)
    total = round(source.end * SAMPLING_RATE) - round(source.start * SAMPLING_RATE)
    # edges[i] is the first sample of bin i; with fewer samples than bins some bins stay empty
    edges = np.arange(bins + 1, dtype=np.int64) * total // bins
    done = 0
    for _, block in source.blocks():
        length = block.shape[1]
        first = int(np.searchsorted(edges, done, side="right")) - 1
        last = int(np.searchsorted(edges, done + length, side="left"))
        for i in range(first, last):
            part = block[:, max(0, edges[i] - done) : edges[i + 1] - done]
            if part.shape[1]:
                peak[:, i] = np.maximum(peak[:, i], np.abs(part).max(axis=1))
        done += length
    return peak


def encode_mp3(source: AudioSource) -> bytes:
    """Return the part as MP3 (16 kHz, constant rate), which current browsers play and seek in exactly.

    One channel stays mono, two stay left and right; of more, even ones go left and odd ones right.
    Constant rate, because players guess the place of a jump in a variable one.

    Raises:
        OutputError: if there is no room for the temporary file that it passes through.
    """
    width = min(2, source.num_channels)
    with tempfile.NamedTemporaryFile(suffix=".mp3") as target:
        try:
            _write_mp3(source, target.name, width)
        except soundfile.LibsndfileError as error:
            raise OutputError(
                f"the sound of the page cannot be written to a temporary file at {target.name}: "
                f"{error.error_string.rstrip('.')}; free space, name another folder in TMPDIR, or leave the "
                "sound out with --no-audio"
            ) from error
        return target.read()


def _write_mp3(source: AudioSource, path: str, width: int) -> None:
    with soundfile.SoundFile(
        path,
        "w",
        SAMPLING_RATE,
        width,
        "MPEG_LAYER_III",
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=MP3_COMPRESSION,
    ) as out:
        for _, block in source.blocks():
            out.write(np.clip(_to_width(block, width).T, -1, 1))


MP3_COMPRESSION = 0.85  # libsndfile's scale from 0 (highest rate) to 1 (lowest)


def _to_width(block: Waveform, width: int) -> Waveform:
    if len(block) == width:
        return block
    return np.stack([block[side::width].mean(axis=0) for side in range(width)])


TWIN_PROBES, TWIN_SECONDS = 12, 5.0  # stretches that are compared, evenly over the part, and their length
TWIN_RESIDUAL = 1e-3  # 30 dB: crosstalk leaves far more of the other party's own voice


def find_twin_channels(source: AudioSource) -> tuple[int, int] | None:
    """Return two channels that hold the same sound, whatever their levels, or None.

    A mono recording saved as stereo is the usual case: its channels do not tell who speaks. What is
    left of one channel after the other, scaled to it, is taken away must lie 30 dB under it. Silence
    resembles nothing.
    """
    count = source.num_channels
    if count < 2:
        return None
    products = np.zeros((count, count))
    seconds = min(TWIN_SECONDS, source.duration)
    for start in np.linspace(source.start, source.end - seconds, TWIN_PROBES):
        probe = np.stack([source.read(start, start + seconds, i) for i in range(count)]).astype(np.float64)
        probe -= probe.mean(axis=1, keepdims=True)  # a common offset is no common sound
        products += probe @ probe.T
    energy = np.diag(products)
    for first in range(count):
        for second in range(first + 1, count):
            both = energy[first] * energy[second]
            if both > 0 and 1 - products[first, second] ** 2 / both < TWIN_RESIDUAL:
                return first, second
    return None
