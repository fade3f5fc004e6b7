"""The model's configuration: architecture, labels, calibration and abstention."""

from typing import Any

from transformers import AutoConfig, BertConfig, PretrainedConfig, Wav2Vec2Config

SCHEMA_VERSION = 1
EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
ROLES = ("agent", "customer", "system", "unknown")
DIRECTIONS = ("worse", "better", "lateral")
PATTERNS = ("fused", "audio", "text")  # which modalities an utterance has


class MmserConfig(PretrainedConfig):
    """Configuration of `MmserModel`.

    Args:
        text_config: configuration of any BERT-family encoder, as an object or a dict.
        audio_encoder: "cnn" (log-mel inside the model) or "wav2vec2" (any model of the family).
        audio_config: configuration of the wav2vec2-family encoder; unused for "cnn".
        audio_size: width of the audio branch.
        voice_size: width of the pretrained speaker encoder that listens beside the audio encoder; 0 = none.
        voice_layers: its recurrent layers.
        functional_size: width of what the functionals give to the view of an utterance, the frames give
            half of audio_size; 0 = as much as the frames.
        fusion_size: width of cross-attention and context.
        embedding_size: width of the learned part of the vector that the speaker baseline compares.
        context_size: how many earlier utterances of the dialogue an utterance attends to.
        history_weight: share of the view against the speaker's earlier utterances, in [0, 1]; the
            rest is the view as a first turn.
        max_seconds: longest audio of one utterance, in seconds.
        max_text_tokens: longest text of one utterance, in tokens.
        text_languages: ISO 639-1 codes that the text encoder reads.
        head_dropout: in either half of the audio branch's view of an utterance; of its input, half as much.
        modality_dropout: chance in training that an utterance with both modalities loses one.
        calibration: temperature by task and modality pattern: "emotion.fused", "emotion.audio",
            "emotion.text", "change.fused", "change.audio", "change.text".
        change_offsets: taken from the logit of change before its temperature, by pattern (Platt 1999).
        abstain_below: calibrated confidence under which the model abstains, in [0, 1].
        abstain_opposed: P(words and voice oppose each other) over which it abstains as well, in [0, 1].
        change_thresholds: P(shift) from which a shift is reported, in [0, 1], by pattern.
        intensity_thresholds: where low ends and where medium ends, in [0, 1].
        weights_license: licence of the weights.
        training_mark: what must stand beside every number of it, such as overlapping speakers.

    Raises:
        ValueError: if the audio encoder is unknown or the schema version is newer than this code.
    """

    model_type = "mmser"
    sub_configs = {"text_config": AutoConfig, "audio_config": AutoConfig}  # noqa: RUF012 - transformers' form

    def __init__(
        self,
        text_config: PretrainedConfig | dict[str, Any] | None = None,
        audio_encoder: str = "cnn",
        audio_config: PretrainedConfig | dict[str, Any] | None = None,
        audio_size: int = 128,
        cnn_channels: tuple[int, ...] | list[int] = (24, 32, 64, 96),
        cnn_layers: int = 1,
        cnn_heads: int = 4,
        voice_size: int = 0,
        voice_layers: int = 3,
        functional_size: int = 0,
        fusion_size: int = 128,
        fusion_heads: int = 4,
        embedding_size: int = 64,
        context_size: int = 8,
        history_weight: float = 0.5,
        max_seconds: float = 20.0,
        max_text_tokens: int = 128,
        text_languages: tuple[str, ...] | list[str] = ("en",),
        dropout: float = 0.1,
        head_dropout: float = 0.3,
        modality_dropout: float = 0.2,
        calibration: dict[str, float] | None = None,
        abstain_below: float = 0.4,
        abstain_opposed: float = 1.0,
        change_offsets: dict[str, float] | None = None,
        change_thresholds: dict[str, float] | None = None,
        intensity_thresholds: tuple[float, float] | list[float] = (0.5, 0.75),
        weights_license: str = "",
        training_mark: str = "",
        schema_version: int = SCHEMA_VERSION,
        **kwargs: Any,
    ) -> None:
        if schema_version > SCHEMA_VERSION:
            raise ValueError(
                f"this model has schema version {schema_version}, and this code reads up to "
                f"{SCHEMA_VERSION}: update mmser"
            )
        if audio_encoder not in ("cnn", "wav2vec2"):
            raise ValueError(f"audio_encoder is {audio_encoder!r}; allowed: 'cnn', 'wav2vec2'")
        self.text_config = _sub_config(text_config, BertConfig)
        self.audio_encoder = audio_encoder
        self.audio_config = None if audio_encoder == "cnn" else _sub_config(audio_config, Wav2Vec2Config)
        self.audio_size = audio_size
        self.cnn_channels = list(cnn_channels)
        self.cnn_layers = cnn_layers
        self.cnn_heads = cnn_heads
        self.voice_size = voice_size
        self.voice_layers = voice_layers
        self.functional_size = functional_size
        self.fusion_size = fusion_size
        self.fusion_heads = fusion_heads
        self.embedding_size = embedding_size
        self.context_size = context_size
        self.history_weight = history_weight
        self.sampling_rate = 16_000
        kwargs.pop("sampling_rate", None)
        self.max_seconds = max_seconds
        self.max_text_tokens = max_text_tokens
        self.text_languages = list(text_languages)
        self.dropout = dropout
        self.head_dropout = head_dropout
        self.modality_dropout = modality_dropout
        temperatures = dict(calibration or {})
        change = temperatures.pop("change", 1.0)  # schema 1 before it knew patterns
        self.calibration = {
            **{f"emotion.{pattern}": 1.0 for pattern in PATTERNS},
            **{f"change.{pattern}": change for pattern in PATTERNS},
            **temperatures,
        }
        self.change_offsets = {**dict.fromkeys(PATTERNS, 0.0), **(change_offsets or {})}
        self.abstain_below = abstain_below
        self.abstain_opposed = abstain_opposed
        self.change_thresholds = {**dict.fromkeys(PATTERNS, 0.5), **(change_thresholds or {})}
        self.intensity_thresholds = list(intensity_thresholds)
        self.weights_license = weights_license
        self.training_mark = training_mark
        self.schema_version = schema_version
        kwargs.setdefault("id2label", dict(enumerate(EMOTIONS)))
        kwargs.setdefault("label2id", {label: i for i, label in enumerate(EMOTIONS)})
        super().__init__(**kwargs)

    @property
    def view_size(self) -> int:
        """Return the width of the view of an utterance's sound: what its frames and functionals give."""
        frames = self.audio_size // 2
        return frames + (self.functional_size or self.audio_size - frames)

    @property
    def num_classes(self) -> int:
        """Return the number of emotion classes."""
        return len(self.id2label or {})

    @property
    def neutral(self) -> int | None:
        """Return the index of the class "neutral", if there is one."""
        return next((int(i) for i, label in (self.id2label or {}).items() if label == "neutral"), None)


def _sub_config(
    value: PretrainedConfig | dict[str, Any] | None, default: type[PretrainedConfig]
) -> PretrainedConfig:
    if value is None:
        return default()
    if isinstance(value, dict):
        value = dict(value)
        return AutoConfig.for_model(value.pop("model_type", default.model_type), **value)
    return value
