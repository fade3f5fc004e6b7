"""What every section needs: the parts of an evaluation in order, its labels, what stands under a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from mmser.evaluation.page.sections.blocks import Block, Cell, Column, Fold, Row
from mmser.evaluation.page.sections.numbers import NO_INTERVAL, count_cell, known, listed, some
from mmser.evaluation.result import Evaluation, Part, Score

ALL: Final = "all"
_SHORT: Final = 12  # characters of a revision
_LONG_MARK: Final = 60  # characters, from which on a caption only points to the top
_MOST_CORPORA: Final = 8  # that a caption names
_MOST_NAMED: Final = 6  # rows of one kind of intervals that a caption names where others are named too
_MOST_KINDS: Final = 3  # of intervals that a caption names
_ROOM: Final = 7  # columns, from which on there is no room for another


class Counted(Protocol):
    """Scores of some rows."""

    @property
    def n(self) -> int:
        """How many rows."""


Scores = TypeVar("Scores", bound=Counted)


@dataclass(frozen=True, kw_only=True)
class Context:
    """An evaluation, with its labels in the order of the page's colours."""

    evaluation: Evaluation
    labels: tuple[str, ...]

    @property
    def revision(self) -> str:
        """The first digits of the weights' digest; "" where there is none."""
        return self.evaluation.model.revision.removeprefix("sha256:")[:_SHORT]

    @property
    def name(self) -> str:
        """The model and its short revision: "mmser-default@f991dcb3b0b0"."""
        return f"{self.evaluation.model.id}@{self.revision}" if self.revision else self.evaluation.model.id

    def place(self, label: str) -> int | None:
        """Return a label's place among the colours, None for what is no label of an emotion."""
        return self.labels.index(label) if label in self.labels else None

    def having(self, get: Callable[[Part], Scores | None]) -> tuple[tuple[Part, Scores], ...]:
        """Return the parts that have scores of a kind, with these, the whole first.

        A whole of one corpus alone stands once.
        """
        found = [(part, scores) for part in self.evaluation.parts if (scores := get(part)) is not None]
        found.sort(key=lambda pair: pair[0].data != ALL)
        alone = len(found) == 2 and found[0][0].data == ALL and found[0][1].n == found[1][1].n
        return tuple(found[:1] if alone else found)

    def part(self, data: str) -> Part | None:
        """Return the part of some data."""
        return next((part for part in self.evaluation.parts if part.data == data), None)

    def mark(self, data: str) -> str:
        """Return what must stand beside the numbers of some data, or ""."""
        part = self.part(data)
        own = part.mark if part is not None else None
        return own or (self.evaluation.mark or "" if data == ALL or part is None else "")

    def short_mark(self, data: str) -> str:
        """Return the mark of some data; where it is long and stands at the top, that it is there."""
        mark = self.mark(data)
        return "marked: see top" if len(mark) > _LONG_MARK and mark == self.evaluation.mark else mark

    def corpora(self, data: str) -> str:
        """Return some data's name; of all together, with the corpora: "all (ravdess, nemo)"."""
        if data != ALL:
            return data
        names = [one.corpus for one in self.evaluation.data]
        more = ", …" if len(names) > _MOST_CORPORA else ""
        return f"{ALL} ({', '.join(names[:_MOST_CORPORA])}{more})" if names else ALL

    def source(self, data: str, n: int | None = None, groups: int = 0, of: str = "") -> str:
        """Return what a caption ends with: data, split, seed, model and revision, n, and the mark.

        Args:
            data: a corpus, or all.
            n: how many; all rows of these data where it is left out.
            groups: that they are in, 0 where it is not known.
            of: what n counts, where it is not rows.
        """
        protocol = self.evaluation.protocol
        said = [self.corpora(data), f"{protocol.split} ({protocol.name})", f"seed {protocol.seed}", self.name]
        if n is None:
            whole = self.part(data) or self.part(ALL) or next(iter(self.evaluation.parts), None)
            n = None if whole is None else whole.n
        if n is not None:
            counted = f"n = {n:,}{f' {of}' if of else ''}"
            said.append(f"{counted} in {some(groups, 'group')}" if groups else counted)
        return " · ".join([*said, *filter(None, [self.short_mark(data)])])

    def data_cell(self, data: str) -> Cell:
        """Return the name of some data, with its mark where not all data have one and the same."""
        alike = len({self.mark(part.data) for part in self.evaluation.parts}) < 2
        return Cell(text=data, beside="" if alike else self.short_mark(data))


