"""How a set of motions is distributed: FID, diversity, multimodality.

Source: Heusel et al. 2017 (FID); Chong and Forsyth, CVPR 2020 (FID of infinitely many samples); Guo et al.,
CVPR 2022, section 6 and its released evaluation, and MoMask's. All on raw embeddings of an evaluator, (N, D).
Knows no evaluator.
"""

from __future__ import annotations

from dataclasses import dataclass

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


def frechet_inception_distance(first: np.ndarray, second: np.ndarray) -> float:
    """FID of two sets of embeddings (N, D) and (M, D): Gaussians with ``np.cov``'s ddof 1.

    Raises ``FigureNotAllowed`` for fewer than two clips in a set, ``ValueError`` for other shapes.
    """
    first = require_embeddings(first, "the first set")
    second = require_embeddings(second, "the second set")
    fewest = min(len(first), len(second))
    if fewest < 2:
        raise FigureNotAllowed(FID_NAME, f"a covariance needs at least 2 clips, found {fewest}")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"expected embeddings of one size, found {first.shape[1]} and {second.shape[1]}")
    return frechet_distance(first.mean(0), _covariance(first), second.mean(0), _covariance(second))


def unit_fid(first: np.ndarray, second: np.ndarray) -> float:
    """FID of embeddings (N, D) and (M, D) made unit vectors: what is compared is their directions alone.

    Evaluators that were trained with cosines leave lengths undefined; this is what is meant by their FID.
    Raises as ``frechet_inception_distance``, and ``FigureNotAllowed`` for an embedding of no direction.
    """
    return frechet_inception_distance(
        *(_unit(each, name) for each, name in ((first, "the first set"), (second, "the second set")))
    )


def infinite_fid(made: np.ndarray, real: np.ndarray, rng: np.random.Generator) -> float:
    """FID that ``made`` (N, D) would have of infinitely many samples, against ``real`` (M, D) as it is.

    FID is biased upward by about c / n, with a c of each model's own, which can turn the order of two models.
    A line through FID over 1 / n of 15 sizes, from a quarter of the clips (at least twice the dimensions) to
    all, meets 1 / n = 0 there. The samples are the beginnings of one order that ``rng`` draws: as sure as 15
    draws of their own, and nothing is added up twice. Unlike FID it may be negative.

    Raises ``FigureNotAllowed`` for fewer clips than twice the dimensions: FID is no line there.
    """
    made = require_embeddings(made, "the first set")
    real = require_embeddings(real, "the second set")
    count, size = made.shape
    if size != real.shape[1]:
        raise ValueError(f"expected embeddings of one size, found {size} and {real.shape[1]}")
    if count < 2 * size or len(real) < 2:
        reason = f"needs at least {2 * size} clips, twice the dimensions, found {count}"
        raise FigureNotAllowed(INFINITE_FID, reason)
    sizes = np.linspace(max(count // 4, min(2 * size, count // 2)), count, SAMPLE_SIZES).astype(int)
    covariance = _covariance(real)
    factor = _factor(covariance, size)
    rows = made[rng.permutation(count)] - real.mean(0)
    turned = rows @ factor
    total, square, products = np.zeros(size), 0.0, np.zeros((factor.shape[1],) * 2)
    values, done = [], 0
    for end in sizes:
        total += rows[done:end].sum(0)
        square += float(np.square(rows[done:end]).sum())
        products += turned[done:end].T @ turned[done:end]
        done = end
        mean = total / end
        trace = (square - end * float(mean @ mean)) / (end - 1)
        centre = mean @ factor
        overlap = _sum_of_roots((products - end * np.outer(centre, centre)) / (end - 1))
        values.append(float(mean @ mean + np.trace(covariance) + trace - 2.0 * overlap))
    return float(np.polyfit(1.0 / sizes, values, 1)[1])


def frechet_distance(
    first_mean: np.ndarray,
    first_covariance: np.ndarray,
    second_mean: np.ndarray,
    second_covariance: np.ndarray,
) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2) of Gaussians with means (D,), covariances (D, D).

    With C = A A^T from the symmetric eigenvalues of C, tr (C1 C2)^1/2 is the sum of the singular
    values of A1^T A2. Nothing is inverted and no square root of a rounding error is added up, so
    rank-deficient covariances need no epsilon on their diagonal. Raises ``ValueError`` for shapes that
    do not agree, numbers that are not finite, or matrices that are no covariances.
    """
    difference = _mean(first_mean) - _mean(second_mean)
    size = len(difference)
    factors = [_factor(np.asarray(c, dtype=np.float64), size) for c in (first_covariance, second_covariance)]
    overlap = np.linalg.svd(factors[0].T @ factors[1], compute_uv=False).sum()
    traces = np.trace(first_covariance) + np.trace(second_covariance)
    # The distance is never negative; what is left below zero is rounding.
    return max(0.0, float(difference @ difference + traces - 2.0 * overlap))


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


def _mean(mean: np.ndarray) -> np.ndarray:
    vector = np.asarray(mean, dtype=np.float64)
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError(f"expected a finite mean (D,), found shape {vector.shape}")
    return vector


def _covariance(embeddings: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(embeddings, rowvar=False))


def _unit(embeddings: np.ndarray, name: str) -> np.ndarray:
    embeddings = require_embeddings(embeddings, name)
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    if not lengths.all():
        raise FigureNotAllowed(UNIT_FID, f"an embedding of {name} is zero: it has no direction")
    return embeddings / lengths


def _sum_of_roots(product: np.ndarray) -> float:
    """Sum of the square roots of the eigenvalues of A^T C A, (K, K): tr (A A^T C)^1/2."""
    values = np.linalg.eigvalsh((product + product.T) / 2.0)
    rounding = len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    return float(np.sqrt(values[values > rounding]).sum())


def _factor(covariance: np.ndarray, size: int) -> np.ndarray:
    """A with A A^T = ``covariance``, directions of no variance left out."""
    if covariance.shape != (size, size) or not np.isfinite(covariance).all():
        raise ValueError(f"expected a finite covariance ({size}, {size}), found shape {covariance.shape}")
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    rounding = size * np.finfo(np.float64).eps * max(values[-1], -values[0])
    if values[0] < -1e3 * rounding:
        raise ValueError(f"expected a covariance, found a matrix with the eigenvalue {values[0]:.3g}")
    kept = values > rounding
    return vectors[:, kept] * np.sqrt(values[kept])
