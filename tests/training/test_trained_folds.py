"""Trainings on folds: where each fold's checkpoints lie."""

import unicodedata

import pytest

from mmser.training.trained_folds import folder_name


def test_folds_whose_names_look_alike_to_a_disk_share_no_folder():
    names = ["a b", "a_b", "A_b", "a/b", "..", ".", "", "/", "_", "é", unicodedata.normalize("NFD", "é")]
    names += ["x" * 300, "x" * 301, "語" * 300, "a\nb", "CON", "fold 1"]
    folders = [folder_name(name) for name in names]
    # As a disk sees them that knows neither case nor forms of one character.
    assert len({unicodedata.normalize("NFC", name).casefold() for name in folders}) == len(names)


@pytest.mark.parametrize("name", ["..", "/", "", "a/../b", "-x", "x" * 300, "語" * 300, "\0", "\udcff"])
def test_a_folder_of_any_fold_is_one_plain_short_name(name: str):
    folder = folder_name(name)
    assert folder.isascii() and 0 < len(folder) < 80
    assert folder.replace("-", "").replace("_", "").isalnum() and folder[0].isalnum()


def test_a_folder_tells_its_fold_and_is_the_same_every_time():
    assert folder_name("fold 1").startswith("fold_1-") and folder_name("fold 1") == folder_name("fold 1")
