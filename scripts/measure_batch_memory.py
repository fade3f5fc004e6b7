#!/usr/bin/env python
"""Measure the memory of `mmser batch` over many short calls, and over a long one.

    python scripts/measure_batch_memory.py [--calls 5000] [--workers 1] [--models 2] [--picture memory.png]
        [--long-hours 2] [--json FILE]

Recordings of 1 to 2 s are cut from the bundled sample call; every other one has a transcript. Once a second
the resident memory of the main process and all it began is summed, by kind, beside their share-corrected
memory (PSS, where /proc tells), as forked processes share pages. The slope is a line through the second half.
--long-hours 0, or --calls 0, leaves that part out. A run in which nothing is finished for --stuck seconds is
ended, and said to hang.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from mmser.transcripts import read_transcript, write_webvtt
from mmser.types import Turn

SAMPLE = Path(__file__).resolve().parent.parent / "mmser" / "assets" / "sample"
MIB = 1 << 20
KINDS = ("main", "model", "reader", "others")


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Memory at one moment, in MiB."""

    seconds: float  # since the start
    calls: int  # that are finished
    rss: float  # of all processes
    pss: float | None
    kinds: dict[str, float]  # resident, of the processes of a kind
    largest: float  # resident, of one process


# --- what is analysed ----------------------------------------------------------------------------


def make_short_calls(folder: Path, count: int) -> Path:
    """Write recordings of 1 to 2 s, no two alike, and their manifest."""
    wave, rate = soundfile.read(SAMPLE / "call.wav", dtype="float32")
    drawn = np.random.default_rng(0)
    rows = []
    for number in range(count):
        length = round(float(drawn.uniform(1.0, 2.0)) * rate)
        first = int(drawn.integers(0, len(wave) - length))
        name = f"short-{number:05d}"
        soundfile.write(folder / f"{name}.wav", wave[first : first + length], rate, subtype="ULAW")
        words = ""
        if number % 2:
            words = f"{name}.vtt"
            text = f"This is call {number} about a parcel."
            turn = Turn(id="t1", start=0.1, end=length / rate, speaker="Customer", role="customer", text=text)
            (folder / words).write_text(write_webvtt([turn]), encoding="utf-8")
        rows.append((name, f"{name}.wav", words))
    return write_manifest(folder, rows)


def make_long_call(folder: Path, hours: float) -> Path:
    """Write the sample call again and again, softer or louder each time, with its words."""
    wave, rate = soundfile.read(SAMPLE / "call.wav", dtype="float32")
    length = len(wave) / rate
    turns = []
    with soundfile.SoundFile(
        folder / "long.wav", "w", samplerate=rate, channels=wave.shape[1], subtype="ULAW"
    ) as file:
        for number in range(max(1, round(hours * 3600 / length))):
            file.write((0.5 + 0.4 * np.sin(number)) * wave)
            turns += [_later(turn, number * length) for turn in read_transcript(SAMPLE / "call.vtt").turns]
    (folder / "long.vtt").write_text(write_webvtt(turns), encoding="utf-8")
    return write_manifest(folder, [("long", "long.wav", "long.vtt")])


def _later(turn: Turn, seconds: float) -> Turn:
    assert turn.start is not None and turn.end is not None
    return Turn.from_dict(turn.to_dict() | {"start": turn.start + seconds, "end": turn.end + seconds})


def write_manifest(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "audio", "transcript"), *rows])
    return path


# --- what is measured ----------------------------------------------------------------------------


def watch(manifest: Path, out: Path, options: argparse.Namespace, every: float) -> list[Sampled]:
    """Run a batch and look at its memory meanwhile."""
    command = [sys.executable, "-m", "mmser", "batch", str(manifest), "-o", str(out), "--no-asr", "--quiet"]
    command += ["--roles", "agent,customer"]
    for name in ("workers", "models"):
        if getattr(options, name) is not None:
            command += [f"--{name}", str(getattr(options, name))]
    begun, found = time.monotonic(), []
    counted = _Counted(out / "manifest.jsonl")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            sampled = sample(process.pid, time.monotonic() - begun, counted.lines())
            if sampled is not None:
                found.append(sampled)
            if sampled is not None and time.monotonic() - counted.grown > options.stuck:
                process.kill()
                raise SystemExit(f"nothing was finished for {options.stuck:g} s, after {sampled.calls} calls")
            time.sleep(every)
        if process.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return found


class _Counted:
    """Counts the lines of a file that grows."""

    def __init__(self, path: Path) -> None:
        self.path, self.count, self.read, self.grown = path, 0, 0, time.monotonic()

    def lines(self) -> int:
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self.read)
                content = file.read()
            if content:
                self.grown = time.monotonic()
            self.count += content.count(b"\n")
            self.read += len(content)
        return self.count


