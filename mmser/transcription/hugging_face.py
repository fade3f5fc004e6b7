"""The recogniser of transformers: any Whisper checkpoint in a folder, in batches."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mmser.audio import SAMPLING_RATE
from mmser.audio.files import Waveform
from mmser.errors import ModelError
from mmser.quiet import quietly
from mmser.transcription import decoding
from mmser.transcription.decoding import (
    MAX_FIRST_TIME,
    TIME_STEP,
    Decoded,
    Vocabulary,
    padded,
)
from mmser.transcription.digest import file_digest
from mmser.transcription.segments import Recognised
from mmser.transcription.spoken import Aligned, first_frames

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
SHARDS = "model.safetensors.index.json"
MULTILINGUAL_SIZE = 51865  # tokens from which on Whisper's own weights know more than English
TIMES = 1501  # tokens of times, 0.00 to 30.00 s
MIN_DEVIATION = 1e-9  # of an attention; one that is the same everywhere tells no time
SEED = 0  # of what is drawn at higher temperatures: the same sound is written down the same again


class _Encoded(NamedTuple):
    """Windows as the encoder hears them."""

    states: "torch.Tensor"  # (batch, 1500, hidden)
    first: "torch.Tensor"  # (batch, vocabulary): logits of what follows the start of a transcript


class HuggingFaceWhisper:
    """Any Whisper checkpoint in the form of transformers, several chunks at once.

    Chunks are written down greedily; one that turns out unsure or repetitive is drawn again at rising
    temperatures, by itself and from a fixed seed, so that its batch has no say. Times and confidences of
    words come from a second pass over what was written, as in openai-whisper. What a checkpoint lacks is not
    told: without `alignment_heads` in generation_config.json words have no times, without tokens for times
    all that is said in a chunk is one segment, without <|nospeech|> there is no `no_speech`.

    Args:
        name: as it was asked for.
        folder: written by `save_pretrained`; its weights are safetensors.
        device: as torch names it; on "cuda" it computes in float16.
        batch_size: chunks that are computed at once.

    Raises:
        ModelError: if the folder holds no Whisper checkpoint, or one that is damaged.
    """

    def __init__(self, name: str, folder: Path, device: str = "cpu", batch_size: int = 8) -> None:
        self.name, self.batch_size = name, batch_size
        weights = _checked(folder)
        import torch

        self.dtype = torch.float16 if torch.device(device).type == "cuda" else torch.float32
        with _loading(folder):
            self.model, self.extractor, self.tokenizer = _load(folder, self.dtype)
            self.model.to(device).eval()
        self.ids: dict[str, int] = self.tokenizer.get_vocab()
        self._read_options(folder)
        self.version = f"transformers {metadata.version('transformers')} {file_digest(weights)}"

    def knows(self, language: str) -> bool:
        """Tell whether the weights know a language."""
        return decoding.knows(self, language)

    def languages(self, waveforms: Sequence[Waveform]) -> list[dict[str, float]]:
        """Return the probability of each language in each chunk; from one step of the decoder."""
        return decoding.languages_of(self, waveforms)

    def recognise(self, waveforms: Sequence[Waveform], language: str | None) -> list[Recognised]:
        """Return what is said in each chunk.

        Raises:
            UsageError: if the weights do not know the language.
        """
        return decoding.recognise_all(self, waveforms, language)

    def encode(self, waveforms: Sequence[Waveform]) -> _Encoded:
        """Return windows of up to 30 s as the encoder hears them."""
        import torch

        features = self.extractor(
            [padded(waveform) for waveform in waveforms], sampling_rate=SAMPLING_RATE, return_tensors="pt"
        ).input_features  # (batch, mel bands, 3000)
        with torch.inference_mode():
            states = self.model.model.encoder(features.to(self.model.device, self.dtype)).last_hidden_state
            start = torch.full((len(waveforms), 1), self.start, device=states.device)
            return _Encoded(states=states, first=self._logits(states, start)[:, -1])

    def shares(self, encoded: _Encoded) -> list[dict[str, float]]:
        """Return the probability of each language in each window."""
        logits = encoded.first[:, list(self.codes.values())].float()
        return [dict(zip(self.codes, row, strict=True)) for row in logits.softmax(-1).tolist()]

    def decode(self, encoded: _Encoded, languages: Sequence[str], temperature: float) -> list[Decoded]:
        """Write down what is said in each window: greedily at 0, else drawing at that temperature."""
        import torch
        from transformers import GenerationMixin, LogitsProcessorList, WhisperTimeStampLogitsProcessor
        from transformers.modeling_outputs import BaseModelOutput

        prompts = torch.tensor([self._prompt(language) for language in languages])
        length = prompts.shape[1]
        rules: list[Any] = [_Scores()]
        if self.vocabulary.first_time is not None:
            rules.insert(0, WhisperTimeStampLogitsProcessor(self.model.generation_config, begin_index=length))
        drawing = {"temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
        devices = [encoded.states.device] if encoded.states.is_cuda else []
        with torch.inference_mode(), torch.random.fork_rng(devices), quietly():
            torch.manual_seed(SEED)
            # Whisper's own generate() would hear the silence after a short chunk, and tell no scores in time.
            written = GenerationMixin.generate(
                self.model,
                encoder_outputs=BaseModelOutput(last_hidden_state=encoded.states),
                decoder_input_ids=prompts.to(encoded.states.device),
                logits_processor=LogitsProcessorList(rules),
                max_new_tokens=self.model.config.max_target_positions // 2,
                num_beams=1,
                return_dict_in_generate=False,
                do_sample=temperature > 0,
                **drawing,
            )
        likely = rules[-1].chosen_until(written)
        silence = encoded.first.float().softmax(-1)[:, self.no_speech] if self.no_speech else None
        found = []
        for row, tokens in enumerate(written[:, length:].tolist()):
            count = tokens.index(self.vocabulary.end) if self.vocabulary.end in tokens else len(tokens)
            found.append(
                Decoded(
                    tokens=tuple(tokens[:count]),
                    log_probability=float(likely[: count + 1, row].mean()),
                    no_speech=None if silence is None else float(silence[row]),
                )
            )
        return found

    def align(
        self,
        encoded: _Encoded,
        languages: Sequence[str],
        texts: Sequence[Sequence[int]],
        seconds: Sequence[float],
    ) -> list[Aligned]:
        """Return how the tokens of each window's text lie in its sound, by where the decoder looks."""
        import torch

        prompts = [self._prompt(language, times=False) for language in languages]
        rows = [[*prompt, *text, self.vocabulary.end] for prompt, text in zip(prompts, texts, strict=True)]
        size = max(map(len, rows))
        # What is filled in lies behind the end: a decoder does not look there.
        tokens = torch.tensor([row + [self.vocabulary.end] * (size - len(row)) for row in rows])
        with torch.inference_mode(), self._looks() as looks:
            logits = self._logits(encoded.states, tokens.to(encoded.states.device)).float()
        found = []
        for row, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
            first = len(prompt) - 1  # the row that says what follows the prompt
            shares = logits[row, first : first + len(text), : self.vocabulary.end].softmax(-1)
            likely = shares[torch.arange(len(text)), list(text)].tolist()
            times = None
            if looks and text:
                heads = torch.stack([look[row, : len(rows[row])] for look in looks]).cpu().numpy()
                times = _times(heads, first, seconds[row], self.model.config.median_filter_width)
            found.append(Aligned(probabilities=tuple(likely), times=times))
        return found

    def _logits(self, states: "torch.Tensor", tokens: "torch.Tensor") -> "torch.Tensor":
        """Return logits (batch, tokens, vocabulary) of what follows each token."""
        hidden = self.model.model.decoder(input_ids=tokens, encoder_hidden_states=states, use_cache=False)
        logits: torch.Tensor = self.model.proj_out(hidden.last_hidden_state)
        return logits

    @contextlib.contextmanager
    def _looks(self) -> Iterator[list["torch.Tensor"]]:
        """Collect where the heads that tell times look, (batch, tokens, frames) each."""
        looks: list[torch.Tensor] = []
        hooks = []
        for layer in sorted({layer for layer, _ in self.heads}):
            heads = [head for number, head in self.heads if number == layer]

            def keep(_module: Any, _given: Any, answer: Any, heads: list[int] = heads) -> None:
                looks.extend(answer[1][:, head].float() for head in heads)

            attention = self.model.model.decoder.layers[layer].encoder_attn
            hooks.append(attention.register_forward_hook(keep))
        # Faster ways to attend do not tell where.
        before = self.model.config._attn_implementation
        self.model.set_attn_implementation("eager")
        try:
            yield looks
        finally:
            self.model.set_attn_implementation(before)
            for hook in hooks:
                hook.remove()

    def _prompt(self, language: str, times: bool = True) -> list[int]:
        told = [self.codes[language], self.ids["<|transcribe|>"]] if self.codes else []
        untimed = not times or self.vocabulary.first_time is None
        return [self.start, *told, *([self.untimed] if untimed and self.untimed is not None else [])]

    def _read_options(self, folder: Path) -> None:
        """Read which tokens mean what; older checkpoints state little, there Whisper's own rules hold."""
        from transformers.models.whisper.tokenization_whisper import LANGUAGES

        options, config, ids = self.model.generation_config, self.model.config, self.ids
        start, end = ids.get("<|startoftranscript|>"), ids.get("<|endoftext|>")
        starts = {config.decoder_start_token_id, options.decoder_start_token_id}
        if (
            start is None
            or start not in starts
            or end != config.eos_token_id
            or max(ids.values()) >= config.vocab_size
        ):
            raise ModelError(f"the tokenizer in {folder} does not fit the weights beside it; fetch it again")
        multilingual = getattr(options, "is_multilingual", None)
        if multilingual is None:
            multilingual = config.vocab_size >= MULTILINGUAL_SIZE
        self.codes = {code: ids[f"<|{code}|>"] for code in LANGUAGES if multilingual and f"<|{code}|>" in ids}
        self.start = ids["<|startoftranscript|>"]
        self.untimed = ids.get("<|notimestamps|>")
        self.no_speech = ids.get("<|nospeech|>", ids.get("<|nocaptions|>"))
        timed = self.untimed is not None and self.untimed + TIMES < config.vocab_size
        if timed:
            options.no_timestamps_token_id = self.untimed
            options.max_initial_timestamp_index = MAX_FIRST_TIME
        options.decoder_start_token_id = self.start
        options.eos_token_id = options.pad_token_id = ids["<|endoftext|>"]
        options.max_length = None  # `max_new_tokens` bounds it
        self.heads = [
            (layer, head)
            for layer, head in getattr(options, "alignment_heads", None) or ()
            if layer < config.decoder_layers and head < config.decoder_attention_heads
        ]
        self.vocabulary = Vocabulary(
            end=ids["<|endoftext|>"],
            first_time=self.untimed + 1 if timed and self.untimed is not None else None,
            read=self._text_of,
        )

    def _text_of(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))


