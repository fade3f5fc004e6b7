"""Two small networks trained from scratch on the sound: a CNN on log-mel, a bidirectional LSTM on MFCC.

Each clip is masked to its own length, so that it is answered alike alone and in any batch.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from mmser.evaluation.baseline_models.contours import acoustics, delta
from mmser.evaluation.baseline_models.fitted import Fitted, Floats, Rows, held_uar
from mmser.model.acoustics_mmser import N_MELS, N_MFCC, length_mask, masked_mean_std
from mmser.model.audio_mmser import AttentiveStatistics
from mmser.model.cnn_mmser import MaskedBatchNorm, blank, image_mask, strided_lengths
from mmser.progress import ProgressCallback

Frames = NDArray[np.float32]  # one clip, (frames, columns)

BATCH, LEAST_BATCH = 32, 8  # clips; the fewer there are to learn from, the smaller
MAX_STEPS, LEAST_EPOCHS, MAX_EPOCHS = 1600, 5, 30
DEFAULT_EPOCHS = 20  # where no validation rows tell when to stop
PATIENCE = 12  # epochs without a better UAR
LONGEST = 250  # frames of 20 ms, 5 s, that are cut out of a longer clip in training
CHANNELS = (16, 32, 64, 96)
HIDDEN = 64  # of each direction of the LSTM


class LogMelCnn(nn.Module):
    """Four convolutions that halve time or bands > attentive mean and standard deviation > linear."""

    def __init__(self, num_classes: int, channels: Sequence[int] = CHANNELS, size: int = 96) -> None:
        super().__init__()
        strides = ((2, 2), (1, 2), (2, 2), (1, 2))
        pairs = list(zip((1, *channels[:-1]), channels, strict=True))
        self.strides = strides
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride, padding=1, bias=False)
            for (i, o), stride in zip(pairs, strides, strict=True)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(o, momentum=0.1) for o in channels)
        self.project = nn.Linear(channels[-1] * N_MELS // 16, size)
        self.pool = AttentiveStatistics(size)
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(2 * size, num_classes))

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return logits, (batch, classes).

        Args:
            frames: mean-normalised log-mel, zero past each clip's end, (batch, frames, 64).
            lengths: frames of each clip, (batch,).
        """
        hidden = frames.unsqueeze(1)
        for convolution, norm, stride in zip(self.convolutions, self.norms, self.strides, strict=True):
            lengths, hidden = strided_lengths(lengths, stride[0]), convolution(hidden)
            mask = image_mask(lengths, hidden.shape[2])
            hidden = blank(F.silu(norm(hidden, mask)), mask)
        projected = F.silu(self.project(hidden.transpose(1, 2).flatten(2)))
        logits: Tensor = self.head(self.pool(projected, length_mask(lengths, projected.shape[1])))
        return logits


class CepstralLstm(nn.Module):
    """Bidirectional LSTM > mean over frames > linear."""

    def __init__(self, num_classes: int, inputs: int = 2 * N_MFCC, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.forwards = nn.LSTM(inputs, hidden, batch_first=True)
        self.backwards = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(2 * hidden, num_classes))

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return logits, (batch, classes).

        Args:
            frames: MFCC with slopes, zero past each clip's end, (batch, frames, 28).
            lengths: frames of each clip, (batch,).
        """
        # Each clip is turned round within its own length, so that the way back starts at its end and not in
        # the padding; packed sequences do the same six times slower. The mean does not mind the order.
        place = torch.arange(frames.shape[1])
        turned = (lengths[:, None] - 1 - place).clamp(min=0)
        back = frames.gather(1, turned[:, :, None].expand_as(frames))
        hidden = torch.cat([self.forwards(frames)[0], self.backwards(back)[0]], 2)
        mean, _ = masked_mean_std(hidden, length_mask(lengths, hidden.shape[1]))
        logits: Tensor = self.head(mean)
        return logits


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is trained."""

    network: Callable[[int], nn.Module]  # from the number of classes
    prepare: Callable[[Frames], Frames]  # from log-mel frames to what the network takes
    rate: float  # of AdamW, falling to 0 by a cosine
    masked: bool  # whether bands and stretches are blanked in training (SpecAugment, Park 2019)


def fit_cnn(
    rows: Rows[list[Frames]], held: Rows[list[Frames]] | None, seed: int, progress: ProgressCallback
) -> Fitted[list[Frames]]:
    """Fit a small CNN on log-mel frames, each band's mean taken off; its epochs are chosen, 20 by default."""
    recipe = Recipe(network=LogMelCnn, prepare=mean_normalised, rate=8e-3, masked=True)
    return _fit(recipe, rows, held, seed, progress)


def fit_bilstm(
    rows: Rows[list[Frames]], held: Rows[list[Frames]] | None, seed: int, progress: ProgressCallback
) -> Fitted[list[Frames]]:
    """Fit a bidirectional LSTM on MFCC and their slopes every 40 ms; its epochs are chosen, 20 by default.

    The columns are standardised by the training rows.
    """
    stacked = np.concatenate([cepstral(frames) for frames in rows.inputs])
    mean, spread = stacked.mean(0), stacked.std(0) + 1e-3
    recipe = Recipe(
        network=CepstralLstm, prepare=lambda f: (cepstral(f) - mean) / spread, rate=3e-3, masked=False
    )
    return _fit(recipe, rows, held, seed, progress)


