"""The rows of one corpus as they are published: agents withheld, the user's own people under digests."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from mmser.data import CorpusEntry, check_audio, load_corpora, withhold_agents
from mmser.data.audit import require_disjoint
from mmser.data.licences import licence_of
from mmser.data.schema import SPLITS, example_of
from mmser.errors import DataError, UsageError
from mmser.evaluation.division.training_data import dialogue_digest, hidden_name
from mmser.publishing.dataset_licence import Terms, terms_of

_HELD = ("audio", "emotion", "intensity", "change", "valence")
_SHOWN = 3  # clips that an error names


@dataclass(frozen=True, kw_only=True)
class PreparedRows:
    """Rows that may be published, and what must be said of them."""

    dataset: Dataset  # `FEATURES`, in the order of the corpus
    corpus: str
    terms: Terms
    own: bool  # the user's own data: names become digests
    mark: str | None  # what must stand beside numbers of this split
    withheld: int  # turns of agents of which sound or labels were taken
    left_out: tuple[tuple[str, str], ...]  # id and reason of clips that cannot be used


def chosen_entries(entries: Sequence[CorpusEntry], corpus: str | None) -> tuple[CorpusEntry, ...]:
    """Return the entries of the corpus that is to be published.

    Raises:
        UsageError: if there is none of that name, or there are several and none is named.
    """
    names = list(dict.fromkeys(entry.name or entry.corpus for entry in entries))
    if corpus is None and len(names) > 1:
        raise UsageError(
            f"there are {len(names)} corpora ({', '.join(names)}), and a repository holds one; name it with "
            "--corpus"
        )
    found = tuple(entry for entry in entries if corpus in (None, entry.name or entry.corpus))
    if not found:
        raise UsageError(f"--corpus {corpus!r} is not among the corpora that are named: {', '.join(names)}")
    return found


def prepare_rows(
    entries: Sequence[CorpusEntry],
    folder: Path,
    *,
    license: str | None,
    license_name: str | None,
    allow_overlap: bool,
    skip_bad: bool,
    progress: Callable[[str, float, float], None],
) -> PreparedRows:
    """Read one corpus and make it fit to be published.

    Args:
        entries: of one corpus, see `chosen_entries`.
        folder: that their paths are under.
        license: that the user states, see `terms_of`.
        license_name: what `license` "other" is called.
        allow_overlap: whether a split that leaks is taken all the same.
        skip_bad: leave out rows whose clip cannot be used, instead of refusing them.
        progress: called with a stage, what is done and the total.

    Raises:
        UsageError: if the licence does not allow it.
        LeakingSplitError: if speakers or dialogues are in several splits.
        DataError: if a clip cannot be used, or some rows alone have a split.
        MmserError: if something cannot be read.
    """
    # Refused before anything is read; `published` and tables tell by their rows.
    closed = {entry.corpus for entry in entries if licence_of(entry.corpus) is not None}
    if closed:
        terms_of(closed, license, license_name)
    dataset = load_corpora(entries, folder)
    assert isinstance(dataset, Dataset)
    corpora = set(dataset["corpus"])
    terms = terms_of(corpora, license, license_name)
    _require_splits(dataset)
    # A reason to judge agents is none to publish what they sound like; whoever is of unknown role may be one.
    dataset, withheld = _withhold_unknown(dataset)
    dataset, more = withhold_agents(dataset, ())
    corpus = next(iter(corpora))
    own = licence_of(corpus) is None
    mark = require_disjoint(dataset, allow_overlap)
    if own and mark is not None:  # the card quotes it, and it names speakers
        names = dataset.map(_hidden, features=dataset.features, load_from_cache_file=False)
        mark = require_disjoint(names, allow_overlap)
    dataset, left_out = _sound(dataset, skip_bad, progress)
    if not len(dataset):
        raise DataError("no row is left to publish: none has words, or a clip that can be used")
    return PreparedRows(
        dataset=dataset,
        corpus=corpus,
        terms=terms,
        own=own,
        mark=mark,
        withheld=withheld + more,
        left_out=left_out,
    )


def _require_splits(dataset: Dataset) -> None:
    """Refuse rows without a split beside others: whoever loads the dataset would train on them."""
    counts = Counter(dataset["split"])
    if counts[None] and len(counts) > 1:
        raise DataError(
            f"{counts[None]} of {len(dataset)} rows have no split, and others do; give every row one of "
            f"{', '.join(SPLITS)}, or none of them"
        )


def _withhold_unknown(dataset: Dataset) -> tuple[Dataset, int]:
    roles = dataset["role"]
    told = sum(
        role == "unknown" and audio is not None for role, audio in zip(roles, dataset["audio"], strict=True)
    )

    def held(row: dict[str, Any], index: int) -> dict[str, Any]:
        return dict.fromkeys(_HELD) if roles[index] == "unknown" else {}

    dataset = dataset.map(held, with_indices=True, features=dataset.features, load_from_cache_file=False)
    return dataset.filter(
        lambda text, audio: text is not None or audio is not None, input_columns=["text", "audio"]
    ), told


def _sound(
    dataset: Dataset, skip_bad: bool, progress: Callable[[str, float, float], None]
) -> tuple[Dataset, tuple[tuple[str, str], ...]]:
    """Decode every clip; leave out those that cannot be used, or refuse them."""
    total = len(dataset)
    bad = check_audio(dataset, progress=lambda done: progress("checking clips", done, total))
    if not bad:
        return dataset, ()
    shown = "; ".join(f"{name}: {reason}" for name, reason in bad[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    if not skip_bad:
        raise DataError(
            f"{len(bad)} of {total} rows have a clip that cannot be used: {shown}{more}; mend or remove "
            "them, or leave them out with --skip-bad"
        )
    names = {name for name, _ in bad}
    kept = [i for i, name in enumerate(dataset["id"]) if str(name) not in names]
    return dataset.select(kept), tuple(bad)


def _hidden(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's names as digests; those that are digests already stay."""
    example = example_of(row)
    dialogue = dialogue_digest(example)
    return {
        "id": hidden_name(example.id if example.id.startswith("#") else f"row {example.corpus}/{example.id}"),
        "speaker": None if example.speaker is None else hidden_name(example.speaker),
        "session": None if example.session is None else hidden_name(example.session),
        "dialogue_id": None if dialogue is None else f"#{dialogue.hex()}",
    }


def published_row(row: Mapping[str, Any], clip: tuple[bytes, float, str] | None) -> dict[str, Any]:
    """Return a row as it is published, with its clip in it.

    Rows of the user's own name nobody: speakers, dialogues, sessions, rows and files go by digests, as in
    training_data.json, so that a model trained on either is known to have seen the other.

    Args:
        row: of `FEATURES`.
        clip: encoded, with its seconds and suffix, as `Clips.read` gives it.
    """
    example = example_of(row)
    own = licence_of(example.corpus) is None
    found = dict(row) | (_hidden(row) if own else {})
    if clip is None:
        # What is withheld has no place on a recording that is not there.
        return found | {"audio": None, "start": None, "end": None, "channel": None}
    data, _, suffix = clip
    known = None if own or example.audio is None or suffix != example.audio.suffix.lower() else example.audio
    plain = str(found["id"]).lstrip("#").replace("/", "_")
    path = f"{plain}{suffix}" if known is None else known.name
    audio = {"bytes": data, "path": path}
    return found | {"audio": audio, "start": None, "end": None, "channel": None}