def sample(pid: int, seconds: float, calls: int) -> Sampled | None:
    """Return the memory of a process and all it began; None once it has gone."""
    try:
        main = psutil.Process(pid)
        processes = [main, *main.children(recursive=True)]
    except psutil.Error:
        return None
    sizes: dict[int, float] = {}
    shared: list[float | None] = []
    for one in processes:
        try:
            sizes[one.pid] = one.memory_info().rss / MIB
        except psutil.Error:
            continue
        shared.append(proportional(one.pid))
    kinds = dict.fromkeys(KINDS, 0.0)
    for one in processes:
        if one.pid in sizes:
            kinds[kind_of(one, pid)] += sizes[one.pid]
    return Sampled(
        seconds=seconds,
        calls=calls,
        rss=sum(sizes.values()),
        pss=None if None in shared else sum(size or 0.0 for size in shared),
        kinds=kinds,
        largest=max(sizes.values(), default=0.0),
    )


def kind_of(process: psutil.Process, main: int) -> str:
    """Tell what a process does: workers have no names, but a model has its weights' threads and size."""
    if process.pid == main:
        return "main"
    try:
        parent = process.ppid()
        if parent == main:
            return "others"  # the fork server, the resource tracker
        return "model" if process.num_threads() > 1 else "reader"
    except psutil.Error:
        return "others"


def proportional(pid: int) -> float | None:
    """Return the proportional set size in MiB: shared pages are divided among those who share them."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")), None)


# --- what is printed -----------------------------------------------------------------------------


def slope(found: list[Sampled]) -> float:
    """Return MiB of memory that 1,000 calls more take, by a line through the second half; NaN of too few."""
    most = max((one.calls for one in found), default=0)
    # The last seconds, in which Parquet is written and processes end, are no trend.
    late = [one for one in found if most / 2 <= one.calls < most]
    if len({one.calls for one in late}) < 3:
        return float("nan")
    sizes = [one.rss if one.pss is None else one.pss for one in late]
    return 1000 * float(np.polyfit([one.calls for one in late], sizes, 1)[0])


def row(name: str, found: list[Sampled]) -> str:
    """Return a row of the table: MiB at the start of work, in the middle, at its end, and at most."""
    most = max(one.calls for one in found)
    working = [one for one in found if 0 < one.calls < most]  # after that, processes end
    first, last = (f"{one.rss:.0f}" for one in (working[0], working[-1])) if working else ("–", "–")
    peak = max(found, key=lambda one: one.rss)
    shared = max((one.pss or 0.0 for one in found), default=0.0)
    kinds = ", ".join(f"{kind} {peak.kinds[kind]:.0f}" for kind in KINDS)
    return (
        f"| {name} | {most} | {found[-1].seconds:.0f} | {first} | {last} | {peak.rss:.0f} "
        f"| {shared:.0f} | {max(one.largest for one in found):.0f} | {slope(found):.1f} | {kinds} |"
    )


def draw(found: list[Sampled], path: Path) -> None:
    """Draw memory and finished calls over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, left = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    times = [one.seconds for one in found]
    left.plot(times, [one.rss for one in found], label="all processes, resident (RSS)", color="tab:blue")
    if all(one.pss is not None for one in found):
        left.plot(
            times, [one.pss for one in found], label="shared pages counted once (PSS)", color="tab:cyan"
        )
    for kind, style in zip(KINDS, ("-", "--", ":", "-."), strict=True):
        left.plot(
            times, [one.kinds[kind] for one in found], style, lw=0.8, color="grey", label=f"{kind}, RSS"
        )
    left.set(xlabel="seconds", ylabel="MiB", ylim=(0, None))
    right = left.twinx()
    right.plot(times, [one.calls for one in found], color="tab:orange", label="calls finished")
    right.set(ylabel="calls", ylim=(0, None))
    lines = [*left.get_lines(), *right.get_lines()]
    left.legend(lines, [str(line.get_label()) for line in lines], fontsize="small", loc="upper left")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--models", type=int)
    parser.add_argument("--long-hours", type=float, default=2.0)
    parser.add_argument("--stuck", type=float, default=600.0)
    parser.add_argument("--picture", type=Path, default=Path("memory.png"))
    parser.add_argument("--json", type=Path, help="write all samples there too")
    options = parser.parse_args()
    found: dict[str, list[Sampled]] = {}
    with tempfile.TemporaryDirectory() as folder:
        if options.calls:
            work = Path(folder) / "short"
            work.mkdir()
            manifest = make_short_calls(work, options.calls)
            every = 1.0 if options.calls > 1000 else 0.2
            found["short calls"] = watch(manifest, Path(folder) / "out", options, every)
            draw(found["short calls"], options.picture)
        if options.long_hours:
            for name, hours in (("one call of 1.7 min", 0.0), (f"one of {options.long_hours:g} h", None)):
                work = Path(folder) / f"long {len(found)}"
                work.mkdir()
                manifest = make_long_call(work, options.long_hours if hours is None else hours)
                found[name] = watch(manifest, Path(folder) / f"out {len(found)}", options, 0.2)
    print(
        "| MiB | calls | s | RSS at the first call | at the last | at most | PSS at most | largest process "
        "| more per 1,000 calls | by kind at most |"
    )
    print("|---" * 10 + "|")
    for name, sampled in found.items():
        print(row(name, sampled))
    if options.calls:
        print(f"\n{options.picture}")
    if options.json is not None:
        content: dict[str, Any] = {name: [asdict(one) for one in rows] for name, rows in found.items()}
        options.json.write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
