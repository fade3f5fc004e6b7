"""Rows of a manifest → calls: paths, roles, languages, ids. What is wrong with one stays with it."""

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any, Final

from mmser.batch.input.manifests import Table
from mmser.batch.input.part import Part, storable
from mmser.batch.input.urls import is_url, join_url, joined
from mmser.batch.records import CallRow
from mmser.data.tables import AUDIO_SUFFIXES, TRANSCRIPT_SUFFIXES, is_unicode, nearest
from mmser.errors import DataError
from mmser.labels import ROLES, Role
from mmser.transcripts.fields import language_code

_SUFFIXES: Final = (*AUDIO_SUFFIXES, *TRANSCRIPT_SUFFIXES)


def row_hash(row: CallRow) -> str:
    """Return the SHA-256 of all that is asked of a call, in hex.

    What is wrong with it does not count, nor which folder a relative path is seen from.
    """
    asked = {name: value for name, value in row.to_dict().items() if name != "problem"}
    asked["audio"] = [_absolute(path) for path in row.audio]
    asked["transcript"] = None if row.transcript is None else _absolute(row.transcript)
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _absolute(path: str) -> str:
    return path if is_url(path) else os.path.abspath(path)  # noqa: PTH100 - links stay what they are


def manifest_part(table: Table, folder: str, *, stem: str, sound: Sequence[str | None] | None = None) -> Part:
    """Return the rows of a manifest as calls.

    Args:
        table: the manifest.
        folder: path or URL that relative paths begin at.
        stem: of rows that have neither an id nor a path.
        sound: of a dataset, whose rows hold their sound: its name, "" where it has none, None where there is
            no sound.

    Returns:
        A call for each row. One that cannot be analysed has a `problem`, which names its line and what to do.
    """
    read = [_Row(table, index, folder, sound) for index in range(len(table.numbers))]
    rows = []
    for index, (row, own) in enumerate(zip(read, _ids(table, read, stem), strict=True)):
        problem = table.problems.get(index) if row.problem is None else row.problem
        rows.append(
            CallRow(
                id=own,
                audio=row.audio,
                transcript=row.transcript,
                channel_roles=row.channel_roles,
                speaker_roles=row.speaker_roles,
                language=row.language,
                index=table.numbers[index] if sound is not None and sound[index] is not None else None,
                columns={column: values[index] for column, values in table.values.items()},
                problem=None if problem is None else f"{table.place(index)}: {problem}",
            )
        )
    return Part(rows=rows, place=table.place, columns=table.columns, warnings=table.warnings)


class _Row:
    """The cells of one row, read; `problem` is the first thing that is wrong with them."""

    def __init__(self, table: Table, index: int, folder: str, sound: Sequence[str | None] | None) -> None:
        cells = {column: values[index] for column, values in table.ours.items()}
        self.problem: str | None = None
        named, whole = [], None if sound is None else sound[index]
        if sound is None:
            split = table.kind in (".csv", ".tsv")
            named = self._paths(cells.get("audio"), folder, split)
        words = self._path("transcript", cells.get("transcript"))
        if not named and words is None and whole is None and self.problem is None:
            self.problem = "it has neither audio nor transcript; give one of them"
        # Of the call's name: as given, not as resolved.
        self.named = storable("+".join(named) or (os.path.basename(whole) if whole else words) or "")  # noqa: PTH119
        self.audio = tuple(resolve(folder, path) for path in named)
        self.transcript = None if words is None else resolve(folder, words)
        self.id = self._id(cells.get("id"))
        self.language = self._language(cells.get("language"))
        self.channel_roles: tuple[Role, ...] | None = None
        self.speaker_roles: dict[str, Role] = {}
        try:
            self.channel_roles, self.speaker_roles = parse_roles(cells.get("roles"))
        except DataError as error:
            self._note(str(error))

    def _note(self, problem: str) -> None:
        self.problem = self.problem or problem

    def _paths(self, cell: Any, folder: str, split: bool) -> list[str]:
        parts = cell if isinstance(cell, list) else [cell]
        if split and isinstance(cell, str) and "|" in cell and not _is_there(folder, cell):
            parts = [part.strip() for part in cell.split("|")]
        found = [self._path("audio", part) for part in parts]
        if len(parts) > 1 and None in found:
            self._note("audio lists several files and one of them is empty; name each")
        if len(set(found)) < len(found):
            # One party's voice would be judged as the other's.
            self._note("audio names one file twice; give each party's own, or one file with all channels")
        return [path for path in found if path is not None]

    def _path(self, column: str, cell: Any) -> str | None:
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return None
        if not isinstance(cell, str):
            self._note(f"{column} is {json.dumps(cell, default=str)[:60]}; give a path or URL, as text")
            return None
        if "\0" in cell or not is_unicode(cell):
            self._note(f"{column} is {cell[:60]!a}, which no path can be; give it as UTF-8 text")
            return storable(cell).replace("\0", "\\0")
        return cell

    def _id(self, cell: Any) -> str | None:
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)  # pandas has no whole numbers in a column with gaps
        if isinstance(cell, int) and not isinstance(cell, bool):
            cell = str(cell)
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return None
        if not isinstance(cell, str):
            self._note(f"id is {json.dumps(cell, default=str)[:60]}; give a text or a whole number")
            return None
        if not is_unicode(cell) or "\0" in cell:
            self._note(f"id is {cell[:60]!a}, which is no text; give it as UTF-8")
        return storable(cell.strip()).replace("\0", "\\0")

    def _language(self, cell: Any) -> str | None:
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return None
        code = language_code(cell)
        if code is None:
            told = json.dumps(cell, default=str)[:60]
            self._note(f"language is {told}; give a code such as en or en-US, or leave it empty")
        return code


