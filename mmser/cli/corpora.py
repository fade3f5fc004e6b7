"""From what a user names, a configuration, a table, calls or clips, to labelled rows."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mmser.errors import DataError, UsageError

if TYPE_CHECKING:
    from datasets import Dataset

    from mmser.data import CorpusEntry

TABLES = (".csv", ".tsv", ".jsonl")
CONFIGS = (".yaml", ".yml")
LABELS = ("labels.csv", "labels.tsv", "labels.jsonl")


def data_folder(given: Path | None, source: Path | None = None) -> Path:
    """Return the folder that a configuration's paths are under: the one given, MMSER_DATA, or this one.

    Args:
        given: by the user.
        source: what is to be read; a configuration's corpora must be there if nobody says where they are.

    Raises:
        UsageError: if it is no folder.
    """
    named = os.environ.get("MMSER_DATA")
    if given is None and not named and source is not None and source.suffix.lower() in CONFIGS:
        paths = [Path(entry.path) for entry in corpora_of(source) if entry.path is not None]
        if missing := [path for path in paths if not path.exists()]:
            raise UsageError(
                f"{source} names {missing[0]}, which is not here; name the folder that holds it with --data "
                "or in MMSER_DATA"
            )
    folder = given or Path(named or ".")
    if not folder.is_dir():
        raise UsageError(f"--data {folder} is not a folder; give the one that the corpora's paths are under")
    return folder


def corpora_of(source: Path) -> "tuple[CorpusEntry, ...]":
    """Return the corpora that a path stands for.

    Args:
        source: a training's configuration, a manifest, a folder of calls with labels, or an AudioFolder.

    Raises:
        UsageError: if it is none of these.
    """
    from mmser.data import CorpusEntry
    from mmser.training.config import read_config

    if not source.exists():
        raise UsageError(
            f"{source} is not there; give a configuration with `data` (.yaml), a manifest "
            f"({', '.join(TABLES)}), a folder of calls with labels.csv, or a folder of clips by class"
        )
    if source.is_dir():
        kind = "calls" if any((source / name).exists() for name in LABELS) else "audio_folder"
        return (CorpusEntry(corpus=kind, path=str(source.resolve()), name=source.resolve().name),)
    if not source.is_file():  # a pipe would be waited for
        raise UsageError(f"{source} is neither a file nor a folder; save what it holds, and name that")
    if source.suffix.lower() in TABLES:
        return (CorpusEntry(corpus="manifest", path=str(source.resolve()), name=source.stem),)
    if source.suffix.lower() in CONFIGS:
        entries = tuple(read_config(source).data)
        if not entries:
            raise UsageError(f"{source} names no corpora; give it a list `data`, as in configs/")
        return entries
    raise UsageError(
        f"{source} is neither a configuration ({', '.join(CONFIGS)}) nor a manifest ({', '.join(TABLES)}); "
        "name such a file, a folder of calls or a folder of clips"
    )


def read_corpora(source: Path, folder: Path) -> "tuple[Dataset, list[str]]":
    """Return the rows that a path stands for, agents' turns withheld, and what must be told of them.

    Raises:
        DataError: if agents' turns alone are labelled.
        MmserError: if something cannot be read.
    """
    from datasets import Dataset, disable_progress_bars

    from mmser.data import load_corpora, withhold_agents

    disable_progress_bars()  # of the library's own steps
    entries = corpora_of(source)
    dataset = load_corpora(entries, folder)
    assert isinstance(dataset, Dataset)
    before = _labelled(dataset)
    dataset, held = withhold_agents(dataset, entries)
    if before and not _labelled(dataset):
        raise DataError(
            f"all {before} labelled rows of {source} are turns of agents, whose sound and labels are "
            "withheld; label turns of customers, or, of calls, state agent_reason in a configuration"
        )
    told = [f"{held} turns of agents are context alone: their sound and labels are withheld"] if held else []
    return dataset, told


def _labelled(dataset: "Dataset") -> int:
    # At once: by row it takes minutes.
    columns = dataset.select_columns(["emotion", "intensity", "change"])[:]
    rows = zip(columns["emotion"], columns["intensity"], columns["change"], strict=True)
    return sum(
        bool(emotion) or intensity is not None or change is not None for emotion, intensity, change in rows
    )
