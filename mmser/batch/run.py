"""One run of a batch: what is to be done, by whichever engine, into its folder."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from mmser.batch.forgetting import finish_forgetting
from mmser.batch.holding import holding, now
from mmser.batch.input.rows import row_hash
from mmser.batch.place import Place
from mmser.batch.records import BatchInput, CallResult, CallRow, ManifestLine
from mmser.batch.run_info import RUN, RunInfo, describe_run, read_run, require_same, write_run
from mmser.batch.settings import Settings
from mmser.batch.store import Schemas, Store, manifest_line
from mmser.batch.tables import call_schema, turn_schema
from mmser.errors import OutputError
from mmser.types import ModelInfo

Engine = Callable[[Iterable[CallRow]], Iterator[CallResult]]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is."""

    total: int  # calls of the input
    before: int  # done by earlier runs
    done: int  # by this one
    failed: int
    sound_seconds: float  # analysed by this run
    seconds: float  # since it began to work
    first_seconds: float | None = None  # of these, until the first call was done


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run went."""

    progress: Progress
    failed: tuple[ManifestLine, ...]
    same_audio: tuple[tuple[str, ...], ...]  # ids that share one recording
    warned: tuple[str, ...]  # ids of calls of this run whose report warns of something
    stopped: bool = False  # at the first failure


def run_batch(
    given: BatchInput,
    place: Place,
    settings: Settings,
    info: ModelInfo,
    engine: Engine,
    *,
    fail_fast: bool = False,
    stages: Callable[[], dict[str, float]] = dict,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Analyse the calls that are not done yet.

    Args:
        given: what is asked for.
        place: where it is kept.
        settings: what holds for every call.
        info: the model.
        engine: rows → results, in any order.
        fail_fast: stop at the first call that fails.
        stages: seconds of work by stage, as the engine counts them.
        progress: called after each call.

    Raises:
        OutputError: if the place cannot be written to, holds something else, or is held by another run.
        MmserError: if it was begun with another model, with other options, or other calls under known ids.
    """
    place.check()
    with holding(place):
        run = describe_run(given, settings, info)
        require_same(place, run)
        before = None if place.read(RUN) is None else read_run(place)
        if before is not None:
            finish_forgetting(place, before)
        store = Store(place, _schemas(info, given, settings))
        hashes = {row.id: row_hash(row) for row in given.rows}
        done = {key for key, line in store.lines.items() if line.status == "done" and key in hashes}
        _require_same_rows(place, store, hashes, done)
        run = replace(run, num_others=len(store.lines.keys() - hashes.keys()))
        write_run(place, run)
        todo = [row for row in given.rows if row.id not in done]
        working = _Working(
            store,
            run,
            hashes,
            Progress(
                total=len(given.rows), before=len(done), done=0, failed=0, sound_seconds=0.0, seconds=0.0
            ),
        )
        try:
            stopped = working.take(engine(todo) if todo else iter(()), fail_fast, progress)
        except BaseException:
            # A disk that is full for one file is so for the next; what is open is found by the next run.
            with contextlib.suppress(OutputError):
                store.abandon()
            raise
        store.close([row.id for row in given.rows])
        if todo or before is None:
            write_run(place, working.ended(stages()))
        else:  # nothing was to be done: what stands there of the run that did it stays
            write_run(place, replace(before, num_calls=run.num_calls, num_others=run.num_others))
        lines = [store.lines[row.id] for row in given.rows if row.id in store.lines]
        return Outcome(
            progress=working.progress,
            failed=tuple(line for line in lines if line.status == "failed"),
            same_audio=same_audio(lines),
            warned=tuple(working.warned),
            stopped=stopped,
        )


def _schemas(info: ModelInfo, given: BatchInput, settings: Settings) -> Schemas:
    reason = settings.agent_reason
    return Schemas(turns=turn_schema(info, reason), calls=call_schema(info, given.columns, reason))


class _Working:
    """Keeps results as they come, and counts them."""

    def __init__(self, store: Store, run: RunInfo, hashes: dict[str, str], progress: Progress) -> None:
        self.store, self.run, self.hashes, self.progress = store, run, hashes, progress
        self.begun, self.warned = time.monotonic(), list[str]()

    def take(self, results: Iterator[CallResult], fail_fast: bool, tell: Callable[[Progress], None]) -> bool:
        """Keep all results; return whether it was stopped by one that failed."""
        tell(self.progress)
        for result in results:
            self.store.record(
                result,
                manifest_line(
                    result,
                    model_revision=self.run.model.revision,
                    config_hash=self.run.config_hash,
                    row_hash=self.hashes[result.id],
                ),
            )
            good = result.status == "done"
            if good and result.warnings:
                self.warned.append(result.id)
            self.progress = replace(
                self.progress,
                done=self.progress.done + good,
                failed=self.progress.failed + (not good),
                sound_seconds=self.progress.sound_seconds + (result.duration or 0.0),
                seconds=(seconds := time.monotonic() - self.begun),
                first_seconds=self.progress.first_seconds or (seconds if good else None),
            )
            tell(self.progress)
            if fail_fast and not good:
                return True
        return False

    def ended(self, stages: dict[str, float]) -> RunInfo:
        return replace(
            self.run,
            ended=now(),
            seconds=round(time.monotonic() - self.begun, 3),
            first_seconds=_rounded(self.progress.first_seconds),
            num_analysed=self.progress.done,
            sound_seconds=round(self.progress.sound_seconds, 3),
            stages={name: round(seconds, 3) for name, seconds in sorted(stages.items())},
        )


def same_audio(lines: Iterable[ManifestLine]) -> tuple[tuple[str, ...], ...]:
    """Return the ids of calls that are one recording, in the order of the lines."""
    by_hash: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.audio_sha256 is not None and line.status == "done":
            by_hash[line.audio_sha256].append(line.id)
    return tuple(tuple(ids) for ids in by_hash.values() if len(ids) > 1)


def _require_same_rows(place: Place, store: Store, hashes: dict[str, str], done: Iterable[str]) -> None:
    """Refuse other calls under the ids of calls that are done."""
    changed = sorted(key for key in done if store.lines[key].row_hash != hashes[key])
    if changed:
        more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
        raise OutputError(
            f"{', '.join(map(repr, changed[:4]))}{more} in {place.out} were analysed with other rows ("
            "recording, transcript, roles, language, or a column of yours); give another OUT, or take them "
            "out with `mmser batch forget` and run again"
        )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
