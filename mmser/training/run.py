"""One training from a configuration: data, guard, model, stages, calibration, the saved model."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from datasets import Dataset, disable_progress_bars
from transformers.utils import logging as transformers_logging

from mmser.data import LICENCES, examples_of, joint_licence, require_commercial
from mmser.data.audit import require_disjoint
from mmser.errors import MmserError, UsageError
from mmser.evaluation.division.training_data import (
    TRAINING_DATA,
    joined_data,
    read_training_data,
    training_data,
    write_training_data,
)
from mmser.evaluation.feedback.recalibrated_folder import without_forced
from mmser.evaluation.sounds import each_unpacked
from mmser.loading import locate
from mmser.model import MmserModel, MmserProcessor
from mmser.training.checkpoint import digest
from mmser.training.config import STAGES, TrainingConfig
from mmser.training.joint_stage import JointStage
from mmser.training.ledger import SPENT, Ledger
from mmser.training.log import CONSOLE, say
from mmser.training.loop import fit
from mmser.training.rows import count_labelled, count_splits, load_rows, require_rows, rows_digest
from mmser.training.run_record import start_ledger, training_run, write_training_run
from mmser.training.staged import gather, round_text_weights, train_stages
from mmser.training.start import merge_adapters, prepare, start_model
from mmser.training.work import begin, forget, make_folder, require_own

HALF = ("text_encoder.", "audio.voice.layers.")  # stored as float16, to which they were rounded before
PATIENT = timedelta(hours=6)  # how long processes wait for one that prepares data for all


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training left."""

    model: Path
    mark: str | None  # what must stand beside every number of it: overlapping speakers and the like
    license: str
    rows: dict[str, int] = field(default_factory=dict)  # by split


def train(
    config: TrainingConfig,
    data: Path,
    work: Path,
    target: Path,
    *,
    restart: bool = False,
    allow_overlap: bool = False,
    skip_bad: bool = False,
    quiet: bool = False,
) -> Trained:
    """Train, and write the model to `target`.

    The data must be map-style and their files stay where they are until the end: any row is read at any
    step, so that steps can be drawn at random, shared by processes and repeated after an interruption.
    A stream from the Hub is read whole into a dataset first; what does not fit on the disk cannot be trained
    on. Beside it the disk needs room for two checkpoints a stage, each about four times the weights.

    Args:
        config: what to train on what.
        data: folder that the paths of the configuration's corpora are under.
        work: for checkpoints and metrics; a run with the same configuration goes on from there.
        target: folder for the finished model.
        restart: forget the checkpoints in `work`.
        allow_overlap: train on splits that share speakers or dialogues; the result carries the mark.
        skip_bad: leave out clips that cannot be read, counted and named, instead of refusing them.
        quiet: say nothing on the way.

    Raises:
        MmserError: if the data leak between splits, a clip is broken, a loss is not finite, or something
            cannot be read or written.
    """
    _require_stages(config)
    state = _start_processes(config, quiet)
    with start_ledger(state) as ledger:
        for folder, option in ((work, "--work"), (target, "--output")):
            make_folder(folder, option)
        require_own(target)
        dataset = load_rows(config, data, work, skip_bad=skip_bad)
        return _train_on(
            config, dataset, data, work, target, ledger, restart=restart, allow_overlap=allow_overlap
        )


def train_on(
    config: TrainingConfig,
    dataset: Dataset,
    data: Path,
    work: Path,
    target: Path,
    *,
    restart: bool = False,
    allow_overlap: bool = False,
    quiet: bool = False,
) -> Trained:
    """Train on rows that are already read, such as those of one fold of a protocol; see `train`.

    Args:
        config: how to train; its `data` gives the corpora's shares alone.
        dataset: map-style, with `FEATURES` and splits.
        data: folder that the rows' paths are under.
        work: for checkpoints and metrics.
        target: folder for the finished model.
        restart: forget the checkpoints in `work`.
        allow_overlap: train on splits that share speakers or dialogues.
        quiet: say nothing on the way.

    Raises:
        MmserError: as `train` does.
    """
    _require_stages(config)
    state = _start_processes(config, quiet)
    with start_ledger(state) as ledger:
        return _train_on(
            config, dataset, data, work, target, ledger, restart=restart, allow_overlap=allow_overlap
        )


