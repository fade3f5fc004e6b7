#!/usr/bin/env python
"""Kill `mmser batch` at random moments, let it go on each time, and hold the outcome against a whole run.

    python scripts/check_crash_safety.py (ARCHIVE | --calls N) [--kills 10] [--seed 0]
        [--workers 2] [--models 2]

ARCHIVE is what scripts/make_archive.py made, or a manifest. Every other kill hits the main process alone, the
rest all its processes at once. No call that had its line may be done again, none may be lost or doubled, no
half-written file and no process may be left, and both outputs agree. Exit 1 where one of this does not hold.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet
from compare_batches import as_table, compare_batches, read_rows

SECONDS_TO_GO = 10.0  # for workers, once the process that began them is dead
SECONDS_STUCK = 120.0  # without a line more
LEFTOVERS = (".open-", ".running.json", ".probe")


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One kill, and what was found after it."""

    number: int
    whole: bool  # all processes, not the main one alone
    after: float  # seconds since the run began
    before: int  # calls that were done when the run began
    done: dict[str, dict[str, Any]]  # by then: id → line of the manifest
    left_after: float | None  # seconds until all its processes were gone; None = some stayed
    problems: tuple[str, ...]


@dataclass(kw_only=True)
class Check:
    """One thing that is to hold."""

    name: str
    problems: list[str] = field(default_factory=list)


def command(manifest: Path, out: Path, options: argparse.Namespace) -> list[str]:
    """Return the batch as a user starts it."""
    crew = [
        word
        for name in ("workers", "models")
        if getattr(options, name) is not None
        for word in (f"--{name}", str(getattr(options, name)))
    ]
    return [
        *(sys.executable, "-m", "mmser", "batch", str(manifest), "-o", str(out)),
        *("--roles", "agent,customer", "--quiet", *crew),
    ]


def run_whole(manifest: Path, out: Path, options: argparse.Namespace) -> tuple[float, str]:
    """Run a batch to its end; return its seconds and what it printed."""
    begun = grown = time.monotonic()
    size = 0
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command(manifest, out, options), stdout=said) as process,
    ):
        while process.poll() is None:
            if (now := _size(out / "manifest.jsonl")) != size:
                size, grown = now, time.monotonic()
            if time.monotonic() - grown > SECONDS_STUCK:
                process.kill()
                raise SystemExit(f"it hangs: nothing was finished for {SECONDS_STUCK:.0f} s")
            time.sleep(0.1)
        said.seek(0)
        text = said.read()
    if process.returncode not in (0, 1) or not text:
        raise SystemExit(f"mmser batch ended with {process.returncode}: {text}")
    return time.monotonic() - begun, text


