"""The stage "joint": targets and masks, words, mixtures, weights of tasks, mixed precision."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmser.data import CorpusEntry, load_corpora
from mmser.labels import EMOTIONS
from mmser.model import MmserProcessor
from mmser.training.joint_stage import TASKS, JointConfig, JointStage, LossWeights
from mmser.training.validation import outputs_of
from tests.model_fixtures import tiny_model, tiny_tokenizer
from tests.training.training_fixtures import SILENT, made_rows, write_manifest


def stage(made: Path, rows: Iterable[dict[str, Any]] | None = None, **options: Any) -> JointStage:
    manifest = made / "manifest.csv"
    if rows is not None:
        manifest = write_manifest(made, list(rows), "some.csv")
    dataset = load_corpora([CorpusEntry(corpus="manifest", path=str(manifest), name="made")], Path())
    config = JointConfig(**({"steps": 1, "augment": SILENT, "dialogue_turns": 4} | options))
    return JointStage(
        tiny_model(), MmserProcessor(tiny_tokenizer()), dataset, config, {}, fit_functionals=False
    )


def batch(one: JointStage, count: int = 6, step: int = 0) -> dict[str, Any]:
    return one.collate(one.draw(step, np.random.default_rng(step), count))


def gradients(one: JointStage, losses: dict[str, torch.Tensor]) -> dict[str, float]:
    one.task.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    return {
        name: 0.0 if p.grad is None else float(p.grad.abs().sum()) for name, p in one.task.named_parameters()
    }


def test_counts_are_of_the_rows_that_each_loss_is_the_mean_of(made: Path):
    """Over parts of a batch, the means weighted by the counts are the mean over the whole batch."""
    one = stage(made)
    one.task.eval()
    drawn = one.draw(0, np.random.default_rng(0), 9)
    whole = one.collate(drawn)
    with torch.inference_mode():
        losses, counts = one.task(whole), one.counts(whole)
        assert {n for n, count in counts.items() if count} == losses.keys()
        sums = dict.fromkeys(losses, 0.0)
        for part in (one.collate(drawn[:2]), one.collate(drawn[2:3]), one.collate(drawn[3:])):
            for name, loss in one.task(part).items():
                sums[name] += float(loss) * one.counts(part)[name]
    for name, loss in losses.items():
        assert sums[name] / counts[name] == pytest.approx(float(loss), abs=1e-5), name


@pytest.mark.parametrize(
    ("corpus", "label", "resting"),
    [
        ("tones", "intensity", ("intensity_head", "audio.intensity_head")),
        ("talks", "emotion", ("fusion_head", "change_head")),
        ("sayings", "emotion", ("fusion_head", "text_head")),
    ],
)
def test_a_task_without_labels_leaves_its_head_alone(
    corpus: str, label: str, resting: tuple[str, ...], made: Path
):
    rows = [row | {label: ""} for row in made_rows(made) if row["corpus"] == corpus]
    if label == "intensity":  # an unmarked neutral voice is weak by convention
        rows = [row for row in rows if row["emotion"] != "neutral"]
    one = stage(made, rows)
    found = gradients(one, one.task(batch(one)))
    touched = [n for n, size in found.items() if n.removeprefix("model.").startswith(resting) and size]
    assert not touched


def test_labelled_tasks_reach_their_heads(made: Path):
    one = stage(made)
    found = gradients(one, one.task(batch(one, 24)))
    for head in ("fusion_head", "text_head", "audio.emotion_head", "audio.intensity_head", "change_head"):
        assert sum(size for name, size in found.items() if name.startswith(f"model.{head}")) > 0, head


def test_rare_classes_weigh_more_in_training_and_nothing_in_validation(made: Path):
    rows = [row for row in made_rows(made) if row["corpus"] == "tones"]
    rows = [row for row in rows if row["emotion"] != "anger" or row["speaker"] in "av"]
    one = stage(made, rows)
    weights = one.class_weights["tones"]
    assert np.argmax(weights) == EMOTIONS.index("anger")
    assert weights.mean() == pytest.approx(1.0)
    (checks,) = one._validation_batches()
    assert set(checks["targets"]["emotion"].sum(1).tolist()) == {1.0}
    assert stage(made, rows, class_weights=False).class_weights == {}


def test_only_sound_without_words_is_mixed_and_in_every_other_step(made: Path):
    one = stage(made, augment=SILENT | {"mixup": 0.4})
    examples = one.examples["train"]
    mixed = [t for d in one.draw(1, np.random.default_rng(1), 60) for t in d.turns if t.other is not None]
    assert mixed
    for turn in mixed:
        assert turn.other is not None and 0.5 <= turn.share <= 1.0
        assert all(examples[row].corpus == "tones" for row in (turn.row, turn.other))
    assert not [t for d in one.draw(2, np.random.default_rng(1), 60) for t in d.turns if t.other is not None]
    targets = batch(one, 60, step=1)["targets"]
    assert int((targets["emotion"] > 0).sum(1).max()) == 2


def test_words_of_another_language_and_of_a_script_are_not_read(made: Path):
    one = stage(made)
    example = next(e for e in one.examples["train"] if e.text)
    assert one._words(example) == example.text
    assert one._words(replace(example, language="en")) == example.text
    assert one._words(replace(example, language="pl")) is None
    assert one._words(replace(example, sentence="made/dogs")) is None
    long = one._words(replace(example, text="parcel " * 400))
    assert long is not None and 1 < one.processor.count_tokens(long) <= one.processor.max_text_tokens


@pytest.mark.parametrize("text", ["!" * 200, "?a" * 180, "https://a.b/" + "abc?" * 80])
def test_a_long_text_without_spaces_trains_by_its_beginning(text: str, made: Path):
    """Such a row is one word, which no cut between words makes shorter."""
    rows = [row | {"text": text} if row["corpus"] == "sayings" else row for row in made_rows(made)]
    one = stage(made, rows)
    example = next(e for e in one.examples["train"] if e.corpus == "sayings")
    read = one._words(example)
    assert read and text.startswith(read)
    assert one.processor.count_tokens(read) <= one.processor.max_text_tokens
    assert batch(one, 12)["inputs"]["text_mask"].any()


def talk(turns: int) -> list[dict[str, Any]]:
    """Return a long dialogue of two speakers by words alone, for validation."""
    shared = {"corpus": "talks", "split": "validation", "dialogue_id": "dlong"}
    return [
        {"id": f"long_{turn}", "text": "i am so late", "emotion": EMOTIONS[turn % 5], "turn_index": turn}
        | {"speaker": f"v{turn % 2}"}
        | shared
        for turn in range(turns)
    ]


def test_a_long_dialogue_is_scored_in_pieces_as_it_would_be_at_once(made: Path):
    """Memory is bounded by turns, whatever the length of a call; what was said before is still known."""
    rows = [*made_rows(made), *talk(13)]
    answers: list[dict[str, torch.Tensor]] = []
    for batch_size, most in ((1, 4), (100, 400)):
        one = stage(made, rows, batch_size=batch_size)
        sizes, logits, change = [], [], []
        batches = one._validation_batches()
        assert iter(batches) is batches  # one at a time
        for output, targets in outputs_of(one.model, batches):
            sizes.append(len(output.logits))
            logits.append(output.logits)
            assert not (~targets["change"].isnan() & ~output.has_previous).any()
            change.append(targets["change"])
        assert sum(sizes) == len(one.examples["validation"]) and max(sizes) <= most
        answers.append({"logits": torch.cat(logits), "change": torch.cat(change)})
    cut, whole = answers
    assert torch.equal(cut["change"].isnan(), whole["change"].isnan())
    assert torch.allclose(cut["logits"], whole["logits"], atol=1e-4)


def test_pieces_of_a_call_without_its_beginning_would_be_judged_otherwise(made: Path):
    one = stage(made, [*made_rows(made), *talk(13)], batch_size=1)
    batches = list(one._validation_batches())
    known = torch.cat([out.logits for out, _ in outputs_of(one.model, batches)])
    alone = torch.cat(
        [out.logits for out, _ in outputs_of(one.model, [b | {"continues": False} for b in batches])]
    )
    assert not torch.allclose(known, alone, atol=1e-3)


def test_turns_of_a_dialogue_stay_in_order_with_their_change(made: Path):
    one = stage(made, (row for row in made_rows(made) if row["corpus"] == "talks"))
    for checks in one._validation_batches():
        assert checks["inputs"]["positions"].tolist() == [0, 1, 2, 3]
        assert checks["inputs"]["speaker_ids"].tolist() == [0, 1, 0, 1]
        change = checks["targets"]["change"]
        assert change[:2].isnan().all() and change[2:].tolist() == [1.0, 1.0]
        assert checks["targets"]["direction"].tolist()[2:] == [0, 1]  # worse, better


def test_learned_weights_grow_for_a_small_loss_and_fixed_ones_stay():
    learned = LossWeights({}, learned=True)
    optimizer = torch.optim.SGD(learned.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        torch.stack(
            list(learned({"emotion": torch.tensor(0.1), "change": torch.tensor(3.0)}).values())
        ).sum().backward()
        optimizer.step()
    small, large = (float(learned.log_variance.detach()[TASKS.index(name)]) for name in ("emotion", "change"))
    assert small < 0 < large
    assert float(learned.log_variance.detach()[TASKS.index("text")]) == 0.0
    fixed = LossWeights({"emotion": 0.5}, learned=False)
    assert {
        n: float(v) for n, v in fixed({"emotion": torch.tensor(2.0), "text": torch.tensor(2.0)}).items()
    } == {
        "emotion": 1.0,
        "text": 2.0,
    }
    assert not [p for p in fixed.parameters() if p.requires_grad]


def test_half_precision_computes_what_full_precision_does(made: Path):
    """As on a GPU: bfloat16 where torch allows it, float32 where sums are long."""
    one = stage(made)
    one.task.eval()
    data = batch(one, 8)
    with torch.autocast("cpu", torch.bfloat16):
        half = one.task(data)
    full = one.task(data)
    for name, loss in full.items():
        assert float(half[name]) == pytest.approx(float(loss), rel=0.05, abs=0.05), name
    found = gradients(one, half)
    assert all(np.isfinite(size) for size in found.values())


def test_an_epoch_hears_as_many_turns_as_there_are(made: Path):
    one = stage(made)
    turns = sum(len(d.turns) for d in one.draw(0, np.random.default_rng(0), one.size))
    assert turns == pytest.approx(len(one.examples["train"]), rel=0.35)


def test_rows_are_named_for_errors(made: Path):
    one = stage(made)
    named = one.describe(one.draw(0, np.random.default_rng(0), 8))
    assert "/" in named and "more" in named
