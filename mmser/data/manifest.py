"""The user's own clips: a CSV, TSV or JSON Lines manifest, or a folder of clips."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from datasets import Dataset

from mmser.data.schema import CHANGES, FEATURES, SPLITS, Example, Split, to_dataset
from mmser.data.tables import (
    CLASSES,
    Row,
    is_audio,
    listing,
    nearest,
    read_json_lines,
    read_rows,
    recordings_in,
    require,
    require_emotions,
    require_folder,
)
from mmser.errors import DataError
from mmser.labels import EMOTIONS, ROLES
from mmser.transcripts.fields import language_code

AnyRow = TypeVar("AnyRow")  # a `Row`, or one with its place
COLUMNS = tuple(FEATURES)
MAX_AGE = 130.0  # years
# What an AudioFolder calls two of our columns.
_FOLDER_NAMES = {"file_name": "audio", "label": "emotion"}
# What others call the columns: an error offers the right word.
AUDIO_NAMES = dict.fromkeys(("file", "filename", "file_name", "path", "wav", "recording"), "audio")
_COLUMN_NAMES = AUDIO_NAMES | {
    "label": "emotion",
    "sentence_text": "text",
    "transcript": "text",
    "transcription": "text",
    "speaker_id": "speaker",
    "person": "speaker",
}
_SPLIT_FOLDERS: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def read_manifest(path: Path, *, corpus: str = "manifest") -> Dataset:
    """Read a table of the user's own utterances.

    Any columns of `FEATURES` may be there, and no others; every row has `audio` or `text`. `audio` is a path
    relative to the manifest. `emotion` is one class, or several separated by "|". Empty = unknown.

    Args:
        path: .csv, .tsv or .jsonl.
        corpus: name of the rows that have no `corpus`; speakers and dialogues are told apart by it.

    Returns:
        Rows of `FEATURES`, in the order of the file.

    Raises:
        DataError: if the file is missing, a column or a label is unknown (the nearest is offered), a number
            is not finite or out of range, a clip is missing, two rows have one id, or there are no rows.
    """
    return to_dataset(manifest_examples(path, corpus=corpus))


def manifest_examples(path: Path, *, corpus: str = "manifest") -> list[Example]:
    """Return what `read_manifest` reads, as examples."""
    return _unique(_examples(_table(path), corpus, None), path)


def read_audio_folder(path: Path, *, corpus: str = "audio_folder") -> Dataset:
    """Read a folder of clips in the layout of Hugging Face's AudioFolder.

    Either a metadata.csv (or .tsv, .jsonl) with `file_name` and any columns of `FEATURES` (`label` may stand
    for `emotion`), or a folder of clips for each class, named as in `EMOTIONS`. Folders train, validation and
    test around these are the splits; without them the split is null. Class folders name no speakers.

    Args:
        path: the folder.
        corpus: name of the rows; speakers and dialogues are told apart by it.

    Returns:
        Rows of `FEATURES`, by split, in the order of the metadata or of file names.

    Raises:
        DataError: if the folder is missing or holds neither, or as for `read_manifest`.
    """
    return to_dataset(audio_folder_examples(path, corpus=corpus))


def audio_folder_examples(path: Path, *, corpus: str = "audio_folder") -> list[Example]:
    """Return what `read_audio_folder` reads, as examples."""
    folders = [f for f in sorted(require_folder(path).iterdir()) if f.is_dir() and f.name[0] != "."]
    parts = [f for f in folders if f.name.lower() in _SPLIT_FOLDERS]
    if parts and len(parts) < len(folders):
        other = next(f for f in folders if f not in parts)
        raise DataError(f"{path} holds the split {parts[0].name} beside {other.name}; {_layout(other.name)}")
    if parts:
        _require_no_more(path)
    found = []
    for part in parts or [path]:
        split = _SPLIT_FOLDERS[part.name.lower()] if parts else None
        found += _folder_examples(part, f"{part.name}/" if parts else "", corpus, split)
    return _unique(found, path)


def _layout(name: str) -> str:
    return f"{name!r} is not a split; {nearest(name, _SPLIT_FOLDERS)}"


def _folder_examples(folder: Path, prefix: str, corpus: str, split: Split | None) -> list[Example]:
    for suffix in ("csv", "tsv", "jsonl"):
        metadata = folder / f"metadata.{suffix}"
        if metadata.exists():
            rows = [_renamed(row) for row in _table(metadata, (*COLUMNS, *_FOLDER_NAMES))]
            return _examples(rows, corpus, split)
    _require_no_more(folder)
    examples = []
    for inner in sorted(f for f in folder.iterdir() if f.is_dir() and f.name[0] != "."):
        clips = recordings_in(inner, "**/*.*")
        if inner.name not in EMOTIONS:
            raise DataError(f"{inner} is not named as a class; {nearest(inner.name, EMOTIONS)} {CLASSES}")
        examples += [
            Example(
                id=f"{prefix}{clip.relative_to(folder).with_suffix('').as_posix()}",
                corpus=corpus,
                split=split,
                audio=clip,
                emotions=(inner.name,),
            )
            for clip in clips
        ]
    if not examples:
        raise DataError(
            f"{folder} holds neither metadata.csv nor folders of clips named {', '.join(EMOTIONS)}; "
            "put the clips into folders so named, or list them in a manifest"
        )
    return examples


def _require_no_more(folder: Path) -> None:
    """Refuse what lies beside folders of splits or classes and would be passed over.

    Raises:
        DataError: for the first.
    """
    beside = recordings_in(folder)
    if beside:
        more = f" (as {len(beside) - 1} more)" if len(beside) > 1 else ""
        raise DataError(
            f"{beside[0]} lies beside the folders of classes or splits and would not be read; move it into "
            f"one of them, or take it out{more}"
        )
    for suffix in ("csv", "tsv", "jsonl"):
        if (folder / f"metadata.{suffix}").exists():
            raise DataError(
                f"{folder / f'metadata.{suffix}'} lies beside the folders of splits and would not be read; "
                "put one with the clips of each split into its folder"
            )


def _renamed(row: Row) -> Row:
    for name, other in _FOLDER_NAMES.items():
        if name in row.cells and other in row.cells:
            raise row.error(f"the columns {name!r} and {other!r} mean the same; keep one")
    return Row(row.path, row.line, {_FOLDER_NAMES.get(name, name): cell for name, cell in row.cells.items()})


def read_table(path: Path, known: Sequence[str], needed: Sequence[str] = ()) -> list[Row]:
    """Return the rows of a .csv, .tsv or .jsonl file.

    Args:
        path: the file.
        known: columns that it may have.
        needed: columns that it must have.

    Raises:
        DataError: if it is of another kind, missing, or has other columns.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".jsonl"):
        raise DataError(f"{path} is not a .csv, .tsv or .jsonl file; save it as one of these")
    if require(path).is_dir():
        raise DataError(f"{path} is a folder; give a file")
    rows = read_json_lines(path) if kind == ".jsonl" else read_rows(path, needed, delimiter=_comma(kind))
    found = []
    for row in rows:
        unknown = next((name for name in row.cells if name not in known), None)
        if unknown is not None:
            raise DataError(f"{path} has an unknown column {unknown!r}; {_meant(path, unknown, known)}")
        found.append(row)
    if not found:
        raise DataError(f"{path} holds 0 rows; add some below the header")
    return found