def done_lines(out: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the whole lines of calls that are done, and ids that have two."""
    path = out / "manifest.jsonl"
    content = path.read_bytes() if path.exists() else b""
    lines = [json.loads(text) for text in content.split(b"\n")[:-1]]
    done = [line for line in lines if line["status"] == "done"]
    counts = Counter(line["id"] for line in done)
    return {line["id"]: line for line in done}, [key for key, count in counts.items() if count > 1]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def of_session(leader: int) -> list[int]:
    """Return the processes of a session that are alive."""
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except (OSError, psutil.Error):
            continue
    return found


def kill_once(
    number: int, lines: int, manifest: Path, out: Path, options: argparse.Namespace, drawn: random.Random
) -> Kill | None:
    """Run until so many calls are done and a moment more, and kill; None if it ended before.

    Where so many were done before, the moment falls into its start, and what it puts right.
    """
    before = len(done_lines(out)[0])
    begun = time.monotonic()
    with subprocess.Popen(
        command(manifest, out, options), stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        size, done_now = -1, before
        while process.poll() is None and done_now < lines:
            if (grown := _size(out / "manifest.jsonl")) != size:  # reading it costs the run its time
                size, done_now = grown, len(done_lines(out)[0])
            if time.monotonic() - begun > SECONDS_STUCK:
                os.killpg(process.pid, signal.SIGKILL)
                raise SystemExit(f"kill {number}: no {lines} calls done after {SECONDS_STUCK:.0f} s")
            time.sleep(0.02)
        time.sleep(drawn.uniform(0.0, 5.0 if before >= lines else 0.5))
        if process.poll() is not None:
            return None
        after, whole = time.monotonic() - begun, number % 2 == 0
        os.killpg(process.pid, signal.SIGKILL) if whole else process.kill()
        process.wait()
        killed = time.monotonic()
        while (alive := of_session(process.pid)) and time.monotonic() - killed < SECONDS_TO_GO:
            time.sleep(0.05)
        left = None if alive else time.monotonic() - killed
        problems = [f"process {' '.join(psutil.Process(pid).cmdline())[:120]} is left" for pid in alive]
        if alive:
            os.killpg(process.pid, signal.SIGKILL)
    done, twice = done_lines(out)
    problems += [f"{key} has two lines" for key in twice]
    problems += torn(out)
    return Kill(
        number=number,
        whole=whole,
        after=after,
        before=before,
        done=done,
        left_after=left,
        problems=tuple(problems),
    )


def torn(out: Path) -> list[str]:
    """Return what is wrong with the Parquet parts that are there, whatever moment it is."""
    found = []
    for path in (*out.glob("turns/*.parquet"), *out.glob("calls/*.parquet")):
        try:
            pyarrow.parquet.read_table(path)
        except (OSError, ValueError) as error:  # pyarrow's own are children of these
            found.append(f"{path.name} cannot be read: {error}")
    return found


# --- what is to hold -----------------------------------------------------------------------------


def checks(whole: Path, out: Path, kills: list[Kill]) -> list[Check]:
    """Return what was checked of an output that was killed again and again."""
    lines, twice = done_lines(out)
    redone = [
        f"{key}, done {line['finished']}, was done again {lines[key]['finished']}"
        if key in lines
        else f"{key} had its line, and has none"
        for kill in kills
        for key, line in kill.done.items()
        if lines.get(key) != line
    ]
    calls, turns = read_rows(out, "calls"), read_rows(out, "turns")
    ids = Counter(row["id"] for row in calls)
    rows = Counter((row["call"], row["id"]) for row in turns)
    lost = [f"{key} is done, and has no row" for key in lines if key not in ids]
    lost += [f"{key} has a row, and is not done" for key in ids if key not in lines]
    lost += [f"{key} has {count} rows" for key, count in (*ids.items(), *rows.items()) if count > 1]
    lost += [f"turns of {key}, which is no call" for key in {call for call, _ in rows} - ids.keys()]
    lost += [f"{key} is done where nothing was killed" for key in done_lines(whole)[0].keys() - lines.keys()]
    files = [str(path.relative_to(out)) for path in out.rglob("*")]
    left = [
        name for name in files if name.endswith((".tmp", ".old")) or Path(name).name.startswith(LEFTOVERS)
    ]
    manifest = [json.loads(text)["id"] for text in (out / "manifest.jsonl").read_text("utf-8").splitlines()]
    twice += [f"{key} has {count} lines" for key, count in Counter(manifest).items() if count > 1]
    reference = [
        json.loads(text)["id"] for text in (whole / "manifest.jsonl").read_text("utf-8").splitlines()
    ]
    if manifest != reference:
        twice.append("the manifests differ in calls or their order")
    stayed = [f"kill {k.number}: {p}" for k in kills for p in k.problems]
    agree = [f"{one.table}: {problem}" for one in compare_batches(whole, out) for problem in one.problems]
    return [
        Check(name="after each kill: no process left, no line doubled, no torn Parquet", problems=stayed),
        Check(name="no call that had its line was done again", problems=redone),
        Check(name="no call lost or doubled in turns/ and calls/", problems=lost),
        Check(name="no half-written file left at the end", problems=left),
        Check(name="the manifest has one line a call", problems=twice),
        Check(name="both outputs agree", problems=agree),
    ]


def report(kills: list[Kill], found: list[Check]) -> None:
    print("\n| kill | of | after s | done before → then | workers gone after s |\n|---|---|---|---|---|")
    for kill in kills:
        gone = "stayed" if kill.left_after is None else f"{kill.left_after:.2f}"
        of = "all" if kill.whole else "main"
        print(f"| {kill.number} | {of} | {kill.after:.1f} | {kill.before} → {len(kill.done)} | {gone} |")
    print()
    for check in found:
        print(f"{'FAILED' if check.problems else 'ok':<7} {check.name}")
        for problem in check.problems[:5]:
            print(f"        {problem}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path, nargs="?", help="made archive, or a manifest")
    parser.add_argument("--calls", type=int, help="of an archive that is made for this")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--models", type=int)
    options = parser.parse_args()
    if (options.archive is None) == (options.calls is None):
        parser.error("give ARCHIVE or --calls")
    drawn = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        archive = options.archive or work / "archive"
        if options.archive is None:
            make = Path(__file__).with_name("make_archive.py")
            subprocess.run([sys.executable, make, archive, "--calls", str(options.calls)], check=True)
        manifest = archive / "manifest.csv" if archive.is_dir() else archive
        whole, out = work / "whole", work / "killed"
        seconds, said = run_whole(manifest, whole, options)
        total = len(done_lines(whole)[0])
        print(f"undisturbed, {seconds:.1f} s: {said.splitlines()[0]}")
        points = sorted(drawn.randint(1, max(1, round(0.95 * total))) for _ in range(options.kills))
        kills = []
        for number, point in enumerate(points, 1):
            kill = kill_once(number, point, manifest, out, options, drawn)
            if kill is None:
                print(f"kill {number}: it had ended")
                break
            kills.append(kill)
        seconds, said = run_whole(manifest, out, options)
        print(f"after {len(kills)} kills, the rest in {seconds:.1f} s: {said.splitlines()[0]}")
        found = checks(whole, out, kills)
        report(kills, found)
        print(f"\n{as_table(compare_batches(whole, out))}")
    if any(check.problems for check in found) or len(kills) < options.kills:
        sys.exit(1)


if __name__ == "__main__":
    main()