def mean_normalised(log_mel: Frames) -> Frames:
    """Take off the mean of each band: a line or a microphone colours it, a voice moves it."""
    centred: Frames = (log_mel - log_mel.mean(0)) / np.float32(3.0)
    return centred


def cepstral(log_mel: Frames) -> Frames:
    """Return MFCC 0 to 13 and their slopes every 40 ms, from log-mel every 20 ms, (frames / 2, 28)."""
    cepstrum = log_mel.astype(np.float64) @ acoustics().dct.double().numpy()
    if len(cepstrum) % 2:
        cepstrum = np.concatenate([cepstrum, cepstrum[-1:]])
    halved = cepstrum.reshape(-1, 2, N_MFCC).mean(1)
    return np.concatenate([halved, delta(halved)], 1).astype(np.float32)


def logits_of(network: nn.Module, clips: Sequence[Frames], batch: int = BATCH) -> Floats:
    """Return logits of prepared clips, (clips, classes); those of about one length go together."""
    order = np.argsort([len(clip) for clip in clips], kind="stable")
    found: list[Tensor] = []
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            found.append(network(*_padded([clips[i] for i in order[start : start + batch]])))
    logits = np.zeros((len(clips), found[0].shape[1]))
    logits[order] = torch.cat(found).double().numpy()
    return logits


def _padded(clips: Sequence[Frames]) -> tuple[Tensor, Tensor]:
    """Return clips as one batch, zeros past their ends, and their lengths."""
    tensors = [torch.from_numpy(np.ascontiguousarray(clip, np.float32)) for clip in clips]
    return pad_sequence(tensors, batch_first=True), torch.tensor([len(clip) for clip in clips])


def _fit(
    recipe: Recipe,
    rows: Rows[list[Frames]],
    held: Rows[list[Frames]] | None,
    seed: int,
    progress: ProgressCallback,
) -> Fitted[list[Frames]]:
    clips = [recipe.prepare(frames) for frames in rows.inputs]
    checked = None
    if held is not None and held.targets.size:
        checked = Rows(inputs=[recipe.prepare(frames) for frames in held.inputs], targets=held.targets)
    with torch.random.fork_rng(devices=[]), _one_thread():
        torch.manual_seed(seed)
        network = recipe.network(rows.targets.shape[1])
        epochs = _train(network, recipe, Rows(inputs=clips, targets=rows.targets), checked, seed, progress)
    return Fitted(
        scores=lambda inputs: logits_of(network, [recipe.prepare(frames) for frames in inputs]),
        chosen={"epochs": epochs},
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: sums come out alike on any machine, and a busy one is far faster with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(
    network: nn.Module,
    recipe: Recipe,
    rows: Rows[list[Frames]],
    held: Rows[list[Frames]] | None,
    seed: int,
    progress: ProgressCallback,
) -> int:
    """Train, leave the network as it was after its best epoch, and return which that was, from 1."""
    rng = np.random.default_rng(seed)
    balance = torch.from_numpy(1 / (rows.targets.shape[1] * rows.targets.mean(0))).float()
    size = min(BATCH, max(LEAST_BATCH, len(rows.inputs) // 16))
    steps = math.ceil(len(rows.inputs) / size)
    most = DEFAULT_EPOCHS if held is None else MAX_EPOCHS
    epochs = max(LEAST_EPOCHS, min(most, MAX_STEPS // steps))
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=epochs * steps, pct_start=0.1
    )
    best, kept, found = -1.0, network.state_dict(), epochs
    for epoch in range(1, epochs + 1):
        network.train()
        for clips, targets in _batches(rows, size, recipe.masked, rng):
            optimiser.zero_grad()
            loss = F.cross_entropy(network(*clips), targets, weight=balance, label_smoothing=0.1)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
        progress("fitting", epoch, epochs)
        if held is None:
            continue
        score = held_uar(logits_of(network, held.inputs), held.targets) or 0.0
        if score > best:
            best, kept, found = score, copy.deepcopy(network.state_dict()), epoch
        elif epoch - found >= PATIENCE:
            break
    network.load_state_dict(kept)
    return found


def _batches(
    rows: Rows[list[Frames]], size: int, masked: bool, rng: np.random.Generator
) -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
    """Yield all clips once, in a random order: padded frames with their lengths, and targets.

    Clips of about one length go together, since what pads a batch costs as much as what is in it.
    """
    lengths = np.array([len(clip) for clip in rows.inputs])
    order = np.argsort(lengths * rng.uniform(0.8, 1.25, len(lengths)), kind="stable")
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    for number in rng.permutation(len(batches)):
        places = batches[number]
        clips = [_cut(rows.inputs[i], rng) for i in places]
        if masked:
            clips = [_blanked(clip, rng) for clip in clips]
        yield _padded(clips), torch.from_numpy(rows.targets[places]).float()


def _cut(clip: Frames, rng: np.random.Generator) -> Frames:
    """Return a stretch of at most `LONGEST` frames."""
    start = int(rng.integers(max(0, len(clip) - LONGEST) + 1))
    return clip[start : start + LONGEST]


def _blanked(clip: Frames, rng: np.random.Generator) -> Frames:
    """Return a clip with two bands and two stretches at their mean, which is 0."""
    blanked = clip.copy()
    for _ in range(2):
        low, width = int(rng.integers(N_MELS)), int(rng.integers(10))
        blanked[:, low : low + width] = 0
        first, length = int(rng.integers(len(clip))), int(rng.integers(len(clip) // 8 + 1))
        blanked[first : first + length] = 0
    return blanked
