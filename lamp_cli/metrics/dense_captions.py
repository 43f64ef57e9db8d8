"""Captions with times against captions with times: CIDEr-D of what overlaps, and SODA of the whole story.

Sources: Krishna et al., "Dense-Captioning Events in Videos", ICCV 2017 (a prediction is compared with every
reference that it overlaps by a threshold; one that overlaps none scores 0); Fujita et al., "SODA: Story
Oriented Dense Video Captioning Evaluation Framework", ECCV 2020 (one-to-one matching in order that maximises
overlap times agreement; F1 of it over both numbers of moments). SODA's authors rate agreement by METEOR,
which needs word nets; here CIDEr-D, a tenth of it, and the figure's name says so. Knows words and seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .captions import TOKENIZATIONS
from .cider import SCALE, cider_d_pairs
from .measurement import FigureNotAllowed

# tIoU from which a prediction and a reference are compared (ActivityNet Captions).
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)
WORDS_OF = "plain"


@dataclass(frozen=True)
class TimedCaption:
    """What happens from ``start`` to ``end``, seconds. Raises ``ValueError`` for an end before its start."""

    start: float
    end: float
    text: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end < float("inf"):
            raise ValueError(f"a moment from {self.start} to {self.end} s; expected an end after its start")


@dataclass(frozen=True)
class Story:
    """The captions of one take, predicted and by people."""

    predicted: tuple[TimedCaption, ...]
    references: tuple[TimedCaption, ...]


@dataclass(frozen=True)
class Soda:
    """SODA's precision, recall and their harmonic mean of one take, 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """0 where nothing agrees."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def temporal_iou(one: TimedCaption, other: TimedCaption) -> float:
    """Shared time over all time that either covers, 0 to 1."""
    shared = max(0.0, min(one.end, other.end) - max(one.start, other.start))
    return shared / (one.end - one.start + other.end - other.start - shared)


def matched_cider(stories: Sequence[Story], threshold: float) -> float:
    """CIDEr-D (0..10) of predictions with the references that they overlap by ``threshold`` or more.

    The mean over all such pairs and, as zeros, all predictions without any. Document frequencies come from
    all references. Raises ``FigureNotAllowed`` for no prediction or fewer than two references.
    """
    values: list[float] = []
    for story, agreement in zip(stories, _agreements(stories), strict=True):
        overlap = _overlaps(story)
        for row, scores in zip(overlap, agreement, strict=True):
            found = scores[row >= threshold]
            values += (SCALE * found).tolist() if len(found) else [0.0]
    return float(np.mean(values))


def soda(stories: Sequence[Story]) -> list[Soda]:
    """SODA of every take; raises ``FigureNotAllowed`` as :func:`matched_cider` does."""
    found = []
    for story, agreement in zip(stories, _agreements(stories), strict=True):
        best = _best_in_order(_overlaps(story) * agreement)
        sizes = len(story.predicted), len(story.references)
        found.append(Soda(*(best / size if size else 0.0 for size in sizes)))
    return found


def _overlaps(story: Story) -> np.ndarray:
    """Temporal IoU (predicted, references), both in the order of their times."""
    predicted, references = _in_order(story.predicted), _in_order(story.references)
    rows = [[temporal_iou(p, r) for r in references] for p in predicted]
    return np.array(rows, dtype=np.float64).reshape(len(predicted), len(references))


def _agreements(stories: Sequence[Story]) -> list[np.ndarray]:
    """CIDEr-D over 10 (predicted, references) of every take, in the order of their times."""
    words = TOKENIZATIONS[WORDS_OF]
    corpus = [[words(moment.text)] for story in stories for moment in story.references]
    if not any(story.predicted for story in stories):
        raise FigureNotAllowed("captions of moments", "no moment was predicted")
    if len(corpus) < 2:
        raise FigureNotAllowed(
            "captions of moments", f"document frequencies need at least 2 references, found {len(corpus)}"
        )
    found = []
    for story in stories:
        predicted, references = _in_order(story.predicted), _in_order(story.references)
        pairs = [(words(p.text), words(r.text)) for p in predicted for r in references]
        values = np.array(cider_d_pairs(pairs, corpus), dtype=np.float64) / SCALE
        found.append(values.reshape(len(predicted), len(references)))
    return found


def _in_order(moments: Sequence[TimedCaption]) -> list[TimedCaption]:
    return sorted(moments, key=lambda moment: (moment.start, moment.end, moment.text))


def _best_in_order(gains: np.ndarray) -> float:
    """The largest sum of gains (N, M) of a one-to-one matching that crosses nowhere."""
    best = np.zeros((gains.shape[0] + 1, gains.shape[1] + 1))
    for row in range(gains.shape[0]):
        for column in range(gains.shape[1]):
            taken = best[row, column] + gains[row, column]
            best[row + 1, column + 1] = max(taken, best[row, column + 1], best[row + 1, column])
    return float(best[-1, -1])
