"""The corpora of a training config, read into one dataset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from datasets import Dataset, IterableDataset, concatenate_datasets
from pydantic import BaseModel, ConfigDict, Field

from mmser.data.calls import calls_examples
from mmser.data.crema_d import crema_d_examples
from mmser.data.hub import hub_cameo, hub_crema_d, hub_emodb, hub_iemocap, hub_ravdess
from mmser.data.hub_loading import HubDataset
from mmser.data.iemocap import iemocap_examples
from mmser.data.licences import licence_of
from mmser.data.manifest import audio_folder_examples, manifest_examples
from mmser.data.meld import meld_examples
from mmser.data.mosei import cmu_mosei_examples
from mmser.data.msp_podcast import msp_podcast_examples
from mmser.data.published import read_published
from mmser.data.schema import Example, Split, to_dataset
from mmser.data.speech import emodb_examples, emovo_examples, nemo_examples, ravdess_examples
from mmser.data.splits import Splits, assign_splits, named_splits
from mmser.data.tables import nearest, require_folder
from mmser.data.text import emobank_examples, goemotions_examples, semeval_ei_examples
from mmser.errors import DataError

BY_SPEAKER = (
    "ravdess",
    "nemo",
    "emodb",
    "crema_d",
    "iemocap",
    "emovo",
    "cmu_mosei",
)  # `splits` names speakers
OFFICIAL = ("meld", "msp_podcast", "goemotions", "emobank", "semeval_ei")  # the publisher's split
OWN = ("manifest", "audio_folder", "calls")  # the user's
HUB_ONLY = ("cameo",)
PUBLISHED = "published"  # by `mmser push-dataset`: from the Hub or a folder, under its own splits
CORPORA = (*BY_SPEAKER, *OFFICIAL, *OWN, *HUB_ONLY, PUBLISHED)
ON_HUB = ("ravdess", "emodb", "crema_d", "iemocap", "cameo", PUBLISHED)
# Option → the corpora that know it.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "splits": (*BY_SPEAKER, *OWN, *HUB_ONLY),
    "partial": (*BY_SPEAKER, *OFFICIAL),
    "classes": ("ravdess",),
    "keep_duplicate": ("ravdess",),
    "clips": ("meld",),
    "test_set": ("msp_podcast",),
    "agent_reason": ("calls",),
    "name": OWN,
    "corpora": HUB_ONLY,
}


class CorpusEntry(BaseModel):
    """One corpus of a config: `{corpus: ravdess, path: corpora/ravdess, splits: {test: ["06"]}}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    corpus: str  # of `CORPORA`
    path: str | None = None  # relative to the folder of corpora
    hub: str | None = None  # dataset id; with `revision`, instead of `path`
    revision: str | None = None  # commit of the Hub's dataset
    splits: dict[str, list[str]] | None = None  # {"test": speakers, "validation": speakers}; others train
    share: float | None = Field(default=None, gt=0, allow_inf_nan=False)  # sampling weight against the others
    partial: bool = False  # accept a folder that is not whole
    classes: Literal[7, 8] | None = None  # 8 keeps RAVDESS's calm
    keep_duplicate: bool = False  # RAVDESS's recording that stands in it twice
    clips: str | None = None  # MELD's clips, relative to the folder of corpora
    test_set: str | None = None  # MSP-Podcast's
    agent_reason: str | None = None  # on which agents' turns of calls are used
    name: str | None = None  # what the user's own corpus is called
    corpora: list[str] | None = None  # of CAMEO


def load_corpora(
    entries: Sequence[CorpusEntry], root: Path, *, streaming: bool = False
) -> Dataset | IterableDataset:
    """Read the corpora of a config, one after the other, into one dataset.

    Args:
        entries: what to read.
        root: folder that their paths are relative to.
        streaming: True = an `IterableDataset`: rows from the Hub come as they are asked for; those of
            folders are listed first, their sound is read when it is needed in either case.

    Returns:
        Rows of `FEATURES`, in the order of the entries. `share` is for whoever samples from it.

    Raises:
        DataError: if a corpus is unknown (the nearest is offered), an option does not belong to it, or it
            cannot be read.
    """
    if not entries:
        raise DataError(f"the config names no corpus; give at least one of {', '.join(CORPORA)}")
    parts: list[HubDataset] = []
    for entry in entries:
        _check(entry)
        if entry.hub is not None:
            parts.append(_from_hub(entry, streaming))
        elif entry.corpus == PUBLISHED:
            folder = str(require_folder(root / str(entry.path)))
            parts.append(read_published(folder, revision=None, streaming=streaming))
        else:
            dataset = to_dataset(_from_folder(entry, root))
            parts.append(dataset.to_iterable_dataset() if streaming else dataset)
    if len(entries) > 1 and not streaming:
        _require_own_names(parts)
    return parts[0] if len(parts) == 1 else concatenate_datasets(parts)


def _require_own_names(parts: Sequence[HubDataset]) -> None:
    """Refuse rows of the user's own that two entries call alike: one would be taken for the other."""
    names = Counter(
        (corpus, name)
        for part in parts
        if isinstance(part, Dataset)
        for corpus, name in zip(part["corpus"], part["id"], strict=True)
        if licence_of(corpus) is None
    )
    for (corpus, name), times in names.most_common(1):
        if times > 1:
            raise DataError(
                f"{times} rows are called {corpus}/{name}; give each of your corpora a `name`, or each "
                "row an id of its own"
            )


def _check(entry: CorpusEntry) -> None:
    """Refuse an entry that contradicts itself."""
    corpus = entry.corpus
    if corpus not in CORPORA:
        raise DataError(f"there is no corpus {corpus!r}; {nearest(corpus, CORPORA)}")
    for option, known in _OPTIONS.items():
        if option in entry.model_fields_set and corpus not in known:
            hint = "; its publisher's split is used" if option == "splits" else ""
            raise DataError(f"{corpus} has no option {option}{hint}; it belongs to {', '.join(known)}")
    if (entry.path is None) == (entry.hub is None):
        raise DataError(f"{corpus} needs either path, its folder, or hub, a dataset id with its revision")
    if entry.hub is not None and corpus not in ON_HUB:
        raise DataError(f"{corpus} is not read from the Hub, which has {', '.join(ON_HUB)}; give path")
    if entry.path is not None and corpus in HUB_ONLY:
        raise DataError(f"{corpus} is read from the Hub only; give hub and revision")
    if entry.revision is not None and entry.hub is None:
        raise DataError(f"{corpus} has a revision but no hub; a revision is a commit of a Hub dataset")


def _from_folder(entry: CorpusEntry, root: Path) -> list[Example]:
    path, splits, partial = root / str(entry.path), entry.splits, entry.partial
    match entry.corpus:
        case "ravdess":
            return ravdess_examples(
                path,
                splits,
                classes=entry.classes or 7,
                partial=partial,
                keep_duplicate=entry.keep_duplicate,
            )
        case "nemo":
            return nemo_examples(path, splits, partial=partial)
        case "emodb":
            return emodb_examples(path, splits, partial=partial)
        case "emovo":
            return emovo_examples(path, splits, partial=partial)
        case "crema_d":
            return crema_d_examples(path, splits, partial=partial)
        case "iemocap":
            return iemocap_examples(path, splits, partial=partial)
        case "cmu_mosei":
            return cmu_mosei_examples(path, splits, partial=partial)
        case "meld":
            clips = None if entry.clips is None else root / entry.clips
            return meld_examples(path, clips=clips, partial=partial)
        case "msp_podcast":
            return msp_podcast_examples(path, test_set=entry.test_set or "Test1", partial=partial)
        case "goemotions":
            return goemotions_examples(path, partial=partial)
        case "emobank":
            return emobank_examples(path, partial=partial)
        case "semeval_ei":
            return semeval_ei_examples(path, partial=partial)
        case "manifest":
            own = manifest_examples(path, corpus=entry.name or entry.corpus)
        case "audio_folder":
            own = audio_folder_examples(path, corpus=entry.name or entry.corpus)
        case _:
            own = calls_examples(path, agent_reason=entry.agent_reason, corpus=entry.name or entry.corpus)
    return own if splits is None else by_speaker(own, splits, entry.name or entry.corpus)


def by_speaker(examples: Sequence[Example], splits: Splits, corpus: str) -> list[Example]:
    """Give the user's own rows their splits by speaker; a dialogue goes whole to that of who is named in it.

    Args:
        examples: rows of one corpus.
        splits: {"test": speakers, "validation": speakers}; all others train.
        corpus: for messages, and what the speakers' names begin with.

    Raises:
        DataError: if a row has a split already or no speaker, or the splits name one who is not there or
            two of one dialogue differently.
    """
    marked = next((e for e in examples if e.split is not None), None)
    if marked is not None:
        # Whichever of the two were taken, rows that the other keeps for testing could train.
        raise DataError(
            f"{corpus}: the row {marked.id} is marked {marked.split} in the data, and the configuration "
            "gives splits too; leave out `splits`, or the split in the data"
        )
    names = [None if e.speaker is None else e.speaker.removeprefix(f"{corpus}/") for e in examples]
    nameless = next((e.id for e, name in zip(examples, names, strict=True) if name is None), None)
    if nameless is not None:
        raise DataError(
            f"{corpus}: the row {nameless} has no speaker, so splits by speaker cannot be made; "
            "fill the column speaker, or give a column split"
        )
    parts = assign_splits(splits, {str(name) for name in names}, corpus)
    named = named_splits(splits, corpus)
    whole: dict[str, tuple[Split, str]] = {}  # by dialogue, and who is named in it
    for example, name in zip(examples, names, strict=True):
        split, dialogue = named.get(str(name)), example.dialogue_id
        if split is None or dialogue is None:
            continue
        other, first = whole.setdefault(dialogue, (split, str(name)))
        if other != split:
            raise DataError(
                f"the dialogue {dialogue} holds {first}, who is named for {other}, and {name}, who is named "
                f"for {split}; name one of them, or both for one split"
            )
    return [
        replace(e, split=whole[e.dialogue_id][0] if e.dialogue_id in whole else parts[str(name)])
        for e, name in zip(examples, names, strict=True)
    ]


def _from_hub(entry: CorpusEntry, streaming: bool) -> HubDataset:
    hub, revision, splits = str(entry.hub), entry.revision, entry.splits
    match entry.corpus:
        case "ravdess":
            return hub_ravdess(
                hub, revision=revision, streaming=streaming, splits=splits, classes=entry.classes or 7
            )
        case "emodb":
            return hub_emodb(hub, revision=revision, streaming=streaming, splits=splits)
        case "crema_d":
            return hub_crema_d(hub, revision=revision, streaming=streaming, splits=splits)
        case "iemocap":
            return hub_iemocap(hub, revision=revision, streaming=streaming, splits=splits)
        case "published":
            return read_published(hub, revision=revision, streaming=streaming)
        case _:
            return hub_cameo(
                hub, revision=revision, streaming=streaming, splits=splits, corpora=entry.corpora
            )
