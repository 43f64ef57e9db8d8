"""Training of the motion tokenizer: windows of motion in, reconstruction error in millimetres out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...data.batches import WindowSampler, evaluation_batch
from ...data.layout import Clip
from ...data.statistics import Statistics
from ...model import distributed
from ...model.devices import on_device
from ...model.tokenizer import MotionTokenizer
from ...motion.clip_length import LONGEST_CLIP
from ...motion.representation import features_to_joints
from ...motion.skeleton import Skeleton
from ..selection import FID, MotionJudge, TrueMotions


@dataclass(frozen=True)
class TokenizerData:
    """Clips of the two splits, training statistics and the skeleton they are on."""

    train: Sequence[Clip]
    val: Sequence[Clip]
    statistics: Statistics
    skeleton: Skeleton


class TokenizerStage:
    """Batches and validation for ``training.train``."""

    name = "tokenizer"

    def __init__(
        self,
        network: MotionTokenizer,
        data: TokenizerData,
        window: int,
        batch_size: int,
        seed: int,
        device: torch.device,
        judge: MotionJudge | None = None,
    ):
        """With a ``judge`` validation measures FID. Raises ``ValueError`` when no training clip is as long as
        the window.
        """
        self.network = network
        self._data = data
        self._windows = WindowSampler(data.train, data.statistics, window)
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._judged = [clip for clip in data.val if len(clip.features) >= network.config.frames_per_token]
        self._true = (
            None if judge is None else TrueMotions(judge, [c.features[:LONGEST_CLIP] for c in self._judged])
        )

    def draw(self, step: int) -> np.ndarray:
        """Windows (B, T, C) of all ranks."""
        return self._windows.batch(self._seed, step, self._batch_size)

    def names(self, step: int) -> list[str]:
        """The clips of a step."""
        return self._windows.names(self._seed, step, self._batch_size)

    def batch(self, drawn: np.ndarray) -> tuple[Tensor]:
        """Windows (B, T, C) of one rank."""
        rows = distributed.rows_of_rank(len(drawn))
        return (on_device(torch.from_numpy(drawn[rows]), self._device),)

    def validate(self) -> dict[str, float]:
        """Root-relative error on the validation clips and on a sample of as many training clips."""
        some = self._data.train[:: max(1, len(self._data.train) // 64)]
        figures, codes = validation_figures(self.network, self._data.val, self._data, self._device)
        train_figures, _ = validation_figures(self.network, some, self._data, self._device)
        config = self.network.config
        used, perplexity = codebook_figures(codes.unflatten(0, (-1, config.codebooks)), config.codes)
        return {
            **figures,
            "train_mpjpe_mm": train_figures["mpjpe_mm"],
            "codebook_used": used,
            "codebook_perplexity": perplexity,
            **({} if self._true is None else {FID: self._true.fid(self._reconstructed())}),
        }

    def _reconstructed(self) -> list[np.ndarray]:
        """The validation clips through the codes: features (T, C), not normalised."""
        made = []
        for clip in self._judged:
            batch = evaluation_batch([clip], self._data.statistics, self.network.config.frames_per_token)
            codes = self.network.encode(torch.from_numpy(batch.features).to(self._device))
            output = self.network.decode(codes).float().cpu().numpy()[0]
            made.append(self._data.statistics.denormalise(output))
        return made


def codebook_figures(chosen: Tensor, codes: int) -> tuple[float, float]:
    """Share of the codes in use, and their perplexity, in ``chosen`` (N, codebooks); means of codebooks."""
    counts = torch.stack([torch.bincount(column, minlength=codes) for column in chosen.T]).float()
    share = counts / counts.sum(1, keepdim=True)
    entropy = torch.special.entr(share).sum(1)
    return float((share > 0).float().mean()), float(entropy.exp().mean())


@torch.no_grad()
def validation_figures(
    network: MotionTokenizer, clips: Sequence[Clip], data: TokenizerData, device: torch.device
) -> tuple[dict[str, float], Tensor]:
    """Errors in millimetres, averaged over frames, of clips through the codes; and the codes used.

    ``mpjpe_mm`` is relative to the root (the pelvis of each frame at the origin, heading kept);
    ``global_mpjpe_mm`` keeps the path. ``loss`` is that of training.
    """
    relative, absolute, codes, losses, lengths = [], [], [], [], []
    for clip in clips:
        batch = evaluation_batch([clip], data.statistics, network.config.frames_per_token)
        features = torch.from_numpy(batch.features).to(device)
        if not features.shape[1]:
            continue
        chosen = network.encode(features)
        output = network.decode(chosen).float().cpu().numpy()
        codes.append(chosen.flatten().cpu())
        losses.append(float(network(features, torch.Generator())["loss"]))
        lengths.append(features.shape[1])
        truth = features_to_joints(data.statistics.denormalise(batch.features), data.skeleton)
        guess = features_to_joints(data.statistics.denormalise(output), data.skeleton)
        absolute.append(np.linalg.norm(truth - guess, axis=-1).mean(-1).ravel())
        truth, guess = truth - truth[..., :1, :], guess - guess[..., :1, :]
        relative.append(np.linalg.norm(truth - guess, axis=-1).mean(-1).ravel())
    figures = {
        "mpjpe_mm": float(1000 * np.concatenate(relative).mean()),
        "global_mpjpe_mm": float(1000 * np.concatenate(absolute).mean()),
        "loss": float(np.average(losses, weights=lengths)),
    }
    return figures, torch.cat(codes)