def _meant(path: Path, column: str, known: Sequence[str]) -> str:
    """Say what an unknown column may be meant to be."""
    parted = other_separator(path.suffix.lower(), column)
    if parted is not None:
        return parted
    meant = _COLUMN_NAMES.get(column.lower())
    return f"did you mean {meant!r}?" if meant in known else nearest(column, known)


def other_separator(kind: str, column: str) -> str | None:
    """Say that a name of a column holds what parts columns elsewhere; None where it does not.

    Args:
        kind: suffix of the file, in lower case.
        column: the name that the header gives.
    """
    for sign, name in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
        if sign in column and kind in (".csv", ".tsv"):
            wanted = "tabs" if kind == ".tsv" else "commas"
            return f"its columns seem to be parted by {name}; save it with {wanted}"
    return None


def _comma(kind: str) -> str:
    return "\t" if kind == ".tsv" else ","


def _table(path: Path, known: Sequence[str] = COLUMNS) -> list[Row]:
    return read_table(path, known)


def _examples(rows: Iterable[Row], corpus: str, split: Split | None) -> list[Example]:
    rows = list(rows)
    require_emotions(rows)
    return collect(rows, lambda row: _example(row, corpus, split))


def collect(rows: Iterable[AnyRow], make: Callable[[AnyRow], Example]) -> list[Example]:
    """Return what `make` makes of every row.

    Raises:
        DataError: the first that `make` raises, with the number of further rows that are wrong.
    """
    found, errors = [], []
    for row in rows:
        try:
            found.append(make(row))
        except DataError as error:
            errors.append(error)
    if errors:
        more = f" ({len(errors) - 1} more rows cannot be read)" if len(errors) > 1 else ""
        raise DataError(f"{errors[0]}{more}") from errors[0]
    return found


