"""Where a speaker's expressed emotion moved.

One rule for the `change` of turns and windows and for the change points, so that they never contradict each
other: the emotion moved where the model's probability of a shift reaches its threshold **and** the most
probable emotion is another than in the same speaker's last stretch (turn, or window of a long turn). The
direction follows the valence of the two emotions (`labels.direction_of`); only where that says nothing,
because one of them is surprise or unknown to the table, does the direction that the model itself gives stand,
if the other emotion allows it: nothing gets better by becoming anger. The emotions compared are the most
probable ones, also where the model abstains from naming one.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from mmser.labels import VALENCE, Direction, direction_of
from mmser.types import Change, ChangePoint, Seconds, Turn, TurnReport, Window

_LOWEST: Final = min(value for value in VALENCE.values() if value is not None)
_HIGHEST: Final = max(value for value in VALENCE.values() if value is not None)
NOTHING_BEFORE: Final = "no earlier scored turn of this speaker to compare with"


def settle_changes(
    turns: Sequence[Turn], reports: Sequence[TurnReport]
) -> tuple[tuple[TurnReport, ...], tuple[ChangePoint, ...]]:
    """Return the reports with changes that follow the rule above, and the change points, in order of time.

    Args:
        turns: The turns of the call, in order.
        reports: One for each turn, with the model's own shifts and directions.
    """
    last: dict[str, str] = {}
    settled: list[TurnReport] = []
    points: list[ChangePoint] = []
    for turn, report in zip(turns, reports, strict=True):
        if report.emotion is None:
            settled.append(report)
            continue
        course = [window.emotion for window in report.windows] or [report.emotion]
        settled.append(_settle_turn(report, last.get(turn.speaker_key), course[0].top, points))
        last[turn.speaker_key] = course[-1].top
    if all(point.time is not None for point in points):
        points.sort(key=lambda point: point.time or 0.0)
    return tuple(settled), tuple(points)


def _settle_turn(report: TurnReport, before: str | None, after: str, points: list[ChangePoint]) -> TurnReport:
    """Settle the changes of a scored turn that begins with `after` as its top emotion; add its points."""
    change, reasons = report.change, report.reasons
    if change is not None and before is None:
        # The model may remember a turn that policy withholds from the report.
        change, reasons = None, {**reasons, "change": NOTHING_BEFORE}
    elif change is not None and before is not None:
        change = _settled(change, before, after)
        _note(points, report, report.start, change, before, after)
    windows: list[Window] = []
    for window in report.windows:
        if not windows or window.change is None:
            windows.append(dataclasses.replace(window, change=None if windows else change))
            continue
        previous = windows[-1].emotion.top
        moved = _settled(window.change, previous, window.emotion.top)
        _note(points, report, window.start, moved, previous, window.emotion.top)
        windows.append(dataclasses.replace(window, change=moved))
    return dataclasses.replace(report, change=change, windows=tuple(windows), reasons=reasons)


def _settled(change: Change, before: str, after: str) -> Change:
    if not change.shifted or before == after:
        return dataclasses.replace(change, shifted=False, direction=None)
    return dataclasses.replace(change, direction=_direction(change.direction, before, after))


def _direction(said: Direction | None, before: str, after: str) -> Direction | None:
    old, new = VALENCE.get(before), VALENCE.get(after)
    if old is not None and new is not None:
        return direction_of(before, after)
    # At the end of the scale there is one way only to come from, or to go.
    impossible = {
        "better": new == _LOWEST or old == _HIGHEST,
        "worse": new == _HIGHEST or old == _LOWEST,
    }
    return None if said is None or impossible.get(said, False) else said


def _note(
    points: list[ChangePoint],
    turn: TurnReport,
    time: Seconds | None,
    change: Change,
    before: str,
    after: str,
) -> None:
    if change.shifted:
        points.append(
            ChangePoint(
                time=time,
                turn_id=turn.id,
                speaker=turn.speaker,
                role=turn.role,
                probability=change.probability,
                direction=change.direction,
                before=before,
                after=after,
            )
        )
