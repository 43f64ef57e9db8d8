"""How a set of motions is distributed: FID, diversity, multimodality.

Source: Heusel et al. 2017 (FID); Chong and Forsyth, CVPR 2020 (FID of infinitely many samples); Guo et al.,
CVPR 2022, section 6 and its released evaluation, and MoMask's. All on raw embeddings of an evaluator, (N, D).
Knows no evaluator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .embeddings import require_embeddings
from .measurement import FigureNotAllowed

FID_NAME = "FID"
UNIT_FID = "FID of unit vectors"
INFINITE_FID = "FID of infinite samples"
# How many sizes of a sample the extrapolation goes through (Chong and Forsyth).
SAMPLE_SIZES = 15


@dataclass(frozen=True)
class DiversityProtocol:
    """How many random pairs; the set must hold more clips than that."""

    name: str
    pairs: int


@dataclass(frozen=True)
class MultimodalityProtocol:
    """How many texts, motions for each, and random pairs of them."""

    name: str
    texts: int
    samples: int
    pairs: int

    def __post_init__(self) -> None:
        if not 1 <= self.pairs <= self.samples:
            raise ValueError(
                f"expected 1 to {self.samples} pairs of {self.samples} motions, found {self.pairs}"
            )


DIVERSITY_PROTOCOLS = (DiversityProtocol("guo", 300), DiversityProtocol("guo-small", 100))
MULTIMODALITY_PROTOCOLS = (
    MultimodalityProtocol("guo", texts=100, samples=30, pairs=10),
    MultimodalityProtocol("momask", texts=96, samples=30, pairs=10),
)


class EmbeddingSet:
    """Embeddings (N, D), and what figures of them need, computed once for all that are asked for.

    Raises ``ValueError``, which calls them ``name``, for other shapes or numbers that are not finite.
    """

    def __init__(self, rows: np.ndarray, name: str = "embeddings"):
        self.rows = require_embeddings(rows, name)
        self._name = name

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> int:
        """The number of dimensions."""
        return self.rows.shape[1]

    @cached_property
    def mean(self) -> np.ndarray:
        """(D,)."""
        return self.rows.mean(0)

    @cached_property
    def covariance(self) -> np.ndarray:
        """(D, D), with ddof 1."""
        centred = self.rows - self.mean
        return centred.T @ centred / (len(self) - 1)

    @cached_property
    def factor(self) -> np.ndarray:
        """A with A A^T the covariance, (D, rank)."""
        return _factor(self.covariance)

    @cached_property
    def directions(self) -> EmbeddingSet:
        """The embeddings made unit vectors; raises ``FigureNotAllowed`` for one of no direction."""
        lengths = np.linalg.norm(self.rows, axis=1, keepdims=True)
        if not lengths.all():
            raise FigureNotAllowed(UNIT_FID, f"an embedding of {self._name} is zero: it has no direction")
        return EmbeddingSet(self.rows / lengths, self._name)


Embeddings = np.ndarray | EmbeddingSet


def frechet_inception_distance(first: Embeddings, second: Embeddings) -> float:
    """FID of two sets of embeddings (N, D) and (M, D): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2).

    With C = A A^T from the symmetric eigenvalues of C, tr (C1 C2)^1/2 is the sum of the singular
    values of A1^T A2. Nothing is inverted and no square root of a rounding error is added up, so
    rank-deficient covariances need no epsilon on their diagonal. Raises ``FigureNotAllowed`` for fewer than
    two clips in a set, ``ValueError`` for other shapes.
    """
    first, second = _both(first, second)
    fewest = min(len(first), len(second))
    if fewest < 2:
        raise FigureNotAllowed(FID_NAME, f"a covariance needs at least 2 clips, found {fewest}")
    difference = first.mean - second.mean
    overlap = np.linalg.svd(first.factor.T @ second.factor, compute_uv=False).sum()
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    # The distance is never negative; what is left below zero is rounding.
    return max(0.0, float(difference @ difference + traces - 2.0 * overlap))


def unit_fid(first: Embeddings, second: Embeddings) -> float:
    """FID of embeddings (N, D) and (M, D) made unit vectors: what is compared is their directions alone.

    Evaluators that were trained with cosines leave lengths undefined; this is what is meant by their FID.
    Raises as ``frechet_inception_distance``, and ``FigureNotAllowed`` for an embedding of no direction.
    """
    return frechet_inception_distance(*(each.directions for each in _both(first, second)))


def infinite_fid(made: Embeddings, real: Embeddings, rng: np.random.Generator) -> float:
    """FID that ``made`` (N, D) would have of infinitely many samples, against ``real`` (M, D) as it is.

    FID is biased upward by about c / n, with a c of each model's own, which can turn the order of two models.
    A line through FID over 1 / n of 15 sizes, from a quarter of the clips (at least twice the dimensions) to
    all, meets 1 / n = 0 there. The samples are the beginnings of one order that ``rng`` draws: as sure as 15
    draws of their own, and nothing is added up twice. Unlike FID it may be negative.

    Raises ``FigureNotAllowed`` for fewer clips than twice the dimensions: FID is no line there.
    """
    made, real = _both(made, real)
    count, size = len(made), made.size
    if count < 2 * size or len(real) < 2:
        reason = f"needs at least {2 * size} clips, twice the dimensions, found {count}"
        raise FigureNotAllowed(INFINITE_FID, reason)
    sizes = np.linspace(max(count // 4, min(2 * size, count // 2)), count, SAMPLE_SIZES).astype(int)
    rows = made.rows[rng.permutation(count)] - real.mean
    turned = rows @ real.factor
    total, square, products = np.zeros(size), 0.0, np.zeros((real.factor.shape[1],) * 2)
    values, done = [], 0
    for end in sizes:
        total += rows[done:end].sum(0)
        square += float(np.square(rows[done:end]).sum())
        products += turned[done:end].T @ turned[done:end]
        done = end
        mean = total / end
        trace = (square - end * float(mean @ mean)) / (end - 1)
        centre = mean @ real.factor
        overlap = _sum_of_roots((products - end * np.outer(centre, centre)) / (end - 1))
        values.append(float(mean @ mean + np.trace(real.covariance) + trace - 2.0 * overlap))
    return float(np.polyfit(1.0 / sizes, values, 1)[1])


def _both(first: Embeddings, second: Embeddings) -> tuple[EmbeddingSet, EmbeddingSet]:
    """Both sets; raises ``ValueError`` unless they are embeddings of one size."""
    made, real = (
        each if isinstance(each, EmbeddingSet) else EmbeddingSet(each, name)
        for each, name in ((first, "the first set"), (second, "the second set"))
    )
    if made.size != real.size:
        raise ValueError(f"expected embeddings of one size, found {made.size} and {real.size}")
    return made, real


def diversity(
    embeddings: np.ndarray, rng: np.random.Generator, protocol: DiversityProtocol = DIVERSITY_PROTOCOLS[0]
) -> float:
    """Mean Euclidean distance of random pairs of (N, D), N above ``protocol.pairs``.

    As in the field's code both sides of the pairs are drawn without replacement, each on its own, so
    a clip may meet itself. Raises ``FigureNotAllowed`` for too few clips.
    """
    embeddings = require_embeddings(embeddings, "embeddings")
    count = len(embeddings)
    if count <= protocol.pairs:
        reason = (
            f"protocol {protocol.name} draws {protocol.pairs} pairs from more clips than that, found {count}"
        )
        raise FigureNotAllowed("Diversity", reason)
    return _mean_distance(embeddings, protocol.pairs, rng)


def multimodality(
    embeddings: np.ndarray,
    rng: np.random.Generator,
    protocol: MultimodalityProtocol = MULTIMODALITY_PROTOCOLS[0],
) -> float:
    """Mean distance of random pairs among the motions made from one text; (texts, samples, D).

    As in the field's code one draw of pairs serves all texts. Raises ``FigureNotAllowed`` unless
    there are exactly the texts and samples of ``protocol``.
    """
    embeddings = require_embeddings(embeddings, "embeddings", dimensions=3)
    texts, samples = embeddings.shape[:2]
    if (texts, samples) != (protocol.texts, protocol.samples):
        wanted = f"{protocol.texts} texts with {protocol.samples} motions each"
        reason = f"protocol {protocol.name} needs {wanted}, found {texts} with {samples}"
        raise FigureNotAllowed("MultiModality", reason)
    return _mean_distance(np.swapaxes(embeddings, 0, 1), protocol.pairs, rng)


def diversity_protocol(clips: int) -> DiversityProtocol:
    """The field's choice: 300 pairs where there are more clips than that, else 100."""
    guo, small = DIVERSITY_PROTOCOLS
    return guo if clips > guo.pairs else small


def _mean_distance(rows: np.ndarray, pairs: int, rng: np.random.Generator) -> float:
    first = rng.choice(len(rows), pairs, replace=False)
    second = rng.choice(len(rows), pairs, replace=False)
    return float(np.linalg.norm(rows[first] - rows[second], axis=-1).mean())


def _sum_of_roots(product: np.ndarray) -> float:
    """Sum of the square roots of the eigenvalues of A^T C A, (K, K): tr (A A^T C)^1/2."""
    values = np.linalg.eigvalsh((product + product.T) / 2.0)
    rounding = len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    return float(np.sqrt(values[values > rounding]).sum())


def _factor(covariance: np.ndarray) -> np.ndarray:
    """A with A A^T = ``covariance`` (D, D), directions of no variance left out."""
    if not np.isfinite(covariance).all():
        raise ValueError("expected embeddings of a finite covariance")
    values, vectors = np.linalg.eigh(covariance)
    kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], -values[0])
    return vectors[:, kept] * np.sqrt(values[kept])
