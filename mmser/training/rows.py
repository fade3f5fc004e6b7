"""The rows that a training uses: read, their sound checked, agents withheld, their classes compared."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset

from mmser.data import check_audio, load_corpora, require_commercial, withhold_agents
from mmser.data.schema import SPLITS
from mmser.errors import MmserError
from mmser.labels import EMOTIONS
from mmser.training.checkpoint import digest
from mmser.training.config import TrainingConfig
from mmser.training.log import say, track

CHECKED = "sound_checked.json"
Bad = tuple[str, str, str]  # corpus, id, reason


def load_rows(config: TrainingConfig, data: Path, work: Path, *, skip_bad: bool) -> Dataset:
    """Read the corpora of a configuration; map-style, since training asks for any row at any time.

    Args:
        config: whose `data` is read.
        data: folder that paths are under.
        work: keeps which clips were sound, so that they are decoded for this once.
        skip_bad: leave out rows whose clip cannot be used, instead of refusing them.

    Raises:
        MmserError: if a corpus cannot be read, a clip cannot be used, no labelled row trains, or validation
            or test hold a class that is never trained.
    """
    if config.commercial_only:
        require_commercial([entry.corpus for entry in config.data])
    dataset = load_corpora(config.data, data)
    assert isinstance(dataset, Dataset)
    if config.commercial_only:  # a table or a published dataset may hold any corpus
        require_commercial(sorted(set(dataset["corpus"])))
    dataset, told = withhold_agents(dataset, config.data)
    if told:
        say(f"{told} turns of agents take part as words alone: their sound and labels are withheld")
    dataset = _sound(dataset, data, work, skip_bad)
    require_rows(dataset)
    return dataset


def rows_digest(dataset: Dataset, data: Path) -> str:
    """Return a short hash of all that training sees of the rows, of the sound its files' sizes and times.

    Args:
        dataset: with `FEATURES`.
        data: folder that paths are under; however it is given, the hash is one.
    """
    names = [name for name in dataset.column_names if name != "audio"]
    columns = dataset.select_columns(names)[:]
    return digest([columns, [_file(audio, data) for audio in dataset["audio"]]])


def count_splits(dataset: Dataset) -> dict[str, int]:
    """Return the rows of each split; "none" counts those that are in none."""
    counts = Counter(str(split or "none") for split in dataset["split"])
    return {split: counts[split] for split in (*SPLITS, "none") if counts[split]}


def count_labelled(dataset: Dataset, split: str) -> int:
    """Return the rows of a split that carry a label which some loss is taken from."""
    names = ("split", "emotion", "intensity", "change", "dialogue_id")
    columns = dataset.select_columns(list(names))[:]  # at once: row by row takes minutes
    return sum(
        bool(emotion) or intensity is not None or None not in (change, dialogue)
        for own, emotion, intensity, change, dialogue in zip(*(columns[n] for n in names), strict=True)
        if own == split
    )


def unusable(dataset: Dataset, data: Path, work: Path) -> list[Bad]:
    """Return which clips cannot be used, and why; what was found is kept in the folder `work`.

    Raises:
        MmserError: if it cannot be kept there.
    """
    path = work / CHECKED
    columns = dataset.select_columns(["corpus", "id", "start", "end", "channel"])[:]
    key = digest([columns, [_file(audio, data) for audio in dataset["audio"]]])
    known = _read(path) if path.exists() else {}
    if known.get("data") == key:
        return [(corpus, name, reason) for corpus, name, reason in known["bad"]]
    bad = check_rows(dataset)
    if PartialState().is_main_process:
        _write(path, {"data": key, "bad": bad})
    return bad


def _sound(dataset: Dataset, data: Path, work: Path, skip_bad: bool) -> Dataset:
    path, bad = work / CHECKED, unusable(dataset, data, work)
    if not bad:
        return dataset
    shown = "; ".join(f"{corpus}/{name}: {reason}" for corpus, name, reason in bad[:3])
    heard = sum(audio is not None for audio in dataset["audio"])
    counted = f"{len(bad)} of {heard} clip{'s' if heard > 1 else ''}"
    more = f" and {len(bad) - 3} more, named in {path}" if len(bad) > 3 else ""
    if not skip_bad:
        raise MmserError(
            f"{counted} cannot be used: {shown}{more}; mend or remove them, or leave them out with --skip-bad"
        )
    say(f"left out {counted} that cannot be used: {shown}{more}")
    return leave_out(dataset, {(corpus, name) for corpus, name, _ in bad})


def check_rows(dataset: Dataset) -> list[Bad]:
    """Decode every clip, each process its share, and return which cannot be used and why."""
    state = PartialState()
    dataset = dataset.select([i for i, audio in enumerate(dataset["audio"]) if audio is not None])
    size = len(dataset)
    first, last = (size * (state.process_index + more) // state.num_processes for more in (0, 1))
    found: list[Bad] = []
    with track(last - first, "checking clips") as advance:
        part = dataset.select(range(first, last))
        for corpus in sorted(set(part["corpus"])):  # an id is unique within its corpus
            own = part.filter(lambda name, corpus=corpus: name == corpus, input_columns="corpus")
            found += [(corpus, name, why) for name, why in check_audio(own, progress=lambda _: advance())]
    return list(gather_object(found))


def leave_out(dataset: Dataset, names: set[tuple[str, str]]) -> Dataset:
    """Return the rows without some, by corpus and id.

    What a speaker's next turn in the dialogue changed from is gone with them: its change is not known.
    """
    kept = []
    gone: set[tuple[str | None, str | None]] = set()  # dialogue and speaker whose previous turn was taken out
    rows = dataset.select_columns(["corpus", "id", "dialogue_id", "speaker", "turn_index", "change"])
    table = list(rows)
    change = [row["change"] for row in table]
    for i in sorted(range(len(table)), key=lambda i: table[i]["turn_index"] or 0):
        row = table[i]
        talk = (row["dialogue_id"], row["speaker"])
        if (row["corpus"], row["id"]) in names:
            gone.add(talk)
            continue
        if row["dialogue_id"] is not None and talk in gone:
            change[i] = None
            gone.discard(talk)
        kept.append(i)
    features = dataset.features
    dataset = dataset.remove_columns("change").add_column("change", change, feature=features["change"])
    return dataset.select(sorted(kept)).cast(features) if kept else dataset.select([])


def require_rows(dataset: Dataset) -> None:
    """Refuse data that nothing, or not enough, can be learned from; tell which classes are missing.

    Raises:
        MmserError: if no labelled row trains, or validation or test hold a class that no training row has.
    """
    counts = count_splits(dataset)
    if not counts:
        raise MmserError(
            "the data hold no row that can be used; look at the files that the configuration names"
        )
    if not counts.get("train"):
        shown = ", ".join(f"{split} {count}" for split, count in counts.items())
        raise MmserError(
            f"no row of the data is marked for training (rows by split: {shown}); fill the column split, or "
            "name validation and test speakers under `splits`"
        )
    if not count_labelled(dataset, "train"):
        raise MmserError(
            f"none of the {counts['train']} training rows carries a label that is learned from; fill in "
            "emotion, intensity, or change of the turns of a dialogue"
        )
    classes: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for split, emotions in zip(dataset["split"], dataset["emotion"], strict=True):
        classes.get(split, set()).update(emotions or ())
    strange = sorted(set().union(*classes.values()) - set(EMOTIONS))
    if strange:
        raise MmserError(
            f"the data hold the emotion {strange[0]!r}, which the model does not tell; it tells "
            f"{', '.join(EMOTIONS)}: map it, or leave its rows out"
        )
    for split in ("validation", "test"):
        unseen = sorted(classes[split] - classes["train"])
        if unseen:
            raise MmserError(
                f"the {split} rows hold {', '.join(unseen)}, of which training has no example; move speakers "
                "between the splits, or leave these rows out"
            )
    missing = [emotion for emotion in EMOTIONS if emotion not in classes["train"]]
    if missing and classes["train"]:
        say(f"no training row is labelled {', '.join(missing)}: the model will hardly ever answer so")


def _file(audio: dict[str, Any] | None, data: Path) -> list[Any]:
    """Return what tells whether a row's file is the one that was checked, its path from `data` on."""
    audio = audio or {}
    path = audio.get("path")
    size = len(audio["bytes"]) if audio.get("bytes") is not None else None
    if not path or not Path(path).is_file():
        return [path, size]
    status = Path(path).stat()
    known = Path(path).is_relative_to(data)
    shown = Path(path).relative_to(data).as_posix() if known else path
    return [shown, status.st_size, status.st_mtime_ns, size]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # a note to save time; without it the clips are checked again
    bad = found.get("bad") if isinstance(found, dict) else None
    whole = isinstance(bad, list) and all(isinstance(row, list) and len(row) == 3 for row in bad)
    return dict(found) if whole else {}


def _write(path: Path, values: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise MmserError(
            f"{path} cannot be written ({error.strerror}); make room, or give another --work"
        ) from error
