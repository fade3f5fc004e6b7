"""What the frozen encoders make of clips and texts, computed once for the fusion stage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmser.data import Example
from mmser.model import MmserModel, MmserProcessor
from mmser.model.audio_mmser import AudioBranch, AudioFeatures
from mmser.model.modeling_mmser import Encoded
from mmser.training.acoustic_cache import Clip
from mmser.training.words import fitting

BATCH = 48
MAX_WORDS = 64  # of one utterance
ROOM = 32  # tokens that a text which is cut leaves to longer words


@dataclass
class Sound:
    """One clip after the audio encoder."""

    example: Example
    frames: Tensor  # (frames, size), float16
    vectors: Tensor  # (vector,)
    pooled: Tensor  # (2 * size,)
    branch: AudioBranch | None = None  # what hears it, where that is not the model's own


@dataclass
class Words:
    """One text after the text encoder."""

    example: Example
    tokens: Tensor  # (tokens, hidden), float16
    weight: Tensor  # confidence, (tokens,)


def encode_sounds(
    branch: AudioBranch, clips: Sequence[Clip], *, phone: bool, speed: float = 1.0
) -> list[Sound]:
    """Encode one rendering of each clip."""
    done = []
    for start in range(0, len(clips), BATCH):
        group = clips[start : start + BATCH]
        renderings = [c.rendering(phone=phone, speed=speed) for c in group]
        mels = [r.log_mel.float() for r in renderings]
        with torch.inference_mode():
            features = branch.encode(
                torch.nn.utils.rnn.pad_sequence(mels, batch_first=True),
                torch.tensor([len(m) for m in mels]),
                torch.stack([r.functionals for r in renderings]),
                torch.ones(len(group), dtype=torch.bool),
            )
        for i, clip in enumerate(group):
            done.append(
                Sound(
                    clip.example,
                    features.frames[i][features.mask[i]].half().clone(),
                    features.vectors[i].clone(),
                    features.pooled[i].clone(),
                )
            )
    return done


def corrupt(words: list[str], pool: list[str], rng: np.random.Generator) -> tuple[list[str], list[float]]:
    """Swap words as a recogniser would and give each a plausible confidence in [0, 1]."""
    rate = rng.uniform(0, 0.5)
    heard, sure = [], []
    for word in words:
        wrong = rng.random() < rate
        heard.append(pool[rng.integers(len(pool))] if wrong else word)
        sure.append(float(rng.uniform(0.05, 0.6) if wrong else rng.uniform(0.5, 1.0)))
    return heard, sure


def _shortened(words: list[str], processor: MmserProcessor) -> list[str]:
    """Return as many words as one utterance holds; a few comments are long rows of symbols."""
    most, words = processor.max_text_tokens, words[:MAX_WORDS]
    if processor.count_tokens(" ".join(words)) <= most:
        return words
    return fitting(words, max(most // 2, most - ROOM), processor.count_tokens)


def encode_texts(
    model: MmserModel,
    processor: MmserProcessor,
    examples: Sequence[Example],
    *,
    corrupted: float = 0.0,
    seed: int = 0,
) -> list[Words]:
    """Encode texts; a share of them is corrupted, with low confidences where words were swapped."""
    rng = np.random.default_rng(seed)
    texts = [_shortened(str(e.text).split(), processor) for e in examples]
    pool = [word for text in texts[:2000] for word in text]
    doubts: list[list[float] | None] = [None] * len(texts)
    for i, text in enumerate(texts):
        if text and rng.random() < corrupted:
            heard, sure = corrupt(text, pool, rng)
            # Words that are swapped in may be longer than their own.
            texts[i] = fitting(heard, processor.max_text_tokens, processor.count_tokens)
            doubts[i] = sure[: len(texts[i])]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    done: dict[int, Words] = {}
    for start in range(0, len(order), BATCH):
        group = order[start : start + BATCH]
        batch = processor(text=[texts[i] for i in group], text_confidence=[doubts[i] for i in group])
        with torch.inference_mode():
            encoded = model.encode(
                batch["input_values"],
                batch["audio_lengths"],
                batch["input_ids"],
                batch["text_mask"],
                batch["text_confidence"],
            )
        for row, i in enumerate(group):
            real = batch["text_mask"][row].bool()
            done[i] = Words(
                examples[i], encoded.tokens[row][real].half().clone(), encoded.token_weight[row][real].clone()
            )
    return [done[i] for i in range(len(texts))]


def collate(model: MmserModel, sounds: Sequence[Sound | None], words: Sequence[Words | None]) -> Encoded:
    """Stack cached encodings, None = missing, into what `MmserModel.converse` takes."""
    count, size = len(sounds), model.config.audio_size
    frames = torch.zeros(count, max((len(s.frames) for s in sounds if s), default=0), size)
    mask = torch.zeros(frames.shape[:2], dtype=torch.bool)
    vectors = torch.zeros(count, model.audio.baseline.size)
    pooled = torch.zeros(count, 2 * size)
    hidden = model.config.text_config.hidden_size
    tokens = torch.zeros(count, max((len(w.tokens) for w in words if w), default=0), hidden)
    weight = torch.zeros(tokens.shape[:2])
    for i, (sound, text) in enumerate(zip(sounds, words, strict=True)):
        if sound is not None:
            frames[i, : len(sound.frames)] = sound.frames.float()
            mask[i, : len(sound.frames)] = True
            vectors[i], pooled[i] = sound.vectors, sound.pooled
        if text is not None:
            tokens[i, : len(text.tokens)] = text.tokens.float()
            weight[i, : len(text.tokens)] = text.weight
    total = weight.sum(1, keepdim=True).clamp(min=1e-3)
    return Encoded(
        AudioFeatures(frames, mask, vectors, pooled),
        tokens,
        weight,
        (tokens * weight.unsqueeze(-1)).sum(1) / total,
        torch.tensor([s is not None for s in sounds]),
        torch.tensor([w is not None and len(w.tokens) > 0 for w in words]),
    )
