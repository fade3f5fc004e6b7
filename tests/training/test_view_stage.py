"""The stage "views": made calls, histories, mixtures, and how the halves are weighed."""

from dataclasses import replace

import numpy as np
import torch

from mmser.model.speaker_mmser import no_history
from mmser.training.acoustic_cache import gain_response
from mmser.training.view_stage import (
    CallRow,
    ViewStage,
    branch_logits,
    eval_batches,
    hear,
    view_stage,
    weigh_halves,
)
from tests.model_fixtures import tiny_model
from tests.training.made_clips import clips


def stage(count: int = 30) -> ViewStage:
    return view_stage(tiny_model().audio, clips(count))


def calls(one: ViewStage, seed: int = 0) -> list[CallRow]:
    rng = np.random.default_rng(seed)
    return [one.sampler.call(rng, 8) for _ in range(4)]


def test_a_made_call_holds_one_speaker_and_looks_back_only():
    one = stage()
    batch = one.collate(calls(one))
    assert batch.before.sum() == 4 * (8 * 7 // 2)
    assert not (batch.before & batch.before.T).any()
    assert all(len(set(batch.speakers[i : i + 8])) == 1 for i in range(0, 32, 8))
    logits, intensity = branch_logits(one.task.branch, batch)
    assert logits.shape == (32, 7)
    assert intensity.shape == (32,)


def test_mixed_clips_keep_their_own_label_above_the_other():
    one = stage()
    rows, others = calls(one), calls(one, 1)
    plain = one.collate(rows)
    mixed = one.collate([replace(r, other=o, share=0.8) for r, o in zip(rows, others, strict=True)])
    assert torch.allclose(mixed.emotion.sum(1), torch.ones(32))
    assert (mixed.emotion.argmax(1) == plain.emotion.argmax(1)).all()
    assert mixed.intensity.isnan().sum() >= plain.intensity.isnan().sum()
    assert not torch.equal(mixed.functionals, plain.functionals)
    assert one.counts(mixed) == {"emotion": 32, "intensity": int((~mixed.intensity.isnan()).sum())}


def test_every_other_step_is_mixed_and_its_share_stays_above_half():
    one = stage()
    for step in range(6):
        rows = one.draw(step, np.random.default_rng(step), 32)
        assert {len(row.clips) for row in rows} == {(4, 8, 16)[step % 3]}
        assert all((row.other is not None) == bool(step % 2) and row.share >= 0.5 for row in rows)


def test_both_halves_of_the_view_learn_from_every_batch_and_the_encoder_rests():
    one = stage()
    branch = one.task.branch
    losses = one.task.train()(one.collate(calls(one)))
    torch.stack(list(losses.values())).sum().backward()
    for half in (branch.frame_half, branch.functional_half):
        assert half[1].weight.grad.abs().sum() > 0
    assert branch.encoder.stem.weight.grad is None
    trained = {id(p) for group in one.parameter_groups(1e-3) for p in group["params"]}
    assert not trained & {id(p) for p in (*branch.encoder.parameters(), *branch.pool.parameters())}


def test_what_was_heard_is_what_the_branch_hears():
    branch = tiny_model().audio
    row = hear(branch, clips())[3]
    rendering = row.clip.rendering()
    features = branch.encode(
        rendering.log_mel.float()[None],
        torch.tensor([len(rendering.log_mel)]),
        rendering.functionals[None],
        torch.ones(1, dtype=torch.bool),
    )
    assert torch.allclose(row.pooled[0, 0], features.pooled[0], atol=1e-5)
    assert torch.equal(row.functionals[0, 0], rendering.functionals)


def test_weighing_the_halves_follows_the_one_that_knows():
    """Validation labels that the functionals alone tell leave the frames the smallest share."""
    branch = tiny_model().audio
    batches = eval_batches(hear(branch, clips(60)), 1, seed=0)
    before = branch.emotion_head.weight.clone()
    with torch.no_grad():
        for batch in batches:
            features = batch.features(branch)
            view = branch.functionals_only(branch.view(features, *no_history(features.vectors)))
            batch.emotion = torch.eye(7)[branch.emotion_head(view).argmax(1)]
    assert weigh_halves(branch, batches) < 0.5
    left, right = branch.emotion_head.weight.split(list(branch.half_sizes), 1)
    first, second = before.split(list(branch.half_sizes), 1)
    assert left.norm() < first.norm() and right.norm() > second.norm()


def test_evaluation_hears_every_clip_once():
    rows = hear(tiny_model().audio, clips())
    for size in (1, 5):
        batches = eval_batches(rows, size, seed=0)
        assert sum(len(b.pooled) for b in batches) == len(rows)
        longest = max(int(b.before.sum(1).max()) for b in batches)
        assert longest == size - 1


def test_louder_calls_move_functionals_as_louder_clips_would():
    one = stage()
    row = calls(one)[0]
    quiet, loud = (one.collate([replace(row, levels=(level,) * 8)]) for level in (0.0, 1.0))
    assert torch.allclose(
        loud.functionals - quiet.functionals, gain_response(one.task.branch).expand(8, -1), atol=1e-5
    )
