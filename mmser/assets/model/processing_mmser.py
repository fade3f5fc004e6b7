"""Waveforms and words → the tensors that `MmserModel` takes."""

import bisect
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoProcessor, BatchFeature, ProcessorMixin

from .configuration_mmser import ROLES, MmserConfig

Words = str | Sequence[str]


class MmserProcessor(ProcessorMixin):
    """Pads waveforms, tokenises words and spreads their confidences over tokens.

    Args:
        tokenizer: the text encoder's own.
        sampling_rate: the only rate accepted, in Hz.
        max_seconds: longest audio of one utterance, in seconds.
        max_text_tokens: longest text of one utterance, in tokens.
    """

    tokenizer_class = "AutoTokenizer"

    def __init__(
        self,
        tokenizer: Any = None,
        sampling_rate: int = 16_000,
        max_seconds: float = 20.0,
        max_text_tokens: int = 128,
        **kwargs: Any,
    ) -> None:
        self.sampling_rate = sampling_rate
        self.max_seconds = max_seconds
        self.max_text_tokens = max_text_tokens
        super().__init__(tokenizer, **kwargs)

    def __call__(
        self,
        audio: Sequence[np.ndarray | Tensor | None] | np.ndarray | Tensor | None = None,
        text: Sequence[Words | None] | str | None = None,
        *,
        sampling_rate: int | None = None,
        text_confidence: Sequence[Sequence[float] | None] | None = None,
        dialogue_ids: Sequence[int] | None = None,
        speaker_ids: Sequence[int] | None = None,
        roles: Sequence[str] | None = None,
        positions: Sequence[int] | None = None,
        references: Sequence[bool] | None = None,
    ) -> BatchFeature:
        """Make one batch.

        Args:
            audio: mono waveforms in [-1, 1], one per utterance, None where there is none.
            text: a string or a list of words per utterance, None where there is none.
            sampling_rate: of the waveforms, in Hz; required with audio.
            text_confidence: a number in [0, 1] per word, where `text` gives word lists.
            dialogue_ids: default: each utterance is a dialogue of its own.
            speaker_ids: within the dialogue.
            roles: "agent", "customer", "system" or "unknown".
            positions: order within the dialogue, rising.
            references: True = a neutral clip of the speaker, for the baseline only.

        Returns:
            `input_values` (batch, samples), `audio_lengths` (batch,), `input_ids`, `text_mask` and
            `text_confidence` (batch, tokens), and the given columns, (batch,).

        Raises:
            ValueError: if the sampling rate is missing or wrong, an utterance is too long, lists
                differ in length, or samples are not finite.
        """
        audio, text = _as_lists(audio, text)
        waveforms = [self._waveform(a, sampling_rate) for a in audio]
        lengths = torch.tensor([len(w) for w in waveforms])
        confidences = text_confidence if text_confidence is not None else [None] * len(text)
        tokens = [self._tokens(t, c) for t, c in zip(text, confidences, strict=True)]
        data: dict[str, Any] = {
            "input_values": torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True),
            "audio_lengths": lengths,
            "input_ids": _pad([ids for ids, _ in tokens], torch.long, self.tokenizer.pad_token_id or 0),
            "text_mask": _pad([[1] * len(ids) for ids, _ in tokens], torch.long),
            "text_confidence": _pad([weights for _, weights in tokens], torch.float32),
        }
        columns = {
            "dialogue_ids": dialogue_ids,
            "speaker_ids": speaker_ids,
            "role_ids": None if roles is None else [ROLES.index(role) for role in roles],
            "positions": positions,
            "references": references,
        }
        for name, column in columns.items():
            if column is not None:
                if len(column) != len(lengths):
                    raise ValueError(f"{name} has {len(column)} entries for {len(lengths)} utterances")
                data[name] = torch.tensor(column)
        return BatchFeature(data)

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text takes, special tokens included."""
        return len(self.tokenizer(text, verbose=False)["input_ids"])

    def _waveform(self, audio: np.ndarray | Tensor | None, sampling_rate: int | None) -> Tensor:
        if audio is None:
            return torch.zeros(0)
        if sampling_rate != self.sampling_rate:
            raise ValueError(
                f"sampling_rate is {sampling_rate}; resample to {self.sampling_rate} and pass it"
            )
        waveform = torch.as_tensor(audio, dtype=torch.float32)
        if waveform.dim() != 1:
            raise ValueError(
                f"a waveform has shape {tuple(waveform.shape)}; one channel is expected, (samples,)"
            )
        seconds = len(waveform) / self.sampling_rate
        if seconds > self.max_seconds + 1e-3:
            raise ValueError(
                f"an utterance has {seconds:.1f} s of audio and the limit is {self.max_seconds:g} s: "
                "cut it into windows (EmotionPipeline does)"
            )
        if not bool(waveform.isfinite().all()):
            raise ValueError("a waveform holds NaN or infinite samples")
        return waveform

    def _tokens(
        self, text: Words | None, confidence: Sequence[float] | None
    ) -> tuple[list[int], list[float]]:
        """Return token ids and a confidence each; special tokens take the mean of the words'."""
        if text is None or not (text if isinstance(text, str) else "".join(text)).strip():
            return [], []
        words = [text] if isinstance(text, str) else list(text)
        if confidence is None:
            confidence = [1.0] * len(words)
        if len(confidence) != len(words):
            raise ValueError(f"text_confidence has {len(confidence)} entries for {len(words)} words")
        # Offsets, not `is_split_into_words`: byte-level tokenizers (RoBERTa) refuse split words.
        encoded = self.tokenizer(" ".join(words), return_offsets_mapping=True, verbose=False)
        ids: list[int] = encoded["input_ids"]
        if len(ids) > self.max_text_tokens:
            raise ValueError(
                f"an utterance has {len(ids)} tokens of text and the limit is {self.max_text_tokens}: "
                "cut it into chunks (EmotionPipeline does)"
            )
        starts = [0, *itertools.accumulate(len(word) + 1 for word in words[:-1])]
        mean = sum(confidence) / len(confidence)
        weights = [
            float(confidence[bisect.bisect_right(starts, end - 1) - 1]) if end > start else mean
            for start, end in encoded["offset_mapping"]
        ]
        return ids, [min(1.0, max(0.0, w)) for w in weights]


def _as_lists(audio: Any, text: Any) -> tuple[list[Any], list[Any]]:
    """Accept one utterance as well as many, and fill in a missing modality."""
    if audio is not None and (isinstance(audio, Tensor | np.ndarray) and audio.ndim == 1):
        audio = [audio]
    if isinstance(text, str):
        text = [text]
    if audio is None and text is None:
        raise ValueError("neither audio nor text was given")
    audio = [None] * len(text) if audio is None else list(audio)
    text = [None] * len(audio) if text is None else list(text)
    if len(audio) != len(text):
        raise ValueError(f"{len(audio)} waveforms were given for {len(text)} texts")
    return audio, text


def _pad(rows: Sequence[Sequence[Any]], dtype: torch.dtype, filler: int = 0) -> Tensor:
    width = max((len(row) for row in rows), default=0)
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows], dtype=dtype).view(
        len(rows), width
    )


AutoProcessor.register(MmserConfig, MmserProcessor, exist_ok=True)
MmserProcessor.register_for_auto_class()
