"""The stage "joint": the whole model at once, from waveforms and words, on dialogues with any labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from datasets import Dataset
from pydantic import ConfigDict, Field, NonNegativeFloat
from torch import Tensor, nn

from mmser.audio.files import Waveform
from mmser.data import Example, examples_of
from mmser.labels import DIRECTIONS, EMOTIONS
from mmser.model import MmserModel, MmserProcessor
from mmser.model.losses_mmser import task_losses
from mmser.training.augmentation import AugmentConfig, Augmenter, Scene, mix_waveforms
from mmser.training.calibration import calibrate_on
from mmser.training.clip_reader import ClipReader
from mmser.training.dialogues import (
    Dialogue,
    DialogueSampler,
    Piece,
    Turn,
    bounded_batches,
    labels_of,
    roles_of,
    speakers_of,
    validation_dialogues,
)
from mmser.training.loop import LoopConfig, Rows
from mmser.training.targets import example_intensity, label_counts
from mmser.training.validation import score_rows
from mmser.training.words import fitting

TASKS = ("emotion", "audio", "text", "intensity", "change", "direction")
FITTED_CLIPS = 400  # from which functionals are standardised
Task = Literal["emotion", "audio", "text", "intensity", "change", "direction"]


class JointConfig(LoopConfig):
    """How the whole model is trained together; `batch_size` counts dialogues."""

    model_config = ConfigDict(extra="forbid")
    batch_size: int = Field(default=8, ge=1)
    encoder_rate: float = Field(default=0.1, gt=0, le=10)  # learning rate of pretrained encoders, as a share
    dialogue_turns: int = Field(default=8, ge=1)  # most turns of one dialogue
    temperature: float = Field(default=2.0, ge=0.1, le=1000)  # corpora are drawn by size ** (1 / temperature)
    balance: bool = True  # draw the classes of single clips alike
    class_weights: bool = True  # weigh the loss by the square root of inverse class frequency
    # Of the tasks' losses, 1 where not given.
    weights: dict[Task, NonNegativeFloat] = Field(default_factory=dict)
    learned_weights: bool = False  # uncertainty weighting (Kendall 2018)
    smoothing: float = Field(default=0.05, ge=0, lt=1)
    augment: AugmentConfig = AugmentConfig()


class LossWeights(nn.Module):
    """Weigh the tasks' losses, by fixed weights or by learned uncertainties (Kendall, Gal & Cipolla 2018)."""

    def __init__(self, fixed: Mapping[str, float], learned: bool) -> None:
        super().__init__()
        self.fixed = dict(fixed)
        self.learned = learned
        self.log_variance = nn.Parameter(torch.zeros(len(TASKS)), requires_grad=learned)

    def forward(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted losses; where weights are learned, each with its log variance's share."""
        weighted = {name: self.fixed.get(name, 1.0) * loss for name, loss in losses.items()}
        if not self.learned:
            return weighted
        found = {}
        for name, loss in weighted.items():
            variance = self.log_variance[TASKS.index(name)]
            found[name] = (-variance).exp() * loss + 0.5 * variance
        return found


class JointTask(nn.Module):
    """The model with its losses."""

    def __init__(self, model: MmserModel, config: JointConfig) -> None:
        super().__init__()
        self.model = model
        self.smoothing = config.smoothing
        self.weights = LossWeights({str(k): v for k, v in config.weights.items()}, config.learned_weights)

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Return the weighted losses; `batch` as `JointStage.collate` makes it."""
        output = self.model(**batch["inputs"])
        targets = dict(batch["targets"])
        emotion = targets["emotion"]
        known = emotion.sum(1, keepdim=True) > 0
        smooth = (1 - self.smoothing) * emotion + self.smoothing * emotion.sum(1, keepdim=True) / len(
            EMOTIONS
        )
        targets["emotion"] = torch.where(known, smooth, emotion)
        return dict(self.weights(task_losses(output, **targets)))


class JointStage:
    """Dialogues of any corpora in the common schema."""

    def __init__(
        self,
        model: MmserModel,
        processor: MmserProcessor,
        dataset: Dataset,
        config: JointConfig,
        shares: dict[str, float],
        fit_functionals: bool = True,
        name: str = "joint",
    ) -> None:
        self.model, self.processor, self.config, self.name = model, processor, config, name
        self.rows = {
            split: dataset.filter(lambda s, split=split: s == split, input_columns="split")
            for split in ("train", "validation")
        }
        self.examples: dict[str, list[Example]] = {s: list(examples_of(d)) for s, d in self.rows.items()}
        self.heard = [audio is not None for audio in self.rows["train"]["audio"]]
        self.sampler = DialogueSampler(
            self.examples["train"],
            temperature=config.temperature,
            shares=shares,
            longest=config.dialogue_turns,
            balance=config.balance,
        )
        # As many draws as it takes to hear as many turns as there are.
        self.size = max(1, round(len(self.examples["train"]) / self.sampler.mean_turns()))
        self.readers = {s: ClipReader(d, processor.max_seconds) for s, d in self.rows.items()}
        self.augmenter = Augmenter(config.augment)
        self.class_weights = _class_weights(self.examples["train"]) if config.class_weights else {}
        self.task = JointTask(model, config)
        if fit_functionals:
            self._fit_functionals()

    def close(self) -> None:
        """Close the recordings that are open."""
        for reader in self.readers.values():
            reader.close()

    def _fit_functionals(self) -> None:
        """Set the standardisation of the functionals from training clips as they will be heard."""
        rng = np.random.default_rng(0)
        heard = np.flatnonzero(self.heard)
        branch = self.model.audio.eval()
        found: list[Tensor] = []
        for row in rng.permutation(heard)[:FITTED_CLIPS]:
            wave = self._sound(Turn(int(row), int(row)), "train", self.augmenter.scene(rng))
            assert wave is not None
            with torch.inference_mode():
                found.append(branch.measure(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))[1])
        if len(found) > 1:
            values = torch.cat(found)
            branch.functional_mean.copy_(values.mean(0))
            branch.functional_spread.copy_(values.std(0).clamp(min=1e-3))

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return new parts at the full rate, pretrained encoders at a share of it; frozen ones rest."""
        slow: list[nn.Parameter] = []
        pretrained = [self.model.text_encoder]
        if not self.model.audio.takes_log_mel:
            pretrained.append(self.model.audio.encoder.model)
        for encoder in pretrained:
            # Adapters are new parts too.
            slow += [p for n, p in encoder.named_parameters() if p.requires_grad and "lora_" not in n]
        known = {id(p) for p in slow}
        fast = [p for p in self.task.parameters() if p.requires_grad and id(p) not in known]
        groups = [{"params": fast, "lr": learning_rate}]
        if slow:
            groups.append({"params": slow, "lr": self.config.encoder_rate * learning_rate})
        return groups

    def draw(self, step: int, rng: np.random.Generator, size: int) -> Rows:
        """Draw dialogues; in every other step clips without words are mixed."""
        drawn = [self.sampler.draw(rng) for _ in range(size)]
        return [self._mixed(d, rng) for d in drawn] if step % 2 and self.config.augment.mixup else drawn

    def _mixed(self, dialogue: Dialogue, rng: np.random.Generator) -> Dialogue:
        if not dialogue.made:
            return dialogue
        alpha = self.config.augment.mixup
        turns = []
        for turn in dialogue.turns:
            other = self.sampler.draw(rng).turns[-1].row
            share = float(rng.beta(alpha, alpha))
            if all(self._is_sound_alone(row) for row in (turn.row, other)):
                turn = replace(turn, other=other, share=max(share, 1 - share))
            turns.append(turn)
        return replace(dialogue, turns=tuple(turns))

    def _is_sound_alone(self, row: int) -> bool:
        """Tell whether a training row is labelled sound without words, which alone can be mixed."""
        example = self.examples["train"][row]
        return self.heard[row] and bool(example.emotions) and not self._may_read(example)

    def collate(self, rows: Rows) -> dict[str, Any]:
        """Return model inputs and targets of augmented dialogues."""
        return self._batch([Piece.whole(dialogue) for dialogue in rows], "train")

    def _batch(self, pieces: Sequence[Piece], split: str) -> dict[str, Any]:
        examples = self.examples[split]
        audio: list[Waveform | None] = []
        texts: list[str | None] = []
        keys: list[tuple[int, int, int]] = []  # dialogue, speaker, position
        roles: list[str] = []
        targets: dict[str, list[Any]] = {n: [] for n in ("emotion", "intensity", "change", "direction")}
        for number, piece in enumerate(pieces):
            dialogue, part = piece.dialogue, slice(piece.first, piece.last)
            speakers = speakers_of(examples, dialogue.turns, dialogue.made)
            labels = labels_of(examples, dialogue)
            roles += roles_of(examples, dialogue, random=split == "train")[part]
            scene = self._scene(dialogue) if split == "train" else None
            for position, turn in enumerate(dialogue.turns[part], piece.first):
                audio.append(self._sound(turn, split, scene))
                texts.append(self._words(examples[turn.row]))
                keys.append((number, speakers[position], position))
                emotion, intensity = self._targets(turn, examples, weigh=split == "train")
                direction, changed = labels[position].direction, labels[position].changed
                targets["emotion"].append(emotion)
                targets["intensity"].append(intensity)
                targets["change"].append(float("nan") if changed is None else float(changed))
                targets["direction"].append(-100 if direction is None else DIRECTIONS.index(direction))
        columns = [list(column) for column in zip(*keys, strict=True)]
        rate = self.processor.sampling_rate
        inputs = self.processor(
            audio,
            texts,
            sampling_rate=rate,
            dialogue_ids=columns[0],
            speaker_ids=columns[1],
            positions=columns[2],
            roles=roles,
        )
        return {"inputs": dict(inputs), "targets": {n: torch.tensor(v) for n, v in targets.items()}}

    def _scene(self, dialogue: Dialogue) -> Scene:
        return self.augmenter.scene(np.random.default_rng(dialogue.seed))

    def _sound(self, turn: Turn, split: str, scene: Scene | None) -> Waveform | None:
        reader = self.readers[split]
        waveform = reader.read(turn.row)
        if waveform is None or scene is None:
            return waveform
        if turn.other is not None:
            other = reader.read(turn.other)
            if other is not None:
                waveform = mix_waveforms((waveform, other), turn.share)
        most = int(self.processor.max_seconds * self.processor.sampling_rate)
        return self.augmenter(waveform, scene, np.random.default_rng(turn.seed))[:most]

    def _may_read(self, example: Example) -> bool:
        """Tell whether the text encoder reads an example's words; other languages count as missing."""
        known = example.language in (None, *self.model.config.text_languages)
        # NOTE a sentence that is said in every emotion teaches scripts, not words.
        return known and bool(example.text) and example.sentence is None

    def _words(self, example: Example) -> str | None:
        """Return the words that the text encoder reads, cut to what it takes."""
        if not example.text or not self._may_read(example):
            return None
        processor = self.processor
        return " ".join(fitting(example.text.split(), processor.max_text_tokens, processor.count_tokens))

    def _targets(self, turn: Turn, examples: Sequence[Example], *, weigh: bool) -> tuple[list[float], float]:
        example = examples[turn.row]
        emotion, intensity = np.asarray(example.target()), example_intensity(example)
        if turn.other is not None:
            other = examples[turn.other]
            emotion = turn.share * emotion + (1 - turn.share) * np.asarray(other.target())
            intensity = turn.share * intensity + (1 - turn.share) * example_intensity(other)
        if weigh and self.class_weights:
            emotion = emotion * self.class_weights[example.corpus]
        return emotion.tolist(), intensity

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many turns carry the label of each loss."""
        targets, inputs = batch["targets"], batch["inputs"]
        return label_counts(
            targets["emotion"],
            targets["intensity"],
            targets["change"],
            targets["direction"],
            inputs["audio_lengths"] > 0,
            inputs["text_mask"].any(1),
        )

    def describe(self, rows: Rows) -> str:
        """Name the rows."""
        turns = [t.row for dialogue in rows for t in dialogue.turns]
        named = [self.examples["train"][r] for r in turns[:6]]
        shown = ", ".join(f"{e.corpus}/{e.id or e.audio or e.text}" for e in named)
        return shown + (f" and {len(turns) - 6} more" if len(turns) > 6 else "")

    def validate(self, task: nn.Module) -> dict[str, float]:
        """Return UAR, intensity CCC and change MCC on validation rows; UAR decides, then change."""
        assert isinstance(task, JointTask)
        return score_rows(task.model, self._validation_batches())

    def calibrate(self) -> None:
        """Set the temperatures and thresholds in the model's config from validation rows."""
        calibrate_on(self.model, self._validation_batches())

    def _validation_batches(self) -> Iterator[dict[str, Any]]:
        """Yield validation rows, each once, in batches no larger than training's.

        A dialogue of more turns than that comes in pieces; "continues" marks those that take up its state.
        """
        dialogues = validation_dialogues(self.examples["validation"])
        for pieces in bounded_batches(dialogues, self.config.batch_size * self.config.dialogue_turns):
            yield self._batch(pieces, "validation") | {"continues": pieces[0].first > 0}


def _class_weights(examples: Sequence[Example]) -> dict[str, np.ndarray]:
    """Return each corpus's square-root inverse-frequency weights, mean 1."""
    found = {}
    for corpus in {e.corpus for e in examples}:
        counts = np.maximum(np.sum([e.target() for e in examples if e.corpus == corpus], 0), 1.0)
        found[corpus] = counts**-0.5 / np.mean(counts**-0.5)
    return found
