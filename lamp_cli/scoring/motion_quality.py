"""Figures of motions alone: physical quality, and what the motion tokenizer keeps of them.

Source: see ``metrics.physics`` and ``metrics.reconstruction``. The physical figures need no model:
this module imports no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..data.batches import batched, collate
from ..inference import BATCH_SIZE
from ..metrics.feet import CONTACT_CONSISTENCY, FOOT_FIGURES
from ..metrics.measurement import FigureNotAllowed, Measurement, mean_and_interval
from ..metrics.physics import PHYSICAL_FIGURES, PhysicalQuality, physical_figures, physical_quality
from ..metrics.reconstruction import reconstruction
from ..motion.clip_length import FRAMES_PER_TOKEN, whole_tokens
from ..motion.motion import Motion
from ..motion.representation import features_to_joints
from .figures import GIVEN, PHYSICS, RECONSTRUCTED, Figure, Report, ScoreOptions
from .signature import motions_signature

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle

MEAN_OF_CLIPS = "mean over clips"
CONTACT_BY_HEIGHT = f"{MEAN_OF_CLIPS}, contact by height"
AUTOENCODED = "mean over clips, encoded and decoded"


def quality_of(motion: Motion) -> PhysicalQuality:
    """Physical quality of a motion at its own frame rate; its features, if it has any, tell its contacts."""
    # A row of features holds the contacts from its frame to the next.
    contacts = None if motion.features is None else motion.features[: len(motion) - 1, -4:] > 0.5
    return physical_quality(motion.joints, motion.fps, contacts=contacts)


def score_physics(motions: Iterable[Motion]) -> Report:
    """Foot skate, penetration, floating, jitter and bone drift of given motions, means over clips."""
    report = Report()
    clips = [quality_of(motion) for motion in motions]
    report.signature = motions_signature(len(clips), ScoreOptions((PHYSICS,)))
    report_physics({GIVEN: clips}, CONTACT_BY_HEIGHT, None, report)
    return report


def report_physics(
    qualities: Mapping[str, Sequence[PhysicalQuality]], protocol: str, seed: int | None, report: Report
) -> None:
    """Means over the clips of each subject; how many clips lack a figure is noted."""
    for subject, clips in qualities.items():
        with report.refusing():
            figures = physical_figures(clips)
            for name, figure in figures.items():
                # Whose contacts these are is said by their names.
                how = protocol.replace(CONTACT_BY_HEIGHT, MEAN_OF_CLIPS) if name in FOOT_FIGURES else protocol
                measured = Figure(name, how, None, figure.clips, subject)
                report.measurements.append(measured.measured(figure.value, figure.interval, seed))
        # Joints have no contacts of their own: nothing to say about every one of them.
        told = any(CONTACT_CONSISTENCY in clip.figures() for clip in clips)
        for name in PHYSICAL_FIGURES if clips else ():
            if name == CONTACT_CONSISTENCY and not told:
                continue
            lacking = sum(name not in clip.figures() for clip in clips)
            reason = f"{lacking} of {len(clips)} {subject} clips are too short or never stand on the floor"
            if lacking == len(clips):
                report.refuse(name, reason)
            elif lacking:
                report.note(f"{name}: {reason}, and do not count")


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
    judge = f"tokenizer of {bundle.config.name}"
    return [
        Figure(name, AUTOENCODED, judge, len(each), RECONSTRUCTED).measured(*mean_and_interval(each))
        for name, each in values.items()
    ]


def _reconstruct(bundle: Bundle, batch: list[np.ndarray], values: dict[str, list[float]]) -> None:
    for true, decoded in zip(batch, decoded_features(bundle, batch), strict=True):
        found, expected = (features_to_joints(x, bundle.skeleton) for x in (decoded, true))
        for name, value in reconstruction(found, expected, bundle.skeleton.fps).items():
            values.setdefault(name, []).append(value)


def decoded_features(bundle: Bundle, batch: list[np.ndarray]) -> list[np.ndarray]:
    """Features (T_i, C) encoded to codes and decoded again, T_i whole tokens."""
    import torch

    rows = collate([bundle.statistics.normalise(m) for m in batch], ("",) * len(batch), np.arange(len(batch)))
    lengths = torch.from_numpy(rows.lengths).to(bundle.device)
    with torch.inference_mode():
        codes = bundle.tokenizer.encode(torch.from_numpy(rows.features).to(bundle.device), lengths)
        tokens = lengths // bundle.tokenizer.config.frames_per_token
        decoded = bundle.tokenizer.decode(codes, tokens).float().cpu().numpy()
    return [
        bundle.statistics.denormalise(row[: len(motion)]) for row, motion in zip(decoded, batch, strict=True)
    ]