def _train_on(
    config: TrainingConfig,
    dataset: Dataset,
    data: Path,
    work: Path,
    target: Path,
    ledger: Ledger,
    *,
    restart: bool,
    allow_overlap: bool,
) -> Trained:
    """Train on rows that are already read, and enter in a ledger what it takes."""
    state = PartialState()
    for folder, option in ((work, "--work"), (target, "--output")):
        make_folder(folder, option)
    require_own(target)
    require_rows(dataset)
    own_mark = require_disjoint(dataset, allow_overlap=allow_overlap)
    _require_validation(config, dataset)
    model, processor = start_model(config.model, config.seed)
    licence = _licence(config, model, dataset)
    # What the model was begun with stands beside its numbers for good.
    mark = _joined("; ", without_forced(model.config.training_mark), own_mark)
    model.config.weights_license, model.config.training_mark = licence, mark
    prepare(model, config.model)
    material = (
        gather(config, examples_of(dataset), model.config.text_languages) if _is_staged(config) else None
    )
    if state.is_main_process:
        if restart:  # not before all that is asked for was found to be possible
            forget(work, STAGES)
            (work / SPENT).unlink(missing_ok=True)
        plan = _plan(config, dataset, data)
        begin(work, plan, STAGES)
        ledger.open(work, digest(plan))
    state.wait_for_everyone()
    if material is not None:
        train_stages(model, processor, material, config, work, ledger)
    if config.joint is not None:
        ledger.at("joint")
        _train_joint(model, processor, dataset, config, work)
    ledger.at("save")
    if state.is_main_process:
        save_model(model.eval().cpu(), processor, target)
        _write_seen(config, dataset, target)
        write_training_run(training_run(config, ledger.enter(), state), target)
    state.wait_for_everyone()
    return Trained(model=target, mark=mark or None, license=licence, rows=count_splits(dataset))


def _write_seen(config: TrainingConfig, dataset: Dataset, target: Path) -> None:
    """Write what the model has seen, so that no evaluation scores it on that."""
    seen = training_data(each_unpacked(dataset))
    if config.model.start_from is not None:
        before = None if config.model.start_from == "default" else config.model.start_from
        known = read_training_data(locate(before)[1])
        if known is None:  # half of what it has seen would pass for all
            (target / TRAINING_DATA).unlink(missing_ok=True)
            return
        seen = joined_data(known, seen)
    write_training_data(seen, target)


def _require_stages(config: TrainingConfig) -> None:
    if not stage_names(config):
        raise UsageError(f"the configuration trains nothing; give one of {', '.join(STAGES)}")


def _start_processes(config: TrainingConfig, quiet: bool) -> PartialState:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        value = os.environ.get(name)
        # -1 is what some launchers set for "alone".
        if value and not (value.isdecimal() or (name == "LOCAL_RANK" and value == "-1")):
            raise UsageError(
                f"the environment variable {name} is {value!r}, where torchrun sets a whole number from 0; "
                "unset it, or start the command by torchrun or accelerate launch"
            )
    # Several processes all train on one kind of device, and some stages are on the CPU alone.
    cpu = not torch.cuda.is_available() or (_is_staged(config) and "RANK" in os.environ)
    state = PartialState(cpu=cpu, timeout=PATIENT) if "RANK" in os.environ else PartialState(cpu=cpu)
    CONSOLE.quiet = quiet or not state.is_main_process
    # What libraries show of their own steps says nothing of the training.
    disable_progress_bars()
    transformers_logging.disable_progress_bar()
    return state


def _is_staged(config: TrainingConfig) -> bool:
    return any(name != "joint" for name in stage_names(config))


def _plan(config: TrainingConfig, dataset: Dataset, data: Path) -> dict[str, Any]:
    """Return what decides how a training goes; what it is called and where it is written do not."""
    about = config.model_dump(mode="json", include={"seed", "model", *STAGES})
    return about | {"data": {"rows": rows_digest(dataset, data), "shares": config.shares()}}


