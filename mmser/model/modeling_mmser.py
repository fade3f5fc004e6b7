"""The model: an audio encoder and a text encoder, fused by cross-attention, in dialogue context."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModel, PreTrainedModel

from .audio_mmser import AudioBranch, AudioFeatures
from .configuration_mmser import DIRECTIONS, PATTERNS, ROLES, MmserConfig
from .context_mmser import ChangeHead, DialogueContext, previous_of_speaker
from .dialogue_mmser import DialogueState, Layout, advance, from_table, lay_out
from .fusion_mmser import MIN_CONFIDENCE, RELATIONS, CrossFusion, mix_modalities
from .losses_mmser import joint_loss
from .output_mmser import MmserOutput, MmserPrediction
from .speaker_mmser import sums_before
from .words_mmser import WordsHead


@dataclass
class Encoded:
    """What both encoders made of each utterance; rows without a modality hold zeros."""

    audio: AudioFeatures
    tokens: Tensor  # (batch, tokens, text hidden)
    token_weight: Tensor  # confidence, 0 on padding and missing text, (batch, tokens)
    text_vector: Tensor  # (batch, text hidden)
    has_audio: Tensor  # (batch,)
    has_text: Tensor  # (batch,)

    def confidence(self) -> Tensor:
        """Return the mean confidence of each text's tokens, in [0, 1], 0 = no text, (batch,)."""
        return self.token_weight.sum(1) / (self.token_weight > 0).sum(1).clamp(min=1)


class MmserPreTrainedModel(PreTrainedModel):
    """Loading, saving and initialisation."""

    config_class = MmserConfig
    base_model_prefix = "mmser"
    main_input_name = "input_values"
    _supports_sdpa = True
    _no_split_modules: list[str] = []  # noqa: RUF012 - transformers' form


