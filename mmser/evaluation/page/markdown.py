"""An evaluation as GitHub-flavoured Markdown: the tables of the HTML page, fit for a model card."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from mmser.evaluation.page.sections import Context, Head, Section, read
from mmser.evaluation.page.sections.blocks import Block, Cell, Code, Fold, Pair, Prose, Row, Table, Terms
from mmser.evaluation.page.sections.numbers import some
from mmser.evaluation.result import Evaluation
from mmser.report.html_data import visible

# Our own intervals stay as they are; whatever else could be taken for markup is not.
_INTERVAL: Final = r"\[[+−]?[\d,.]+, [+−]?[\d,.]+\](?![(\[:])"
_MARKUP: Final = re.compile(rf"({_INTERVAL})|[\\`*|<\[\]~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_OPENING: Final = re.compile(r"^(?:[#>+=-]|\d+(?=[.)](?:\s|$)))")  # would begin a heading, list, quote, rule
_RIGHT: Final = ("number", "code")


def render_markdown(evaluation: Evaluation) -> str:
    """Return `evaluation` as Markdown, with the numbers of the HTML page and no plots."""
    context, head, sections = read(evaluation)
    return "\n\n".join([*_head(head), *_sections(sections), _provenance(context)]) + "\n"


def render_part(evaluation: Evaluation, ids: Sequence[str]) -> str:
    """Return some sections of an evaluation as Markdown, for a page that has a title of its own.

    Args:
        evaluation: that is told.
        ids: of the sections; "head" is what comes before them. What can be folded is left out.
    """
    _, head, sections = read(evaluation)
    texts = list(_head(head))[1:] if "head" in ids else []
    for section in sections:
        if section.id in ids:
            open_blocks = [block for block in section.blocks if not isinstance(block, Fold)]
            texts += [f"### {section.title}", *_blocks(open_blocks)]
    return "\n\n".join(texts) + "\n"


def inline(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _OPENING.sub(_protected, _escaped(text))


def _escaped(text: str) -> str:
    line = " ".join(visible(text).split())
    return _MARKUP.sub(_shown, line)


def _shown(match: re.Match[str]) -> str:
    found = match.group()
    return found if match.group(1) else "&amp;" if found == "&" else f"\\{found}"


def _protected(match: re.Match[str]) -> str:
    found = match.group()
    # A number keeps its digits: it is the dot or bracket after it that would make a list.
    return f"{found}\\" if found[0].isdigit() else f"\\{found}"


def _head(head: Head) -> Iterator[str]:
    yield "## Evaluation"
    yield inline(head.sentence)
    if head.mark:
        yield f"> **{inline(head.mark)}**: this mark belongs to every number below."
    if head.summary is not None:
        yield _table(head.summary)
    if head.protocol:
        yield inline(head.protocol)
    if head.warnings:
        yield "**Read with care**\n\n" + "\n".join(f"- {inline(text)}" for text in head.warnings)
    if head.num_left_out:
        lines = [f"- {one.count:,}: {inline(one.why)}" for one in head.left_out]
        yield f"**{some(head.num_left_out, 'row')} without an answer, in no number**\n\n" + "\n".join(lines)


def _sections(sections: Sequence[Section]) -> Iterator[str]:
    for section in sections:
        yield f"### {section.title}"
        yield from _blocks(section.blocks)


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Table):
            yield _table(block)
        elif isinstance(block, Prose):
            yield from [f"{inline(block.title)}:"] if block.title else []
            texts = [inline(text) for text in block.texts]
            yield "\n".join(f"- {text}" for text in texts) if block.listed else "\n\n".join(texts)
        elif isinstance(block, Terms):
            yield "\n".join(f"- **{inline(name)}**: {inline(meaning)}" for name, meaning in block.pairs)
        elif isinstance(block, Code):
            yield f"{inline(block.title)}:\n\n{_fenced(block.text)}"
        elif isinstance(block, Pair):
            yield from _blocks(block.blocks)
        elif isinstance(block, Fold):
            yield f"<details><summary>{escape(visible(block.title))}</summary>"
            yield from _blocks(block.blocks)
            yield "</details>"


def _fenced(text: str) -> str:
    longest = max([2, *(len(run) for run in re.findall("`+", text))])
    fence = "`" * (longest + 1)
    return f"{fence}\n{visible(text)}\n{fence}"


def _table(table: Table) -> str:
    kept = [place for place, column in enumerate(table.columns) if column.kind != "plot"]
    heads = [table.columns[place].title for place in kept]
    rows = [_row(row, kept) for row in table.rows]
    right = [table.columns[place].kind in _RIGHT for place in kept]
    note = f" {inline(table.note)}" if table.note else ""
    title = f"**Table {table.number}.** {inline(table.title)}.{note} *{inline(table.source)}*"
    return f"{title}\n\n{_grid(heads, rows, right)}"


def _row(row: Row, kept: Sequence[int]) -> list[str]:
    cells = [_cell(row.cells[place]) for place in kept if place < len(row.cells)]
    if row.head:
        cells = [f"**{text}**" for text in cells]
    return [*cells, *[""] * (len(kept) - len(cells))]


def _cell(cell: Cell) -> str:
    brackets = cell.beside.startswith("[")
    beside = f" {cell.beside}" if brackets else f" ({cell.beside})"
    return _escaped(cell.text + beside if cell.beside else cell.text)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    rules = ["---:" if aligned else "---" for aligned in right]
    lines = [[_escaped(head) for head in heads], *rows]
    shown = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([shown[0], "|" + "|".join(rules) + "|", *shown[1:]])


def _provenance(context: Context) -> str:
    evaluation = context.evaluation
    model, protocol = evaluation.model, evaluation.protocol
    said = [
        f"{model.kind} {model.id}",
        f"revision {model.revision}" if model.revision else "no revision",
        f"licence {model.license or 'not stated'}",
        f"protocol {protocol.name}, split {protocol.split}, seed {protocol.seed}, {protocol.draws:,} draws",
        f"mmser {evaluation.mmser_version}, {evaluation.schema}",
    ]
    digests = [
        f"{one.corpus}: rows sha256 {one.rows_sha256}"
        + (f", files sha256 {one.sha256}" if one.sha256 else "")
        for one in evaluation.data
    ]
    return "*Provenance*\n\n" + "\n".join(f"- {inline(line)}" for line in [*said, *digests])
