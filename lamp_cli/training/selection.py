"""By which figure of the validation split the best weights of a stage are kept.

Source for FID, which MoMask and the authors' release choose tokenizer and generator by: Heusel et al. 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from ..metrics.distribution import EmbeddingSet, frechet_inception_distance
from ..motion.skeleton import Skeleton
from .experiment import Experiment

FID, LOSS = "fid", "loss"
OF_RETRIEVAL = ("mean_recall", "r_sum", "mrr")
# Figures that may choose, by stage.
FIGURES: dict[str, tuple[str, ...]] = {
    "tokenizer": ("mpjpe_mm", "global_mpjpe_mm", LOSS, FID),
    "lamp": (*OF_RETRIEVAL, LOSS),
    "generator": ("masked_accuracy", LOSS, FID),
    "language": ("perplexity", "word_accuracy", LOSS),
    "captioner": (LOSS, "perplexity", "word_accuracy"),
    "evaluator": ("mean_recall", LOSS),
}


class MotionJudge(Protocol):
    """What FID needs of an evaluator."""

    @property
    def name(self) -> str:
        """The evaluator's name."""

    @property
    def skeleton(self) -> Skeleton:
        """Whose features it reads."""

    def motion_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings (N, D) of features (T_i, C), not normalised, T_i from 4 to 196."""


LoadJudge = Callable[[str], MotionJudge]


def require_selectable(stage: str, figure: str, judge: str) -> None:
    """Raise ``ValueError`` for a figure that the stage does not have, or FID without a judge."""
    if figure not in FIGURES[stage]:
        known = ", ".join(FIGURES[stage])
        raise ValueError(f"training.{stage}.select: expected one of {known}, found {figure!r}")
    if figure == FID and not judge:
        hint = "expected --set judge=guo:FOLDER, or the folder of an evaluator"
        raise ValueError(f"training.{stage}.select: {FID} needs an evaluator; {hint}")


def selected_figure(stage: str, experiment: Experiment) -> tuple[str, str | None]:
    """The figure that chooses, and a sentence where it is not the one that is asked for.

    Without contrastive learning the projections that retrieval compares learn nothing.
    """
    figure = experiment.training.of(stage).select
    if stage == "lamp" and figure in OF_RETRIEVAL and not experiment.lamp.trains("contrastive"):
        reason = f"without the objective contrastive its {figure} means nothing"
        return LOSS, f"lamp: {reason}; the best weights are chosen by {LOSS}"
    return figure, None


def load_judge_of(
    experiment: Experiment, stages: Sequence[str], skeleton: Skeleton, load: LoadJudge | None
) -> MotionJudge | None:
    """The evaluator that FID is measured with; None when none of the stages is chosen by it.

    Raises ``ValueError`` where nobody can ``load`` it, or for one of another skeleton.
    """
    if all(experiment.training.of(stage).select != FID for stage in stages):
        return None
    if load is None:
        raise ValueError(f"judge {experiment.judge}: nothing is given to load it with")
    judge = load(experiment.judge)
    if judge.skeleton is not skeleton:
        found = f"{judge.skeleton.name}'s motions, the data have {skeleton.name}'s"
        raise ValueError(f"judge {experiment.judge}: reads {found}; expected an evaluator of the same")
    return judge


class TrueMotions:
    """The motions of the validation split as a judge sees them, which is asked once."""

    def __init__(self, judge: MotionJudge, features: Sequence[np.ndarray]):
        """Features (T_i, C), not normalised."""
        self._judge = judge
        self._features = features
        self._embeddings: EmbeddingSet | None = None

    def fid(self, made: Sequence[np.ndarray]) -> float:
        """FID of as many made motions to the true ones; raises ``ValueError`` for fewer than two."""
        if self._embeddings is None:
            self._embeddings = EmbeddingSet(self._judge.motion_embeddings(self._features))
        return frechet_inception_distance(self._embeddings, self._judge.motion_embeddings(made))
