"""Protocol models: trained without their test speakers, scored in every setting."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmser.data import Example
from mmser.model import MmserConfig
from mmser.model.acoustics_mmser import NUM_FUNCTIONALS
from mmser.model.audio_mmser import AudioBranch
from mmser.training.acoustic_cache import SPEEDS, Clip, Rendering
from mmser.training.loop import LoopConfig
from mmser.training.protocols import mute_frames, reference_batches, run_fold
from mmser.training.view_stage import hear

LABELS = ("anger", "calm", "neutral")
SIZE = NUM_FUNCTIONALS + 2 * 3 * 256
VIEWS = LoopConfig(steps=24, batch_size=16, learning_rate=3e-3, average=0.9)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """Three speakers, three clips a class; the functionals tell the classes apart."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, SIZE))
    made = []
    for speaker in "abd":
        for number in range(9):
            example = Example(
                corpus="made",
                split="train",
                emotions=(LABELS[number % 3],),
                speaker=speaker,
                audio=Path(f"{speaker}{number}.wav"),
            )
            lines = [[_rendering(rng, centres[number % 3]) for _ in SPEEDS] for _ in range(2)]
            made.append(Clip(example, lines[0], lines[1]))
    return made


def _rendering(rng: np.random.Generator, centre: np.ndarray) -> Rendering:
    mel = torch.from_numpy(rng.standard_normal((40, 64)).astype(np.float32)).half()
    return Rendering(mel, torch.from_numpy((centre + rng.standard_normal(SIZE)).astype(np.float32)))


@pytest.mark.parametrize("frames", [None, LoopConfig(steps=2, batch_size=4)])
def test_a_fold_scores_only_the_speakers_that_it_did_not_hear(clips, frames, tmp_path: Path):
    fold = run_fold(clips, ["d"], LABELS, {}, tmp_path, frames, VIEWS, seed=0)
    assert fold.scores.keys() == {"no_reference", "history", "references", "telephone"}
    for name, row in fold.scores.items():
        assert set(row["speaker"]) == {"d"}
        # Two neutral clips are the reference and are not scored.
        assert len(row["truth"]) == len(row["guess"]) == (7 if name == "references" else 9)
    assert fold.scores["no_reference"]["guess"] == fold.scores["no_reference"]["truth"]


def test_references_are_two_neutral_clips_that_all_others_are_heard_against(clips):
    branch = AudioBranch(MmserConfig(voice_size=256, id2label=dict(enumerate(LABELS))))
    own = hear(branch, [c for c in clips if c.example.speaker in "ab"])
    batches = reference_batches(own)
    assert len(batches) == 2
    for batch in batches:
        referred = batch.before.any(0)
        assert referred.sum() == 2 and (batch.emotion[referred] == 0).all()
        assert not batch.before[referred].any()
        assert (batch.before[~referred].sum(1) == 2).all()


def test_muted_frames_leave_what_the_functionals_say_alone(clips):
    branch = AudioBranch(MmserConfig(voice_size=256, id2label=dict(enumerate(LABELS)))).eval()
    view = torch.randn(5, branch.emotion_head.in_features)
    wanted = branch.emotion_head(branch.functionals_only(view))
    mute_frames(branch)
    assert torch.allclose(branch.emotion_head(view), wanted, atol=1e-5)
