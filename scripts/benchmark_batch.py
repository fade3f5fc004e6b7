#!/usr/bin/env python
"""Time `mmser batch` beside other ways through the same calls, all in one run, and what int8 and Ray change.

    python scripts/benchmark_batch.py [--calls 60 | --archive FOLDER] [--data FOLDER] [--ray] [--only WORD]
        [--peer-calls 20] [--json FILE]

--archive is what scripts/make_archive.py made, of good calls alone; else one is made. The first row is `mmser
analyze`, a process a call, of three calls. The peers hear the customers' turns of the first --peer-calls
calls, one turn a model call: the transformers pipeline on a random-weight wav2vec2-base, and mmser's own
model as transformers loads it. Compare within one run only, on a quiet machine. With --data (it holds
corpora/ravdess) int8 is also scored on RAVDESS's test actors. Of memory: scripts/measure_batch_memory.py.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from compare_batches import as_table, compare_batches, read_rows

HOME = Path(__file__).resolve().parent.parent
MODEL = HOME / "mmser" / "assets" / "model"
SECONDS_STUCK = 120.0  # without a call more
ANALYZED = 3  # calls that `mmser analyze` is timed on
BATCHES = {
    "batch, 1 worker, 1 model": ("--workers", "1", "--models", "1"),
    "batch, 1 worker, 2 models": ("--workers", "1", "--models", "2"),
    "batch, 2 workers, 2 models": ("--workers", "2", "--models", "2"),
    "batch, 1 worker, 2 models, a row a model call": (
        *("--workers", "1", "--models", "2", "--batch-seconds", "1"),
    ),
    "batch, 1 worker, 2 models, int8": ("--workers", "1", "--models", "2", "--quantize", "int8"),
}
FLOAT, INT8 = "batch, 1 worker, 2 models", "batch, 1 worker, 2 models, int8"
RAY = "batch, Ray, 1 worker, 2 models"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of the archive."""

    audio: Path
    transcript: Path
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One way through calls."""

    name: str
    calls: int
    sound_seconds: float
    seconds: float  # from the start of the program, or of loading, to its end
    first: float  # by then: the first call was done
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def calls_a_minute(self) -> float:
        """Over the whole time, start-up included."""
        return 60 * self.calls / self.seconds

    @property
    def at_work(self) -> float:
        """Calls a minute once the first was done."""
        rest = self.seconds - self.first
        return 60 * (self.calls - 1) / rest if self.calls > 1 and rest > 0 else float("nan")


def read_archive(folder: Path) -> list[Call]:
    """Return the calls of a made archive."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if broken := [row["id"] for row in rows if row["made"] != "call"]:
        raise SystemExit(f"{folder} has broken rows, as {broken[0]}; give an archive made without --bad")
    return [
        Call(
            audio=folder / row["audio"],
            transcript=folder / row["transcript"],
            seconds=soundfile.info(folder / row["audio"]).duration,
        )
        for row in rows
    ]


# --- ways ----------------------------------------------------------------------------------------