def parse_roles(cell: Any) -> tuple[tuple[Role, ...] | None, dict[str, Role]]:
    """Return the roles of channels, in order, and those of speakers; of both kinds one is given.

    Args:
        cell: "agent,customer" or ["agent", "customer"] for channels, "spk_0=agent,spk_1=customer" or
            {"spk_0": "agent"} for speakers; None for neither.

    Raises:
        DataError: if it is none of these, or names a speaker twice.
    """
    if cell is None or cell == "":
        return None, {}
    if isinstance(cell, dict):
        return None, {name: _role(role) for name, role in cell.items()}
    parts = cell.split(",") if isinstance(cell, str) else cell
    if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
        raise DataError(f"roles is {json.dumps(cell, default=str)[:60]}; {_SHAPES}")
    pairs = [part.rpartition("=") for part in parts]
    if not any(divider for _, divider, _ in pairs):
        return tuple(_role(part) for part in parts), {}
    found: dict[str, Role] = {}
    for name, _, role in pairs:
        if not name.strip() or name.strip() in found:
            wrong = "names a speaker twice" if name.strip() else "has a part without a speaker"
            raise DataError(f"roles is {str(cell)[:60]!r}, which {wrong}; {_SHAPES}")
        found[name.strip()] = _role(role)
    return None, found


_SHAPES: Final = "write agent,customer for channels, or spk_0=agent,spk_1=customer for speakers"


def _role(cell: Any) -> Role:
    plain = cell.strip().lower() if isinstance(cell, str) else cell
    for role in ROLES:
        if role == plain:
            return role
    raise DataError(f"the role {str(cell)[:60].strip()!r} is unknown; {nearest(str(cell).strip(), ROLES)}")


def resolve(folder: str, path: str) -> str:
    """Return a path or URL of a manifest as it is opened.

    Args:
        folder: path or URL that relative ones begin at.
        path: as given; "~/" is the home; an absolute one beside a URL is of this machine.
    """
    if is_url(path):
        return path
    path = os.path.expanduser(path) if path.startswith("~/") else path  # noqa: PTH111
    if is_url(folder) and not path.startswith("/"):
        return join_url(folder, [path])
    return path if path.startswith("/") else joined(folder, path)


def _is_there(folder: str, path: str) -> bool:
    """Tell whether a path is there; of a URL a request for each row would take hours, so no."""
    if is_url(path) or is_url(folder):
        return False
    try:
        return os.path.exists(resolve(folder, path))  # noqa: PTH110
    except ValueError:
        return False


def _ids(table: Table, rows: Sequence[_Row], stem: str) -> list[str]:
    """Return the ids: as given, else the path without suffix, with the line only where it would repeat."""
    taken = {row.id for row in rows if row.id is not None}
    found = []
    for row, number in zip(rows, table.numbers, strict=True):
        own = row.id
        if own is None:
            own = _without_suffixes(row.named) or f"{stem}:{number}"
            own = f"{own}:{number}" if own in taken else own
            taken.add(own)
        found.append(own)
    return found


def _without_suffixes(named: str) -> str:
    parts = named.split("+")
    return "+".join(
        os.path.splitext(part)[0] if part.lower().endswith(_SUFFIXES) else part  # noqa: PTH122
        for part in parts
    )
