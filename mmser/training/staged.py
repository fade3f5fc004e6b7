"""Training in stages on cached encodings: text encoder, frame encoder, views, fusion; then calibration.

Each stage leaves a checkpoint and is passed over where that is complete. On a GPU the stages that train
encoders run (text, dialogues, frames); the others are small, and what lies between stages is on the CPU.
"""

import contextlib
import copy
import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch import nn

from mmser.data import Example, to_dataset
from mmser.errors import MmserError, UsageError
from mmser.labels import EMOTIONS
from mmser.model import MmserModel, MmserProcessor
from mmser.model.audio_mmser import AudioBranch
from mmser.training.acoustic_cache import SPEEDS, Clip, cache_acoustics
from mmser.training.calibration import calibrate
from mmser.training.checkpoint import digest, load_checkpoint, save_atomically, tensor_digest
from mmser.training.config import TrainingConfig
from mmser.training.cross_fit import Part, cross_fit
from mmser.training.encodings import Sound, Words, encode_sounds, encode_texts
from mmser.training.frame_stage import FrameStage
from mmser.training.fusion_stage import (
    CALLS_OF_SPEAKER,
    FusionConfig,
    FusionData,
    FusionStage,
    start_from_late_fusion,
)
from mmser.training.joint_stage import JointStage
from mmser.training.ledger import Ledger
from mmser.training.log import say
from mmser.training.loop import fit
from mmser.training.pairs import Dialogues, PairMix, PairSampler, one_hot, whole_dialogues
from mmser.training.registers import require_heads, start_words_head
from mmser.training.targets import example_intensity
from mmser.training.text_stage import TextStage
from mmser.training.view_stage import train_views

TEXTS_FOR_PAIRS = 12_000  # single-label comments that fusion is trained with
CORRUPTED = 0.3  # share of them whose words are swapped, as a recogniser would


def train_stages(
    model: MmserModel,
    processor: MmserProcessor,
    material: "Material",
    config: TrainingConfig,
    folder: Path,
    ledger: Ledger,
) -> None:
    """Run the stages that the configuration names, in place."""
    speech, texts = material.speech, material.texts
    state = PartialState()
    if config.text is not None:
        ledger.at("text")
        stage = TextStage(texts, model.text_encoder, copy.deepcopy(processor.tokenizer), config.seed)
        fit(stage, config.text, folder, seed=config.seed, about=[stage.size, stage.task.corpora])
        stage.task.cpu()
        start_words_head(model, processor, stage.task, texts, config.text, config.seed)
    if config.dialogues is not None:
        ledger.at("dialogues")
        _train_dialogues(model, processor, texts, config, folder)
    clips: list[Clip] = []
    if config.frames or config.views or config.fusion:
        ledger.at("sounds")  # which these three share
        with state.main_process_first():  # the others read what it kept
            clips = cache_acoustics(speech, folder / "acoustics.pt", model.audio, config.seed)
    if config.frames is not None:
        ledger.at("frames")
        frames = FrameStage(model.audio, clips)
        fit(frames, config.frames, folder, seed=config.seed, about=[frames.size])
        frames.task.cpu()
    parts = [(model.audio, [c for c in clips if c.example.split == "train"])]
    if config.views is not None:
        ledger.at("views")
        untrained = copy.deepcopy(model.audio)
        views = train_views(model.audio, clips, folder, config.views, config.seed)
        if config.fusion is not None:
            parts = cross_fit(untrained, views, folder, config.views, config.fusion.folds, config.seed)
    if config.fusion is not None:
        ledger.at("fusion")
        round_text_weights(model)
        held_out = [c for c in clips if c.example.split == "validation"]
        fuse(model, processor, parts, held_out, texts, folder, config)


@dataclasses.dataclass(frozen=True)
class Material:
    """What the stages are trained on, of the rows that are in a split."""

    speech: list[Example]  # labelled clips
    texts: list[Example]  # in the encoder's languages, of one's own words rather than a script's


def gather(config: TrainingConfig, examples: Iterable[Example], languages: Sequence[str]) -> Material:
    """Return what the stages of a configuration are trained on.

    Args:
        config: whose stages run.
        examples: all rows.
        languages: codes of those that the text encoder reads; texts in others would teach it noise.

    Raises:
        UsageError: if the model's plan belongs to the stage "joint".
        MmserError: if the data lack what a stage is trained on.
    """
    placed = [e for e in examples if e.split]
    speech = [e for e in placed if e.audio is not None and e.emotions]
    texts = [e for e in placed if e.text and e.sentence is None]
    read = _in_languages(texts, languages)
    if len(read) < len(texts):
        others = sorted({str(e.language) for e in texts} - {"None", *languages})
        say(
            f"left out {len(texts) - len(read)} texts in {', '.join(others)}: the text encoder reads "
            f"{', '.join(languages)}"
        )
    require_material(config, speech, read)
    return Material(speech, read)


