"""The one schema that every corpus is read into, and the typed view of one of its rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from datasets import Dataset, Features, List, Value

from mmser.errors import DataError
from mmser.labels import EMOTIONS

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

# Missing = null in every column. Audio is decoded by mmser's own reader, never by `datasets`: it is a plain
# struct of what `Audio` stores, since `Audio` asks for torchcodec even where nothing is decoded. To give the
# column to a tool that wants it, cast it: `dataset.cast_column("audio", Audio())`.
AUDIO = {"bytes": Value("binary"), "path": Value("string")}
FEATURES = Features(
    {
        "id": Value("string"),  # unique within the corpus
        "corpus": Value("string"),
        "split": Value("string"),  # of `SPLITS`; null = not assigned yet
        "audio": AUDIO,  # an encoded file, by its path or its bytes
        "text": Value("string"),
        "emotion": List(Value("string")),  # of `EMOTIONS`; several where the corpus is multi-label
        "intensity": Value("float64"),  # [0, 1]
        "change": Value("string"),  # of `CHANGES`, against the same speaker's previous turn
        "valence": Value("float64"),  # [-1, 1]
        "speaker": Value("string"),  # unique across corpora: "ravdess/01"
        "role": Value("string"),  # of `ROLES`, on calls
        "gender": Value("string"),  # "female", "male" or the corpus's own word
        "age": Value("float64"),  # years
        "language": Value("string"),  # ISO 639-1
        "dialogue_id": Value("string"),  # unique across corpora
        "turn_index": Value("int32"),  # order within the dialogue, rising
        "start": Value("float64"),  # seconds into `audio`; null = from its beginning
        "end": Value("float64"),  # seconds into `audio`; null = to its end
        "channel": Value("int32"),  # of `audio`, from 0; null = all of them, mixed
        "sentence": Value("string"),  # what is said, where the corpus repeats sentences
        "session": Value("string"),  # recording session, where the corpus tells them apart
    }
)
CHANGES = ("none", "worse", "better", "lateral", "shift")  # "shift": there is one, its direction is unknown


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled utterance; None = the corpus does not say. Fields as the columns of `FEATURES`."""

    corpus: str
    split: Split | None
    emotions: tuple[str, ...]  # in mmser's names; several where the corpus is multi-label
    id: str = ""
    audio: Path | None = None
    text: str | None = None
    intensity: float | None = None  # [0, 1]
    change: str | None = None
    valence: float | None = None  # [-1, 1]
    speaker: str | None = None  # unique across corpora: "ravdess/01"
    role: str | None = None
    gender: str | None = None
    age: float | None = None
    language: str | None = None  # ISO 639-1
    dialogue_id: str | None = None
    turn_index: int | None = None
    start: float | None = None
    end: float | None = None
    channel: int | None = None  # from 0
    sentence: str | None = None
    session: str | None = None

    def target(self) -> list[float]:
        """Return the distribution over `EMOTIONS`, equal shares for several labels; zeros for none."""
        share = 1.0 / max(1, len(self.emotions))
        return [share * (label in self.emotions) for label in EMOTIONS]


def row_of(example: Example) -> dict[str, Any]:
    """Return an example as a row of `FEATURES`."""
    row = {f.name: getattr(example, f.name) for f in fields(example) if f.name != "emotions"}
    audio = None if example.audio is None else {"path": str(example.audio), "bytes": None}
    return row | {"audio": audio, "emotion": list(example.emotions) or None, "id": example.id or None}


def example_of(row: Mapping[str, Any]) -> Example:
    """Return a row of `FEATURES` as an example; embedded audio bytes stay in the row."""
    names = {f.name for f in fields(Example)} - {"emotions", "audio", "id"}
    audio = row.get("audio") or {}
    values: dict[str, Any] = {name: row.get(name) for name in names}
    return Example(
        **values,
        id=row.get("id") or "",
        emotions=tuple(row.get("emotion") or ()),
        audio=Path(audio["path"]) if audio.get("path") else None,
    )


def to_dataset(examples: Iterable[Example]) -> Dataset:
    """Return examples as a `datasets.Dataset` with `FEATURES`.

    Raises:
        DataError: if there is none.
    """
    rows = [row_of(e) for e in examples]
    if not rows:
        raise DataError("the corpus holds 0 examples; check the folder and what is left out of it")
    return Dataset.from_list(rows, features=FEATURES)


def examples_of(dataset: Iterable[Mapping[str, Any]]) -> Iterator[Example]:
    """Yield the rows of a dataset as examples."""
    return (example_of(row) for row in dataset)
