"""Energy by a machine's own counters: CPU packages (RAPL) and NVIDIA GPUs (NVML); nothing is estimated.

A counter is of a whole package or GPU: it counts whatever else ran there meanwhile, and not the rest of the
machine (disks, fans, losses of the power supply).
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
NO_COUNTERS = "this machine has no energy counters that can be read"


@dataclass(frozen=True)
class Counter:
    """One counter of a machine."""

    read: Callable[[], float]  # joules since some time before; raises OSError where it cannot be read
    wraps_at: float | None = None  # joules at which it begins again at 0; None = never


class Meter:
    """Adds up what some counters say.

    Args:
        counters: of different parts of one machine.

    Raises:
        OSError: here and by `take`, if one cannot be read.
    """

    def __init__(self, counters: Sequence[Counter]) -> None:
        self.counters = counters
        self._last = [counter.read() for counter in counters]

    def take(self) -> float:
        """Return the joules since the last call; a counter may have begun again once meanwhile."""
        now = [counter.read() for counter in self.counters]
        spent = 0.0
        for counter, before, after in zip(self.counters, self._last, now, strict=True):
            if after < before and counter.wraps_at is None:
                raise OSError("an energy counter went backwards")
            spent += after - before + (counter.wraps_at or 0.0 if after < before else 0.0)
        self._last = now
        return spent


def cpu_counters(root: Path = POWERCAP) -> list[Counter]:
    """Return the counters of all CPU packages and, where they have their own, of their memory.

    A package's counter holds its cores' already. Others beside it ("psys", of the whole board) would count
    it twice and are left out.

    Args:
        root: folder in which Linux shows them.

    Raises:
        OSError: if there are none, or a package's cannot be read; the message says so in words.
    """
    zones = {zone.name: zone for zone in sorted(root.glob("intel-rapl:*"))}
    found = []
    try:
        names = {name: (zone / "name").read_text().strip() for name, zone in zones.items()}
        packages = {name for name, said in names.items() if said.startswith("package")}
        for name, zone in zones.items():
            inner = names[name] == "dram" and name.rpartition(":")[0] in packages
            if name in packages or inner:
                found.append(Counter(_microjoules(zone / "energy_uj"), _number(zone / "max_energy_range_uj")))
                found[-1].read()
    except PermissionError as error:
        raise OSError("the energy counters of this machine may not be read by this user") from error
    except (OSError, ValueError) as error:
        raise OSError(NO_COUNTERS) from error
    if not found:
        raise OSError(NO_COUNTERS)
    return found


def _microjoules(path: Path) -> Callable[[], float]:
    return lambda: _number(path)


def _number(path: Path) -> float:
    """Return what a file states in millionths, in joules."""
    return int(path.read_text()) / 1e6


def gpu_counters(uuids: Sequence[str]) -> list[Counter]:
    """Return the counters of some NVIDIA GPUs, by way of pynvml.

    Args:
        uuids: of the GPUs, "GPU-…".

    Raises:
        OSError: if pynvml is not there, or a GPU has no counter; the message says so in words.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError as error:
        raise OSError("the energy of a GPU is read by pynvml, which is not installed") from error
    try:
        nvml.nvmlInit()
        found = [Counter(_millijoules(nvml, nvml.nvmlDeviceGetHandleByUUID(uuid))) for uuid in uuids]
    except nvml.NVMLError as error:
        raise OSError(f"the GPU has no energy counter that can be read ({error})") from error
    for counter in found:
        counter.read()
    return found


def _millijoules(nvml: Any, handle: Any) -> Callable[[], float]:
    def read() -> float:
        try:
            return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
        except nvml.NVMLError as error:
            raise OSError(f"the GPU has no energy counter that can be read ({error})") from error

    return read
