"""Speed of what comes before and after a recogniser, and memory over a long call.

    python scripts/benchmark_transcription.py CALL.wav [--hours 10] [--asr NAME]

Speed is told as multiples of real time (seconds of call, all channels, a second) beside silero-vad's own
loop in the same run. With --hours the call is repeated to that length and transcribed; the memory of this
process is told at every tenth. Without --asr the recogniser is one that says nothing at once, so that the
work measured is mmser's own.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch

from mmser.audio import open_recording
from mmser.segmentation import turns_from_speech
from mmser.speech import find_all_speech
from mmser.transcription.call import AsrRequest, transcribe_call
from mmser.transcription.chunks import cut_chunks
from mmser.transcription.opening import open_recogniser
from mmser.transcription.recogniser import Recogniser
from mmser.transcription.segments import Recognised


class Silent:
    """Says nothing, at once."""

    name, version, batch_size = "whisper:silent", "silent", 8

    def knows(self, language: str) -> bool:
        """Tell that every language is known."""
        return True

    def languages(self, waveforms: Sequence[object]) -> list[dict[str, float]]:
        """Tell no language."""
        return [{} for _ in waveforms]

    def recognise(self, waveforms: Sequence[object], language: str | None) -> list[Recognised]:
        """Return nothing for each chunk."""
        return [Recognised(segments=(), language=language) for _ in waveforms]


def timed(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest of several runs in seconds: others use this machine too."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def stock_detector(paths: Sequence[Path]) -> None:
    """silero-vad as its package runs it, a frame at a time."""
    from silero_vad import get_speech_timestamps, load_silero_vad

    model = load_silero_vad()
    with open_recording(*paths) as source:
        for channel in range(source.num_channels):
            waveform = torch.from_numpy(source.read(source.start, source.end, channel))
            get_speech_timestamps(waveform, model, sampling_rate=16_000)


def speed(paths: Sequence[Path]) -> None:
    with open_recording(*paths) as source:
        seconds, channels = source.duration, source.num_channels
        found = find_all_speech(source)
        rows = {
            "silero-vad, its own loop": timed(lambda: stock_detector(paths)),
            "mmser, voice activity and leaks": timed(lambda: find_all_speech(source)),
            "mmser, turns and chunks": timed(
                lambda: (turns_from_speech(found.stretches, {}), cut_chunks(found.stretches, seconds))
            ),
            "mmser, all of it with a silent recogniser": timed(
                lambda: transcribe_call(source, AsrRequest(recogniser=Silent()), alone=True)
            ),
        }
    chunks = cut_chunks(found.stretches, seconds)
    heard = sum(chunk.length for chunk in chunks)
    print(f"{seconds:.0f} s, {channels} channels, {torch.get_num_threads()} thread(s)\n")
    print("| | × real time | against the peer |\n|---|---|---|")
    peer = rows["silero-vad, its own loop"]
    for name, spent in rows.items():
        print(f"| {name} | {seconds / spent:.1f} | {peer / spent:.1f} |")
    print(
        f"\n{heard:.0f} of {seconds * channels:.0f} s are given to the recogniser, in {len(chunks)} windows "
        f"of 30 s; one for each stretch of speech would be {sum(map(len, found.stretches.values()))}"
    )


def memory(paths: Sequence[Path], hours: float, recogniser: Recogniser) -> None:
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "long.wav"
        lengthen(paths, long, hours)
        with open_recording(long) as source:
            told: dict[tuple[str, int], float] = {}

            def note(stage: str, done: float, total: float) -> None:
                told.setdefault((stage, int(10 * done / total) if total else 0), resident())

            begin = time.perf_counter()
            found = transcribe_call(source, AsrRequest(recogniser=recogniser), alone=True, progress=note)
            spent = time.perf_counter() - begin
            print(
                f"\n{source.duration / 3600:.1f} h, {source.num_channels} channels, {len(found.turns)} turns:"
            )
            print(f"{spent / 60:.1f} min, {source.duration / spent:.0f} × real time")
    print("\n| stage | tenth | resident MiB |\n|---|---|---|")
    for (stage, tenth), size in told.items():
        print(f"| {stage} | {tenth} | {size:.0f} |")
    print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def resident() -> float:
    """Return the memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def lengthen(paths: Sequence[Path], target: Path, hours: float) -> None:
    """Write the call again and again, as µ-law at 8 kHz."""
    with open_recording(*paths) as source:
        once = np.stack([source.read(0.0, source.end, c)[::2] for c in range(source.num_channels)], axis=1)
    with soundfile.SoundFile(target, "w", 8000, once.shape[1], "ULAW", format="WAV") as file:
        for _ in range(max(1, round(hours * 3600 * 8000 / len(once)))):
            file.write(once)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("call", type=Path, nargs="+", help="one recording, or the files of its sides")
    parser.add_argument("--hours", type=float, help="also transcribe a call of this length")
    parser.add_argument("--asr", help="a recogniser, such as whisper:small, for --hours")
    options = parser.parse_args()
    torch.set_num_threads(1)
    speed(options.call)
    if options.hours:
        memory(options.call, options.hours, open_recogniser(options.asr) if options.asr else Silent())


if __name__ == "__main__":
    main()
