"""The default model, stage by stage; each stage leaves a checkpoint and is skipped where it lies."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from transformers import AutoModel, AutoTokenizer

from mmser.data import Example, Split, read_emodb, read_goemotions, read_meld, read_nemo, read_ravdess
from mmser.model import MmserConfig, MmserModel, MmserProcessor
from mmser.model.audio_mmser import AudioBranch
from mmser.training.acoustic_cache import SPEEDS, Clip, cache_acoustics
from mmser.training.calibration import calibrate
from mmser.training.encodings import Sound, Words, encode_sounds, encode_texts
from mmser.training.frame_stage import train_frames
from mmser.training.fusion_stage import (
    Dialogues,
    PairMix,
    PairSampler,
    meld_batch,
    meld_dialogues,
    one_hot,
    train_fusion,
)
from mmser.training.optimisation import NEUTRAL_INTENSITY
from mmser.training.text_stage import class_weights, train_text
from mmser.training.view_stage import fit_functionals, train_views

GOEMOTIONS_FOR_PAIRS = 12_000
WEIGHTS_LICENSE = "CC-BY-NC-SA-4.0"


class Plan(BaseModel):
    """What configs/default.yaml says."""

    model_config = ConfigDict(extra="forbid")
    seed: int
    text_epochs: int
    frame_steps: int
    view_steps: int
    fusion_steps: int
    pairs: PairMix
    splits: dict[str, dict[str, list[str]]]


class SpeakerSplit(dict[str, Split]):
    """Speaker → split; speakers that are not named train."""

    def __missing__(self, speaker: str) -> Split:
        return "train"


def speaker_split(named: Mapping[str, Sequence[str]]) -> SpeakerSplit:
    """Turn {"test": [speakers], "validation": [speakers]} into a lookup."""
    return SpeakerSplit(
        {s: "test" if part == "test" else "validation" for part in named for s in named[part]}
    )


def read_speech(data: Path, plan: Plan) -> list[Example]:
    """Read the three acted corpora with the plan's splits."""
    corpora = data / "corpora"
    return [
        *read_ravdess(corpora / "ravdess", speaker_split(plan.splits["ravdess"])),
        *read_nemo(corpora / "nemo", speaker_split(plan.splits["nemo"])),
        *read_emodb(corpora / "emodb" / "crop_2s", speaker_split(plan.splits["emodb"])),
    ]


def read_texts(data: Path) -> list[Example]:
    """Read both text corpora with their official splits."""
    return [*read_goemotions(data / "text" / "goemotions"), *read_meld(data / "text" / "meld")]


