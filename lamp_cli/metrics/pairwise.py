"""KID, precision, recall, density and coverage: what all pairs of two sets of embeddings tell.

Source: Bińkowski et al., ICLR 2018, section 4 (KID); Kynkäänniemi et al., NeurIPS 2019 (improved precision
and recall, 3 nearest neighbours); Naeem et al., ICML 2020 (density and coverage, 5). One pass over the pairs
serves all of them, since the pairs are what takes the time. Knows no evaluator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from ..processes import in_threads
from .embeddings import require_embeddings
from .measurement import FigureNotAllowed

PRECISION_NEIGHBOURS = 3
DENSITY_NEIGHBOURS = 5
KID = "KID"
PRECISION = f"precision (k {PRECISION_NEIGHBOURS})"
RECALL = f"recall (k {PRECISION_NEIGHBOURS})"
DENSITY = f"density (k {DENSITY_NEIGHBOURS})"
COVERAGE = f"coverage (k {DENSITY_NEIGHBOURS})"

# Rows of a matrix of pairs that are in memory at once.
ROWS = 256
# Products are float32, which takes a third of the time: squared distances below this, relative to the largest
# squared length around the mean, are rounding, and the clips copies of each other.
_COPY = 1e-6


@dataclass(frozen=True)
class PairwiseFigures:
    """What the pairs of a real and a made set tell.

    A ball around a clip reaches to its k-th nearest neighbour of its own set, without its surface.

    kid: unbiased squared maximum mean discrepancy by the kernel (x·y / D + 1)³; around 0 for sets of one
        origin, so it may be negative. The papers average it over subsets; all pairs have the same expectation
        and vary less.
    precision: share of made clips within a ball (k 3) of a real one.
    recall: share of real clips within a ball (k 3) of a made one.
    density: how many balls (k 5) of real clips a made clip lies in, as a share of k; may be above 1.
    coverage: share of real clips within whose ball (k 5) any made clip lies.
    """

    kid: float
    precision: float
    recall: float
    density: float
    coverage: float

    def figures(self) -> dict[str, float]:
        """By printed name."""
        values = (self.kid, self.precision, self.recall, self.density, self.coverage)
        return dict(zip((KID, PRECISION, RECALL, DENSITY, COVERAGE), values, strict=True))


def pairwise_figures(real: np.ndarray, made: np.ndarray) -> PairwiseFigures:
    """Figures of embeddings ``made`` (M, D) beside ``real`` (N, D); all but KID depend on N and M.

    Raises ``FigureNotAllowed`` for sets of no more clips than neighbours, ``ValueError`` for other shapes.
    """
    real = require_embeddings(real, "the real set")
    made = require_embeddings(made, "the made set")
    if real.shape[1] != made.shape[1]:
        raise ValueError(f"expected embeddings of one size, found {real.shape[1]} and {made.shape[1]}")
    fewest, most = min(len(real), len(made)), max(PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS)
    if fewest <= most:
        reason = f"needs more clips than the {most} nearest neighbours that are looked at, found {fewest}"
        raise FigureNotAllowed("KID, precision, recall, density and coverage", reason)
    centre = real.mean(0)
    # What is a copy is the same in every matrix.
    longest = max(float(np.square(each - centre).sum(1).max()) for each in (real, made))
    copy = _COPY * longest
    real_radii, real_kernel = _radii(_Pairs(real, real, centre, copy))
    made_radii, made_kernel = _radii(_Pairs(made, made, centre, copy))
    pairs = _Pairs(real, made, centre, copy)
    balls = _Balls(
        real_radii[:, PRECISION_NEIGHBOURS, None],
        made_radii[:, PRECISION_NEIGHBOURS],
        real_radii[:, DENSITY_NEIGHBOURS, None],
    )
    found = in_threads(partial(_within, pairs, balls), pairs.blocks())
    precise = np.any([each.precise for each in found], axis=0)
    recalled, held, covered = (
        sum(getattr(each, name) for each in found) for name in ("recalled", "held", "covered")
    )
    kernel = sum(each.kernel for each in found) / (len(real) * len(made))
    return PairwiseFigures(
        real_kernel + made_kernel - 2.0 * kernel,
        float(precise.mean()),
        recalled / len(real),
        held / (DENSITY_NEIGHBOURS * len(made)),
        covered / len(real),
    )


class _Pairs:
    """Distances and kernels of pairs, from products around a centre (D,): less is lost where squares cancel.

    Squared distances below ``copy`` are 0.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray, centre: np.ndarray, copy: float):
        self._size, self._copy = first.shape[1], np.float32(copy)
        self._sides = [(each - centre).astype(np.float32) for each in (first, second)]
        self._lengths = [np.square(each).sum(1) for each in self._sides]
        # x·y around zero is that around the centre, and terms of x and of y alone.
        self._terms = [((each - centre) @ centre / self._size).astype(np.float32) for each in (first, second)]
        self._terms[0] += np.float32(centre @ centre / self._size + 1.0)
        # Each side's kernel with itself, summed; exact.
        self.alone = float(((np.square(first).sum(1) / self._size + 1.0) ** 3).sum())

    def __len__(self) -> int:
        return len(self._sides[0])

    def blocks(self) -> list[slice]:
        """Rows that are looked at together."""
        return [slice(begin, min(begin + ROWS, len(self))) for begin in range(0, len(self), ROWS)]

    def of(self, rows: slice) -> tuple[np.ndarray, float]:
        """Squared distances (rows, M) of some of the first side, and the sum of their kernels."""
        products = self._sides[0][rows] @ self._sides[1].T
        kernel = products * np.float32(1.0 / self._size)
        kernel += self._terms[0][rows, None]
        kernel += self._terms[1]
        # Powers of NumPy go through logarithms, which takes ten times as long.
        cubes = kernel * kernel
        cubes *= kernel
        products *= np.float32(-2.0)
        products += self._lengths[0][rows, None]
        products += self._lengths[1]
        products[products < self._copy] = 0.0
        return products, float(cubes.sum(1).sum(dtype=np.float64))


def _radii(pairs: _Pairs) -> tuple[np.ndarray, float]:
    """Squared distances (N, k + 1) of points to the k nearest, themselves first; the others' mean kernel."""
    most = max(PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS)

    def nearest(rows: slice) -> tuple[np.ndarray, float]:
        distances, kernel = pairs.of(rows)
        own = np.arange(len(distances))
        distances[own, rows.start + own] = 0.0
        return np.sort(np.partition(distances, most, axis=1)[:, : most + 1], axis=1), kernel

    found = in_threads(nearest, pairs.blocks())
    others = sum(kernel for _, kernel in found) - pairs.alone
    return np.concatenate([rows for rows, _ in found]), others / (len(pairs) * (len(pairs) - 1))


class _Balls(NamedTuple):
    """Squared radii: of real clips (N, 1) narrow and wide, of made ones (M,) narrow."""

    narrow: np.ndarray
    made: np.ndarray
    wide: np.ndarray


class _Within(NamedTuple):
    """Of some real clips: the made ones (M,) within their balls, counts, and the sum of kernels."""

    precise: np.ndarray
    recalled: int
    held: int
    covered: int
    kernel: float


def _within(pairs: _Pairs, balls: _Balls, rows: slice) -> _Within:
    distances, kernel = pairs.of(rows)
    wide = balls.wide[rows]
    return _Within(
        np.any(distances < balls.narrow[rows], axis=0),
        int((distances < balls.made).any(1).sum()),
        int(np.count_nonzero(distances < wide)),
        int((distances.min(1, keepdims=True) < wide).sum()),
        kernel,
    )