class _Scores:
    """Adds up how likely each token was that was chosen: the last of the rules, so that all have spoken."""

    def __init__(self) -> None:
        self.last: torch.Tensor | None = None  # (batch, vocabulary), log-probabilities of the step
        self.chosen: list[torch.Tensor] = []  # of each step but the last, (batch,)

    def __call__(self, input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        self._choose(input_ids[:, -1])
        self.last = scores.float().log_softmax(-1)
        return scores

    def chosen_until(self, written: "torch.Tensor") -> "torch.Tensor":
        """Return log-probabilities (steps, batch) of all that was chosen, to the last of `written`."""
        import torch

        self._choose(written[:, -1])
        return torch.stack(self.chosen).cpu()

    def _choose(self, tokens: "torch.Tensor") -> None:
        if self.last is not None:
            self.chosen.append(self.last.gather(-1, tokens[:, None])[:, 0])


def _times(heads: npt.NDArray[np.float32], first: int, seconds: float, width: int) -> tuple[float, ...]:
    """Return when each token begins and the last ends, from where heads look, (heads, tokens, frames)."""
    from scipy import ndimage

    frames = max(1, round(seconds / TIME_STEP))
    seen = heads[:, :, :frames]
    seen = seen / np.maximum(seen.sum(-1, keepdims=True), MIN_DEVIATION)
    seen = (seen - seen.mean(1, keepdims=True)) / np.maximum(seen.std(1, keepdims=True), MIN_DEVIATION)
    if frames > width // 2:
        seen = ndimage.median_filter(seen, size=(1, 1, width), mode="mirror")
    cost = -seen.mean(0)[first:-1]  # from the row that says the first token to the one that says the end
    return tuple(float(frame) * TIME_STEP for frame in first_frames(cost))


def _checked(folder: Path) -> Path:
    """Return the file that the weights in a folder are known by."""
    wanted = "give a folder that save_pretrained of transformers wrote for a Whisper model"
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{folder} has no config.json that can be read; {wanted}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{folder / 'config.json'} is not JSON ({error}); {wanted}") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "whisper":
        raise ModelError(f"{folder} holds a model of type {kind!r:.80}, not 'whisper'; {wanted}")
    for weights in (folder / WEIGHTS, folder / SHARDS):
        if weights.is_file():
            return weights
    raise ModelError(f"{folder} has no {WEIGHTS}; {wanted}, with its weights as safetensors")


def _load(folder: Path, dtype: "torch.dtype") -> tuple[Any, Any, Any]:
    """Return a checkpoint's model, feature extractor and tokenizer."""
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperProcessor

    load: Any = WhisperForConditionalGeneration.from_pretrained
    model, found = load(
        folder, local_files_only=True, use_safetensors=True, dtype=dtype, output_loading_info=True
    )
    lost = sorted(found["missing_keys"])
    if lost:
        raise ValueError(f"{len(lost)} weights are missing, such as {lost[0]}")
    broken = next(
        (key for key, value in model.state_dict().items() if not bool(value.isfinite().all())), None
    )
    if broken is not None:
        raise ValueError(f"{broken} holds values that are not finite")
    processor = WhisperProcessor.from_pretrained(folder, local_files_only=True)
    extractor: WhisperFeatureExtractor = processor.feature_extractor
    if extractor.feature_size != model.config.num_mel_bins:
        raise ValueError(
            f"its features have {extractor.feature_size} bands, its weights take {model.config.num_mel_bins}"
        )
    return model, extractor, processor.tokenizer


@contextlib.contextmanager
def _loading(folder: Path) -> Iterator[None]:
    try:
        with quietly():
            yield
    except Exception as error:  # safetensors, tokenizers and transformers each raise their own kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].partition(". ")[0]
        raise ModelError(
            f"the Whisper model in {folder} cannot be loaded ({reason:.200}); if its files are damaged, "
            "fetch it again"
        ) from error
