"""What a model's config may state; with anything else, every answer would be wrong."""

import difflib
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmser.audio import SAMPLING_RATE
from mmser.errors import ModelError
from mmser.report.palette import UNCERTAIN
from mmser.transcripts.fields import language_code

NEAR = 0.8  # likeness, as difflib measures it, from which an unknown key is taken for one of ours
MIN_WINDOW, MAX_WINDOW = 1.0, 90.0  # s; shorter ones would be countless, longer ones too much at once
MIN_TOKENS = 8  # any one character fits: up to 4 byte tokens, a space, and the special ones
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.01, 100
MAX_OFFSET = 100  # of a logit
MAX_SIZE = 1 << 15  # of a layer, or of the dialogue that is looked back upon


def check_config(path: Path) -> None:
    """Refuse a config.json that is damaged, of another kind of model, or of a newer version.

    Raises:
        ModelError: naming the first thing that is wrong.
    """
    from mmser.model.configuration_mmser import SCHEMA_VERSION

    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}; fetch or train the model again") from error
    if not isinstance(config, dict) or config.get("model_type") != "mmser":
        kind = config.get("model_type") if isinstance(config, dict) else None
        raise ModelError(f"{path} describes a model of type {kind!r}, not 'mmser'; give an mmser model")
    version = config.get("schema_version", 1)
    if not _is_whole(version, 1, SCHEMA_VERSION):
        raise ModelError(
            f"the model in {path.parent} has schema version {version!r:.80}, but this mmser reads up to "
            f"{SCHEMA_VERSION}; update mmser with: pip install --upgrade mmser"
        )
    _check_keys(path, config)
    key, allowed = find_fault(config) or ("", "")
    if key:
        raise ModelError(
            f"{path} states {key} {config[key]!r:.120}, which must be {allowed}; correct it, or fetch or "
            "train the model again"
        )


