"""Checkpoints: whole or not there."""

from pathlib import Path

import pytest
import torch

from mmser.errors import MmserError
from mmser.training.checkpoint import digest, load_checkpoint, save_atomically, tensor_digest


def test_what_was_saved_is_what_is_loaded(tmp_path: Path):
    state = {"weights": {"a": torch.randn(3, 2), "b": torch.ones(2).half()}, "step": 4, "score": -1.5}
    save_atomically(state, tmp_path / "inner" / "one.pt")
    found = load_checkpoint(tmp_path / "inner" / "one.pt")
    assert torch.equal(found["weights"]["a"], state["weights"]["a"])  # type: ignore[index]
    assert found["weights"]["b"].dtype == torch.float16
    assert (found["step"], found["score"]) == (4, -1.5)
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["one.pt"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(share: float, tmp_path: Path):
    path = tmp_path / "one.pt"
    save_atomically({"weights": torch.randn(1000)}, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(MmserError, match=r"one\.pt is not a whole checkpoint \(.+\); remove it"):
        load_checkpoint(path)


def test_what_could_bring_code_is_refused(tmp_path: Path):
    path = tmp_path / "one.pt"
    torch.save({"path": Path("here")}, path)
    with pytest.raises(MmserError, match="is not a whole checkpoint"):
        load_checkpoint(path)
    torch.save(torch.ones(2), path)
    with pytest.raises(MmserError, match="holds no checkpoint of mmser"):
        load_checkpoint(path)


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "one.pt"
    save_atomically({"step": 1}, path)
    (tmp_path / "file").write_text("")
    with pytest.raises(MmserError, match="could not be written"):
        save_atomically({"step": 2}, tmp_path / "file" / "one.pt")
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "folder.pt" / "inside").write_text("")
    with pytest.raises(MmserError, match="could not be written"):
        save_atomically({"step": 2}, tmp_path / "folder.pt")
    assert load_checkpoint(path) == {"step": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.pt", "one.pt"]


def test_hashes_tell_values_apart_and_do_not_depend_on_order():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
    a, b = torch.zeros(2), torch.ones(2)
    assert (
        tensor_digest({"a": a, "b": b}) == tensor_digest({"b": b, "a": a}) != tensor_digest({"a": b, "b": a})
    )