class MmserModel(MmserPreTrainedModel):
    """Emotion, intensity and change of each utterance from its sound, words and dialogue."""

    def __init__(self, config: MmserConfig) -> None:
        super().__init__(config)
        size, text_size = config.fusion_size, config.text_config.hidden_size
        self.audio = AudioBranch(config)
        # Not the type that the encoder was stored in: it is computed with everything else.
        self.text_encoder: Any = AutoModel.from_config(config.text_config, dtype=torch.get_default_dtype())
        if getattr(self.text_encoder, "pooler", None) is not None:
            self.text_encoder.pooler = None
        self.text_head = WordsHead(text_size, config.num_classes)
        self.audio_scale = nn.Parameter(torch.tensor(1.0))
        self.text_scale = nn.Parameter(torch.tensor(1.0))
        self.fusion = CrossFusion(
            config.audio_size, text_size, config.num_classes, size, config.fusion_heads, config.dropout
        )
        self.fusion_head = nn.Linear(size, config.num_classes)
        self.trust_head = nn.Linear(size, len(RELATIONS))
        self.words_prior = nn.Parameter(torch.zeros(config.num_classes))
        self.intensity_head = nn.Linear(size, 1)
        self.embed = nn.Sequential(nn.Linear(size + config.num_classes, size), nn.LayerNorm(size))
        self.context = DialogueContext(size, config.fusion_heads, config.context_size, len(ROLES))
        self.context_head = nn.Linear(2 * size, config.num_classes)
        self.context_scale = nn.Parameter(torch.tensor(1.0))  # of its say where a turn is heard, too
        self.change_head = ChangeHead(
            size, config.num_classes, len(DIRECTIONS), config.context_size, config.dropout
        )
        self.post_init()

    @classmethod
    def from_encoders(cls, audio_id: str | None, text_id: str, **config_options: Any) -> "MmserModel":
        """Start from pretrained encoders; everything else is new.

        Args:
            audio_id: path or Hub id of a wav2vec2, HuBERT or WavLM checkpoint; None = the CNN.
            text_id: path or Hub id of a BERT-family checkpoint.
            config_options: other fields of `MmserConfig`.

        The processor is `MmserProcessor(AutoTokenizer.from_pretrained(text_id))`.

        Raises:
            ValueError: if a checkpoint lacks weights of its encoder.
        """
        options = dict(config_options, text_config=AutoConfig.from_pretrained(text_id))
        if audio_id is not None:
            options |= {"audio_encoder": "wav2vec2", "audio_config": AutoConfig.from_pretrained(audio_id)}
        model = cls(MmserConfig(**options))
        text = _pretrained(text_id)
        if getattr(text, "pooler", None) is not None:
            text.pooler = None
        model.text_encoder.load_state_dict(text.state_dict())
        if audio_id is not None:
            audio = _pretrained(audio_id)
            weights = {k: v for k, v in audio.state_dict().items() if k != "masked_spec_embed"}
            model.audio.encoder.model.load_state_dict(weights)
        return model

    def encode(
        self,
        input_values: Tensor,
        audio_lengths: Tensor,
        input_ids: Tensor,
        text_mask: Tensor,
        text_confidence: Tensor,
    ) -> Encoded:
        """Run both encoders on the rows that have something for them; shapes as in `forward`."""
        has_audio, has_text = audio_lengths > 0, text_mask.any(1)
        hidden = self.config.text_config.hidden_size
        tokens = input_values.new_zeros(*input_ids.shape, hidden)
        if has_text.any():
            out = self.text_encoder(input_ids=input_ids[has_text], attention_mask=text_mask[has_text].long())
            tokens[has_text] = out.last_hidden_state.to(tokens.dtype)
        weight = text_confidence * text_mask
        # Fully doubted words still are the only words: a floor keeps them from vanishing as padding.
        weight = torch.where(text_mask.bool(), weight.clamp(min=1e-3), torch.zeros_like(weight))
        total = weight.sum(1, keepdim=True).clamp(min=1e-3)
        vector = (tokens * weight.unsqueeze(-1)).sum(1) / total
        return Encoded(
            self._encode_audio(input_values, audio_lengths, has_audio),
            tokens,
            weight,
            vector,
            has_audio,
            has_text,
        )

    def _encode_audio(self, input_values: Tensor, lengths: Tensor, has_audio: Tensor) -> AudioFeatures:
        if has_audio.all():
            return self.audio(input_values, lengths)
        size = self.config.audio_size
        vectors = input_values.new_zeros(len(lengths), self.audio.baseline.size)
        pooled = input_values.new_zeros(len(lengths), 2 * size)
        if not has_audio.any():
            frames = input_values.new_zeros(len(lengths), 0, size)
            return AudioFeatures(frames, frames[..., 0].bool(), vectors, pooled)
        some = self.audio(input_values[has_audio], lengths[has_audio])
        frames = input_values.new_zeros(len(lengths), *some.frames.shape[1:])
        mask = torch.zeros(frames.shape[:2], dtype=torch.bool, device=frames.device)
        frames[has_audio], mask[has_audio] = some.frames, some.mask
        vectors[has_audio], pooled[has_audio] = some.vectors, some.pooled
        return AudioFeatures(frames, mask, vectors, pooled)

    def forward(
        self,
        input_values: Tensor,
        audio_lengths: Tensor,
        input_ids: Tensor,
        text_mask: Tensor,
        text_confidence: Tensor | None = None,
        dialogue_ids: Tensor | None = None,
        speaker_ids: Tensor | None = None,
        role_ids: Tensor | None = None,
        positions: Tensor | None = None,
        references: Tensor | None = None,
        state: DialogueState | None = None,
        emotion_targets: Tensor | None = None,
        intensity_targets: Tensor | None = None,
        change_targets: Tensor | None = None,
        direction_targets: Tensor | None = None,
    ) -> MmserOutput:
        """Score utterances; the order of rows does not matter, `positions` does.

        Args:
            input_values: waveforms, 16 kHz, [-1, 1], (batch, samples).
            audio_lengths: samples of each row, 0 = no audio, (batch,).
            input_ids: (batch, tokens); tokens may be 0.
            text_mask: 1 on real tokens, all 0 = no text, (batch, tokens).
            text_confidence: how sure the words are, [0, 1], (batch, tokens); default 1.
            dialogue_ids: (batch,); default: each row is a dialogue of its own.
            speaker_ids: within the dialogue, (batch,); default 0.
            role_ids: index into agent, customer, system, unknown, (batch,); default unknown.
            positions: order within the dialogue, rising, (batch,); default: order of rows.
            references: True = a neutral clip that feeds the speaker baseline only, (batch,).
            state: what earlier batches left; default none. Needs `dialogue_ids`, which say whose it is.
            emotion_targets: class distribution, all 0 = unlabelled, (batch, classes).
            intensity_targets: [0, 1], NaN = unlabelled, (batch,).
            change_targets: 0 or 1, NaN = unlabelled, (batch,).
            direction_targets: class index, -100 = unlabelled, (batch,).
        """
        if state is not None and dialogue_ids is None:
            raise ValueError("a state was given without dialogue_ids, which tell whose it is; give both")
        rows = torch.arange(len(audio_lengths), device=audio_lengths.device)
        encoded = self.encode(
            input_values,
            audio_lengths,
            input_ids,
            text_mask,
            torch.ones_like(text_mask, dtype=torch.float32) if text_confidence is None else text_confidence,
        )
        keys = torch.stack(
            [
                rows if dialogue_ids is None else dialogue_ids,
                torch.zeros_like(rows) if speaker_ids is None else speaker_ids,
                torch.full_like(rows, len(ROLES) - 1) if role_ids is None else role_ids,
            ],
            1,
        )
        # Mixed precision is for the encoders: a variance told from sums of squares would be lost in it.
        with torch.autocast(input_values.device.type, enabled=False):
            output = self.converse(
                encoded,
                keys,
                rows if positions is None else positions,
                torch.zeros_like(rows).bool() if references is None else references.bool(),
                state,
            )
        targets = (emotion_targets, intensity_targets, change_targets, direction_targets)
        if any(t is not None for t in targets):
            output.loss = joint_loss(output, *targets)
        return output

    def converse(
        self,
        encoded: Encoded,
        keys: Tensor,
        positions: Tensor,
        references: Tensor,
        state: DialogueState | None,
    ) -> MmserOutput:
        """Do everything after the encoders (also used in training, on cached encodings).

        Args:
            encoded: what `encode` returned.
            keys: dialogue, speaker and role of each row, (batch, 3).
            positions: (batch,).
            references: (batch,).
            state: what earlier batches left.
        """
        if state is None:
            state = DialogueState.empty(
                self.config.fusion_size, self.audio.baseline.size, self.config.num_classes, keys.device
            )
        layout = lay_out(keys[:, 0], keys[:, 1], positions, references, state)
        sound = self._relate(encoded, layout, state)
        use_audio, use_text = self._drop_modalities(encoded)
        replies = layout.rank > 0
        by_sound = self.audio_scale * self.audio.emotion_head(sound) * encoded.has_audio.unsqueeze(1)
        by_words = self._read(encoded, replies)
        logits, hidden, opposition = self.fuse(encoded, by_sound, by_words, use_audio, use_text)
        embedding = self.embed(torch.cat([hidden, logits.softmax(-1)], 1))
        context = self.context(embedding, keys, layout, references, state)
        # What was said before bears on words; a voice is heard against its own past by the audio branch.
        told = self.context_head(torch.cat([embedding, context], 1))
        share = torch.where(use_audio, self.context_scale, 1.0) * (use_text & replies)
        logits = logits + told * share.unsqueeze(1)
        probabilities = logits.softmax(-1)
        before, p_before, distance, has_previous = previous_of_speaker(
            embedding, probabilities, layout, references, state
        )
        change, direction = self.change_head(
            embedding, before, probabilities, p_before, context, distance, use_audio
        )
        intensity = self.audio.intensity_head(sound).squeeze(1) * use_audio
        return MmserOutput(
            logits=logits,
            audio_logits=by_sound,
            text_logits=by_words,
            intensity_logits=intensity + self.intensity_head(hidden).squeeze(1),
            change_logits=change,
            direction_logits=direction,
            opposition=opposition,
            has_audio=encoded.has_audio,
            has_text=encoded.has_text,
            has_previous=has_previous & ~references,
            state=advance(
                state,
                layout,
                keys=keys,
                references=references,
                has_audio=encoded.has_audio,
                vectors=encoded.audio.vectors,
                embedding=embedding,
                probabilities=probabilities,
                context_size=self.config.context_size,
            ),
        )

    def _relate(self, encoded: Encoded, layout: Layout, state: DialogueState) -> Tensor:
        """Hear each utterance against its speaker's earlier ones, (batch, view_size)."""
        history = layout.same_speaker & encoded.has_audio[None]
        count, total, squares = sums_before(encoded.audio.vectors, history)
        row = layout.speaker_row
        related = self.audio.relate(
            encoded.audio,
            count + from_table(state.speaker_count, row),
            total + from_table(state.speaker_total, row),
            squares + from_table(state.speaker_squares, row),
        )
        return related * encoded.has_audio.unsqueeze(1)

    def _drop_modalities(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """In training, let some utterances with both modalities lose one."""
        if not self.training or self.config.modality_dropout == 0:
            return encoded.has_audio, encoded.has_text
        both = encoded.has_audio & encoded.has_text
        draw = torch.rand(len(both), device=both.device)
        drop = self.config.modality_dropout
        lose_audio = both & (draw < drop / 2)
        lose_text = both & (draw >= drop / 2) & (draw < drop)
        return encoded.has_audio & ~lose_audio, encoded.has_text & ~lose_text

    def _read(self, encoded: Encoded, replies: Tensor) -> Tensor:
        """Return emotion logits of the words alone, (batch, classes); zeros where there are none."""
        words = encoded.text_vector * encoded.has_text.unsqueeze(1)
        return (self.text_scale * encoded.confidence()).unsqueeze(1) * self.text_head(words, replies)

    def fuse(
        self, encoded: Encoded, by_sound: Tensor, by_words: Tensor, use_audio: Tensor, use_text: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return emotion logits, (batch, classes), the fused vector, (batch, fusion_size), and opposition.

        A modality alone is taken as its own head has it; with both, `mix_modalities` puts them together
        and cross-attention says how far to trust them and what the pair says beyond. Doubtful words count in
        proportion to their confidence.
        """
        audio, text = use_audio.to(by_sound.dtype), use_text.to(by_sound.dtype)
        weight = encoded.token_weight * text.unsqueeze(1)
        by_sound, by_words = by_sound * audio.unsqueeze(1), by_words * text.unsqueeze(1)
        confidence = encoded.confidence() * text
        hidden = self.fusion(
            encoded.audio.frames,
            encoded.audio.mask.to(by_sound.dtype) * audio.unsqueeze(1),
            encoded.tokens,
            weight,
            by_sound.softmax(-1) * audio.unsqueeze(1),
            by_words.softmax(-1) * text.unsqueeze(1),
        )
        prior = confidence.unsqueeze(1) * self.words_prior
        trust = self.trust_head(hidden)
        # Words that were not understood oppose nothing.
        doubt = F.pad(confidence.clamp(min=MIN_CONFIDENCE).log().unsqueeze(1), (2, 0))
        together, opposition = mix_modalities(by_sound, by_words - prior, trust + doubt, self.config.neutral)
        both = (use_audio & use_text).unsqueeze(1)
        logits = torch.where(both, together + self.fusion_head(hidden), by_sound + by_words)
        return logits, hidden, opposition * (use_audio & use_text)

    @torch.inference_mode()
    def predict(self, state: DialogueState | None = None, **batch: Any) -> MmserPrediction:
        """Return calibrated answers; arguments as `forward`."""
        return self.calibrated(self(state=state, **batch))

    def calibrated(self, out: MmserOutput) -> MmserPrediction:
        """Turn outputs into probabilities by the temperatures in the config."""
        assert out.has_audio is not None and out.has_text is not None and out.logits is not None
        assert out.audio_logits is not None and out.text_logits is not None
        assert out.intensity_logits is not None and out.opposition is not None
        assert out.change_logits is not None and out.direction_logits is not None
        temperature = self.config.calibration
        emotion = (out.logits / self._by_pattern(out, temperature, "emotion.").unsqueeze(1)).softmax(-1)
        shift = out.change_logits - self._by_pattern(out, self.config.change_offsets, "")
        return MmserPrediction(
            emotion=emotion,
            abstained=(emotion.amax(1) < self.config.abstain_below)
            | (out.opposition > self.config.abstain_opposed),
            opposition=out.opposition,
            intensity=out.intensity_logits.sigmoid(),
            change=(shift / self._by_pattern(out, temperature, "change.")).sigmoid(),
            direction=out.direction_logits.softmax(-1),
            audio_only=(out.audio_logits / temperature["emotion.audio"]).softmax(-1),
            text_only=(out.text_logits / temperature["emotion.text"]).softmax(-1),
            has_audio=out.has_audio,
            has_text=out.has_text,
            has_previous=out.has_previous,
            state=out.state,
        )

    def _by_pattern(self, out: MmserOutput, values: dict[str, float], prefix: str) -> Tensor:
        """Return the value for the modalities that each row has, (batch,)."""
        assert out.has_audio is not None and out.has_text is not None
        fused, audio, text = (values[prefix + pattern] for pattern in PATTERNS)
        one = torch.where(out.has_audio, audio, text)
        return torch.where(out.has_audio & out.has_text, fused, one)


def _pretrained(source: str) -> Any:
    """Load an encoder, none of whose weights may be missing and made up."""
    model, info = AutoModel.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
    # Neither is used here, and checkpoints of other tasks lack them.
    lacking = [n for n in info["missing_keys"] if not n.startswith("pooler.") and n != "masked_spec_embed"]
    if lacking:
        raise ValueError(f"{source} lacks {len(lacking)} weights of a {model.config.model_type} encoder")
    return model


AutoConfig.register("mmser", MmserConfig, exist_ok=True)
AutoModel.register(MmserConfig, MmserModel, exist_ok=True)
MmserConfig.register_for_auto_class()
MmserModel.register_for_auto_class("AutoModel")
