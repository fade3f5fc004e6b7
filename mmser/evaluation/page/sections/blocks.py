"""What a page is made of: sections of tables, figures and sentences, alike for HTML and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One value of a table, ready to be read."""

    text: str
    beside: str = ""  # an interval or a count: smaller, after the text
    why: str = ""  # shown on pointing: why there is no value, or what stands behind it
    chip: int | None = None  # place of the emotion whose colour and letter go before the text
    shade: int | None = None  # 0 to 20, a share of the row in steps of 5 %
    strong: bool = False
    plot: Markup | None = None


@dataclass(frozen=True, kw_only=True)
class Column:
    """The head of a column."""

    title: str
    kind: Literal["name", "number", "text", "code", "plot"] = "number"
    hint: str = ""  # the name in full
    chip: int | None = None
    axis: Markup | None = None  # of a plot


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row, or with `head` one cell that names the rows after it."""

    cells: tuple[Cell, ...]
    head: bool = False
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers with a caption; plots stand in cells of their own and are left out of Markdown."""

    kind: ClassVar[str] = "table"
    title: str
    note: str = ""
    key: str = ""  # what the marks and shades mean
    source: str  # data, split, seed, model and revision, n
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    shape: Literal["plain", "forest", "matrix"] = "plain"
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing with a caption; the table that says the same stands near."""

    kind: ClassVar[str] = "figure"
    title: str
    note: str = ""
    source: str
    svg: Markup
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Prose:
    """Sentences, one a paragraph."""

    kind: ClassVar[str] = "prose"
    texts: tuple[str, ...]
    listed: bool = False
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Words and what they mean."""

    kind: ClassVar[str] = "terms"
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a reader may copy, and what it is."""

    kind: ClassVar[str] = "code"
    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Blocks side by side where there is room."""

    kind: ClassVar[str] = "pair"
    blocks: tuple["Block", ...]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Blocks that are folded away until they are asked for."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: tuple["Block", ...]


Block = Table | Figure | Prose | Terms | Code | Pair | Fold


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page with a heading."""

    id: str
    title: str
    short: str  # in the list of contents
    blocks: tuple[Block, ...]


def numbered(sections: Sequence[Section], *, tables: int = 0) -> tuple[Section, ...]:
    """Return the sections with their tables and figures numbered on, each kind by itself.

    Args:
        sections: in order.
        tables: how many stand before the first section.
    """
    seen = {"table": tables, "figure": 0}

    def number(block: Block) -> Block:
        if isinstance(block, Table | Figure):
            seen[block.kind] += 1
            return replace(block, number=seen[block.kind])
        if isinstance(block, Pair | Fold):
            return replace(block, blocks=tuple(number(inner) for inner in block.blocks))
        return block

    return tuple(replace(one, blocks=tuple(number(block) for block in one.blocks)) for one in sections)