def find_fault(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first key of a model's config, as JSON holds it, that is wrong, and what it must be."""
    for key, (allowed, fits) in _checks(config).items():
        if key in config and not fits(config[key]):
            return key, allowed
    return None


def _check_keys(path: Path, config: dict[str, Any]) -> None:
    """Refuse a misspelt key: it would be passed over, and the default taken in its place.

    transformers and others write keys of their own, so only what is nearly one of ours is a mistake.
    """
    from transformers import PretrainedConfig

    from mmser.model import MmserConfig

    ours = [*inspect.signature(MmserConfig.__init__).parameters, "id2label", "label2id", "sampling_rate"]
    for key in sorted(config.keys() - {*ours, *PretrainedConfig().to_dict()}):
        meant = difflib.get_close_matches(key, ours, n=1, cutoff=NEAR)
        if meant:
            raise ModelError(
                f"{path} states {key} {config[key]!r:.80}, a key that is not known; write {meant[0]} if that "
                f"is what is meant, or take {key} out"
            )


def _are_channels(value: Any) -> bool:
    """Tell whether these can be a CNN's: the first, and two blocks that shorten time."""
    return isinstance(value, list) and len(value) >= 3 and all(_is_whole(v, 1, MAX_SIZE) for v in value)


def _checks(config: Mapping[str, Any]) -> dict[str, tuple[str, Callable[[Any], bool]]]:
    """Return key → what it must be, and whether a value is; with others, every answer would be wrong."""
    from mmser.model import MmserConfig

    tasks, most = [*MmserConfig().calibration, "change"], _most_tokens(config)
    patterns = list(MmserConfig().change_offsets)
    share = ("a number from 0 to 1", lambda value: _is_number(value, 0, 1))
    size = (f"a whole number from 1 to {MAX_SIZE}", lambda value: _is_whole(value, 1, MAX_SIZE))
    size_or_none = (f"a whole number from 0 to {MAX_SIZE}", lambda value: _is_whole(value, 0, MAX_SIZE))
    sizes = ("audio_size", "cnn_layers", "fusion_size", "embedding_size")
    shares = ("dropout", "head_dropout", "functional_dropout", "modality_dropout")
    return {
        **dict.fromkeys((*sizes, "context_size", "voice_layers"), size),
        **dict.fromkeys(("voice_size", "functional_size"), size_or_none),
        # Without the CNN they are not there, whatever is stated.
        "cnn_heads": _heads_of("audio_size", config) if config.get("audio_encoder", "cnn") == "cnn" else size,
        "fusion_heads": _heads_of("fusion_size", config),
        **dict.fromkeys((*shares, "history_weight", "abstain_below", "abstain_opposed"), share),
        **dict.fromkeys(
            ("text_config", "audio_config"),
            ("an encoder's config", lambda value: value is None or isinstance(value, dict)),
        ),
        "cnn_channels": (f"three or more whole numbers from 1 to {MAX_SIZE}", _are_channels),
        "audio_encoder": ("'cnn' or 'wav2vec2'", lambda value: value in ("cnn", "wav2vec2")),
        "sampling_rate": (f"{SAMPLING_RATE}", lambda value: _is_whole(value, SAMPLING_RATE, SAMPLING_RATE)),
        "max_seconds": (
            f"a number from {MIN_WINDOW:g} to {MAX_WINDOW:g}",
            lambda value: _is_number(value, MIN_WINDOW, MAX_WINDOW),
        ),
        "max_text_tokens": (
            f"a whole number from {MIN_TOKENS} to {most}, the positions of its text encoder",
            lambda value: _is_whole(value, MIN_TOKENS, most),
        ),
        "text_languages": ("a list of language codes such as 'en' and 'de'", _are_languages),
        "id2label": (
            f"at least two different labels, numbered from 0, none of them {UNCERTAIN!r}",
            _are_labels,
        ),
        "label2id": (
            "each label of id2label with its number",
            lambda value: _are_numbers_of(value, config.get("id2label")),
        ),
        "intensity_thresholds": ("two rising numbers from 0 to 1", _are_thresholds),
        "calibration": (
            f"temperatures from {MIN_TEMPERATURE} to {MAX_TEMPERATURE} of {', '.join(tasks)}",
            lambda value: (
                isinstance(value, dict)
                and all(task in tasks for task in value)
                and all(_is_number(one, MIN_TEMPERATURE, MAX_TEMPERATURE) for one in value.values())
            ),
        ),
        "change_offsets": _by_pattern("numbers", patterns, -MAX_OFFSET, MAX_OFFSET),
        "change_thresholds": _by_pattern("numbers from 0 to 1", patterns, 0, 1),
        "weights_license": ("a text", lambda value: isinstance(value, str)),
        "training_mark": ("a text", lambda value: isinstance(value, str)),
    }


def _are_numbers_of(label2id: Any, id2label: Any) -> bool:
    """Say whether labels are numbered both ways alike; one of the two may be left out."""
    if not isinstance(id2label, dict):
        return isinstance(label2id, dict)
    meant = {label: int(number) for number, label in id2label.items() if str(number).isdecimal()}
    return isinstance(label2id, dict) and label2id == meant


def _by_pattern(what: str, patterns: list[str], low: float, high: float) -> tuple[str, Callable[[Any], bool]]:
    """Return the check of numbers by which modalities there are."""
    return (
        f"{what} of {', '.join(patterns)}",
        lambda value: (
            isinstance(value, dict)
            and all(pattern in patterns for pattern in value)
            and all(_is_number(one, low, high) for one in value.values())
        ),
    )


def _heads_of(width: str, config: Mapping[str, Any]) -> tuple[str, Callable[[Any], bool]]:
    """Return the check of a number of attention heads, which share a width out among them."""
    from mmser.model import MmserConfig

    size = config.get(width, getattr(MmserConfig(), width))
    return (
        f"a whole number from 1 to {MAX_SIZE} that divides {width}, {size!r:.20}",
        lambda value: _is_whole(value, 1, MAX_SIZE) and isinstance(size, int) and size % value == 0,
    )


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and _is_number(value, low, high)


def _are_languages(value: object) -> bool:
    # A code in another form than the one that is found in transcripts would never be met.
    return isinstance(value, list) and all(
        isinstance(code, str) and language_code(code) == code for code in value
    )


def _are_labels(value: object) -> bool:
    if not isinstance(value, dict) or not all(isinstance(label, str) and label for label in value.values()):
        return False
    numbered = {str(number) for number in range(len(value))} == set(value)
    return numbered and len(set(value.values()) - {UNCERTAIN}) == len(value) >= 2


def _are_thresholds(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return all(_is_number(one, 0, 1) for one in value) and bool(value[0] < value[1])


def _most_tokens(config: Mapping[str, Any]) -> int:
    """Return how many tokens the text encoder has positions for."""
    text = config.get("text_config")
    text = text if isinstance(text, dict) else {}
    stated = text.get("max_position_embeddings")
    positions = 512  # BERT's own default
    if isinstance(stated, int) and _is_whole(stated, MIN_TOKENS, MAX_SIZE):
        positions = stated
    # RoBERTa and its kin, whose padding token is 1, count positions from the one after it.
    return positions - 2 if text.get("pad_token_id") == 1 else positions
