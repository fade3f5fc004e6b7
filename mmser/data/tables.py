"""Rows of CSV, TSV and JSON Lines files with the line they stand on, so that an error can name it."""

import csv
import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from mmser.errors import DataError
from mmser.labels import EMOTIONS

# What other corpora and tools call the classes of the house: an error offers the right word.
SYNONYMS = {
    "afraid": "fear",
    "angry": "anger",
    "annoyed": "anger",
    "furious": "anger",
    "scared": "fear",
    "unhappy": "sadness",
    "disgusted": "disgust",
    "excited": "happiness",
    "fearful": "fear",
    "happy": "happiness",
    "joy": "happiness",
    "joyful": "happiness",
    "calm": "neutral",
    "sad": "sadness",
    "surprised": "surprise",
}


CLASSES = f"(the classes are {', '.join(EMOTIONS)})"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean …?" or the whole choice, to end an error message with."""
    known = list(known)
    meant = SYNONYMS.get(word.casefold())
    close = [meant] if meant in known else difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"it must be one of {', '.join(known)}"


def listing(names: Iterable[str], most: int = 5) -> str:
    """Return names joined by commas, the first few and how many more there are."""
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


MOST = 2**31 - 1  # of whole numbers, which a dataset keeps in 32 bits
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4", ".webm", ".amr", ".aac", ".aiff")
# Of a transcript that lies beside its recording; its format is told by its content.
TRANSCRIPT_SUFFIXES = (".vtt", ".srt", ".json", ".csv", ".tsv", ".txt", ".rttm", ".stm", ".ctm", ".textgrid")


def is_audio(path: PurePath) -> bool:
    """Tell by its name whether a file is a recording; what macOS leaves beside one ("._a.wav") is not."""
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def recordings_in(folder: Path, pattern: str = "*.*") -> list[Path]:
    """Return the recordings of a folder, sorted.

    Raises:
        DataError: if one has a name that is no text.
    """
    found = [path for path in sorted(folder.glob(pattern)) if is_audio(path)]
    for path in found:
        if not is_unicode(str(path)):
            raise DataError(f"the name of {str(path)!a} is not UTF-8; rename it")
    return found


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8, which names and JSON of other encodings cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def clips_in(folder: Path, pattern: str = "*.*") -> dict[str, Path]:
    """Return the recordings of a folder by name without suffix, sorted.

    Raises:
        DataError: if two have one name.
    """
    found: dict[str, Path] = {}
    for path in recordings_in(folder, pattern):
        if path.stem in found:
            raise DataError(
                f"the clip {path.stem} is there twice, as {found[path.stem]} and {path}; keep one"
            )
        found[path.stem] = path
    return found


