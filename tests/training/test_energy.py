"""Energy counters in made folders, as Linux shows them."""

import sys
from pathlib import Path

import pytest

from mmser.training.energy import NO_COUNTERS, Meter, cpu_counters, gpu_counters


def zone(root: Path, number: str, name: str, microjoules: int, wraps_at: int = 1_000_000_000) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{wraps_at}\n")
    return folder / "energy_uj"


def test_packages_and_their_memory_count_once_each(tmp_path: Path):
    counted = [zone(tmp_path, "0", "package-0", 5_000_000), zone(tmp_path, "1", "package-1", 7_000_000)]
    counted.append(zone(tmp_path, "0:1", "dram", 1_000_000))
    # A package holds its cores, and the board its packages.
    others = [zone(tmp_path, "0:0", "core", 2_000_000), zone(tmp_path, "2", "psys", 90_000_000)]
    others.append(zone(tmp_path, "2:0", "dram", 3_000_000))
    meter = Meter(cpu_counters(tmp_path))
    for path, joules in zip([*counted, *others], (8, 8, 3, 50, 500, 50), strict=True):
        path.write_text(f"{joules * 1_000_000}\n")
    assert meter.take() == pytest.approx(3 + 1 + 2)
    assert meter.take() == 0


def test_a_counter_that_begins_again_loses_nothing(tmp_path: Path):
    path = zone(tmp_path, "0", "package-0", 990_000_000)
    meter = Meter(cpu_counters(tmp_path))
    path.write_text("20000000")
    assert meter.take() == pytest.approx(10 + 20)


@pytest.mark.parametrize("content", [None, "words", ""])
def test_without_counters_that_can_be_read_it_is_said(content: str | None, tmp_path: Path):
    if content is not None:
        zone(tmp_path, "0", "package-0", 0).write_text(content)
    with pytest.raises(OSError, match=NO_COUNTERS):
        cpu_counters(tmp_path)


def test_a_counter_that_is_gone_is_told(tmp_path: Path):
    path = zone(tmp_path, "0", "package-0", 0)
    meter = Meter(cpu_counters(tmp_path))
    path.unlink()
    with pytest.raises(OSError):
        meter.take()


def test_without_pynvml_a_gpu_is_not_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(OSError, match="pynvml, which is not installed"):
        gpu_counters(["GPU-0"])