def _in_languages(texts: Sequence[Example], languages: Sequence[str]) -> list[Example]:
    """Return the texts in some languages; what a turn changed from is not known where that was left out."""
    kept: dict[int, Example] = {}
    gone: set[tuple[str, str | None]] = set()  # dialogue and speaker whose previous turn was left out
    for i in sorted(range(len(texts)), key=lambda i: texts[i].turn_index or 0):
        text = texts[i]
        talk = (text.dialogue_id or f"row {i}", text.speaker)
        if text.language not in (None, *languages):
            gone.add(talk)
            continue
        kept[i] = dataclasses.replace(text, change=None) if talk in gone else text
        gone.discard(talk)
    return [kept[i] for i in sorted(kept)]


def _train_dialogues(
    model: MmserModel,
    processor: MmserProcessor,
    texts: Sequence[Example],
    config: TrainingConfig,
    folder: Path,
) -> None:
    """Train what reads words in dialogue; the sound's branch and what the stage "text" trained rest."""
    assert config.dialogues is not None
    words = [dataclasses.replace(t, audio=None) for t in texts]
    frozen = [p for p in model.parameters() if not p.requires_grad]
    model.audio.requires_grad_(False)
    if config.text is not None:
        model.text_encoder.requires_grad_(False)
        model.text_head.requires_grad_(False)
    names = {t.corpus for t in words}
    shares = {name: share for name, share in config.shares().items() if name in names}
    stage = JointStage(
        model, processor, to_dataset(words), config.dialogues, shares, fit_functionals=False, name="dialogues"
    )
    with contextlib.closing(stage):
        fit(stage, config.dialogues, folder, seed=config.seed, about=[stage.size])
    stage.task.cpu()
    _train_all_but(model, frozen)


def _train_all_but(model: MmserModel, frozen: Sequence[nn.Parameter]) -> None:
    """Let later stages train everything but what was frozen before a stage."""
    model.requires_grad_(True)
    for parameter in frozen:
        parameter.requires_grad_(False)


def require_material(config: TrainingConfig, speech: Sequence[Example], texts: Sequence[Example]) -> None:
    """Refuse data that lack what a stage is trained on.

    Raises:
        UsageError: if the model's plan belongs to the stage "joint", or a head to no corpus.
        MmserError: if rows are missing; the stage and what it needs are named.
    """
    plan = config.model
    if plan.lora is not None or (plan.audio_encoder != "cnn" and plan.start_from is None):
        option = "model.lora" if plan.lora is not None else "model.audio_encoder"
        raise UsageError(f"{option} belongs to the stage joint; take it out, or the other stages")
    trained = [e for e in speech if e.split == "train"]
    if config.text is not None and not any(t.split == "train" for t in texts):
        raise MmserError("the stage text needs training rows with text of their own, and the data have none")
    if config.text is not None:
        require_heads(config.text, {t.corpus for t in texts if t.split == "train"})
    if (config.frames or config.views or config.fusion) and not trained:
        raise MmserError(
            "the stages frames, views and fusion need labelled training clips; the data have none"
        )
    for split in ("train", "validation") if config.fusion is not None else ():
        said = [t for t in texts if t.split == split]
        single = {t.emotions[0] for t in said if len(t.emotions) == 1}
        lacking = [emotion for emotion in EMOTIONS if emotion not in single]
        if lacking or not any(e.split == split for e in speech):
            what = f"texts labelled {', '.join(lacking)} alone" if lacking else "labelled clips"
            raise MmserError(
                f"the stage fusion makes pairs of clips and texts, and the {split} rows have no {what}"
            )


def round_text_weights(model: MmserModel) -> None:
    """Round the text encoder to what float16 holds, so that training, storing and loading agree."""
    with torch.no_grad():
        for parameter in model.text_encoder.parameters():
            parameter.copy_(parameter.half().float())


