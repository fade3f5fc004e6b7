"""One recording in two parts of a fold is a leak, however it was encoded."""

from pathlib import Path

import pytest

from mmser.data import Example
from mmser.errors import LeakingSplitError
from mmser.evaluation.division.folds import Division, Fold, require_clean
from mmser.evaluation.division.near_copies import near_copies
from mmser.evaluation.sounds import Sounds
from mmser.progress import ignore_progress
from tests.evaluation.clips_encoded_anew import encoded_anew


def division_of(train: list[Example], test: list[Example]) -> Division:
    fold = Fold(name="fold 1", held_out=(), train=tuple(train), validation=(), test=tuple(test))
    return Division(protocol="split", description="", split="test", seed=0, folds=(fold,), warnings=())


def found(division: Division) -> list[tuple[str, str]]:
    with Sounds() as sounds:
        pairs, told = near_copies(division, sounds, ignore_progress)
    assert told == []
    return [(one.id, other.id) for one, other in pairs]


def test_a_copy_that_was_encoded_anew_is_refused_across_parts(tmp_path: Path):
    train = encoded_anew(tmp_path, "mine")
    (tmp_path / "other").mkdir()
    copies = encoded_anew(tmp_path / "other", "mine", quality=0.5, split="test", seeds=range(3, 6))
    test = [Example(**(vars(e) | {"id": f"new-{e.id}", "speaker": f"new-{e.speaker}"})) for e in copies]
    division = division_of(train, test)
    assert found(division) == [("mine-3", "new-mine-3")]
    with Sounds() as sounds:
        pairs, _ = near_copies(division, sounds, ignore_progress)
    with pytest.raises(
        LeakingSplitError, match=r"mine/mine-3 \(train\) and mine/new-mine-3 \(test\) hold the same"
    ):
        require_clean(division.folds[0], False, pairs)
    assert "1 clip copied across splits" in str(require_clean(division.folds[0], True, pairs))


def test_nothing_is_looked_for_in_published_corpora_and_where_all_rows_are_in_one_part(tmp_path: Path):
    (tmp_path / "other").mkdir()
    twice = [*encoded_anew(tmp_path, "mine", split="test")]
    twice += [
        Example(**(vars(e) | {"id": f"new-{e.id}"}))
        for e in encoded_anew(tmp_path / "other", "mine", quality=0.5, split="test")
    ]
    assert found(division_of([], twice)) == []
    known = [Example(**(vars(e) | {"corpus": "emodb"})) for e in twice]
    assert found(division_of(known[:4], known[4:])) == []
    assert len(found(division_of(twice[:4], twice[4:]))) == 4