def _train_joint(
    model: MmserModel, processor: MmserProcessor, dataset: Dataset, config: TrainingConfig, work: Path
) -> None:
    assert config.joint is not None
    new = config.model.start_from is None and not _is_staged(config)
    stage = JointStage(model, processor, dataset, config.joint, config.shares(), fit_functionals=new)
    with contextlib.closing(stage):
        fit(stage, config.joint, work, seed=config.seed, about=config.model.model_dump(mode="json"))
        merge_adapters(model)
        round_text_weights(model)
        if stage.examples["validation"]:
            stage.calibrate()
        else:
            say("there are no validation rows: the model's probabilities are not calibrated")


def _require_validation(config: TrainingConfig, dataset: Dataset) -> None:
    rows = count_splits(dataset).get("validation", 0)
    if count_labelled(dataset, "validation"):
        return
    for name in stage_names(config):
        stage = getattr(config, name)
        wanted = [option for option in ("patience", "keep_best") if getattr(stage, option)]
        if wanted or name == "fusion":
            why = f"{name}.{wanted[0]}" if wanted else "the stage fusion"
            if rows:
                raise MmserError(
                    f"{why} needs labelled validation rows, and none of the {rows} carries an emotion, an "
                    "intensity or a change; label some, or choose other validation speakers"
                )
            raise MmserError(
                f"{why} needs validation rows, and the data have none; name validation speakers under "
                "`splits`, or fill the column split"
            )


def _licence(config: TrainingConfig, model: MmserModel, dataset: Dataset) -> str:
    """Return the licence of the weights: what the configuration says, or the terms of all they come from.

    Raises:
        UsageError: if commercial use is wanted and one of them forbids it.
    """
    names = sorted(set(dataset["corpus"]))
    before = model.config.weights_license if config.model.start_from is not None else ""
    if config.commercial_only:
        require_commercial(names)
        open_terms = {licence.name for licence in LICENCES.values() if licence.commercial}
        closed = [terms for terms in before.split(" AND ") if terms and terms not in open_terms]
        if closed:
            raise UsageError(
                f"commercial_only is set, and the model in model.start_from is under {', '.join(closed)}; "
                "start from encoders, or from a model that allows commercial use"
            )
    if config.license:
        return config.license
    return _joined(" AND ", before, joint_licence(names))


def _joined(separator: str, *texts: str | None) -> str:
    """Return the parts of all texts, each once."""
    parts = [part for text in texts if text for part in text.split(separator)]
    return separator.join(dict.fromkeys(parts))


def save_model(model: MmserModel, processor: MmserProcessor, target: Path) -> None:
    """Write the model with its text encoder stored as float16; every loader computes in float32.

    What stood in the folder before stays until all files are written.

    Raises:
        MmserError: if it cannot be written.
    """
    state: dict[str, Any] = {
        name: value.half() if name.startswith(HALF) else value for name, value in model.state_dict().items()
    }
    for encoder in (model.config.text_config, model.config.audio_config):
        # Where it lay on this machine is nobody's business; an id on the Hub stays.
        if encoder is not None and Path(encoder.name_or_path).exists():
            encoder.name_or_path = ""
    half_done = target.parent / f".{target.name}.{os.getpid()}.tmp"
    try:
        model.save_pretrained(half_done, state_dict=state)
        processor.save_pretrained(half_done)
        # transformers writes the weights readable by their owner alone.
        (half_done / "model.safetensors").chmod(0o644)
        target.mkdir(parents=True, exist_ok=True)
        for path in half_done.iterdir():
            # Or what was replaced before it would be another model's.
            if (target / path.name).is_dir():
                raise IsADirectoryError(f"{path.name} there is a folder: take it away")
        for path in sorted(half_done.iterdir()):
            path.replace(target / path.name)
    # safetensors and tokenizers tell of a full disk each in a class of their own.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:100]
        raise MmserError(
            f"the model could not be written to {target} ({reason}); the work folder keeps the trained "
            "stages: make room and run the same command again"
        ) from error
    finally:
        shutil.rmtree(half_done, ignore_errors=True)


def stage_names(config: TrainingConfig) -> Sequence[str]:
    """Return the stages that a configuration runs, in order."""
    return [stage for stage in STAGES if getattr(config, stage)]
