"""Made calls: histories, pairs, targets and augmentation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from model_fixtures import tiny_model

from mmser.data import Example
from mmser.labels import DIRECTIONS, EMOTIONS, ROLES
from mmser.model.acoustics_mmser import NUM_FUNCTIONALS, Acoustics
from mmser.model.audio_mmser import AudioBranch
from mmser.model.speaker_mmser import no_history
from mmser.training.acoustic_cache import SPEEDS, Clip, Rendering, gain_response
from mmser.training.augmentation import change_speed, mu_law, telephone
from mmser.training.calibration import fit_temperature
from mmser.training.encodings import Sound, Words, corrupt
from mmser.training.frame_stage import CROP, FrameSampler, frame_uar, train_frames
from mmser.training.fusion_stage import PairMix, PairSampler, meld_batch
from mmser.training.view_stage import (
    CallSampler,
    Heard,
    branch_logits,
    eval_batches,
    fit_functionals,
    hear,
    train_views,
    view_loss,
    weigh_halves,
)


def example(emotion: str, speaker: str = "a", **options) -> Example:
    return Example(corpus="made", split="train", emotions=(emotion,), speaker=speaker, **options)


def sound(emotion: str, speaker: str = "a") -> Sound:
    return Sound(
        example(emotion, speaker),
        torch.zeros(3, 24).half(),
        torch.zeros(NUM_FUNCTIONALS + 8),
        torch.zeros(48),
    )


def words(emotion: str, **options) -> Words:
    return Words(example(emotion, **options), torch.ones(4, 32).half(), torch.ones(4))


def clips(count: int = 30) -> list[Clip]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(count):
        mel = torch.from_numpy(rng.standard_normal((40 + i, 64)).astype(np.float32)).half()
        rendering = Rendering(mel, torch.from_numpy(rng.standard_normal(NUM_FUNCTIONALS).astype(np.float32)))
        made.append(Clip(example(EMOTIONS[i % 7], "ab"[i % 2]), [rendering], [rendering]))
    return made


def heard(branch: AudioBranch, count: int = 30) -> list[Heard]:
    return hear(branch, clips(count))


def test_a_made_call_holds_one_speaker_and_looks_back_only():
    branch = tiny_model().audio
    batch = CallSampler(heard(branch), seed=0).batch(4, 8)
    assert batch.before.sum() == 4 * (8 * 7 // 2)
    assert not (batch.before & batch.before.T).any()
    logits, intensity = branch_logits(branch, batch)
    assert logits.shape == (32, 7)
    assert intensity.shape == (32,)


def test_mixed_clips_keep_their_own_label_above_the_other():
    sampler = CallSampler(heard(tiny_model().audio), seed=0)
    plain = sampler.batch(4, 8)
    mixed = sampler.mixed(plain)
    assert torch.allclose(mixed.emotion.sum(1), torch.ones(32))
    assert (mixed.emotion.argmax(1) == plain.emotion.argmax(1)).all()
    assert mixed.intensity.isnan().sum() >= plain.intensity.isnan().sum()
    assert not torch.equal(mixed.functionals, plain.functionals)


def test_both_halves_of_the_view_learn_from_every_batch_and_the_encoder_rests():
    branch = tiny_model().audio
    batch = CallSampler(heard(branch), seed=0).batch(4, 8)
    view_loss(branch.train(), batch).backward()
    for half in (branch.frame_half, branch.functional_half):
        assert half[1].weight.grad.abs().sum() > 0
    assert branch.encoder.stem.weight.grad is None


def test_what_was_heard_is_what_the_branch_hears():
    branch = tiny_model().audio
    row = heard(branch)[3]
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
    rows = heard(branch, 60)
    batches = eval_batches(rows, 1, seed=0)
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
    rows = heard(tiny_model().audio)
    for size in (1, 5):
        batches = eval_batches(rows, size, seed=0)
        assert sum(len(b.pooled) for b in batches) == len(rows)
        longest = max(int(b.before.sum(1).max()) for b in batches)
        assert longest == size - 1


def test_crops_of_clips_of_any_length_are_full_and_centred():
    assert {len(c.clean[0].log_mel) >= CROP for c in clips()} == {False}
    sampler = FrameSampler(clips(), seed=0)
    batch = sampler.batch(16)
    assert batch.log_mel.shape == (16, CROP, 64)
    for rows in (batch, sampler.mixed(batch)):
        assert rows.log_mel.mean(1).abs().max() < 1e-4
        assert torch.allclose(rows.emotion.sum(1), torch.ones(16))


def test_training_leaves_the_encoder_better_on_what_it_saw(tmp_path: Path):
    """A separable toy: lively low bands against lively high ones; a few steps tell them apart."""
    made = []
    for i, emotion in enumerate(("anger", "sadness") * 8):
        lively = (torch.arange(64) < 32) == (emotion == "anger")
        mel = (torch.randn(280, 64) * torch.where(lively, 5.0, 0.5)).half()
        rendering = Rendering(mel, torch.randn(NUM_FUNCTIONALS))
        split = "train" if i < 12 else "validation"
        one = Example(corpus="made", split=split, emotions=(emotion,), speaker=f"s{i // 4}")
        lines = [rendering] * (len(SPEEDS) if split == "train" else 1)
        made.append(Clip(one, lines, lines))
    branch = tiny_model().audio
    fit_functionals(branch, made)
    train_frames(branch, made, tmp_path, steps=200)
    assert frame_uar(branch, [c for c in made if c.example.split == "validation"]) > 75
    train_views(branch, made, tmp_path, steps=60)
    rows = [json.loads(line) for line in (tmp_path / "views.jsonl").read_text().splitlines()]
    assert rows[-1]["uar"] > 75 and 0.2 <= rows[-1]["frame_share"] <= 0.8


@pytest.mark.parametrize(
    ("kind", "has_sound", "has_words"), [(0, True, True), (3, True, False), (4, False, True)]
)
def test_pairs_hold_what_their_kind_says(kind, has_sound, has_words):
    shares = [0.0] * 5
    shares[kind] = 1.0
    sampler = PairSampler(
        [sound(e) for e in EMOTIONS], [words(e) for e in EMOTIONS], PairMix(*shares), seed=0
    )
    rows = sampler.dialogues(3, 5)
    assert all((s is not None) == has_sound for s in rows.sounds)
    assert all((w is not None) == has_words for w in rows.words)
    for s, w, target in zip(rows.sounds, rows.words, rows.emotion, strict=True):
        emotion = EMOTIONS[int(np.argmax(target))]
        assert s is None or s.example.emotions[0] == emotion
        assert w is None or w.example.emotions[0] == emotion


def test_change_targets_follow_the_emotions_of_the_made_call():
    sampler = PairSampler(
        [sound(e) for e in EMOTIONS], [words(e) for e in EMOTIONS], PairMix(1, 0, 0, 0, 0), 1
    )
    rows = sampler.dialogues(5, 6)
    for i, position in enumerate(rows.positions):
        if position == 1:
            assert math.isnan(rows.change[i])
        else:
            assert rows.change[i] == float(rows.emotion[i] != rows.emotion[i - 1])


def test_conflicting_pairs_share_their_target_and_ask_for_no_change():
    sampler = PairSampler(
        [sound(e) for e in EMOTIONS], [words(e) for e in EMOTIONS], PairMix(0, 0, 1, 0, 0), 1
    )
    rows = sampler.dialogues(2, 6)
    assert all(sorted(t)[-2:] == [0.5, 0.5] for t in rows.emotion)
    assert all(math.isnan(c) for c in rows.change)


def test_after_a_conflicting_pair_nothing_is_known_of_a_change():
    sampler = PairSampler(
        [sound(e) for e in EMOTIONS], [words(e) for e in EMOTIONS], PairMix(0.5, 0, 0.5, 0, 0), 1
    )
    rows = sampler.dialogues(20, 6)
    after = [
        rows.change[i]
        for i in range(1, len(rows.kinds))
        if rows.kinds[i - 1] == "conflicting" and rows.positions[i] > 1
    ]
    known = [c for c in rows.change if not math.isnan(c)]
    assert after and all(math.isnan(c) for c in after)
    assert 0 < np.mean(known) < 1


def test_agents_come_in_as_words_without_a_label():
    sampler = PairSampler(
        [sound(e) for e in EMOTIONS], [words(e) for e in EMOTIONS], PairMix(1, 0, 0, 0, 0), 1, agent_turns=0.5
    )
    rows = sampler.dialogues(10, 6)
    agents = [i for i, kind in enumerate(rows.kinds) if kind == "agent"]
    assert agents
    for i in agents:
        assert rows.sounds[i] is None and rows.words[i] is not None
        assert rows.keys[i][2] == ROLES.index("agent")
        assert sum(rows.emotion[i]) == 0 and math.isnan(rows.change[i]) and rows.direction[i] == -100


def test_no_clip_is_heard_against_itself_while_there_are_others():
    sampler = PairSampler([sound("anger") for _ in range(6)], [], PairMix(0, 0, 0, 1, 0), 1)
    rows = sampler.dialogues(1, 6)
    assert len({id(s) for s in rows.sounds}) == 6


def test_meld_compares_with_the_same_speakers_previous_turn():
    line = dict(dialogue_id="d")
    dialogue = [
        words("anger", **(line | {"speaker": "a", "turn_index": 0, "valence": -1})),
        words("happiness", **(line | {"speaker": "b", "turn_index": 1, "valence": 1})),
        words("happiness", **(line | {"speaker": "a", "turn_index": 2, "valence": 1})),
        words("happiness", **(line | {"speaker": "b", "turn_index": 3, "valence": 1})),
        words("surprise", **(line | {"speaker": "b", "turn_index": 4, "valence": 1})),
    ]
    rows = meld_batch([dialogue])
    assert [None if math.isnan(c) else c for c in rows.change] == [None, None, 1.0, 0.0, 1.0]
    assert rows.direction == [-100, -100, DIRECTIONS.index("better"), -100, DIRECTIONS.index("lateral")]


def test_corrupted_words_are_the_doubtful_ones():
    rng = np.random.default_rng(3)
    pairs = [corrupt(["word"] * 50, ["other"], rng) for _ in range(20)]
    heard, sure = [h for p in pairs for h in p[0]], [c for p in pairs for c in p[1]]
    wrong = [c for h, c in zip(heard, sure, strict=True) if h == "other"]
    right = [c for h, c in zip(heard, sure, strict=True) if h == "word"]
    assert wrong and right
    assert np.mean(wrong) < 0.4 < 0.7 < np.mean(right)


def test_a_telephone_line_keeps_the_length_and_drops_what_is_above_its_band():
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(16_000).astype(np.float32) * 0.1
    line = telephone(wave, rng)
    spectrum = np.abs(np.fft.rfft(line)) ** 2
    assert len(line) == len(wave)
    assert spectrum[4200:].sum() < 0.01 * spectrum[500:3000].sum()


def test_mu_law_error_is_small_against_the_signal():
    wave = np.sin(np.linspace(0, 100, 8000)).astype(np.float32) * 0.5
    assert np.abs(mu_law(wave) - wave).max() < 0.03


def test_speed_changes_length_and_pitch():
    wave = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000).astype(np.float32)
    fast = change_speed(wave, 1.1)
    peak = np.argmax(np.abs(np.fft.rfft(fast))) * 16_000 / len(fast)
    assert len(fast) == pytest.approx(16_000 / 1.1, abs=2)
    assert peak == pytest.approx(220, abs=3)


def test_gain_moves_levels_and_nothing_else():
    acoustics = Acoustics()
    response = gain_response(acoustics)
    wave = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(5)) * 0.03
    length = torch.tensor([16_000])
    quiet = acoustics.functionals(wave, length, acoustics.log_mel(wave, length))
    loud = acoustics.functionals(wave * math.e, length, acoustics.log_mel(wave * math.e, length))
    assert 0 < (response != 0).sum() < NUM_FUNCTIONALS / 2
    assert torch.allclose(loud - quiet, 2 * response[None], atol=0.05)


def test_temperature_restores_a_scaled_distribution():
    torch.manual_seed(0)
    logits = torch.randn(4000, 7)
    truth = torch.eye(7)[torch.multinomial(logits.softmax(-1), 1).squeeze(1)]
    assert fit_temperature(logits * 3, truth) == pytest.approx(3, rel=0.1)
