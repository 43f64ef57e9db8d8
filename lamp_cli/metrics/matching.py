"""R-precision and MM-Dist: how well texts and motions of an evaluator's space find each other.

Source: Guo et al., CVPR 2022, section 6, and its released evaluation. R-precision depends strongly on
the pool, so the pool is always 32 here. Knows no evaluator.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from .embeddings import require_pairs, squared_distances
from .measurement import FigureNotAllowed

POOL = 32
TEXT_SIMILARITY = "M2T similarity"
MOTION_SIMILARITY = "M2M similarity"
CLIP_SCORE = "CLIP-score"
TOPS = (1, 2, 3)

Direction = Literal["text-to-motion", "motion-to-text"]
DIRECTIONS: tuple[Direction, ...] = ("text-to-motion", "motion-to-text")

# Distances closer than this, relative to the vectors' squared lengths, are rounding: a tie.
_TIE = 1e-12


def r_precision(
    texts: np.ndarray,
    motions: np.ndarray,
    rng: np.random.Generator | None = None,
    direction: Direction = "text-to-motion",
) -> dict[int, float]:
    """Share of queries whose own partner is among the nearest 1, 2, 3 of its batch of 32.

    ``texts`` and ``motions`` (N, D), row i of one belongs to row i of the other. They are shuffled
    with ``rng`` (None: taken in order) and cut into batches of 32; the last, incomplete one is dropped.
    ``text-to-motion`` ranks the motions for a text (Guo, MotionGPT), ``motion-to-text`` the texts for a
    motion (TM2T's captioning). Equal distances share their places: a model that embeds everything alike
    scores 1/32, 2/32, 3/32. Raises ``FigureNotAllowed`` for fewer than 32 pairs.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"expected a direction of {', '.join(DIRECTIONS)}, found {direction!r}")
    texts, motions = require_pairs(texts, motions)
    if len(texts) < POOL:
        reason = f"needs batches of {POOL} pairs, found {len(texts)}; another pool is not comparable"
        raise FigureNotAllowed("R-precision", reason)
    batches = _batches(len(texts), rng)
    queries, candidates = (texts, motions) if direction == "text-to-motion" else (motions, texts)
    queries, candidates = queries[batches], candidates[batches]
    distances = squared_distances(queries, candidates)
    own = np.diagonal(distances, axis1=1, axis2=2)[..., None]
    lengths = np.sum(queries**2, -1)[..., None] + np.sum(candidates**2, -1)[:, None]
    tied = np.abs(distances - own) <= _TIE * lengths
    tied |= np.eye(POOL, dtype=bool)
    nearer = ((distances < own) & ~tied).sum(-1)
    # Of t partners at one distance with b nearer ones, the own one is in the first k with this chance.
    return {k: float(np.clip((k - nearer) / tied.sum(-1), 0.0, 1.0).mean()) for k in TOPS}


def mm_dist(texts: np.ndarray, motions: np.ndarray) -> float:
    """MM-Dist: mean Euclidean distance of each text's embedding to its own motion's, (N, D) both."""
    texts, motions = require_pairs(texts, motions)
    return float(np.linalg.norm(texts - motions, axis=1).mean())


def similarity_score(first: np.ndarray, second: np.ndarray) -> float:
    """Mean of (cos + 1) / 2 of rows of two sets (N, D) that belong together, 0 to 1.

    Source: TMR (Petrovich et al., ICCV 2023) and STMC (Petrovich et al., CVPRW 2024), which call it M2T of
    motions and their sentences, and M2M of motions and the true ones. Raises ``FigureNotAllowed`` for an
    embedding of no direction.
    """
    first, second = require_pairs(first, second)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    if not lengths.all():
        raise FigureNotAllowed("similarity", "an embedding is zero: it has no direction")
    return float((np.sum(first * second, axis=1) / lengths).mean() / 2.0 + 0.5)


def clip_score(texts: np.ndarray, motions: np.ndarray) -> float:
    """Mean cosine of motions and their sentences, (N, D) both: MARDM's CLIP-score (Meng et al., CVPR 2025).

    Raises as ``similarity_score``.
    """
    return 2.0 * similarity_score(texts, motions) - 1.0


def _batches(count: int, rng: np.random.Generator | None) -> np.ndarray:
    order = np.arange(count) if rng is None else rng.permutation(count)
    return order[: count // POOL * POOL].reshape(-1, POOL)
