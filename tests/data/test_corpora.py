"""Corpora are read whole, with speakers that never cross splits."""

from collections import Counter
from pathlib import Path

import pytest
from datasets import Dataset, IterableDataset

from mmser.data import (
    FEATURES,
    Example,
    examples_of,
    load_corpora,
    read_emobank,
    read_emodb,
    read_goemotions,
    read_meld,
    read_nemo,
    read_ravdess,
    read_semeval_ei,
)
from mmser.errors import DataError
from mmser.labels import EMOTIONS
from mmser.training.config import read_config

pytestmark = pytest.mark.data
CONFIG = Path(__file__).parents[2] / "configs" / "default.yaml"


def speech_of_the_default_model(data_dir: Path) -> list[Example]:
    rows = load_corpora(read_config(CONFIG).data[:3], data_dir)
    return list(examples_of(rows))


@pytest.fixture(scope="module")
def ravdess(data_dir: Path) -> Dataset:
    return read_ravdess(data_dir / "corpora" / "ravdess", {"test": ["06"]}, partial=True)


def test_speakers_never_cross_splits(data_dir: Path):
    examples = speech_of_the_default_model(data_dir)
    splits: dict[str, set[str | None]] = {}
    for example in examples:
        splits.setdefault(str(example.speaker), set()).add(example.split)
    assert all(len(s) == 1 for s in splits.values())
    assert Counter(e.split for e in examples).keys() == {"train", "validation", "test"}
    assert len(splits) == 20 + 9 + 10


def test_counts_are_the_publishers(data_dir: Path):
    examples = speech_of_the_default_model(data_dir)
    counts = Counter(e.corpus for e in examples)
    # RAVDESS lists one recording twice; EmoDB's 81 bored clips have no class among the seven.
    assert counts == {"ravdess": 1200 - 1, "nemo": 4481, "emodb": 535 - 81}
    nemo = Counter(e.emotions[0] for e in examples if e.corpus == "nemo")
    assert nemo == dict(neutral=809, sadness=769, happiness=749, anger=749, fear=736, surprise=669)


def test_text_corpora_have_their_official_sizes(data_dir: Path):
    text = data_dir / "text"
    sizes = {
        read_goemotions(text / "goemotions"): (43_410, 5_426, 5_427),
        read_emobank(text / "emobank"): (8_062, 1_000, 1_000),
        read_semeval_ei(text / "semeval2018_ei"): (7_102, 1_464, 0),
    }
    for dataset, size in sizes.items():
        counts = Counter(dataset["split"])
        assert tuple(counts[split] for split in ("train", "validation", "test")) == size
        assert len(set(dataset["id"])) == len(dataset)


def test_every_dataset_has_the_schema_and_labels_of_the_house(data_dir: Path, ravdess: Dataset):
    emodb = read_emodb(data_dir / "corpora" / "emodb" / "crop_2s")
    for dataset in (ravdess, emodb):
        assert dataset.features == FEATURES
        assert len(set(dataset["id"])) == len(dataset)
        assert {label for labels in dataset["emotion"] for label in labels} <= set(EMOTIONS)
        assert all(Path(audio["path"]).is_file() and audio["bytes"] is None for audio in dataset["audio"])


def test_streaming_gives_the_same_rows(ravdess: Dataset):
    stream = ravdess.to_iterable_dataset()
    assert isinstance(stream, IterableDataset)
    assert list(stream) == list(ravdess)


def test_ravdess_keeps_calm_only_in_eight_classes(data_dir: Path, ravdess: Dataset):
    folder = data_dir / "corpora" / "ravdess"
    eight = read_ravdess(folder, classes=8, partial=True, keep_duplicate=True)
    counts = Counter(label for labels in eight["emotion"] for label in labels)
    assert len(eight) == 1200 and counts["calm"] == 160 and counts["neutral"] == 80
    assert Counter(labels[0] for labels in ravdess["emotion"])["neutral"] == 240
    assert set(ravdess.filter(lambda row: row["split"] == "test")["speaker"]) == {"ravdess/06"}
    intensities = Counter(None if x is None else round(x, 3) for x in ravdess["intensity"])
    assert intensities == {None: 240, 0.4: 479, 1.0: 480}


def test_a_corpus_that_is_half_there_says_what_is_missing(data_dir: Path):
    with pytest.raises(DataError, match=r"1200 of 1440 clips: missing Actor_04 \(all 60\), Actor_10"):
        read_ravdess(data_dir / "corpora" / "ravdess")


def test_splits_name_only_speakers_that_are_there(data_dir: Path):
    nemo = data_dir / "corpora" / "nemo"
    with pytest.raises(DataError, match=r"no speaker 'IC9'.*it has EB0, IC0"):
        read_nemo(nemo, {"test": ["IC9"]})
    with pytest.raises(DataError, match=r"no split 'tets'; did you mean 'test'"):
        read_nemo(nemo, {"tets": ["IC0"]})
    with pytest.raises(DataError, match=r"the speaker 'IC0' twice"):
        read_nemo(nemo, {"test": ["IC0"], "validation": ["IC0"]})


def test_meld_moves_as_its_emotions_and_sentiment_say(data_dir: Path):
    meld = read_meld(data_dir / "text" / "meld")
    assert Counter(meld["split"]) == {"train": 9_989, "validation": 1_109, "test": 2_610}
    assert len({d for d, s in zip(meld["dialogue_id"], meld["split"], strict=True) if s == "test"}) == 280
    assert not any("\x92" in text for text in meld["text"])
    for split, rate in (("train", 0.558), ("validation", 0.557), ("test", 0.538)):  # DATA.md's base rates
        changes = [c for c, s in zip(meld["change"], meld["split"], strict=True) if s == split]
        known = [c for c in changes if c is not None]
        assert sum(c != "none" for c in known) / len(known) == pytest.approx(rate, abs=5e-4)
        assert 0.28 <= changes.count(None) / len(changes) <= 0.31
        assert set(known) == {"none", "worse", "better", "lateral"}


def test_melds_change_is_null_exactly_on_a_speakers_first_turn(data_dir: Path):
    seen: set[tuple[str | None, str | None]] = set()
    for example in examples_of(read_meld(data_dir / "text" / "meld")):
        key = (example.dialogue_id, example.speaker)
        assert (example.change is None) == (key not in seen)
        seen.add(key)