def context_of(evaluation: Evaluation) -> Context:
    """Return an evaluation with every label that it mentions: the model's first, then others."""
    labels = dict.fromkeys(evaluation.model.labels)
    for part in evaluation.parts:
        if part.emotion is not None:
            labels.update(dict.fromkeys([*part.emotion.labels, *(one.label for one in part.emotion.classes)]))
        if part.multi_label is not None:
            labels.update(dict.fromkeys(one.label for one in part.multi_label.classes))
    return Context(evaluation=evaluation, labels=tuple(labels))


def by_corpus(
    parts: Sequence[tuple[Part, Scores]], blocks: Callable[[Part, Scores], Sequence[Block]]
) -> tuple[Block, ...]:
    """Return the blocks of the first part that has scores of a kind, then those of the others, folded."""
    (first, own), *others = parts
    rest = tuple(block for part, scores in others for block in blocks(part, scores))
    title = f"The same for {listed(part.data for part, _ in others)}"
    return (*blocks(first, own), *([Fold(title=title, blocks=rest)] if rest else []))


def interval_words(scores: Sequence[Score | None]) -> str:
    """Return what the intervals of one row are over, or why there is none."""
    there = [score for score in scores if score is not None]
    kinds = dict.fromkeys(s.interval for s in there if known(s.low) and known(s.high) and s.interval)
    return "; ".join(kinds) or next((s.interval for s in there if s.interval), NO_INTERVAL)


def with_intervals(
    columns: Sequence[Column], rows: Sequence[Row], scores: Sequence[Sequence[Score | None]]
) -> tuple[str, tuple[Column, ...], tuple[Row, ...]]:
    """Return a table's columns and rows, and the sentence that says what its intervals are over.

    Where rows differ, the sentence names them by their first cell; where it would be long, and there is room
    for one more column, that column says it.

    Args:
        columns: of the table.
        rows: of the table; those that are heads have no scores.
        scores: of each row that is no head.
    """
    words = [interval_words(own) for own in scores]
    kinds = dict.fromkeys(words)
    if len(kinds) < 2:
        kind = next(iter(kinds), NO_INTERVAL)
        without = kind.removesuffix(": no interval").removeprefix("no interval: ")
        note = f"95% intervals: {kind}." if without == kind else f"No 95% intervals: {without}."
        return note, tuple(columns), tuple(rows)
    if len(kinds) > _MOST_KINDS and len(columns) < _ROOM:
        own = iter(words)
        wide = [
            row if row.head else Row(cells=(*row.cells, Cell(text=next(own))), strong=row.strong)
            for row in rows
        ]
        return "95% intervals in brackets.", (*columns, Column(title="interval", kind="text")), tuple(wide)
    names = [row.cells[0].text for row in rows if not row.head]
    named = {
        kind: list(dict.fromkeys(name for name, own in zip(names, words, strict=True) if own == kind))
        for kind in sorted(kinds, key=lambda kind: words.count(kind) > _MOST_NAMED)
    }
    told = [
        f"{kind} ({'all others' if len(own) > _MOST_NAMED and place else ', '.join(own)})"
        for place, (kind, own) in enumerate(named.items())
    ]
    if sum(len(own) > _MOST_NAMED for own in named.values()) > 1:  # "all others" would be of two kinds
        told = [f"{kind} ({', '.join(own)})" for kind, own in named.items()]
    return f"95% intervals: {'; '.join(told)}.", tuple(columns), tuple(rows)


def matrix_rows(
    context: Context, labels: Sequence[str], confusion: Sequence[Sequence[int]], *, colored: bool = True
) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """Return a confusion matrix as columns and rows: percent of the row, and counts."""
    chips = [context.place(label) if colored else None for label in labels]
    columns = [
        Column(title=label, hint=f"guessed {label}", chip=chip)
        for label, chip in zip(labels, chips, strict=False)
    ]
    rows = []
    for number, counts in enumerate(confusion):
        label = labels[number] if number < len(labels) else ""
        cells = [_matrix_cell(count, sum(counts), place == number) for place, count in enumerate(counts)]
        name = Cell(text=label, chip=chips[number] if number < len(chips) else None)
        rows.append(Row(cells=(name, *cells, count_cell(sum(counts)))))
    head = Column(title="truth ↓ guess →", kind="name")
    return (head, *columns, Column(title="n")), tuple(rows)


def _matrix_cell(count: int, total: int, diagonal: bool) -> Cell:
    if not total:
        return Cell(text="–", why="no row of this class", strong=diagonal)
    share = 100 * count / total
    behind = f"{count:,} of {total:,}, {share:.1f}%"
    return Cell(text=f"{share:.1f}", beside=f"{count:,}", why=behind, shade=round(share / 5), strong=diagonal)
