"""The recogniser of the package faster-whisper: Whisper in int8 by CTranslate2, in batches."""

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mmser.audio.files import Waveform
from mmser.errors import MissingExtraError, ModelError
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
from mmser.transcription.spoken import Aligned

WEIGHTS = "model.bin"
NEEDED = (WEIGHTS, "config.json", "tokenizer.json")  # without the last, one would be fetched
FRAMES = 3000  # of features in 30 s
SEED = 0  # of what is drawn at higher temperatures


class FasterWhisper:
    """Whisper as CTranslate2 computes it, several chunks at once.

    faster-whisper's own batches are not used: they take the temperature of the first try alone, pad features
    with what is louder than silence, drop what the model leaves for the next window, and let the words of one
    chunk move those of the next. What is drawn at higher temperatures is the same in every run of a program,
    but not in every call: CTranslate2 takes a seed once.

    Args:
        name: as it was asked for.
        folder: as ct2-transformers-converter writes it, with tokenizer.json and preprocessor_config.json.
        device: as torch names it; it computes in int8 on "cpu", in float16 on "cuda".
        threads: of the CPU.
        batch_size: chunks that are computed at once.

    Raises:
        MissingExtraError: if faster-whisper is not installed.
        ModelError: if the folder holds no such model, or one that is damaged.
    """

    def __init__(
        self, name: str, folder: Path, device: str = "cpu", threads: int = 1, batch_size: int = 8
    ) -> None:
        try:
            import ctranslate2
            import faster_whisper
        except ModuleNotFoundError as error:
            raise MissingExtraError("faster-whisper", "faster-whisper", "--asr faster-whisper:…") from error
        self.name, self.batch_size = name, batch_size
        config = _checked(folder)
        kind, _, number = device.partition(":")
        ctranslate2.set_random_seed(SEED)
        try:
            self.whisper = faster_whisper.WhisperModel(
                str(folder),
                device=kind,
                device_index=int(number or 0),
                compute_type="int8" if kind == "cpu" else "float16",
                cpu_threads=threads,
                local_files_only=True,
            )
        except Exception as error:  # CTranslate2 and tokenizers raise their own kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]
            raise ModelError(
                f"the model in {folder} cannot be loaded by faster-whisper ({reason:.200}); "
                "if its files are damaged, fetch or convert it again"
            ) from error
        self.model, self.tokenizer = self.whisper.model, self.whisper.hf_tokenizer
        self._read_tokens(folder, config)
        version = metadata.version("faster-whisper")
        self.version = f"faster-whisper {version} {file_digest(folder / WEIGHTS)}"

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

    def encode(self, waveforms: Sequence[Waveform]) -> Any:
        """Return windows of up to 30 s as the encoder hears them."""
        extractor = self.whisper.feature_extractor
        features = [extractor(padded(waveform), padding=0)[:, :FRAMES] for waveform in waveforms]
        return self.whisper.encode(np.stack(features))  # from (batch, mel bands, 3000)

    def shares(self, encoded: Any) -> list[dict[str, float]]:
        """Return the probability of each language in each window."""
        found = []
        for shares in self.model.detect_language(encoded):
            told = {token[2:-2]: float(share) for token, share in shares}  # "<|en|>"
            # Some conversions take <|nospeech|> for a language.
            known = {code: told.get(code, 0.0) for code in self.codes}
            total = sum(known.values()) or 1.0
            found.append({code: share / total for code, share in known.items()})
        return found

    def decode(self, encoded: Any, languages: Sequence[str], temperature: float) -> list[Decoded]:
        """Write down what is said in each window: greedily at 0, else drawing at that temperature."""
        results = self.model.generate(
            encoded,
            [self._prompt(language) for language in languages],
            beam_size=1,
            sampling_topk=0 if temperature else 1,
            sampling_temperature=temperature or 1.0,
            max_initial_timestamp_index=MAX_FIRST_TIME,
            return_scores=True,
            return_no_speech_prob=True,
        )
        found = []
        for result in results:
            tokens = result.sequences_ids[0]
            # The score is divided by the number of tokens; Whisper counts the end among them.
            mean = result.scores[0] * len(tokens) / (len(tokens) + 1)
            found.append(
                Decoded(tokens=tuple(tokens), log_probability=mean, no_speech=float(result.no_speech_prob))
            )
        return found

    def align(
        self, encoded: Any, languages: Sequence[str], texts: Sequence[Sequence[int]], seconds: Sequence[float]
    ) -> list[Aligned]:
        """Return how the tokens of each window's text lie in its sound, by where the decoder looks."""
        frames = [max(2, round(length * 100)) for length in seconds]
        found = [Aligned(probabilities=(), times=None) for _ in texts]
        # One call has one prompt: with several languages each is asked for, and takes its own.
        for language in dict.fromkeys(languages):
            mine = [list(text) if own == language else [] for own, text in zip(languages, texts, strict=True)]
            if not any(mine):
                continue
            results = self.model.align(encoded, self._prompt(language), mine, frames)
            for i, (text, result) in enumerate(zip(mine, results, strict=True)):
                if text:
                    found[i] = _aligned(result)
        return found

    def _prompt(self, language: str) -> list[int]:
        told = [self.codes[language], self.ids["<|transcribe|>"]] if self.codes else []
        return [self.ids["<|startoftranscript|>"], *told]

    def _read_tokens(self, folder: Path, config: dict[str, Any]) -> None:
        """Read which tokens mean what."""
        ids: dict[str, int] = self.tokenizer.get_vocab()
        multilingual = self.model.is_multilingual
        self.ids = ids
        self.codes = {
            code: ids[f"<|{code}|>"]
            for code in self.whisper.supported_languages
            if multilingual and f"<|{code}|>" in ids
        }
        needed = ("<|endoftext|>", "<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>")
        told = {*config["lang_ids"]} - {ids.get("<|nospeech|>")} if multilingual else set()
        if any(token not in ids for token in needed) or told != {*self.codes.values()}:
            raise ModelError(
                f"{folder / 'tokenizer.json'} does not fit the weights beside it; give the one of the model "
                "that was converted"
            )
        bands = self.whisper.feature_extractor.mel_filters.shape[0]
        if bands != self.model.n_mels:
            raise ModelError(
                f"features in {folder} have {bands} bands, but its weights take {self.model.n_mels}; put the "
                "model's own preprocessor_config.json beside them"
            )
        self.vocabulary = Vocabulary(
            end=ids["<|endoftext|>"],
            first_time=ids["<|notimestamps|>"] + 1,
            read=lambda tokens: str(self.tokenizer.decode(list(tokens))),
        )


def _checked(folder: Path) -> dict[str, Any]:
    """Return the config of a converted model; CTranslate2 itself reads it too late, or not at all."""
    wanted = f"give a folder of a Whisper model converted for faster-whisper, with {', '.join(NEEDED)}"
    for needed in NEEDED:
        if not (folder / needed).is_file():
            raise ModelError(f"{folder} has no {needed}; {wanted}")
    try:
        config: Any = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder / 'config.json'} cannot be read as JSON ({error}); {wanted}") from error
    for key in ("alignment_heads", "lang_ids"):
        if not isinstance(config, dict) or not isinstance(config.get(key), list):
            raise ModelError(
                f"{folder / 'config.json'} does not list {key}; convert the model again with a current "
                "ct2-transformers-converter"
            )
    return dict(config)


def _aligned(result: Any) -> Aligned:
    """Return one of CTranslate2's alignments: pairs of token and frame, in order."""
    begins: dict[int, int] = {}
    for token, frame in result.alignments:
        begins.setdefault(token, max(0, frame))  # -1 stands for "before the first"
    return Aligned(
        probabilities=tuple(map(float, result.text_token_probs)),
        times=tuple(begins[token] * TIME_STEP for token in range(len(result.text_token_probs) + 1)),
    )