def require(path: Path) -> Path:
    """Return `path`.

    Raises:
        DataError: if a file or folder of a corpus is missing.
    """
    if not path.exists():
        what = "the file" if path.suffix else "the folder that the corpus was unpacked into"
        raise DataError(f"{path} is missing; give {what}")
    return path


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file.

    Raises:
        DataError: if it is missing or no UTF-8 text.
    """
    try:
        return require(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text, or no text at all; fetch the corpus again") from error


def require_folder(path: Path) -> Path:
    """Return `path`.

    Raises:
        DataError: if it is missing or not a folder.
    """
    if not require(path).is_dir():
        raise DataError(f"{path} is a file; give the folder that the corpus was unpacked into")
    return path


def require_whole(
    missing: Sequence[str], there: int, expected: int, what: str, folder: Path, *, partial: bool
) -> None:
    """Refuse a corpus of which something is missing, unless the user says so.

    Args:
        missing: names of what is not there.
        there: how many there are.
        expected: how many there should be.
        what: of what, in the plural: "clips".
        folder: the corpus.
        partial: True = go on with what is there.

    Raises:
        DataError: if anything is missing and `partial` is False.
    """
    if missing and not partial:
        raise DataError(
            f"{folder} holds {there} of {expected} {what}: missing {listing(missing)}; "
            "complete the folder, or give partial=True (partial: true in a config) to use what is there"
        )


def require_rows(path: Path, there: int, expected: int, *, partial: bool) -> None:
    """Refuse a table that was cut, unless the user says so, and one that was added to.

    Args:
        path: of the table.
        there: how many rows it has.
        expected: how many the publisher's has.
        partial: True = go on with what is there.

    Raises:
        DataError: if rows are missing and `partial` is False, or there are too many.
    """
    if there > expected:
        raise DataError(
            f"{path} holds {there:,} rows, and the publisher's {expected:,}; fetch it again, or read it as a "
            "manifest of your own"
        )
    if there < expected and not partial:
        raise DataError(
            f"{path} holds {there:,} of {expected:,} rows; fetch it again, or give partial=True (partial: "
            "true in a config) to use what is there"
        )


def scaled(rating: float, low: float, high: float) -> float:
    """Return a rating on a scale as a number in [0, 1]; what lies beyond its ends counts as the end."""
    return min(1.0, max(0.0, (rating - low) / (high - low)))


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    path: Path
    line: int  # from 1; of the row's last line where a quoted cell spans several
    cells: Mapping[str, str]

    def error(self, message: str) -> DataError:
        """Return an error that begins with the file and the line."""
        return DataError(f"{self.path}, line {self.line}: {message}")

    def text(self, column: str) -> str | None:
        """Return a cell without blanks around it; None where it is empty or the column is missing."""
        return self.cells.get(column, "").strip() or None

    def need(self, column: str) -> str:
        """Return a cell that may not be empty.

        Raises:
            DataError: if it is.
        """
        value = self.text(column)
        if value is None:
            raise self.error(f"the column {column!r} is empty; fill it in or take the row out")
        return value

    def number(self, column: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """Return a cell as a finite number in [low, high]; None where it is empty.

        Raises:
            DataError: if it is not a number, not finite, or out of range.
        """
        value = self.text(column)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            raise self.error(f"{column} is {value!r}, which is not a number") from None
        if not (math.isfinite(number) and low <= number <= high):
            bounds = f"from {low:g} to {high:.10g}" if math.isfinite(high) else f"of at least {low:g}"
            allowed = "a finite number" if math.isinf(low) else f"a number {bounds}"
            raise self.error(f"{column} is {value}; give {allowed}")
        return number

    def whole(self, column: str, low: int = 0) -> int | None:
        """Return a cell as a whole number from `low` to `MOST`; None where it is empty.

        Raises:
            DataError: if it is not one.
        """
        number = self.number(column, low, MOST)
        if number is not None and number != int(number):
            raise self.error(f"{column} is {self.text(column)}, which is not a whole number")
        return None if number is None else int(number)

    def choice(self, column: str, known: Mapping[str, str] | Sequence[str]) -> str:
        """Return what `known` makes of a cell, or the cell itself where `known` is a list.

        Raises:
            DataError: if the cell is not among the known, with the nearest of them.
        """
        value = self.need(column)
        if value not in known:
            raise self.error(f"{column} is {value!r}; {nearest(value, known)}")
        return known[value] if isinstance(known, Mapping) else value

    def labels(self, column: str) -> tuple[str, ...]:
        """Return the emotions of a cell, separated by "|"; none where it is empty.

        Raises:
            DataError: if one is not in `EMOTIONS`, or is there twice.
        """
        found = [label for part in (self.text(column) or "").split("|") if (label := part.strip())]
        for label in found:
            if label.lower() not in EMOTIONS:
                raise self.error(f"the emotion {label!r} is unknown; {nearest(label, EMOTIONS)} {CLASSES}")
        known = tuple(label.lower() for label in found)
        if len(set(known)) < len(known):
            raise self.error(f"{column} names an emotion twice: {self.text(column)}")
        return known


def require_emotions(rows: Sequence[Row], column: str = "emotion") -> None:
    """Refuse words that are no class, all of them at once: who corrects a table does so once.

    Raises:
        DataError: if a cell holds one; of a single word as `Row.labels` says it.
    """
    found: dict[str, list[Row]] = {}
    for row in rows:
        for word in dict.fromkeys(part.strip() for part in (row.text(column) or "").split("|")):
            if word and word.lower() not in EMOTIONS:
                found.setdefault(word, []).append(row)
    if len(found) < 2:
        return
    told = [
        f"{word!r} ({len(own)} row{'s' if len(own) > 1 else ''}, first line {own[0].line}"
        + (f"; {meant}?)" if (meant := _meant(word)) else ")")
        for word, own in found.items()
    ]
    raise DataError(f"{rows[0].path} names {len(found)} unknown emotions: {listing(told, 10)} {CLASSES}")


def _meant(word: str) -> str | None:
    close = difflib.get_close_matches(word.casefold(), EMOTIONS, n=1, cutoff=0.7)
    return SYNONYMS.get(word.casefold()) or (close[0] if close else None)


def read_rows(
    path: Path,
    columns: Sequence[str],
    *,
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
    quoted: bool = True,
) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file with a header.

    Args:
        path: the file.
        columns: those that must be there.
        delimiter: between cells.
        encoding: of the file.
        quoted: False = quotes are plain characters.

    Raises:
        DataError: if the file is missing, a column is, a row has too few or too many cells, or the text
            cannot be decoded.
    """
    with require(path).open(encoding=encoding, newline="") as file:
        try:
            for line, cells in csv_lines(file, str(path), columns, delimiter=delimiter, quoted=quoted):
                yield Row(path, line, cells)
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 text, or no text at all; save it as UTF-8") from error


