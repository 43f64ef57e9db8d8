"""Motion-text retrieval: recall at k and median rank, in both directions, by four protocols.

Source: Petrovich et al., TMR, ICCV 2023, section 4.2, and its released evaluation. Works on a matrix
of similarities, texts in rows, motions in columns, each text's own motion on the diagonal. Candidates that
are equally similar have no order: a query counts as found at k with the chance that it is among the first k
when they are ordered at random, as in ``matching.r_precision``. Knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .matching import DIRECTIONS, POOL, Direction
from .measurement import FigureNotAllowed

RANKS = (1, 2, 3, 5, 10)
DISSIMILAR = 100
NEAR_DUPLICATE = 0.90
# Similarities this close, relative to the largest, differ by the rounding of float32.
ROUNDING = 1e-6


# Scores of queries by rows, text to motion (P, P) and back, of the pool's indices (P,) and its similarities.
Reranker = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Retrieval:
    """Recall in percent by k, and the median rank counted from 1, of one direction."""

    direction: Direction
    protocol: str
    pool: int
    recalls: dict[int, float]
    median_rank: float

    def figures(self) -> dict[str, float]:
        """By printed name, e.g. ``text-to-motion R@1``; no R@k where a guess is right half of the time."""
        recalls = {
            f"{self.direction} R@{k}": value for k, value in self.recalls.items() if 2 * k <= self.pool
        }
        return {**recalls, f"{self.direction} MedR": self.median_rank}


def retrieval_all(similarity: np.ndarray, rerank: Reranker | None = None) -> tuple[Retrieval, Retrieval]:
    """Protocol ``all``: every text (T, T) against the whole set; text to motion, then back.

    ``rerank`` gives other scores for the similarities of every pool, here and in the other protocols.
    """
    similarity = _require_square(similarity)
    return _both("all", similarity, None, np.arange(len(similarity)), rerank)


def retrieval_threshold(
    similarity: np.ndarray,
    sentences: np.ndarray,
    threshold: float = NEAR_DUPLICATE,
    rerank: Reranker | None = None,
) -> tuple[Retrieval, Retrieval]:
    """Protocol ``threshold``: finding a clip whose caption says nearly the same counts as found.

    ``sentences`` (T, E) are sentence embeddings of the captions; nearly the same is a cosine above
    ``threshold`` (TMR writes 0.95 for this 0.90: it maps cosines to 0..1). Of all clips that count, the
    best placed one is the hit.
    """
    similarity = _require_square(similarity)
    cosines = _cosines(sentences, len(similarity))
    same = cosines > threshold
    np.fill_diagonal(same, True)
    return _both(f"threshold {threshold:g}", similarity, same, np.arange(len(similarity)), rerank)


def retrieval_dissimilar(
    similarity: np.ndarray,
    subset: Sequence[int] | np.ndarray,
    chosen_by: str = "listed",
    rerank: Reranker | None = None,
) -> tuple[Retrieval, Retrieval]:
    """Protocol ``dissimilar``: only the rows and columns of ``subset``, about 100 unlike captions.

    ``chosen_by`` says how: ``listed`` for a fixed list such as TMR's, ``farthest-first`` for
    ``farthest_first``'s. Raises ``ValueError`` for indices that repeat or are out of range.
    """
    similarity = _require_square(similarity)
    chosen = np.asarray(subset)
    wrong = chosen.ndim != 1 or not len(chosen) or not np.issubdtype(chosen.dtype, np.integer)
    if wrong or chosen.min() < 0 or chosen.max() >= len(similarity) or len(np.unique(chosen)) != len(chosen):
        raise ValueError(f"expected different indices from 0 to {len(similarity) - 1}, found {subset!r}")
    return _both(f"dissimilar ({chosen_by})", similarity[np.ix_(chosen, chosen)], None, chosen, rerank)


def retrieval_small_batches(
    similarity: np.ndarray, ids: Sequence[str], rerank: Reranker | None = None
) -> tuple[Retrieval, Retrieval]:
    """Protocol ``small-batches``: pools of 32 as in Guo et al., averaged.

    The clips are sorted by ``ids`` and shuffled with the seed 0 of NumPy's old generator, as TMR does;
    the remainder is dropped. Raises ``FigureNotAllowed`` for fewer than 32 clips.
    """
    similarity = _require_square(similarity)
    if len(ids) != len(similarity):
        raise ValueError(f"expected {len(similarity)} ids, found {len(ids)}")
    if len(ids) < POOL:
        reason = f"protocol small-batches needs pools of {POOL}, found {len(ids)} clips"
        raise FigureNotAllowed("retrieval", reason)
    order = np.array(sorted(range(len(ids)), key=lambda number: ids[number]))
    shuffle = np.arange(len(ids))
    np.random.RandomState(0).shuffle(shuffle)
    batches = order[shuffle][: len(ids) // POOL * POOL].reshape(-1, POOL)
    runs = [_both("small-batches", similarity[np.ix_(b, b)], None, b, rerank) for b in batches]
    to_motion, to_text = zip(*runs, strict=True)
    return _average(to_motion), _average(to_text)


@dataclass(frozen=True)
class Ranks:
    """Where the right candidates of queries stand.

    better: candidates (Q,) that are more similar than the best right one.
    tied: candidates (Q,) as similar as that one, itself included.
    right: how many (Q,) of the tied ones are right.
    """

    better: np.ndarray
    tied: np.ndarray
    right: np.ndarray

    def found(self, k: int) -> np.ndarray:
        """Chance (Q,) that a right candidate is among the first k when tied ones are ordered at random."""
        room = np.clip(k - self.better, 0, self.tied)
        missed = np.ones(len(self.tied))
        for draw in range(k):
            wrong = np.maximum(self.tied - self.right - draw, 0) / np.maximum(self.tied - draw, 1)
            missed = np.where(draw < room, missed * wrong, missed)
        return 1.0 - missed

    def expected(self) -> np.ndarray:
        """Expected rank (Q,) of the first right candidate, counted from 0."""
        return self.better + (self.tied - self.right) / (self.right + 1.0)


def ranks(similarity: np.ndarray, hits: np.ndarray | None = None) -> Ranks:
    """Ranks of every query's right candidates by similarities (Q, C).

    ``hits`` (Q, C) is True where a candidate is right, at least once in a row; without it candidate i is
    right for query i. Similarities closer than rounding are equal.
    """
    hits = np.eye(len(similarity), dtype=bool) if hits is None else hits
    best = np.where(hits, similarity, -np.inf).max(1, keepdims=True)
    rounding = ROUNDING * np.abs(similarity).max()
    tied = np.abs(similarity - best) <= rounding
    return Ranks((similarity > best + rounding).sum(1), tied.sum(1), (tied & hits).sum(1))


def recall_curve(similarity: np.ndarray, direction: Direction, longest: int = 50) -> np.ndarray:
    """Recall in percent at 1 .. ``longest`` (or the pool's size) of a square similarity matrix."""
    similarity = _require_square(similarity)
    matrix = similarity if direction == "text-to-motion" else similarity.T
    found = ranks(matrix)
    return np.array([100.0 * found.found(k).mean() for k in range(1, min(longest, len(matrix)) + 1)])


def farthest_first(sentences: np.ndarray, size: int = DISSIMILAR) -> np.ndarray:
    """Indices (size,) of sentences (T, E) unlike each other, found greedily; the same every time.

    Begins with the sentence least like all others, then adds, one by one, the sentence whose most
    similar chosen one is least similar; the lowest index wins a tie. Our own choice: TMR's list was found
    by another algorithm and must be given as a list. Raises ``FigureNotAllowed`` for too few sentences.
    """
    cosines = _cosines(sentences, len(sentences))
    if len(cosines) < size:
        reason = f"protocol dissimilar chooses {size} captions, found {len(cosines)}"
        raise FigureNotAllowed("retrieval", reason)
    chosen = [int(cosines.sum(1).argmin())]
    nearest = cosines[chosen[0]].copy()
    while len(chosen) < size:
        nearest[chosen[-1]] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, cosines[chosen[-1]])
    return np.array(chosen)


