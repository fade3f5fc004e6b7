"""The recogniser of the package openai-whisper."""

import contextlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mmser.audio.files import Waveform
from mmser.errors import ModelError
from mmser.transcription.digest import file_digest
from mmser.transcription.segments import Recognised, Segment
from mmser.types import Word

SEED = 0


class OpenAIWhisper:
    """Whisper as its authors publish it (Radford et al. 2022); one chunk after another.

    It has no batches that tell the times of words.

    Args:
        name: as it was asked for.
        path: of the weights, a .pt file.
        device: as torch names it.

    Raises:
        ModelError: if the file holds no Whisper weights.
    """

    def __init__(self, name: str, path: Path, device: str = "cpu") -> None:
        import whisper

        self.name, self.batch_size = name, 1
        try:
            self.model = whisper.load_model(str(path), device=device)
        except Exception as error:  # torch raises its own kinds for what is no checkpoint
            reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
            raise ModelError(
                f"{path} holds no weights of openai-whisper ({reason}); give a .pt file that it can load"
            ) from error
        if not all(bool(tensor.isfinite().all()) for tensor in self.model.parameters()):
            raise ModelError(f"{path} is damaged: it holds weights that are not finite; fetch it again")
        heads = whisper._ALIGNMENT_HEADS.get(path.stem)
        if heads is not None:
            # Loading by path leaves them out, and words then get their times from heads that do not align.
            with contextlib.suppress(RuntimeError):  # weights of another shape that bear the name
                self.model.set_alignment_heads(heads)
        self.version = f"openai-whisper {metadata.version('openai-whisper')} {file_digest(path)}"

    def knows(self, language: str) -> bool:
        """Tell whether the weights know a language."""
        from whisper.tokenizer import LANGUAGES

        codes = list(LANGUAGES)[: self.model.num_languages]
        return language == "en" or (self.model.is_multilingual and language in codes)

    def languages(self, waveforms: Sequence[Waveform]) -> list[dict[str, float]]:
        """Return the probability of each language in each chunk."""
        import whisper

        if not self.model.is_multilingual:
            return [{} for _ in waveforms]
        found = []
        for waveform in waveforms:
            mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(waveform), self.model.dims.n_mels)
            _, shares = self.model.detect_language(mel.to(self.model.device))
            found.append(shares[0] if isinstance(shares, list) else shares)
        return found

    def recognise(self, waveforms: Sequence[Waveform], language: str | None) -> list[Recognised]:
        """Return what is said in each chunk."""
        import torch

        # Where it is unsure it draws words, from torch's own numbers: the same sound gives the same words.
        with torch.random.fork_rng(enabled=True):
            torch.manual_seed(SEED)
            return [self._recognise(waveform, language) for waveform in waveforms]

    def _recognise(self, waveform: Waveform, language: str | None) -> Recognised:
        found: Mapping[str, Any] = self.model.transcribe(
            np.ascontiguousarray(waveform, np.float32),
            language=language if self.model.is_multilingual else "en",
            word_timestamps=True,
            # Each chunk speaks for itself: a loop in one must not go on in the next.
            condition_on_previous_text=False,
            fp16=self.model.device.type == "cuda",
            verbose=None,
        )
        length = len(waveform) / 16_000
        segments = tuple(_segment(item, length) for item in found["segments"])
        return Recognised(segments=segments, language=found["language"])


def _segment(item: Mapping[str, Any], length: float) -> Segment:
    # Times may reach into the silence that a chunk is filled up with.
    end = min(float(item["end"]), length)
    return Segment(
        start=min(float(item["start"]), end),
        end=end,
        text=str(item["text"]),
        words=tuple(_word(word, length) for word in item.get("words", ())),
        log_probability=float(item["avg_logprob"]),
        no_speech=float(item["no_speech_prob"]),
        compression_ratio=float(item["compression_ratio"]),
    )


def _word(item: Mapping[str, Any], length: float) -> Word:
    end = min(float(item["end"]), length)
    return Word(
        text=str(item["word"]).strip(),
        start=min(float(item["start"]), end),
        end=end,
        confidence=min(1.0, max(0.0, float(item["probability"]))),
    )
