"""Corpora are read whole, with speakers that never cross splits."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from mmser.data import read_emodb, read_goemotions, read_meld
from mmser.errors import MmserError
from mmser.training.default_model import Plan, read_speech

pytestmark = pytest.mark.data
CONFIG = Path(__file__).parents[2] / "configs" / "default.yaml"


def test_speakers_never_cross_splits(data_dir: Path):
    examples = read_speech(data_dir, Plan(**yaml.safe_load(CONFIG.read_text())))
    splits: dict[str, set[str]] = {}
    for example in examples:
        splits.setdefault(str(example.speaker), set()).add(example.split)
    assert all(len(s) == 1 for s in splits.values())
    assert Counter(e.split for e in examples).keys() == {"train", "validation", "test"}
    assert len(splits) == 20 + 9 + 10


def test_counts_are_the_publishers(data_dir: Path):
    examples = read_speech(data_dir, Plan(**yaml.safe_load(CONFIG.read_text())))
    counts = Counter(e.corpus for e in examples)
    # RAVDESS lists one recording twice; EmoDB's 81 bored clips have no class among the seven.
    assert counts == {"ravdess": 1200 - 1, "nemo": 4481, "emodb": 535 - 81}
    nemo = Counter(e.emotions[0] for e in examples if e.corpus == "nemo")
    assert nemo == dict(neutral=809, sadness=769, happiness=749, anger=749, fear=736, surprise=669)


def test_text_corpora_have_their_official_sizes(data_dir: Path):
    comments = Counter(e.split for e in read_goemotions(data_dir / "text" / "goemotions"))
    assert comments == {"train": 43_410, "validation": 5_426, "test": 5_427}
    meld = read_meld(data_dir / "text" / "meld")
    assert Counter(e.split for e in meld) == {"train": 9_989, "validation": 1_109, "test": 2_610}
    assert len({e.dialogue_id for e in meld if e.split == "test"}) == 280


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MmserError, match=r"labels\.txt is missing"):
        read_goemotions(tmp_path)
    with pytest.raises(MmserError, match="is missing"):
        read_emodb(tmp_path / "nowhere", {})
