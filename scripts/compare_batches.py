#!/usr/bin/env python
"""Hold two outputs of `mmser batch` against each other, row by row.

    python scripts/compare_batches.py OUT_A OUT_B [--tolerance 1e-4]

Rows are sorted by call and turn. Strings, labels, counts and gaps are to be equal, other numbers within the
tolerance: outputs are rounded, and a last digit may fall either way. Exit 1 where they differ.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet

KEYS = {"turns": ("call", "id"), "calls": ("id",)}


@dataclass(kw_only=True)
class Difference:
    """How one table of two batches differs."""

    table: str
    rows: int = 0  # that both have
    same: int = 0  # of them, alike to the last bit
    largest: float = 0.0  # difference of two numbers
    largest_at: str = ""
    by_column: dict[str, int] = field(default_factory=dict)  # rows that differ in it
    problems: list[str] = field(default_factory=list)

    @property
    def agree(self) -> bool:
        """Whether nothing differs that is to be equal."""
        return not self.problems


def read_rows(out: Path, table: str) -> list[dict[str, Any]]:
    """Return all rows of "turns" or "calls", in the order of its parts."""
    parts = sorted((out / table).glob("*.parquet"))
    return [row for part in parts for row in pyarrow.parquet.read_table(part).to_pylist()]


def compare_batches(a: Path, b: Path, *, tolerance: float = 1e-4) -> list[Difference]:
    """Return how the turns and the calls of two batches differ."""
    return [compare_rows(table, read_rows(a, table), read_rows(b, table), tolerance) for table in KEYS]


def compare_rows(
    table: str, a: Iterable[dict[str, Any]], b: Iterable[dict[str, Any]], tolerance: float = 1e-4
) -> Difference:
    """Return how two lists of rows of one table differ."""
    found = Difference(table=table)
    ours, theirs = (_by_key(rows, KEYS[table], found) for rows in (a, b))
    for name, lacking in (("the first", theirs.keys() - ours), ("the second", ours.keys() - theirs)):
        if lacking:
            found.problems.append(f"{len(lacking)} rows are not in {name}, as {min(lacking)}")
    for key in sorted(ours.keys() & theirs.keys()):
        found.rows += 1
        _compare_row(key, ours[key], theirs[key], tolerance, found)
    return found


def _by_key(
    rows: Iterable[dict[str, Any]], names: tuple[str, ...], found: Difference
) -> dict[tuple[str, ...], dict[str, Any]]:
    keyed: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(str(row[name]) for name in names)
        if key in keyed:
            found.problems.append(f"{key} is there twice")
        keyed[key] = row
    return keyed


def _compare_row(
    key: tuple[str, ...], a: Mapping[str, Any], b: Mapping[str, Any], tolerance: float, found: Difference
) -> None:
    if list(a) != list(b):
        found.problems.append(f"{key} has other columns")
        return
    unlike = [name for name in a if a[name] != b[name]]
    found.same += not unlike
    for name in unlike:
        found.by_column[name] = found.by_column.get(name, 0) + 1
        one, other = a[name], b[name]
        # Counts are whole, and equal or wrong.
        size = abs(one - other) if isinstance(one, float) and isinstance(other, float) else None
        if size is not None and size > found.largest:
            found.largest, found.largest_at = size, f"{' '.join(key)} {name}"
        if size is None or not size <= tolerance + 1e-9:
            found.problems.append(f"{' '.join(key)} {name}: {one!r} and {other!r}")


def as_table(found: Iterable[Difference]) -> str:
    """Return differences as a Markdown table, with the first problems below."""
    lines = [
        "| table | rows | byte-identical | largest difference | at | problems |",
        "|---|---|---|---|---|---|",
    ]
    problems = []
    for one in found:
        lines.append(
            f"| {one.table} | {one.rows} | {one.same} | {one.largest:.2g} | {one.largest_at} "
            f"| {len(one.problems)} |"
        )
        problems += [f"{one.table}: {problem}" for problem in one.problems[:5]]
    return "\n".join([*lines, *problems])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", type=Path, metavar="OUT_A")
    parser.add_argument("b", type=Path, metavar="OUT_B")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    options = parser.parse_args()
    found = compare_batches(options.a, options.b, tolerance=options.tolerance)
    print(as_table(found))
    if not all(one.agree and one.rows for one in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
