"""What an evaluator notices: how far each figure moves when true motions are spoiled in one property.

Each corruption of ``corruptions`` is measured as generated motions would be, beside the true motions. A
figure notices it when the value lies farther from that of the true motions than both 95% intervals reach;
whatever it does not notice, a generator may do without losing in that figure. The physical figures, which
ask no evaluator, stand beside it.

FID compares one half of the clips, spoiled, with the other, true half; that of the true half is its floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics.distribution import diversity, diversity_protocol, frechet_inception_distance
from ..metrics.matching import POOL
from ..metrics.measurement import GROUND_TRUTH, FigureNotAllowed, Measurement, mean_and_interval
from ..metrics.physics import physical_figures, physical_quality
from ..motion.representation import features_to_joints
from .corruptions import CORRUPTIONS, EXCHANGED, exchanged, spoiled
from .embedded import Embedded, r_precision_of, with_motions
from .evaluators import Evaluator, require_skeleton
from .figures import Figure, ProgressBar, Repeated, no_progress
from .motion_quality import CONTACT_BY_HEIGHT
from .scored_motions import Split

AUDIT_PROTOCOL = "audit of true motions, first captions, whole clips"
HALVES_PROTOCOL = "audit of true motions, one half against the other"
# What arithmetic in float32 moves a figure by.
ROUNDING = 1e-3
# Of fewer clips a half gives no batch, and its covariance says nothing.
FEWEST_CLIPS = 2 * POOL


@dataclass(frozen=True)
class Audited:
    """A figure of spoiled motions beside that of the true ones.

    figure: its ``subject`` is the name of the corruption.
    truth: of the true motions.
    """

    figure: Measurement
    truth: Measurement

    @property
    def noticed(self) -> bool:
        """Whether it moved farther than both intervals reach."""
        reach = (self.figure.interval or 0.0) + (self.truth.interval or 0.0)
        size = max(abs(self.figure.value), abs(self.truth.value))
        return abs(self.figure.value - self.truth.value) > max(reach, ROUNDING * size, ROUNDING)

    def record(self) -> dict[str, Any]:
        """A JSON object: the figure's own keys, ``truth``, ``difference`` and ``noticed``."""
        told = {"truth": self.truth.value, "difference": self.figure.value - self.truth.value}
        return {**self.figure.row(), **told, "noticed": self.noticed}


def audit(
    split: Split, evaluator: Evaluator, repetitions: int, seed: int, bar: ProgressBar = no_progress
) -> list[Audited]:
    """Every figure of every corruption of a split's clips; ``repetitions`` draws of halves and batches.

    Raises ``FigureNotAllowed`` for fewer than 64 clips, ``ValueError`` for an evaluator of another skeleton.
    """
    skeleton, count = split.skeleton, len(split.clips.clips)
    require_skeleton(evaluator, skeleton)
    if count < FEWEST_CLIPS:
        raise FigureNotAllowed("audit", f"needs at least {FEWEST_CLIPS} clips, found {count}")
    clips = [split.clips.first(number) for number in range(count)]
    joints = [features_to_joints(clip.features, skeleton) for clip in clips]
    texts = evaluator.text_embeddings([clip.caption for clip in clips])
    draws = _Draws(repetitions, seed)
    with bar(len(CORRUPTIONS) + 2, "auditing") as advance:
        true = spoiled(joints, skeleton, None, draws.stream(0))
        reference = with_motions(evaluator, texts, true.features)
        truth = {
            m.metric: m
            for m in (
                *_of_evaluator(reference, reference, evaluator.name, GROUND_TRUTH, draws),
                *_physical(true.joints, skeleton.fps, GROUND_TRUTH, seed),
            )
        }
        advance(1, GROUND_TRUTH)
        found: list[Measurement] = []
        for number, (name, (_, how)) in enumerate(CORRUPTIONS.items(), 1):
            motions = spoiled(joints, skeleton, how, draws.stream(number))
            pairs = with_motions(evaluator, texts, motions.features)
            found += _of_evaluator(pairs, reference, evaluator.name, name, draws)
            found += _physical(motions.joints, skeleton.fps, name, seed)
            advance(1, name)
        places = exchanged(count, draws.stream(len(CORRUPTIONS) + 1))
        queries = None if reference.queries is None else reference.queries[places]
        pairs = Embedded(texts, reference.motions[places], queries)
        # Exchanged, the motions are the same set, of which the halves would share some: nothing to compare.
        matched = _of_evaluator(pairs, reference, evaluator.name, EXCHANGED, draws)
        found += [one for one in matched if one.metric not in ("FID", "Diversity")]
        advance(1, EXCHANGED)
    return [Audited(one, truth[one.metric]) for one in found if one.metric in truth]


@dataclass(frozen=True)
class _Draws:
    """The random streams: one for every corruption, one for every repetition of a figure."""

    repetitions: int
    seed: int

    def stream(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, 1, number])

    def repeated(self) -> list[np.random.Generator]:
        """The same ones for every corruption: what is compared is drawn alike."""
        return [np.random.default_rng([self.seed, 2, number]) for number in range(self.repetitions)]


def _of_evaluator(
    pairs: Embedded, true: Embedded, evaluator: str, subject: str, draws: _Draws
) -> list[Measurement]:
    values, count = Repeated(), len(pairs)
    for rng in draws.repeated():
        halves = np.array_split(rng.permutation(count), 2)
        fid = frechet_inception_distance(pairs.motions[halves[0]], true.motions[halves[1]])
        values.add(Figure("FID", HALVES_PROTOCOL, evaluator, count // 2, subject), fid)
        for k, share in r_precision_of(pairs, rng).items():
            values.add(Figure(f"R-precision top {k}", AUDIT_PROTOCOL, evaluator, POOL, subject), share)
        protocol = diversity_protocol(count)
        if count > protocol.pairs:
            value = diversity(pairs.motions, rng, protocol)
            values.add(Figure("Diversity", AUDIT_PROTOCOL, evaluator, count, subject), value)
    distances = np.linalg.norm(pairs.texts - pairs.motions, axis=1)
    dist = Figure("MM-Dist", AUDIT_PROTOCOL, evaluator, count, subject)
    return [*values.measurements(draws.seed), dist.measured(*mean_and_interval(distances), draws.seed)]


def _physical(joints: Sequence[np.ndarray], fps: float, subject: str, seed: int) -> list[Measurement]:
    figures = physical_figures([physical_quality(clip, fps) for clip in joints])
    return [
        Figure(name, CONTACT_BY_HEIGHT, None, f.clips, subject).measured(f.value, f.interval, seed)
        for name, f in figures.items()
    ]