def _example(row: Row, corpus: str, split: Split | None) -> Example:
    corpus = row.text("corpus") or corpus
    audio, text = row.text("audio"), row.text("text")
    if audio is None and text is None:
        raise row.error("it has neither audio nor text; give one of them")
    start, end = times(row)
    return Example(
        id=row.text("id") or f"{row.path.stem}:{row.line}",
        corpus=corpus,
        split=split_of(row) or split,
        audio=None if audio is None else _clip(row, audio),
        text=text,
        emotions=row.labels("emotion"),
        intensity=row.number("intensity", 0, 1),
        change=row.choice("change", CHANGES) if row.text("change") else None,
        valence=row.number("valence", -1, 1),
        speaker=qualified(corpus, row.text("speaker")),
        role=row.choice("role", ROLES) if row.text("role") else None,
        gender=row.text("gender"),
        age=row.number("age", 0, MAX_AGE),
        language=language_of(row),
        dialogue_id=qualified(corpus, row.text("dialogue_id")),
        turn_index=row.whole("turn_index"),
        start=start,
        end=end,
        channel=row.whole("channel"),
        sentence=qualified(corpus, row.text("sentence")),
        session=qualified(corpus, row.text("session")),
    )


def split_of(row: Row) -> Split | None:
    """Return the split that a row names; None where it names none.

    Raises:
        DataError: if it is unknown.
    """
    named = row.choice("split", SPLITS) if row.text("split") else None
    return next((split for split in SPLITS if split == named), None)


def language_of(row: Row) -> str | None:
    """Return the code of the language that a row names, "en" for "en-US" or "English"; None for none.

    Raises:
        DataError: if it is no language.
    """
    named = row.text("language")
    code = language_code(named)
    if named is not None and code is None:
        raise row.error(
            f"language is {named!r}; give a code such as en or en-US, or leave it empty where it is not known"
        )
    return code


def times(row: Row) -> tuple[float | None, float | None]:
    """Return start and end of a row in seconds.

    Raises:
        DataError: if one is negative or not finite, or the end is not after the start.
    """
    start, end = row.number("start", 0), row.number("end", 0)
    if end is not None and end <= (start or 0.0):
        raise row.error(f"end {end:g} is not after start {start or 0:g}")
    return start, end


def qualified(corpus: str, name: str | None) -> str | None:
    """Return a name that is unique across corpora, "ravdess/01"."""
    return name if name is None or name.startswith(f"{corpus}/") else f"{corpus}/{name}"


def _clip(row: Row, audio: str) -> Path:
    path = row.path.parent / audio
    if not path.is_file():
        raise row.error(f"the clip {audio} is not at {path}; paths are relative to the manifest")
    if not is_audio(path):
        raise row.error(f"the clip {audio} has no suffix of a recording such as .wav")
    return path


def _unique(examples: list[Example], path: Path) -> list[Example]:
    twice = [key for key, n in Counter((e.corpus, e.id) for e in examples).items() if n > 1]
    if twice:
        raise DataError(
            f"{path} has the same id on several rows: {listing(name for _, name in twice)}; "
            "give each row one of its own, or leave the column id out"
        )
    return examples