def assemble(folder: Path, audio: AudioBranch) -> tuple[MmserModel, MmserProcessor]:
    """Put the trained encoders into one model."""
    text = AutoModel.from_pretrained(folder / "text_encoder")
    model = MmserModel(MmserConfig(text_config=text.config, weights_license=WEIGHTS_LICENSE))
    text.pooler = None
    model.text_encoder.load_state_dict(text.state_dict())
    head = torch.load(folder / "text_head.pt", weights_only=True)
    model.text_head.load_state_dict(head)
    model.audio.load_state_dict(audio.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(folder / "text_encoder")
    config = model.config
    processor = MmserProcessor(tokenizer, config.sampling_rate, config.max_seconds, config.max_text_tokens)
    return model.eval(), processor


def round_text_weights(model: MmserModel) -> None:
    """Round the text encoder to what float16 holds, so that training, storing and loading agree."""
    with torch.no_grad():
        for parameter in model.text_encoder.parameters():
            parameter.copy_(parameter.half().float())


def sound_dialogues(sounds: Sequence[Sound], size: int, seed: int) -> Dialogues:
    """Put every clip once into calls of one speaker in random order, without words."""
    rng = np.random.default_rng(seed)
    speakers: dict[str, list[Sound]] = defaultdict(list)
    for sound in sounds:
        speakers[str(sound.example.speaker)].append(sound)
    rows, call = Dialogues(), 0
    for own in speakers.values():
        order = rng.permutation(len(own))
        for start in range(0, len(own), size):
            before = ""
            for position, index in enumerate(order[start : start + size]):
                emotion = own[index].example.emotions[0]
                known = own[index].example.intensity
                rows.sounds.append(own[index])
                rows.words.append(None)
                rows.keys.append((call, 0, 1))
                rows.positions.append(position)
                rows.emotion.append(one_hot(emotion))
                weak = NEUTRAL_INTENSITY if emotion == "neutral" else float("nan")
                rows.intensity.append(weak if known is None else known)
                rows.change.append(float(before != emotion) if before else float("nan"))
                rows.direction.append(-100)
                rows.kinds.append("audio_only")
                before = emotion
            call += 1
    return rows


def fuse(
    model: MmserModel,
    processor: MmserProcessor,
    clips: Sequence[Clip],
    texts: Sequence[Example],
    folder: Path,
    plan: Plan,
) -> None:
    """Train fusion, context and change on cached encodings, then calibrate; `model` changes in place."""
    train = [c for c in clips if c.example.split == "train"]
    held_out = [c for c in clips if c.example.split == "validation"]
    sounds = [s for p in (False, True) for s in encode_sounds(model, train, phone=p)]
    sounds += encode_sounds(model, train, phone=False, speed=SPEEDS[1])
    validation_sounds = encode_sounds(model, held_out, phone=False)
    rng = np.random.default_rng(plan.seed)
    words = {
        (corpus, split): _cached_words(
            model, processor, _some(texts, corpus, split, rng), folder / f"{corpus}_{split}.pt", plan.seed
        )
        for corpus in ("goemotions", "meld")
        for split in ("train", "validation")
    }
    validation_words = [w for (_, split), ws in words.items() if split == "validation" for w in ws]
    train_words = [w for (_, split), ws in words.items() if split == "train" for w in ws]
    made = PairSampler(validation_sounds, validation_words, plan.pairs, plan.seed + 1).dialogues(150, 6)
    meld = meld_batch(meld_dialogues(words["meld", "validation"]))
    train_fusion(
        model,
        PairSampler(sounds, train_words, plan.pairs, plan.seed, agent_turns=0.4),
        made,
        meld_dialogues(words["meld", "train"]),
        meld,
        class_weights([w.example for w in words["meld", "train"]]),
        folder,
        steps=plan.fusion_steps,
        seed=plan.seed,
    )
    calibrate(model, made, meld, sound_dialogues(validation_sounds, 10, plan.seed))


def _cached_words(
    model: MmserModel, processor: MmserProcessor, examples: Sequence[Example], path: Path, seed: int
) -> list[Words]:
    """Encode texts, or read what an earlier run made of the same; training comments are partly corrupted."""
    texts = hashlib.sha256("\n".join(str(e.text) for e in examples).encode()).hexdigest()
    if path.exists():
        stored = torch.load(path, weights_only=True)
        if stored["texts"] == texts:
            pairs = zip(examples, stored["tokens"], stored["weight"], strict=True)
            return [Words(e, tokens, weight) for e, tokens, weight in pairs]
    corrupted = 0.3 if path.stem == "goemotions_train" else 0.0
    words = encode_texts(model, processor, examples, corrupted=corrupted, seed=seed)
    torch.save(
        {"texts": texts, "tokens": [w.tokens for w in words], "weight": [w.weight for w in words]}, path
    )
    return words


def _some(texts: Sequence[Example], corpus: str, split: str, rng: np.random.Generator) -> list[Example]:
    """Return a split of a corpus; of GoEmotions only single-label comments, and not all of them."""
    chosen = [t for t in texts if t.corpus == corpus and t.split == split]
    if corpus == "goemotions":
        chosen = [t for t in chosen if len(t.emotions) == 1]
        keep = rng.permutation(len(chosen))[:GOEMOTIONS_FOR_PAIRS]
        chosen = [chosen[i] for i in sorted(keep)]
    return chosen


def save(model: MmserModel, processor: MmserProcessor, target: Path) -> None:
    """Write the model with its text encoder stored as float16; every loader computes in float32."""
    state: dict[str, Any] = {
        name: value.half() if name.startswith("text_encoder.") else value
        for name, value in model.state_dict().items()
    }
    model.save_pretrained(target, state_dict=state)
    processor.save_pretrained(target)
    # transformers writes the weights readable by their owner alone.
    (target / "model.safetensors").chmod(0o644)


def train_audio(clips: Sequence[Clip], folder: Path, plan: Plan) -> AudioBranch:
    """Train the audio branch: its encoder on single clips, then how clips are heard in calls."""
    torch.manual_seed(plan.seed)
    branch = AudioBranch(MmserConfig())
    stages = (("frames", train_frames, plan.frame_steps), ("views", train_views, plan.view_steps))
    fit_functionals(branch, [c for c in clips if c.example.split == "train"])
    for name, train, steps in stages:
        done = folder / f"{name}_done.pt"
        if done.exists():
            branch.load_state_dict(torch.load(done, weights_only=True))
        else:
            train(branch, clips, folder, steps=steps, seed=plan.seed)
            torch.save(branch.state_dict(), done)
    return branch


def build(data: Path, encoder: str, folder: Path, plan: Plan) -> tuple[MmserModel, MmserProcessor]:
    """Run the stages whose checkpoints are not in `folder` yet."""
    texts, speech = read_texts(data), read_speech(data, plan)
    if not (folder / "text_head.pt").exists():
        for stale in [*folder.glob("goemotions_*.pt"), *folder.glob("meld_*.pt")]:
            stale.unlink()  # what an earlier encoder made of the texts
        train_text(texts, encoder, folder, epochs=plan.text_epochs, seed=plan.seed)
    clips = cache_acoustics(speech, folder / "acoustics.pt", plan.seed)
    audio = train_audio(clips, folder, plan)
    model, processor = assemble(folder, audio)
    round_text_weights(model)
    fuse(model, processor, clips, texts, folder, plan)
    return model, processor
