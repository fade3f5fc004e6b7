"""A dataset's columns as plain lists, without its audio."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pyarrow.compute as pc
from datasets import Audio, Dataset

UNASSIGNED = "unassigned"  # the split of a row that has none
BATCH = 1_000  # rows that are looked at together: embedded clips are heavy
_PLAIN = (
    *("id", "corpus", "split", "text", "emotion", "intensity", "change", "valence", "speaker"),
    *("dialogue_id", "turn_index", "sentence", "session", "start", "end", "channel"),
)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """One entry a row in each; None = missing."""

    name: Sequence[str]  # what a reader is told: "ravdess/03-01-01-01-01-01-01"
    corpus: Sequence[str]
    split: Sequence[str]  # `UNASSIGNED` where there is none
    emotion: Sequence[tuple[str, ...]]
    text: Sequence[str | None]
    intensity: Sequence[float | None]
    change: Sequence[str | None]
    valence: Sequence[float | None]
    speaker: Sequence[str | None]
    dialogue_id: Sequence[str | None]
    sentence: Sequence[str | None]
    session: Sequence[str | None]
    start: Sequence[float | None]  # seconds into the audio
    end: Sequence[float | None]
    channel: Sequence[int | None]  # of the audio, from 0; None = all of them, mixed
    clip: Sequence[str | None]  # file, part and channel; None without a file

    def __len__(self) -> int:
        return len(self.name)

    def label(self, row: int) -> str | None:
        """Return a row's one emotion; None where it has none or several."""
        return self.emotion[row][0] if len(self.emotion[row]) == 1 else None

    def by_corpus(self) -> dict[str, list[int]]:
        """Return each corpus's row numbers, corpora in order of appearance."""
        rows: dict[str, list[int]] = defaultdict(list)
        for row, corpus in enumerate(self.corpus):
            rows[corpus].append(row)
        return dict(rows)


def audio_of(dataset: Dataset) -> Dataset | None:
    """Return the audio column alone, not decoded; None without one."""
    if "audio" not in dataset.column_names:
        return None
    return dataset.select_columns(["audio"]).cast_column("audio", Audio(decode=False))


def rows_with_audio(audio: Dataset) -> list[int]:
    """Return the numbers of the rows that have audio, without decoding any."""
    there: list[bool] = []
    for batch in audio.with_format("arrow").iter(BATCH):
        column = batch["audio"]
        path, data = (pc.is_valid(pc.struct_field(column, name)) for name in ("path", "bytes"))
        there += pc.or_(path, data).to_pylist()
    return [row for row, is_there in enumerate(there) if is_there]


def columns_of(dataset: Dataset) -> Columns:
    """Return the columns that an audit looks at; a column that is absent counts as missing throughout."""
    there = [name for name in _PLAIN if name in dataset.column_names]
    values: dict[str, list[Any]] = dataset.select_columns(there)[:] if len(dataset) else {}
    values = {name: values.get(name, [None] * len(dataset)) for name in _PLAIN}
    corpus = [value or "the data" for value in values["corpus"]]
    split = [value or UNASSIGNED for value in values["split"]]
    return Columns(
        name=_names(dataset, corpus, split, values),
        corpus=corpus,
        split=split,
        emotion=[_labels(value) for value in values["emotion"]],
        **{name: values[name] for name in ("text", "intensity", "change", "valence", "speaker")},
        clip=_clips(dataset, values),
        **{name: values[name] for name in ("dialogue_id", "sentence", "session", "start", "end", "channel")},
    )


def _clips(dataset: Dataset, values: dict[str, list[Any]]) -> list[str | None]:
    audio = audio_of(dataset)
    if audio is None:
        return [None] * len(dataset)
    paths: list[str | None] = []
    for batch in audio.with_format("arrow").iter(BATCH):
        path, data = (pc.struct_field(batch["audio"], name) for name in ("path", "bytes"))
        # What is embedded keeps the name of a file, and names may be alike.
        paths += pc.if_else(pc.is_null(data), path, None).to_pylist()
    parts = zip(paths, values["start"], values["end"], values["channel"], strict=True)
    return [
        None if path is None else f"{path} {start} {end} {channel}" for path, start, end, channel in parts
    ]


def _labels(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _names(
    dataset: Dataset, corpus: Sequence[str], split: Sequence[str], values: dict[str, list[Any]]
) -> list[str]:
    """Return for each row its id, else its file's name, else its place in dialogue or corpus."""
    ids = list(values["id"])
    audio = None if all(ids) else audio_of(dataset)
    paths = [""] * len(ids) if audio is None else [(row["audio"] or {}).get("path") or "" for row in audio]
    count: dict[tuple[str, str], int] = defaultdict(int)
    names = []
    for row, own in enumerate(ids):
        count[corpus[row], split[row]] += 1
        dialogue, turn = values["dialogue_id"][row], values["turn_index"][row]
        if own is None and paths[row]:
            own = PurePath(paths[row]).stem
        if own is None:
            own = f"{split[row]}/{count[corpus[row], split[row]]}"
            own = f"{dialogue}/{turn}" if dialogue is not None and turn is not None else own
        names.append(own if own.startswith(f"{corpus[row]}/") else f"{corpus[row]}/{own}")
    return names