def csv_lines(
    file: Iterable[str], name: str, columns: Sequence[str], *, delimiter: str = ",", quoted: bool = True
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of a row's last line, from 1, and its cells by column.

    Args:
        file: the text, line ends as they are.
        name: what errors call the table.
        columns: those that must be there.
        delimiter: between cells.
        quoted: False = quotes are plain characters.

    Raises:
        DataError: if a column is missing or there twice, or a row has too few or too many cells.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.DictReader(file, delimiter=delimiter, quoting=quoting, strict=True)
    try:
        header = list(reader.fieldnames or [])
        _check_header(name, header, columns)
        for cells in reader:
            if None in cells or None in cells.values():
                raise DataError(
                    f"{name}, line {reader.line_num}: it does not have {len(header)} cells as the header"
                )
            yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: {error}") from error


def _check_header(name: str, header: Sequence[str], columns: Sequence[str]) -> None:
    twice = sorted({column for column in header if list(header).count(column) > 1})
    if twice:
        raise DataError(f"{name} has the column {twice[0]!r} twice; keep one of them")
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(
            f"{name} has no column {missing[0]!r}; its header is {listing(header, 20) or 'empty'}"
        )


def read_json_lines(path: Path) -> Iterator[Row]:
    """Yield the objects of a JSON Lines file as rows; null is an empty cell, a list is joined by "|".

    Raises:
        DataError: if the file is missing, or a line is not an object of plain values.
    """
    with require(path).open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            empty = Row(path, number, {})
            try:
                data = json.loads(line.encode("utf-8", "surrogateescape"))
            except (ValueError, RecursionError) as error:
                raise empty.error(f"it is not JSON ({error})") from error
            if not isinstance(data, dict):
                raise empty.error("it is not a JSON object")
            yield Row(path, number, {str(key): _cell(empty, str(key), value) for key, value in data.items()})


def _cell(row: Row, key: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "|".join(value)
    if isinstance(value, str) and not is_unicode(value):
        raise row.error(f"{key} holds half of a character (a surrogate); save the file as UTF-8")
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise row.error(f"{key} is {json.dumps(value)}; give a text, a number or null")
