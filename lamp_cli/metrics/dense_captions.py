"""Captions with times against captions with times: CIDEr-D of what overlaps, and SODA of the whole story.

Sources: Krishna et al., "Dense-Captioning Events in Videos", ICCV 2017 (a prediction is compared with every
reference that it overlaps by a threshold; one that overlaps none scores 0); Fujita et al., "SODA: Story
Oriented Dense Video Captioning Evaluation Framework", ECCV 2020 (one-to-one matching in order that maximises
overlap times METEOR; F1 of it over both numbers of moments). Knows words and seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .captions import plain_words
from .cider import cider_d_pairs
from .measurement import FigureNotAllowed
from .meteor import meteor

# tIoU from which a prediction and a reference are compared (ActivityNet Captions).
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)


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
    corpus = [[_words(moment)] for story in stories for moment in story.references]
    _require_predictions(stories)
    if len(corpus) < 2:
        raise FigureNotAllowed(
            "CIDEr-D of moments", f"document frequencies need at least 2 references, found {len(corpus)}"
        )
    pairs, alone = [], 0
    for story in stories:
        for predicted in story.predicted:
            met = [r for r in story.references if temporal_iou(predicted, r) >= threshold]
            pairs += [(_words(predicted), _words(reference)) for reference in met]
            alone += not met
    return sum(cider_d_pairs(pairs, corpus)) / (len(pairs) + alone)


def soda(stories: Sequence[Story]) -> list[Soda]:
    """SODA of every take; raises ``FigureNotAllowed`` for no prediction."""
    _require_predictions(stories)
    found = []
    for story in stories:
        predicted, references = _in_order(story.predicted), _in_order(story.references)
        gains = [[temporal_iou(p, r) * meteor(_words(p), _words(r)) for r in references] for p in predicted]
        best = _best_in_order(np.array(gains).reshape(len(predicted), len(references)))
        found.append(Soda(*(best / len(side) if side else 0.0 for side in (predicted, references))))
    return found


def _require_predictions(stories: Sequence[Story]) -> None:
    if not any(story.predicted for story in stories):
        raise FigureNotAllowed("captions of moments", "no moment was predicted")


def _words(moment: TimedCaption) -> list[str]:
    return plain_words(moment.text)


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