def analyze(calls: Sequence[Call]) -> Measured:
    """Time a process for each call, on calls whose length is about the mean."""
    mean = float(np.mean([call.seconds for call in calls]))
    chosen = sorted(calls, key=lambda call: abs(call.seconds - mean))[:ANALYZED]
    begun, first = time.perf_counter(), 0.0
    for call in chosen:
        command = [sys.executable, "-m", "mmser", "analyze", str(call.audio), "--quiet"]
        command += ["--transcript", str(call.transcript), "--roles", "agent,customer"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        first = first or time.perf_counter() - begun
    return _measured("analyze, a process a call", chosen, time.perf_counter() - begun, first)


def loop(calls: Sequence[Call]) -> Measured:
    """Time the pipeline in a loop, one thread."""
    begun = time.perf_counter()
    from mmser import EmotionPipeline

    pipeline = EmotionPipeline.from_pretrained()

    def one(call: Call) -> None:
        pipeline(call.audio, transcript=call.transcript, roles=("agent", "customer"))

    return _one_by_one("EmotionPipeline in a loop", calls, begun, one)


def transformers_peer(calls: Sequence[Call]) -> Measured:
    """Time the transformers pipeline on a random-weight wav2vec2-base, a customer's turn a call."""
    begun = time.perf_counter()
    from benchmark import peer

    pipe = peer()

    def one(call: Call) -> None:
        for wave, _ in customer_turns(call):
            pipe([wave])

    with torch.inference_mode():
        return _one_by_one("transformers pipeline, wav2vec2-base", calls, begun, one)


def own_model(calls: Sequence[Call]) -> Measured:
    """Time mmser's model as transformers loads it, a customer's turn a call; no course of the dialogue."""
    begun = time.perf_counter()
    from transformers import AutoModel, AutoProcessor

    from mmser.quiet import quietly

    with quietly():
        model = AutoModel.from_pretrained(MODEL, trust_remote_code=True).eval()
        processor = AutoProcessor.from_pretrained(MODEL, trust_remote_code=True)

    def one(call: Call) -> None:
        for wave, text in customer_turns(call):
            model.predict(**processor(audio=wave, text=text, sampling_rate=16_000))

    with torch.inference_mode():
        return _one_by_one("AutoModel of mmser's model, turn by turn", calls, begun, one)


def customer_turns(call: Call) -> Iterator[tuple[np.ndarray, str | None]]:
    """Yield sound at 16 kHz and words of what the customer says."""
    from mmser.audio import open_recording
    from mmser.transcripts import read_transcript

    with open_recording(call.audio) as source:
        for turn in read_transcript(call.transcript).turns:
            if turn.role == "customer" and turn.start is not None and turn.end is not None:
                yield source.read(turn.start, turn.end, 1), turn.text


def _one_by_one(name: str, calls: Sequence[Call], begun: float, one: Callable[[Call], None]) -> Measured:
    first = 0.0
    for call in calls:
        one(call)
        first = first or time.perf_counter() - begun
    return _measured(name, calls, time.perf_counter() - begun, first)


def batch(name: str, archive: Path, out: Path, calls: Sequence[Call], options: Sequence[str]) -> Measured:
    """Time one `mmser batch` from the start of its process."""
    command = [sys.executable, "-m", "mmser", "batch", str(archive / "manifest.csv"), "-o", str(out)]
    command += ["--roles", "agent,customer", "--quiet", *options]
    begun, first, manifest = time.perf_counter(), 0.0, out / "manifest.jsonl"
    grown, size = begun, 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            now = manifest.stat().st_size if manifest.exists() else 0
            if now != size:
                first = first or time.perf_counter() - begun
                grown, size = time.perf_counter(), now
            if time.perf_counter() - grown > SECONDS_STUCK:
                process.kill()
                raise SystemExit(f"{name} hangs: nothing was finished for {SECONDS_STUCK:.0f} s")
            time.sleep(0.02 if not first else 0.1)
        seconds = time.perf_counter() - begun
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    run = json.loads((out / "run.json").read_text("utf-8"))
    return _measured(name, calls, seconds, first, run["stages"])


def _measured(
    name: str, calls: Sequence[Call], seconds: float, first: float, stages: dict[str, float] | None = None
) -> Measured:
    found = Measured(
        name=name,
        calls=len(calls),
        sound_seconds=sum(call.seconds for call in calls),
        seconds=seconds,
        first=first,
        stages=stages or {},
    )
    print(f"{seconds:7.1f} s  {found.calls:4} calls  {name}", file=sys.stderr, flush=True)
    return found


# --- int8 ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """What 8-bit integers change in what comes out."""

    turns: int  # that have an emotion in both
    largest: float  # difference of a probability
    mean: float
    other_top: float  # share of turns with another most probable class
    other_label: float  # share with another label, an abstention counted as one


def compare_int8(plain: Path, small: Path) -> Quantized:
    """Return how the turns of two batches differ."""
    theirs = {(row["call"], row["id"]): row for row in read_rows(small, "turns")}
    pairs = [(row, theirs[row["call"], row["id"]]) for row in read_rows(plain, "turns")]
    pairs = [(a, b) for a, b in pairs if a["top_emotion"] is not None and b["top_emotion"] is not None]
    names = [name for name in pairs[0][0] if name.startswith("p_")]
    size = np.abs([[a[name] - b[name] for name in names] for a, b in pairs])
    return Quantized(
        turns=len(pairs),
        largest=float(size.max()),
        mean=float(size.mean()),
        other_top=float(np.mean([a["top_emotion"] != b["top_emotion"] for a, b in pairs])),
        other_label=float(np.mean([a["emotion"] != b["emotion"] for a, b in pairs])),
    )


def uar_of_both(data: Path) -> dict[str, float]:
    """Return UAR in percent on RAVDESS's test actors by sound alone, of the model as it is and in int8."""
    from mmser import EmotionPipeline
    from mmser.batch.judging import quantized
    from mmser.data import examples_of, load_corpora
    from mmser.evaluation.scores.metrics import uar
    from mmser.labels import EMOTIONS
    from mmser.training.config import read_config

    entries = [one for one in read_config(HOME / "configs" / "default.yaml").data if one.corpus == "ravdess"]
    rows = [row for row in examples_of(load_corpora(entries, data)) if row.split == "test" and row.emotions]
    truth = [EMOTIONS.index(row.emotions[0]) for row in rows]
    found = {"clips": float(len(rows))}
    for name in ("float32", "int8"):
        pipeline = EmotionPipeline.from_pretrained()
        if name == "int8":
            pipeline.model = quantized(pipeline.model)
        said = pipeline.predict_clips([row.audio for row in rows])
        found[name] = uar(truth, [EMOTIONS.index(one.emotion.top) for one in said if one.emotion])
    return found


# --- what is printed -----------------------------------------------------------------------------


def speed_table(rows: Sequence[Measured]) -> str:
    """Return a Markdown table; ratios are of calls a minute, start-up included, against the first row."""
    base = rows[0].calls_a_minute
    lines = [
        "| | calls | s | first call after s | calls/min | × | × real time | calls/min after the first |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.name} | {row.calls} | {row.seconds:.1f} | {row.first:.1f} | {row.calls_a_minute:.1f} "
            f"| {row.calls_a_minute / base:.1f} | {row.sound_seconds / row.seconds:.1f} | {row.at_work:.1f} |"
        )
    return "\n".join(lines)


def stage_table(rows: Sequence[Measured]) -> str:
    """Return a Markdown table of seconds of work by stage, over all processes."""
    rows = [row for row in rows if row.stages]
    stages = sorted({name for row in rows for name in row.stages})
    lines = ["| seconds of work, over all processes | " + " | ".join(stages) + " | all |"]
    lines.append("|---" * (len(stages) + 2) + "|")
    for row in rows:
        cells = [f"{row.stages.get(name, 0.0):.1f}" for name in stages]
        lines.append(f"| {row.name} | {' | '.join(cells)} | {sum(row.stages.values()):.1f} |")
    return "\n".join(lines)


def measure(archive: Path, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure all that is asked for, and print it."""
    calls = read_archive(archive)
    few = calls[: options.peer_calls]
    ways: dict[str, Callable[[], Measured]] = {
        "analyze": lambda: analyze(calls),
        "EmotionPipeline": lambda: loop(calls),
    }
    batches = BATCHES | ({RAY: (*BATCHES[FLOAT], "--engine", "ray")} if options.ray else {})
    outs = {name: work / f"out-{number}" for number, name in enumerate(batches)}
    for name, words in batches.items():
        ways[name] = lambda name=name, words=words: batch(name, archive, outs[name], calls, words)
    ways |= {"transformers": lambda: transformers_peer(few), "AutoModel": lambda: own_model(few)}
    rows = [way() for name, way in ways.items() if options.only in name]
    hours = sum(call.seconds for call in calls) / 3600
    print(
        f"\n{len(calls)} calls, {hours:.2f} h; mmser's ways hear all of a call, the last two its customer\n"
    )
    print(f"{speed_table(rows)}\n\n{stage_table(rows)}\n")
    found: dict[str, Any] = {"calls": len(calls), "hours": hours, "speed": [_as_dict(row) for row in rows]}
    if outs[FLOAT].exists() and outs[INT8].exists():
        small = compare_int8(outs[FLOAT], outs[INT8])
        found["int8"] = asdict(small)
        print(
            f"int8 against float32, {small.turns} turns: probabilities differ by {small.mean:.4f} on average "
            f"and {small.largest:.4f} at most; another most probable class in {small.other_top:.1%}, another "
            f"label in {small.other_label:.1%}"
        )
    if options.data is not None:
        found["uar"] = uar_of_both(options.data)
        print(", ".join(f"{name} {value:.1f}" for name, value in found["uar"].items()), "(UAR, RAVDESS test)")
    for name, out in outs.items():
        if name not in (FLOAT, INT8) and out.exists() and outs[FLOAT].exists():
            both = compare_batches(outs[FLOAT], out)
            found.setdefault("against", {})[name] = [asdict(one) for one in both]
            print(f"\n{name}, against {FLOAT}\n\n{as_table(both)}")
    return found


def _as_dict(row: Measured) -> dict[str, Any]:
    return asdict(row) | {"calls_a_minute": row.calls_a_minute, "calls_a_minute_at_work": row.at_work}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--data", type=Path, help="folder that holds corpora/ravdess")
    parser.add_argument("--ray", action="store_true", help="--engine ray too")
    parser.add_argument("--only", default="", help="ways whose name holds this")
    parser.add_argument("--peer-calls", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write all numbers there too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        archive = options.archive or work / "archive"
        if options.archive is None:
            make = Path(__file__).with_name("make_archive.py")
            subprocess.run([sys.executable, make, archive, "--calls", str(options.calls)], check=True)
        found = measure(archive, work, options)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
