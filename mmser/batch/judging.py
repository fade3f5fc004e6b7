"""Parts of many calls → their results: the one process, or actor, that holds the model."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmser.batch.fusing import Fuser, Judged
from mmser.batch.reading import End, Part, Rows
from mmser.batch.records import CallResult, CallRow
from mmser.batch.settings import Settings
from mmser.batch.tables import call_table_row, turn_table_rows
from mmser.errors import MmserError, no_temporary_room
from mmser.loading import load_model
from mmser.outputs import without_words
from mmser.pipeline import set_threads
from mmser.report.rules import parse_rules
from mmser.reporting import report_of
from mmser.scoring import Scores
from mmser.timeline import is_default
from mmser.types import CallReport, ModelInfo, Seconds

if TYPE_CHECKING:
    from mmser.model import MmserModel


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One call that is judged, with its report where one is to be written."""

    result: CallResult
    report: CallReport | None = None


@dataclass
class _Open:
    row: CallRow
    end: End | None = None
    spent: dict[str, float] = field(default_factory=dict)


class Judge:
    """Holds the model; takes the parts of calls as they come, and gives their results."""

    def __init__(self, settings: Settings, info: ModelInfo) -> None:
        """Load the model.

        Raises:
            ModelError: if it cannot be loaded.
            RuleError: if the rules are not valid.
        """
        set_threads(settings.threads)
        model, processor, _ = load_model(settings.model_folder, device=settings.device)
        if settings.quantize == "int8":
            model = quantized(model)
        self.settings, self.info = settings, info
        self.timelines = is_default(model) if settings.timeline is None else settings.timeline
        self.fuser = Fuser(model, processor, batch_seconds=settings.batch_seconds)
        self._rules = (
            () if settings.rules is None else parse_rules(settings.rules, "the rules file", info.labels)
        )
        self._open: dict[int, _Open] = {}

    def begin(self, key: int, row: CallRow) -> None:
        """Begin a call under a number that no open call has."""
        self.fuser.open(key)
        self._open[key] = _Open(row=row)

    def take(self, key: int, part: Part) -> None:
        """Take the next part of a call."""
        if isinstance(part, Rows):
            self.fuser.add(key, part.rows)
        elif isinstance(part, End):
            self._open[key].end = part
            self.fuser.close(key)
        else:
            self.fuser.add_course(key, part)

    def drop(self, key: int) -> Seconds:
        """Forget a call that will not be finished here; return how much of its sound waited to be judged."""
        return self.fuser.drop(key) if self._open.pop(key, None) is not None else 0.0

    @property
    def num_open(self) -> int:
        """Number of calls that are begun and not finished."""
        return len(self._open)

    def step(self) -> Seconds:
        """Judge one batch; return how much sound that was, 0 where nothing waits."""
        return self.fuser.step()

    def finished(self) -> Iterator[tuple[int, Finished]]:
        """Yield the calls that are done."""
        for key, judged in self.fuser.finished():
            yield key, self._finish(self._open.pop(key), judged)

    def _finish(self, call: _Open, judged: Judged) -> Finished:
        try:
            return self._told(call, judged, self._report(call, judged))
        except MmserError as error:  # a pattern of the rules that backtracks for ever
            return Finished(result=failed(call.row, str(error)))
        except Exception as error:
            return Finished(result=failed(call.row, unexpected(error)))

    def _told(self, call: _Open, judged: Judged, report: CallReport) -> Finished:
        assert call.end is not None
        recording = report.recording
        result = CallResult(
            id=call.row.id,
            status="done",
            audio_sha256=None if recording is None else recording.sha256,
            duration=None if recording is None else recording.duration,
            seconds=sum(call.end.spent.values()) + judged.seconds,
            stages=call.end.spent,
            call=call_table_row(report, call.row),
            turns=turn_table_rows(report, call.row.id),
            warnings=report.warnings,
        )
        return Finished(result=result, report=report if self.settings.reports else None)

    def _report(self, call: _Open, judged: Judged) -> CallReport:
        end = call.end
        assert end is not None
        report = report_of(
            end.found,
            Scores(predictions=judged.predictions, loudness=end.loudness, no_sound=end.no_sound),
            judged.timelines if self.timelines else None,
            model=self.info,
            agent_reason=self.settings.agent_reason,
            rules=self._rules,
        )
        return report if self.settings.include_text else without_words(report)


def failed(row: CallRow, why: str) -> CallResult:
    """Return the result of a call that could not be analysed."""
    return CallResult(id=row.id, status="failed", error=" ".join(why.split()))


def unexpected(error: Exception) -> str:
    """Return what is said of an error that nobody foresaw, or of a full disk."""
    told = no_temporary_room(error) if isinstance(error, OSError) else None
    if told is not None:
        return str(told)
    return f"{type(error).__name__}: {error} (a bug in mmser; `mmser analyze` of this call shows it)"


def quantized(model: "MmserModel") -> "MmserModel":
    """Return the model with its linear layers in 8-bit integers, for the CPU.

    Its recurrent ones stay as they are: torch's 8-bit LSTM gives other answers altogether (UAR 14 for 64).
    """
    import torch

    quantize: Any = torch.ao.quantization.quantize_dynamic
    with warnings.catch_warnings():  # torch has announced a successor, which is a package of its own
        warnings.simplefilter("ignore")
        small: MmserModel = quantize(model, {torch.nn.Linear}, dtype=torch.qint8)
    return small
