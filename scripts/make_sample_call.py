"""Make the bundled sample call: a synthetic telephone call about a parcel, with its transcript.

Speech by espeak-ng, with pitch, rate and loudness set line by line; telephone band, some noise, 8 kHz
µ-law, agent left and customer right. The same espeak-ng version gives the same bytes. The lines and
their settings were written before any model was run on them, and are not changed to suit one.

    python scripts/make_sample_call.py [folder]     # default: mmser/assets/sample
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE = 8_000  # Hz
BAND = (300.0, 3400.0)  # Hz
TAPS = 511  # of the band's filter
NOISE = -52.0  # dBFS before the filter, on each line
LEAD, TAIL = 0.8, 1.2  # s of line noise around the call
VOICES = {"Agent": "en-us+f2", "Customer": "en-gb+m3"}
Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One turn: who, what, and how it is said."""

    speaker: str
    text: str
    pause: float  # s after the end of the line before; negative begins while that one still speaks
    pitch: int  # espeak-ng's scale, 0 to 99
    rate: int  # words per minute
    level: float  # dBFS, root mean square, before the whole call is scaled to fit


def agent(pause: float, text: str, pitch: int = 52, rate: int = 172, level: float = -23.0) -> Line:
    return Line(speaker="Agent", text=text, pause=pause, pitch=pitch, rate=rate, level=level)


def customer(pause: float, text: str, pitch: int, rate: int, level: float) -> Line:
    return Line(speaker="Customer", text=text, pause=pause, pitch=pitch, rate=rate, level=level)


DIALOGUE = [
    agent(0.0, "Thank you for calling parcel support. How can I help you today?"),
    customer(0.6, "Hello. I am calling about a parcel that should have arrived on Monday.", 40, 158, -25),
    agent(0.5, "Of course. Could you give me the order number, please?"),
    customer(0.7, "Yes, it is four, seven, one, nine, two.", 40, 150, -25),
    agent(0.9, "Thank you. I can see it here. The parcel was marked as delivered on Monday at noon."),
    customer(0.4, "Well, it was not delivered. I was at home all day and nobody rang.", 46, 170, -22),
    agent(0.5, "I understand. Sometimes the driver leaves the parcel with a neighbour."),
    customer(-0.4, "No. I have already asked every neighbour. Nobody has it.", 54, 184, -20),
    agent(0.4, "In that case I would have to open an investigation, which takes up to ten working days."),
    customer(-0.6, "Ten days? You must be joking! This is the third time I have called!", 68, 204, -15),
    agent(0.3, "I am sorry to hear that, sir. I only see one earlier call on the account."),
    customer(
        -0.3,
        "This is ridiculous! You charged me twice, you lost my parcel, and nobody ever calls me back! "
        "I am absolutely fed up with this company!",
        76,
        214,
        -13,
    ),
    agent(0.8, "You are right, and I apologise. Let me look at both charges now.", 46, 156, -24),
    customer(0.4, "I want my money back, and I want it today.", 62, 190, -16),
    agent(1.4, "I can see the second charge. It is our mistake, and I have just refunded it.", 48, 160),
    customer(0.9, "Oh. You can really do that right now?", 56, 166, -20),
    agent(
        0.5, "Yes. It is done. And I have found the parcel. It is at the depot, and it will come tomorrow."
    ),
    customer(
        0.5, "Tomorrow? Oh, that is such a relief. It is a birthday present for my daughter.", 58, 172, -20
    ),
    agent(0.5, "Then we will make sure it is there before ten. You will get a message from the driver."),
    customer(0.4, "Wonderful. Thank you so much, you have been really kind.", 54, 166, -21),
    agent(-0.3, "You are very welcome. Is there anything else I can do?"),
    customer(0.5, "No, that is all. I am sorry that I shouted. Have a lovely day.", 46, 156, -23),
    agent(0.4, "No problem at all. Goodbye."),
]


def speak(line: Line) -> Samples:
    """Return the line at 8 kHz, without the silence that espeak-ng puts around it, at its level."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line.wav"
        settings = ["-v", VOICES[line.speaker], "-p", str(line.pitch), "-s", str(line.rate)]
        subprocess.run(["espeak-ng", *settings, "-w", str(path), line.text], check=True)
        samples, rate = soundfile.read(path)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    samples = soxr.resample(samples[loud[0] : loud[-1] + 1], rate, RATE, "HQ")
    samples = in_band(samples)
    gain = 10 ** (line.level / 20) / float(np.sqrt(np.mean(np.square(samples))))
    return samples * gain


def in_band(samples: Samples) -> Samples:
    """Pass the telephone band: a windowed-sinc filter without delay."""
    n = np.arange(TAPS) - TAPS // 2
    low, high = (2 * edge / RATE * np.sinc(2 * edge / RATE * n) for edge in BAND)
    passed: Samples = np.convolve(samples, (high - low) * np.hamming(TAPS), "same")
    return passed


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"00:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "mmser/assets/sample"
    folder.mkdir(parents=True, exist_ok=True)
    placed: list[tuple[float, float, Line, Samples]] = []
    end = LEAD
    for line in DIALOGUE:
        samples = speak(line)
        start = round(end + line.pause, 3)  # whole milliseconds, so that the transcript is exact
        end = start + len(samples) / RATE
        placed.append((start, end, line, samples))
    length = round((end + TAIL) * RATE)
    noise = np.random.default_rng(20261122).standard_normal((length, 2)) * 10 ** (NOISE / 20)
    call = np.stack([in_band(noise[:, 0]), in_band(noise[:, 1])], axis=1)
    cues = ["WEBVTT"]
    for number, (start, end, line, samples) in enumerate(placed, 1):
        first = round(start * RATE)
        call[first : first + len(samples), list(VOICES).index(line.speaker)] += samples
        cues.append(f"{number}\n{clock(start)} --> {clock(end)}\n<v {line.speaker}>{line.text}</v>")
    peak = np.abs(call).max()
    soundfile.write(folder / "call.wav", call * min(1.0, 0.98 / peak), RATE, subtype="ULAW")
    (folder / "call.vtt").write_text("\n\n".join(cues) + "\n", encoding="utf-8")
    print(f"{folder / 'call.wav'}: {length / RATE:.1f} s, peak {peak:.2f}, {len(placed)} turns")


if __name__ == "__main__":
    main()
