"""The model that training starts from: encoders warm or new, frozen, partly frozen or with adapters."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig

from mmser.config_checks import find_fault
from mmser.errors import MissingExtraError, MmserError, UsageError
from mmser.loading import load_model
from mmser.model import MmserConfig, MmserModel, MmserProcessor
from mmser.model.voice_mmser import load_ge2e
from mmser.quiet import quietly
from mmser.training.config import LoraConfig, ModelPlan

VOICE_SIZE, VOICE_LAYERS = 256, 3  # of the published GE2E weights


def start_model(plan: ModelPlan, seed: int) -> tuple[MmserModel, MmserProcessor]:
    """Build the model that a plan describes, and its processor.

    Raises:
        MmserError: if a checkpoint cannot be loaded, or the plan contradicts itself.
    """
    torch.manual_seed(seed)
    if plan.start_from is not None:
        source = None if plan.start_from == "default" else plan.start_from
        model, processor, _ = load_model(source)
        return _with_options(model, processor, plan.options)
    if plan.text_encoder is None:
        raise UsageError(
            "the model has no text encoder: give model.text_encoder, a folder or Hub id of a BERT-family "
            "model, or model.start_from, an mmser model"
        )
    for option, place in (("text_encoder", plan.text_encoder), ("audio_encoder", plan.audio_encoder)):
        if Path(place).is_absolute() and not Path(place).is_dir():
            raise UsageError(f"model.{option}: there is no folder {place}; give a folder or a Hub id")
    # How many tokens the text encoder takes is known when it is there.
    _check_options(MmserConfig(), {n: v for n, v in plan.options.items() if n != "max_text_tokens"})
    audio = None if plan.audio_encoder == "cnn" else plan.audio_encoder
    options = dict(plan.options)
    if plan.voice_encoder is not None:
        options |= {"voice_size": VOICE_SIZE, "voice_layers": VOICE_LAYERS}
    try:
        _require_listener(audio)
        with quietly():
            model = MmserModel.from_encoders(audio, plan.text_encoder, **options)
            tokenizer = AutoTokenizer.from_pretrained(plan.text_encoder)
        _require_vocabulary(plan.text_encoder, len(tokenizer), model.config.text_config.vocab_size)
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError, AssertionError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        given = [f"text_encoder {plan.text_encoder}", f"audio_encoder {plan.audio_encoder}"]
        given += [f"{name} {value}" for name, value in plan.options.items()]
        raise MmserError(
            f"the model cannot be started from {', '.join(given)}: {first.rstrip('.')}; give folders or Hub "
            "ids of a BERT-family and a wav2vec2-family model"
        ) from error
    config = model.config
    _check_options(config, plan.options)
    if plan.voice_encoder is not None:
        _load_voice(model, plan.voice_encoder)
    return model, MmserProcessor(tokenizer, config.sampling_rate, config.max_seconds, config.max_text_tokens)


def _require_listener(audio: str | None) -> None:
    """Refuse an encoder that does not hear waveforms.

    Raises:
        ValueError: if so.
    """
    config = None if audio is None else AutoConfig.from_pretrained(audio)
    if config is not None and not hasattr(config, "conv_kernel"):
        raise ValueError(f"{audio} is a {config.model_type} model, which hears no waveforms")


def _require_vocabulary(source: str, tokens: int, size: int) -> None:
    """Refuse a tokenizer that does not belong to its encoder, or lost a part of its vocabulary.

    Raises:
        UsageError: if so.
    """
    # Encoders are often made for some tokens more, so that the number is a round one.
    if not min(0.9 * size, size - 64) <= tokens <= size:
        raise UsageError(
            f"the tokenizer of model.text_encoder {source} knows {tokens} tokens, and its encoder {size}; "
            "take the tokenizer that was published with it"
        )


def _check_options(config: PreTrainedConfig, options: dict[str, Any]) -> None:
    """Refuse options with which the model could not run, or what is trained could not be loaded.

    Raises:
        UsageError: for the first of them; it is named.
    """
    values = json.loads(config.to_json_string(use_diff=False)) | options
    key, allowed = find_fault(values) or ("", "")
    if key:
        raise UsageError(f"model.options.{key} is {values[key]!r:.120}, which must be {allowed}; correct it")


def _with_options(
    model: MmserModel, processor: MmserProcessor, options: dict[str, Any]
) -> tuple[MmserModel, MmserProcessor]:
    """Build a trained model anew under other options, so that dropout and the like take effect.

    Raises:
        UsageError: if an option changes the shape of the weights.
    """
    if not options:
        return model, processor
    _check_options(model.config, options)
    config = MmserConfig(**(model.config.to_dict() | options))
    changed = MmserModel(config)
    try:
        changed.load_state_dict(model.state_dict())
    except RuntimeError as error:
        raise UsageError(
            f"model.options ({', '.join(options)}) asks for weights of another shape than the model in "
            "model.start_from has; leave such options out, or start from encoders"
        ) from error
    tokenizer: Any = processor.tokenizer
    return changed, MmserProcessor(
        tokenizer, config.sampling_rate, config.max_seconds, config.max_text_tokens
    )


def _load_voice(model: MmserModel, path: Path) -> None:
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        assert model.audio.voice is not None
        load_ge2e(model.audio.voice, stored.get("model_state", stored))
    # What torch raises of other files has no common class.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise MmserError(
            f"model.voice_encoder {path} holds no GE2E speaker encoder ({reason}); give the file "
            "pretrained.pt of the package Resemblyzer"
        ) from error


def prepare(model: MmserModel, plan: ModelPlan) -> None:
    """Freeze what the plan freezes and put adapters where it wants them."""
    encoders = pretrained_encoders(model)
    for name, depth in plan.freeze.items():
        if name not in encoders:
            raise UsageError(
                f"model.freeze names {name!r}, but the {name} encoder here is not a pretrained one; leave "
                "it out"
            )
        _freeze(encoders[name], depth)
    if model.audio.voice is not None:
        model.audio.voice.requires_grad_(False)
    if plan.lora is not None:
        add_adapters(model, plan.lora)
    for encoder in encoders.values():
        convolutions = getattr(encoder, "feature_extractor", None)
        if convolutions is not None and not any(p.requires_grad for p in convolutions.parameters()):
            # Or transformers would keep their activations for a gradient that nothing needs.
            convolutions._freeze_parameters()


def pretrained_encoders(model: MmserModel) -> dict[str, Any]:
    """Return the transformers models inside, by modality."""
    found = {"text": model.text_encoder}
    if not model.audio.takes_log_mel:
        found["audio"] = model.audio.encoder.model
    return found


def _freeze(encoder: nn.Module, depth: str | int) -> None:
    if depth == "all":
        encoder.requires_grad_(False)
        return
    layers = _layers(encoder)
    if not 0 <= int(depth) <= len(layers):
        raise UsageError(
            f"model.freeze asks for {depth} layers, and the encoder has {len(layers)}; give a number up to "
            'that, or "all"'
        )
    # What lies under the layers (embeddings, convolutions) rests with them.
    for name, parameter in encoder.named_parameters():
        if ".layers." not in f".{name}" and ".layer." not in f".{name}":
            parameter.requires_grad_(int(depth) == 0)
    for layer in layers[: int(depth)]:
        layer.requires_grad_(False)


def _layers(encoder: Any) -> list[nn.Module]:
    """Return the transformer layers of a BERT-family or wav2vec2-family encoder.

    Raises:
        UsageError: if they are not where such encoders hold them.
    """
    # BERT and wav2vec2 hold them in `encoder`, DistilBERT in `transformer`, ModernBERT itself.
    for inner in (getattr(encoder, name, None) for name in ("encoder", "transformer")):
        for layers in (
            getattr(encoder if inner is None else inner, name, None) for name in ("layer", "layers")
        ):
            if isinstance(layers, nn.ModuleList):
                return list(layers)
    raise UsageError(
        f"model.freeze asks for some layers of a {type(encoder).__name__}, whose layers are not known here; "
        'give "all", or leave it out'
    )


def add_adapters(model: MmserModel, config: LoraConfig) -> None:
    """Put low-rank adapters on the attention of pretrained encoders; their own weights are frozen.

    Raises:
        MissingExtraError: if peft is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise MissingExtraError("peft", "train", "training with adapters (model.lora)")
    from peft import LoraConfig as PeftConfig
    from peft import inject_adapter_in_model

    encoders = pretrained_encoders(model)
    for name in config.encoders:
        if name in encoders:  # the CNN has none, and is trained whole
            targets = _attention_names(encoders[name])
            peft = PeftConfig(
                r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=targets
            )
            encoders[name].requires_grad_(False)
            inject_adapter_in_model(peft, encoders[name])


def _attention_names(encoder: nn.Module) -> list[str]:
    """Return the last names of the query and value projections, "query" in BERT, "q_proj" in wav2vec2."""
    names = {
        name.rsplit(".", 1)[-1] for name, module in encoder.named_modules() if isinstance(module, nn.Linear)
    }
    found = [n for n in ("query", "value", "q_proj", "v_proj", "q_lin", "v_lin") if n in names]
    if not found:
        raise UsageError("model.lora: no attention projections were found in the encoder; leave its name out")
    return found


def merge_adapters(model: MmserModel) -> None:
    """Add the adapters to the weights they sit on, so that the saved model is a plain one."""
    if importlib.util.find_spec("peft") is None:
        return
    from peft.tuners.tuners_utils import BaseTunerLayer

    for encoder in pretrained_encoders(model).values():
        for name, module in list(encoder.named_modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
                parent, _, last = name.rpartition(".")
                setattr(encoder.get_submodule(parent), last, module.get_base_layer())
