"""The card says what a training took, and of what nobody measured that it is not known."""

from dataclasses import replace
from pathlib import Path

from mmser.publishing.about import About
from mmser.publishing.training_cost import training_cost
from mmser.training.run_record import Energy, TrainingRun, write_training_run

RUN = TrainingRun(
    seconds=5400.0,
    stages={"joint": 5300.0},
    runs=2,
    uncounted="",
    device="cpu",
    processes=1,
    cpu="A processor",
    cores=4,
    threads=2,
    versions={"mmser": "0.1.0"},
    seed=3,
    configuration_sha256="0" * 64,
    cpu_energy=Energy(kwh=None, reason="this machine has no energy counters that can be read"),
    gpu_energy=None,
)


def test_the_time_is_the_records_and_unmeasured_energy_says_why(tmp_path: Path):
    write_training_run(RUN, tmp_path)
    assert training_cost(tmp_path, About()) == (
        "Training took 1.5 h, in 2 runs on cpu (A processor, 4 cores, 1 process of 2 threads), seed 3; "
        "`training_run.json` has it by stage. The energy of CPUs was not measured: this machine has no "
        "energy counters that can be read."
    )


def test_measured_energy_is_told_of_cpus_and_gpus(tmp_path: Path):
    run = replace(RUN, seconds=120.0, runs=1, cpu_energy=Energy(kwh=0.0123), gpu_energy=Energy(kwh=1.5))
    write_training_run(run, tmp_path)
    told = training_cost(tmp_path, About())
    assert told.startswith("Training took 2.0 min on cpu (")
    assert "The CPUs took 0.0123 kWh, other programs' share included. The GPUs took 1.5 kWh" in told


def test_without_a_record_only_what_the_publisher_says_is_told(tmp_path: Path):
    assert training_cost(tmp_path, About()) == "Neither the time nor the energy of its training was recorded."
    assert training_cost(tmp_path, About(training="an afternoon")) == "Its energy was not measured."
    assert training_cost(tmp_path, About(energy_kwh=2)) == "Energy, as its publisher measured it: 2 kWh."
