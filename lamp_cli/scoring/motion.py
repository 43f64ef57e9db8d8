"""Figures of motions alone: physical quality, and what the motion tokenizer keeps of them.

Source: see ``metrics.physics`` and ``metrics.reconstruction``. The physical figures need no model:
this module imports no network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..data.batches import batched
from ..inference import BATCH_SIZE
from ..metrics.measurement import FigureNotAllowed, Measurement, mean_and_interval
from ..metrics.physics import PhysicalQuality, physical_figures, physical_quality
from ..metrics.reconstruction import reconstruction
from ..motion.clip_length import FRAMES_PER_TOKEN, whole_tokens
from ..motion.motion import Motion
from ..motion.representation import features_to_joints
from .figures import RECONSTRUCTED, Report

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle

CONTACT_BY_HEIGHT = "mean over clips, contact by height"
AUTOENCODED = "mean over clips, encoded and decoded"


class PhysicsCollector:
    """Physical quality of motions as they come by, subject by subject."""

    def __init__(self) -> None:
        self._qualities: dict[str, list[PhysicalQuality]] = {}

    def add(self, subject: str, motion: Motion) -> None:
        """Measure one motion at its own frame rate."""
        quality = physical_quality(motion.joints, motion.fps)
        self._qualities.setdefault(subject, []).append(quality)

    def measurements(self, seed: int | None, protocol: str = CONTACT_BY_HEIGHT) -> list[Measurement]:
        """Means over clips with their intervals; raises ``FigureNotAllowed`` when nothing came by."""
        if not self._qualities:
            raise FigureNotAllowed("physical quality", "no clips to measure")
        found = []
        for subject, clips in self._qualities.items():
            for name, figure in physical_figures(clips).items():
                where = (protocol, None, figure.clips, 1, seed, subject)
                found.append(Measurement(name, figure.value, figure.interval, *where))
        return found


def score_physics(motions: Iterable[Motion], subject: str) -> Report:
    """Foot skate, penetration, jitter and bone drift of motions, means over clips."""
    report, collector = Report(), PhysicsCollector()
    for motion in motions:
        collector.add(subject, motion)
    with report.refusing():
        report.measurements += collector.measurements(None)
    return report


def reconstruction_figures(
    bundle: Bundle, features: Iterable[np.ndarray], batch_size: int = BATCH_SIZE
) -> list[Measurement]:
    """Errors of features (T, C) that went through the motion tokenizer, means over clips.

    Only whole tokens count: frames beyond a multiple of the token's, or beyond 196, are cut.
    Raises ``FigureNotAllowed`` when no motion is long enough.
    """
    values: dict[str, list[float]] = {}
    whole = (motion[: whole_tokens(len(motion))] for motion in features)
    for batch in batched((motion for motion in whole if len(motion)), batch_size):
        _reconstruct(bundle, batch, values)
    if not values:
        raise FigureNotAllowed(
            "reconstruction", f"needs a motion of at least {FRAMES_PER_TOKEN} frames, found none"
        )
    return [
        Measurement(
            name,
            *mean_and_interval(each),
            AUTOENCODED,
            f"tokenizer of {bundle.config.name}",
            len(each),
            1,
            None,
            RECONSTRUCTED,
        )
        for name, each in values.items()
    ]


def _reconstruct(bundle: Bundle, batch: list[np.ndarray], values: dict[str, list[float]]) -> None:
    for true, decoded in zip(batch, decoded_features(bundle, batch), strict=True):
        joints = (features_to_joints(x, bundle.skeleton) for x in (decoded, true))
        for name, value in reconstruction(*joints).items():
            values.setdefault(name, []).append(value)


def decoded_features(bundle: Bundle, batch: list[np.ndarray]) -> list[np.ndarray]:
    """Features (T_i, C) encoded to codes and decoded again, T_i whole tokens."""
    import torch

    lengths = torch.tensor([len(motion) for motion in batch], device=bundle.device)
    rows = np.zeros((len(batch), int(lengths.max()), batch[0].shape[1]), np.float32)
    for row, motion in zip(rows, batch, strict=True):
        row[: len(motion)] = bundle.statistics.normalise(motion)
    with torch.inference_mode():
        codes = bundle.tokenizer.encode(torch.from_numpy(rows).to(bundle.device), lengths)
        tokens = lengths // bundle.tokenizer.config.frames_per_token
        decoded = bundle.tokenizer.decode(codes, tokens).float().cpu().numpy()
    return [
        bundle.statistics.denormalise(row[: len(motion)]) for row, motion in zip(decoded, batch, strict=True)
    ]