def fuse(
    model: MmserModel,
    processor: MmserProcessor,
    parts: Sequence[Part],
    held_out: Sequence[Clip],
    texts: Sequence[Example],
    folder: Path,
    config: TrainingConfig,
) -> None:
    """Train fusion, context and change on cached encodings, then calibrate.

    Args:
        model: changed in place.
        processor: of its texts.
        parts: training clips and what hears them.
        held_out: validation clips.
        texts: of all splits.
        folder: where checkpoints go.
        config: of the training.
    """
    assert config.fusion is not None
    mix = config.fusion.pairs
    sounds = [_renderings(branch, clips) for branch, clips in parts]
    checks = encode_sounds(model.audio, held_out, phone=False)
    with PartialState().main_process_first():
        words = _words_of_splits(model, processor, texts, folder, config.seed)
    pairs = {
        "train": [PairSampler(part, words["train"], mix, agent_turns=0.4) for part in sounds],
        "validation": [PairSampler(checks, words["validation"], mix)],
    }
    data = {
        split: FusionData(
            samplers,
            whole_dialogues(words[split]),
            [w for w in words[split] if w.example.dialogue_id is None],
        )
        for split, samplers in pairs.items()
    }
    frozen = [p for p in model.parameters() if not p.requires_grad]
    late = start_from_late_fusion(model, keep_context=config.dialogues is not None)
    stage = FusionStage(late, data["train"], data["validation"], config.fusion)
    fit(stage, config.fusion, folder, seed=config.seed, about=[stage.size], cpu=True)
    _train_all_but(model.eval(), frozen)
    # Each clip counts once, as where it is measured.
    strangers = [checks, *(sounds if len(sounds) > 1 else [])]
    rows = [*stage.checks.values(), *map(emotion_only, stage.strangers)]
    rows += [emotion_only(sound_dialogues(part, config.fusion.longest, config.seed)) for part in strangers]
    calibrate(
        model,
        [*rows, changes_only(checks, config.fusion, config.seed)],
        sound_dialogues(checks, 10, config.seed),
    )


def emotion_only(rows: Dialogues) -> Dialogues:
    """Return rows whose changes do not count.

    In calls of clips in random order nearly every turn would change; and on training speakers, left out by
    their branch, the head of change itself was trained.
    """
    return dataclasses.replace(rows, change=[math.nan] * len(rows.keys))


def changes_only(sounds: Sequence[Sound], config: FusionConfig, seed: int) -> Dialogues:
    """Return made calls without words whose changes count, and whose emotions do not."""
    sampler, rng = PairSampler(sounds, [], PairMix(0, 0, 0, 1, 0)), np.random.default_rng(seed)
    calls = sampler.dialogues(rng, CALLS_OF_SPEAKER * len(sampler.names), config.longest)
    return dataclasses.replace(calls, emotion=[[0.0] * len(EMOTIONS)] * len(calls.keys))


def _renderings(branch: AudioBranch, clips: Sequence[Clip]) -> list[Sound]:
    """Return clips by microphone, by telephone and spoken slower, as the branch hears them."""
    lines = [encode_sounds(branch, clips, phone=phone) for phone in (False, True)]
    lines.append(encode_sounds(branch, clips, phone=False, speed=SPEEDS[1]))
    return [dataclasses.replace(sound, branch=branch) for line in lines for sound in line]


def _words_of_splits(
    model: MmserModel, processor: MmserProcessor, texts: Sequence[Example], folder: Path, seed: int
) -> dict[str, list[Words]]:
    return {split: _words(model, processor, texts, split, folder, seed) for split in ("train", "validation")}


def _words(
    model: MmserModel,
    processor: MmserProcessor,
    texts: Sequence[Example],
    split: str,
    folder: Path,
    seed: int,
) -> list[Words]:
    """Encode dialogues and single-label comments, or read what an earlier run made of the same."""
    chosen = [t for t in texts if t.split == split]
    spoken = [t for t in chosen if t.dialogue_id is not None]
    comments = [t for t in chosen if t.dialogue_id is None and len(t.emotions) == 1]
    rng = np.random.default_rng((seed, len(comments)))
    keep = sorted(rng.permutation(len(comments))[:TEXTS_FOR_PAIRS])
    corrupted = CORRUPTED if split == "train" else 0.0
    found = cached_texts(model, processor, spoken, folder / f"dialogues_{split}.pt", 0.0, seed)
    some = [comments[i] for i in keep]
    return found + cached_texts(model, processor, some, folder / f"comments_{split}.pt", corrupted, seed)


def cached_texts(
    model: MmserModel,
    processor: MmserProcessor,
    examples: Sequence[Example],
    path: Path,
    corrupted: float,
    seed: int,
) -> list[Words]:
    """Encode texts, or read what an earlier run made of the same texts with the same encoder."""
    about = [[str(e.text) for e in examples], tensor_digest(model.text_encoder.state_dict()), corrupted, seed]
    key = digest(about)
    if path.exists():
        stored = load_checkpoint(path)
        if stored["key"] == key:
            pairs = zip(examples, stored["tokens"], stored["weight"], strict=True)
            return [Words(e, tokens, weight) for e, tokens, weight in pairs]
    words = encode_texts(model, processor, examples, corrupted=corrupted, seed=seed)
    save_atomically(
        {"key": key, "tokens": [w.tokens for w in words], "weight": [w.weight for w in words]}, path
    )
    return words


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
                rows.sounds.append(own[index])
                rows.words.append(None)
                rows.keys.append((call, 0, 1))
                rows.positions.append(position)
                rows.emotion.append(one_hot(emotion))
                rows.intensity.append(example_intensity(own[index].example))
                rows.change.append(float(before != emotion) if before else float("nan"))
                rows.direction.append(-100)
                rows.kinds.append("audio_only")
                before = emotion
            call += 1
    return rows
