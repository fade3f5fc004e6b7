"""Voices of training speakers as strangers are heard, for fusion to learn from.

The sound's own head knows its training speakers by heart: fusion that learned from what it says of them
would trust it far more than it deserves with others. As in stacking (Wolpert 1992), each training speaker
is heard for fusion by a branch that was trained without them.
"""

import copy
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mmser.model.audio_mmser import AudioBranch
from mmser.training.acoustic_cache import Clip
from mmser.training.loop import LoopConfig, fit
from mmser.training.view_stage import Heard, ViewStage, eval_batches, weigh_halves

Part = tuple[AudioBranch, list[Clip]]  # clips, and what hears them


def cross_fit(
    untrained: AudioBranch, views: ViewStage, folder: Path, config: LoopConfig, folds: int, seed: int
) -> list[Part]:
    """Train a branch without the speakers of each fold; return each with the clips that it has not heard.

    The frame encoder, which all share, did hear them.

    Args:
        untrained: the branch as it was before the stage "views".
        views: that stage, trained.
        folder: where checkpoints go.
        config: of that stage.
        folds: of speakers; with fewer than two, or a single speaker, the trained branch hears all.
        seed: of the runs.
    """
    groups = speaker_folds(views.heard, folds)
    if len(groups) < 2:
        return [(views.task.branch, [row.clip for row in views.heard])]
    parts = []
    for number, strangers in enumerate(groups):
        branch = copy.deepcopy(untrained)
        branch.functional_mean.copy_(views.task.branch.functional_mean)
        branch.functional_spread.copy_(views.task.branch.functional_spread)
        known = [row for other, group in enumerate(groups) if other != number for row in group]
        stage = ViewStage(branch, known, views.held_out, name=f"views_without_{number}")
        unheard = sorted({str(row.clip.example.speaker) for row in strangers})
        fit(stage, config, folder, seed=seed + number, about=[stage.size, unheard], cpu=True)
        if views.held_out:
            weigh_halves(branch, eval_batches(views.held_out, 1, seed))
        parts.append((branch.requires_grad_(False).eval(), [row.clip for row in strangers]))
    return parts


def speaker_folds(heard: Sequence[Heard], folds: int) -> list[list[Heard]]:
    """Part clips by speaker, each corpus's speakers in turn; folds that get none are left out."""
    speakers: dict[str, dict[str, list[Heard]]] = defaultdict(lambda: defaultdict(list))
    for row in heard:
        speakers[row.clip.example.corpus][str(row.clip.example.speaker)].append(row)
    parts: list[list[Heard]] = [[] for _ in range(max(1, folds))]
    for corpus in sorted(speakers):
        for place, speaker in enumerate(sorted(speakers[corpus])):
            parts[place % len(parts)] += speakers[corpus][speaker]
    return [part for part in parts if part]
