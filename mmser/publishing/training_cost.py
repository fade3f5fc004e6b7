"""What a training took, as the card says it."""

from pathlib import Path

from mmser.publishing.about import About
from mmser.training.run_record import Energy, TrainingRun, read_training_run


def training_cost(folder: Path, about: About) -> str:
    """Return time and energy in a few sentences; what nobody measured is said to be unknown.

    Raises:
        ModelError: if the folder's training_run.json is damaged.
    """
    run = read_training_run(folder)
    told = [_time(run)] if run is not None else []
    if about.energy_kwh is not None:
        told.append(f"Energy, as its publisher measured it: {about.energy_kwh:g} kWh.")
    elif run is not None:
        told += [_energy("CPUs", run.cpu_energy)]
        told += [_energy("GPUs", run.gpu_energy)] if run.gpu_energy is not None else []
    elif about.training is not None:
        told.append("Its energy was not measured.")
    return " ".join(told) or "Neither the time nor the energy of its training was recorded."


def _time(run: TrainingRun) -> str:
    minutes = run.seconds / 60
    time = f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
    several = f", in {run.runs} runs" if run.runs > 1 else ""
    processes = f"{run.processes} processes" if run.processes > 1 else "1 process"
    return (
        f"Training took {time}{several} on {run.device} ({run.cpu}, {run.cores} cores, {processes} of "
        f"{run.threads} threads), seed {run.seed}; `training_run.json` has it by stage."
    )


def _energy(what: str, energy: Energy) -> str:
    if energy.kwh is None:
        return f"The energy of {what} was not measured: {energy.reason}."
    return f"The {what} took {energy.kwh:.3g} kWh, other programs' share included."
