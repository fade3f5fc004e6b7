"""The log of a stage: its lines, what is shown, TensorBoard."""

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from mmser.errors import MmserError
from mmser.training import log
from mmser.training.log import MetricsLog, read_metrics, track


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal shows."""
    stream = io.StringIO()
    monkeypatch.setattr(log, "CONSOLE", Console(file=stream, force_terminal=True, width=100))
    return stream


def run(folder: Path, first: int, last: int, total: int = 30) -> None:
    metrics = MetricsLog(folder, "joint", total)
    metrics.start(first)
    for step in range(first + 1, last + 1):
        metrics.step(step, {"emotion": step / 10, **({"change": 1.0} if step % 2 else {})}, 1e-3)
        if step % 15 == 0:
            metrics.flush(step)
            metrics.validated(step, {"uar": 50.0, "ccc": math.nan, "score": 50.0})
    metrics.close()


def test_a_line_is_the_mean_of_the_steps_that_had_each_loss(tmp_path: Path):
    run(tmp_path, 0, 15)
    rows = read_metrics(tmp_path / "joint.jsonl")
    assert [row["step"] for row in rows] == [10, 15, 15]
    assert rows[0] == {"step": 10, "emotion": 0.55, "change": 1.0, "loss": 1.55, "learning_rate": 1e-3}
    assert rows[2] == {"step": 15, "validation_uar": 50.0, "validation_ccc": None, "validation_score": 50.0}


def test_every_line_is_strict_json(tmp_path: Path):
    run(tmp_path, 0, 15)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for line in (tmp_path / "joint.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=refuse)


@pytest.mark.parametrize("killed_at", [16, 20, 29])
def test_what_will_be_repeated_is_taken_out(killed_at: int, tmp_path: Path):
    run(tmp_path / "whole", 0, 30)
    run(tmp_path / "cut", 0, killed_at)
    with (tmp_path / "cut" / "joint.jsonl").open("a") as file:
        file.write('{"step": 2')
    run(tmp_path / "cut", 15, 30)
    logs = [(tmp_path / name / "joint.jsonl").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_terminal_gets_a_bar_with_what_is_left(tmp_path: Path, shown: io.StringIO):
    run(tmp_path, 0, 30)
    assert "━" in shown.getvalue() and "30/30" in shown.getvalue() and "0:00:" in shown.getvalue()
    assert "step 30: validation uar 50" in shown.getvalue()


def test_a_file_gets_lines_and_no_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run(tmp_path, 0, 30)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "joint: step 15: validation uar 50, ccc nan, score 50",
        "joint: step 30 of 30, loss 3.800, 0:00 left",
        "joint: step 30: validation uar 50, ccc nan, score 50",
    ]


def test_a_pass_over_clips_tells_a_file_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr("mmser.training.log.SPOKEN_EVERY", 0.0)
    with track(3, "clips") as advance:
        for _ in range(3):
            advance()
    said = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in said] == [f"clips: {n} of 3" for n in (1, 2, 3)]


def test_quiet_says_nothing(tmp_path: Path, shown: io.StringIO, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log.CONSOLE, "quiet", True)
    run(tmp_path, 0, 30)
    with track(3, "clips") as advance:
        advance()
    assert shown.getvalue() == ""


def test_other_processes_neither_write_nor_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    metrics = MetricsLog(tmp_path, "joint", 1, main=False)
    metrics.start(0)
    metrics.step(1, {"emotion": 1.0}, 1e-3)
    metrics.flush(1)
    metrics.validated(1, {"score": 1.0})
    metrics.close()
    assert not list(tmp_path.iterdir()) and capsys.readouterr().err == ""


def test_tensorboard_has_the_same_curves(tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(tmp_path, 0, 15)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / "joint"))
    events.Reload()
    assert [(e.step, round(e.value, 3)) for e in events.Scalars("loss")] == [(10, 1.55), (15, 2.3)]
    assert [e.value for e in events.Scalars("validation_uar")] == [50.0]


def test_tensorboard_forgets_what_is_trained_again(tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(tmp_path, 0, 15)
    run(tmp_path, 10, 20)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / "joint"))
    events.Reload()
    assert [e.step for e in events.Scalars("loss")] == [10, 15]  # and not 15 twice


def test_a_disk_that_fills_under_tensorboard_is_an_error_in_a_sentence(tmp_path: Path):
    pytest.importorskip("tensorboard")
    metrics = MetricsLog(tmp_path, "joint", 10)
    metrics.start(0)
    metrics._board._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    metrics._board._records._writer = metrics._board._file
    with pytest.raises(
        MmserError, match=r"cannot write training metrics .* \(No space left on device\); make"
    ):
        metrics.validated(1, {"score": 1.0})
    metrics.close()


@pytest.mark.parametrize("damage", [b"[1]\n", b"\xff\xfe\n", b'{"loss": 1}\n', b'{"step": "a"}\n', b"3\n{\n"])
def test_damaged_lines_of_a_log_are_left_out(tmp_path: Path, damage: bytes):
    run(tmp_path, 0, 15)
    path = tmp_path / "joint.jsonl"
    whole = path.read_bytes()
    path.write_bytes(damage + whole)
    MetricsLog(tmp_path, "joint", 30).start(15)
    assert path.read_bytes() == whole


def test_a_log_that_cannot_be_written_is_an_error_in_a_sentence(tmp_path: Path):
    (tmp_path / "joint.jsonl").mkdir()
    with pytest.raises(MmserError, match=r"cannot write training metrics to .*joint\.jsonl"):
        run(tmp_path, 0, 15)


def test_a_full_disk_is_an_error_in_a_sentence(tmp_path: Path):
    metrics = MetricsLog(tmp_path, "joint", 10)
    metrics.start(0)
    metrics.path = Path("/dev/full")
    with pytest.raises(MmserError, match=r"No space left on device.*make room"):
        metrics.validated(1, {"score": 1.0})