def _both(
    protocol: str,
    similarity: np.ndarray,
    hits: np.ndarray | None,
    pool: np.ndarray,
    rerank: Reranker | None,
) -> tuple[Retrieval, Retrieval]:
    back = None if hits is None else hits.T
    to_motion, to_text = (similarity, similarity.T) if rerank is None else rerank(pool, similarity)
    text_to_motion, motion_to_text = DIRECTIONS
    return (
        _retrieval(text_to_motion, protocol, to_motion, hits),
        _retrieval(motion_to_text, protocol, to_text, back),
    )


def _retrieval(
    direction: Direction, protocol: str, similarity: np.ndarray, hits: np.ndarray | None
) -> Retrieval:
    found = ranks(similarity, hits)
    recalls = {k: float(100.0 * found.found(k).mean()) for k in RANKS}
    median = float(np.median(found.expected())) + 1.0
    return Retrieval(direction, protocol, len(similarity), recalls, median)


def _average(runs: Sequence[Retrieval]) -> Retrieval:
    first = runs[0]
    recalls = {k: float(np.mean([run.recalls[k] for run in runs])) for k in RANKS}
    median = float(np.mean([run.median_rank for run in runs]))
    return Retrieval(first.direction, first.protocol, first.pool, recalls, median)


def _cosines(sentences: np.ndarray, count: int) -> np.ndarray:
    vectors = np.asarray(sentences, dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
        raise ValueError(f"expected finite sentence embeddings ({count}, E), found shape {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (lengths == 0.0).any():
        raise ValueError("a sentence embedding is zero: it has no direction to compare")
    unit = vectors / lengths
    return unit @ unit.T


def _require_square(similarity: np.ndarray) -> np.ndarray:
    matrix = np.asarray(similarity)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ValueError(f"expected similarities (texts, motions), one each, found shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("similarities hold NaN or infinite numbers")
    return matrix
