"""What one of the inputs holds, before they are joined."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mmser.batch.records import CallRow, ColumnType, DatasetSource
from mmser.data.tables import is_unicode


@dataclass(frozen=True, kw_only=True)
class Part:
    """The calls of one input."""

    rows: list[CallRow]
    place: Callable[[int], str]  # where the row at an index stands, for messages
    columns: dict[str, ColumnType] = field(default_factory=dict)  # the user's own, in order
    dataset: DatasetSource | None = None
    warnings: tuple[str, ...] = ()


def storable(text: str) -> str:
    """Return a text as UTF-8 can hold it, what it cannot hold in hex."""
    if is_unicode(text):
        return text
    return text.encode("utf-8", "surrogateescape" if _is_escaped(text) else "backslashreplace").decode(
        "utf-8", "backslashreplace"
    )


def _is_escaped(text: str) -> bool:
    """Tell whether all surrogates stand for bytes, as in names that the system gives."""
    surrogates = [character for character in text if "\ud800" <= character <= "\udfff"]
    return all("\udc80" <= character <= "\udcff" for character in surrogates)
