"""What the commands of a batch print."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from mmser.batch.forgetting import Forgotten
from mmser.batch.place import Place
from mmser.batch.records import ManifestLine
from mmser.batch.run import Outcome
from mmser.batch.run_info import read_run
from mmser.batch.status import BatchStatus

SHOWN: Final = 20  # calls that failed, in a text


def as_text(outcome: Outcome, place: Place) -> str:
    """Return the summary of a run."""
    progress, run = outcome.progress, read_run(place)
    done = progress.before + progress.done
    lines = [f"{progress.total:,} calls: {done:,} done, {len(outcome.failed):,} failed"]
    if progress.before:
        lines[0] += f" ({progress.before:,} were done before)"
    if outcome.stopped:
        lines[0] += "; stopped at the first that failed (--fail-fast)"
    if progress.done and run.seconds:
        lines.append(
            f"{_hours(progress.sound_seconds)} of sound in {_length(run.seconds)}, "
            f"{progress.sound_seconds / run.seconds:,.0f} × real time; the first call was done after "
            f"{_length(run.first_seconds or 0.0)}"
        )
    if run.stages:
        lines.append(f"work by stage: {_shares(run.stages)}")
    lines += _failures(outcome.failed, place.out)
    for ids in outcome.same_audio[:SHOWN]:
        lines.append(f"one recording under {len(ids)} ids: {_few(ids)}")
    if len(outcome.same_audio) > SHOWN:
        lines.append(f"and {len(outcome.same_audio) - SHOWN:,} more recordings under several ids")
    if outcome.warned:
        named = f"{len(outcome.warned):,} done with a warning ({_few(outcome.warned)})"
        lines.append(f"{named}: see the column warnings in calls")
    out = str(place.folder) if place.folder is not None else place.out.rstrip("/")
    after = f"; next: mmser summarize {out}" if place.folder is not None else ""
    lines.append(f"{out}/manifest.jsonl, {out}/turns and {out}/calls (Parquet){after}")
    return "\n".join(lines)


def as_json(outcome: Outcome, place: Place) -> str:
    """Return the outcome of a run as JSON."""
    progress, run = outcome.progress, read_run(place)
    return json.dumps(
        {
            "out": place.out,
            "calls": progress.total,
            "done": progress.before + progress.done,
            "done_before": progress.before,
            "failed": [{"id": line.id, "error": line.error} for line in outcome.failed],
            "same_audio": outcome.same_audio,
            "warned": outcome.warned,
            "stopped": outcome.stopped,
            "sound_seconds": run.sound_seconds,
            "seconds": run.seconds,
            "stages": run.stages,
        },
        ensure_ascii=False,
        indent=1,
    )


def status_text(status: BatchStatus) -> str:
    """Return how far a batch is."""
    run = status.run
    lines = [
        f"{run.num_calls:,} calls: {status.num_done:,} done, {status.num_failed:,} failed, "
        f"{status.num_left:,} left · {_hours(status.sound_seconds)} of sound",
        f"model {run.model.id} {run.model.revision[:12]}, mmser {run.mmser_version}",
    ]
    if status.held_by:
        lines.append(
            f"at work: {status.held_by}"
            if status.running
            else f"killed at work: {status.held_by}; the same command goes on"
            if status.running is False
            else f"at work, or killed at it: {status.held_by}"
        )
    if run.ended and run.seconds:
        lines.append(
            f"last run: {run.started}, {run.num_analysed:,} calls in {_length(run.seconds)}"
            + (f"; work by stage: {_shares(run.stages)}" if run.stages else "")
        )
    return "\n".join([*lines, *_failures(status.failed, status.out)])


def status_json(status: BatchStatus) -> str:
    """Return how far a batch is, as JSON."""
    return json.dumps(status.to_dict(), ensure_ascii=False, indent=1)


def forgotten_text(gone: Forgotten, out: str) -> str:
    """Say what was removed, and what that does not reach."""
    beside = [f"{gone.reports} reports"] if gone.reports else []
    beside += ["the summary"] if gone.summary else []
    more = f", {' and '.join(beside)}" if beside else ""
    still = ""
    if gone.same_audio:
        ids = ", ".join(map(repr, gone.same_audio))
        still = f"still there: {ids}, the same recording under another id\n"
    return (
        f"removed from {out}: {gone.calls} calls with {gone.turns} turns, their lines in the manifest{more}\n"
        f"{still}recordings and transcripts are not touched: take the calls out of the input, or the next "
        "run analyses them again; nor is what was copied or summarised elsewhere"
    )


def _failures(failed: Sequence[ManifestLine], out: str) -> list[str]:
    lines = [f"failed: {_plain(line.id)}: {_plain(line.error or '')}" for line in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"and {len(failed) - SHOWN:,} more: mmser batch status {out} --json")
    return lines


def _few(ids: Sequence[str]) -> str:
    """Return the first few of some ids."""
    return ", ".join(map(_plain, ids[:5])) + (" …" if len(ids) > 5 else "")


def _plain(text: str) -> str:
    """Return a text on one line, in which nothing can draw on a terminal."""
    return "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in " ".join(text.split()))


def _shares(stages: Mapping[str, float]) -> str:
    total = sum(stages.values()) or 1.0
    ordered = sorted(stages.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * seconds / total:.0f} %" for name, seconds in ordered)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{seconds / 60:,.1f} min"


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
