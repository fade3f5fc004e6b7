"""What a training configuration may say: strict YAML, every option with one home and one default."""

import inspect
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mmser.data import CorpusEntry
from mmser.errors import UsageError
from mmser.model import MmserConfig
from mmser.report.rule_text import nearest
from mmser.training.fusion_stage import FusionConfig
from mmser.training.joint_stage import JointConfig
from mmser.training.loop import LoopConfig
from mmser.training.text_stage import TextConfig
from mmser.yaml_files import NO_VALUE, first_of, problem_of, read_yaml

# What `from_encoders` sets itself, or training writes, is no option.
_SET_ELSEWHERE = (
    "self",
    "kwargs",
    "text_config",
    "audio_config",
    "audio_encoder",
    "voice_size",
    "voice_layers",
)
_WRITTEN = (
    "calibration",
    "change_offsets",
    "change_thresholds",
    "weights_license",
    "training_mark",
    "schema_version",
)
OPTIONS = tuple(
    n for n in inspect.signature(MmserConfig.__init__).parameters if n not in (*_SET_ELSEWHERE, *_WRITTEN)
)


class ConfigError(UsageError):
    """A training configuration is not valid."""


class LoraConfig(BaseModel):
    """Low-rank adapters on a pretrained encoder (Hu 2021); they are merged into the weights at the end."""

    model_config = ConfigDict(extra="forbid")
    rank: int = Field(default=8, ge=1)
    alpha: int = Field(default=16, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    encoders: list[Literal["text", "audio"]] = ["text", "audio"]


class ModelPlan(BaseModel):
    """What the model starts from."""

    model_config = ConfigDict(extra="forbid")
    text_encoder: str | None = None  # folder or Hub id of a BERT-family model
    audio_encoder: str = "cnn"  # or folder or Hub id of a wav2vec2, HuBERT or WavLM model
    voice_encoder: Path | None = None  # weights of a GE2E speaker encoder that listens beside it
    start_from: str | None = None  # folder or Hub id of an mmser model, or "default", instead of encoders
    freeze: dict[Literal["text", "audio"], Literal["all"] | int] = {}  # all, or this many lowest layers
    lora: LoraConfig | None = None
    options: dict[str, Any] = {}  # fields of MmserConfig

    @field_validator("options")
    @classmethod
    def _known(cls, options: dict[str, Any]) -> dict[str, Any]:
        for name in options:
            if name not in OPTIONS:
                hint = nearest(name, OPTIONS) or f"; they are {', '.join(OPTIONS)}"
                raise ValueError(f"the model has no option {name!r}{hint}")
        return options

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.start_from is not None:
            given = [
                n for n in ("text_encoder", "audio_encoder", "voice_encoder") if n in self.model_fields_set
            ]
            if any(getattr(self, name) is not None for name in given):
                raise ValueError(f"start_from brings its own encoders; leave out {' and '.join(given)}")
        return self


class TrainingConfig(BaseModel):
    """A whole training; a stage that is left out does not run."""

    model_config = ConfigDict(extra="forbid")
    base: str | None = None  # a configuration beside this one, of which this one holds the differences
    seed: int = Field(default=0, ge=0, lt=2**63)
    license: str | None = None  # of the weights; without it, the terms of all their data
    commercial_only: bool = False  # refuse data whose licence forbids commercial use of the weights
    data: list[CorpusEntry] = []
    model: ModelPlan = ModelPlan()
    text: TextConfig | None = None  # the text encoder on single texts
    dialogues: JointConfig | None = None  # the text encoder in dialogue: context and change, by words alone
    frames: LoopConfig | None = None  # the sound's frame encoder on single clips
    views: LoopConfig | None = None  # how clips are heard in calls
    fusion: FusionConfig | None = None  # fusion, context and change on frozen encoders, then calibration
    joint: JointConfig | None = None  # everything at once

    def shares(self) -> dict[str, float]:
        """Return the sampling weights that corpora are given, by the name in the column `corpus`."""
        return {entry.name or entry.corpus: entry.share for entry in self.data if entry.share is not None}


_LENGTHS = {"steps": "epochs", "epochs": "steps"}  # each in place of the other
STAGES = ("text", "dialogues", "frames", "views", "fusion", "joint")


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a configuration with its bases and overrides.

    Args:
        path: a YAML file.
        overrides: "key=value" with dotted keys, such as "joint.steps=50"; values are YAML. Steps replace
            the epochs of the file, and the other way round.

    Raises:
        ConfigError: if a file cannot be read, a key is unknown (the nearest is named) or a value is wrong.
    """
    values = _read_yaml(Path(path), ())
    given = [override.partition("=")[0] for override in overrides]
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"{override!r} is no override; write key=value, such as joint.steps=50")
        if key == "base":
            raise ConfigError(f"{override!r} comes too late: a configuration's base stands in its own file")
        try:
            read = yaml.safe_load(value)
        except (yaml.YAMLError, RecursionError, *NO_VALUE) as error:
            raise ConfigError(f"the value in {override!r} is not valid YAML") from error
        _put(values, key.split("."), read)
        stage, _, length = key.rpartition(".")
        other = f"{stage}.{_LENGTHS.get(length)}"
        # The length that the file gives is what such an override replaces.
        if stage in STAGES and length in _LENGTHS and read is not None and other not in given:
            values[stage].pop(_LENGTHS[length], None)
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = first_of(error)
        raise ConfigError(f"{_source(path, overrides, first['loc'])}: {_problem(error, first)}") from error


def _read_yaml(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in above:
        raise ConfigError(f"{path}: its bases lead back to itself; leave one `base` out")
    values = read_yaml(path, "the configuration", ConfigError)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a configuration is a mapping of options such as `seed: 0`")
    base = values.pop("base", None)
    if base is None:
        return values
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base is {base!r}; give the name of a configuration beside this one")
    return _merge(_read_yaml(path.parent / base, (*above, path.resolve())), values)


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the differences put in; mappings are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old or {}, value) if both else value
    return merged


def _put(values: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = values.get(key)
        values[key] = inner if isinstance(inner, dict) else {}
        values = values[key]
    values[keys[-1]] = value


def _source(path: str | Path, overrides: Sequence[str], place: Sequence[int | str]) -> str:
    """Name what gave the value at a place: the file, an override, or both."""
    steps = [str(step) for step in place]
    for override in reversed(overrides):
        keys = override.partition("=")[0].split(".")
        if keys == steps[: len(keys)]:
            return override
        if steps == keys[: len(steps)]:
            return f"{path} with {override}"
    return str(path)


def _problem(error: ValidationError, first: Mapping[str, Any]) -> str:
    shown = _shown(first["loc"])
    if first["type"] == "extra_forbidden":
        known, last = _known_keys(TrainingConfig, first["loc"][:-1]), str(first["loc"][-1])
        return f"unknown key {shown!r}{nearest(last, tuple(known))}; the keys there are {', '.join(known)}"
    if first["type"] == "missing":
        return f"the key {shown!r} is missing"
    value = "" if isinstance(first["input"], dict) else f" (found {reprlib.repr(first['input'])})"
    # A value of one of several kinds fails as each of them.
    same = [e for e in error.errors(include_url=False) if _shown(e["loc"]) == shown]
    return f"{shown!r}{problem_of(same)}{value}"


def _shown(place: Sequence[int | str]) -> str:
    """Return a place as a user writes it, without the names that pydantic gives the kinds of a value."""
    kinds = ("[key]", "int", "str", "float", "bool")
    steps = [str(step) for step in place if step not in kinds and not str(step).startswith("literal[")]
    return ".".join(steps)


def _known_keys(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Return the keys that are allowed at a place in the configuration."""
    for step in place:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        inner = [] if field is None else _models_in(field.annotation)
        if not inner:
            break
        model = inner[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models_in(part)]
