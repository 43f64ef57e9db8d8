"""Exact search over the embeddings of many windows, reading few of them.

A window has one embedding per query token (25 kB for 49 of them), and the best one counts: a million
windows are too many to read for every query. But with a window's centroid c and any of its embeddings
k, a unit vector q has q.k = q.c + q.(k - c) <= q.c + |k - c|, so the centroid and the largest such
distance bound the similarity from above. Search reads all centroids, then the embeddings of those
windows alone whose bound reaches the best similarities found. What it returns is what reading
everything would return. Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

# Bounds are sums of a few hundred float32 products: what rounding may add to a similarity.
ROUNDING = 1e-5
LEAST_CANDIDATES = 256


@dataclass(frozen=True)
class Bounds:
    """What bounds the similarities of W windows: centroids (W, E), and distances from them (W,).

    ``radius`` is the largest distance of a query token's embedding from the centroid, ``spread`` the
    root mean square of them.
    """

    centroid: np.ndarray
    radius: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, embeddings: np.ndarray) -> Bounds:
        """Bounds of embeddings (W, N, E), computed from the numbers as they are stored."""
        vectors = embeddings.astype(np.float32)
        centroid = vectors.mean(1)
        distance = np.linalg.norm(vectors - centroid[:, None], axis=-1)
        spread = np.sqrt((distance**2).mean(1))
        return cls(centroid, distance.max(1, initial=0.0), spread)


@dataclass(frozen=True)
class Block:
    """Embeddings (W, N, E) float16 with their bounds; ``rows`` are those of them that are searched."""

    embeddings: np.ndarray
    bounds: Bounds
    rows: np.ndarray

    def read(self, places: np.ndarray) -> torch.Tensor:
        """Embeddings (P, N, E) float32 of some places in ``rows``."""
        return torch.from_numpy(self.embeddings[self.rows[places]]).float()


class TextQuery:
    """A sentence: the cosine of its unit vector (E,) with the best query token counts."""

    def __init__(self, vector: np.ndarray):
        self._vector = vector.astype(np.float32)

    def bound(self, bounds: Bounds) -> np.ndarray:
        """At least the similarity of every window (W,)."""
        return bounds.centroid @ self._vector + bounds.radius + ROUNDING

    def score(self, embeddings: torch.Tensor) -> np.ndarray:
        """Similarity (P,) with windows (P, N, E)."""
        return (embeddings @ torch.from_numpy(self._vector)).amax(1).numpy()


class MotionQuery:
    """A motion: the mean cosine of its query tokens (N, E) with those of a window, token by token.

    The query tokens are learned and ordered, so the same token of two motions is comparable. The bound
    is Cauchy's on what is left of both sides beyond their centroids.
    """

    def __init__(self, embeddings: np.ndarray):
        self._embeddings = embeddings.astype(np.float32)
        self._bounds = Bounds.of(self._embeddings[None])

    def bound(self, bounds: Bounds) -> np.ndarray:
        """At least the similarity of every window (W,)."""
        near = bounds.centroid @ self._bounds.centroid[0]
        return near + bounds.spread * self._bounds.spread[0] + ROUNDING

    def score(self, embeddings: torch.Tensor) -> np.ndarray:
        """Similarity (P,) with windows (P, N, E)."""
        own = torch.from_numpy(self._embeddings).flatten()
        return (embeddings.flatten(1) @ own / len(self._embeddings)).numpy()


@dataclass(frozen=True)
class ExactSearch:
    """Search over blocks as if they were one table; windows are numbered through the blocks' rows."""

    blocks: Sequence[Block]

    @cached_property
    def _begins(self) -> np.ndarray:
        return np.cumsum([0, *(len(b.rows) for b in self.blocks)])

    def __len__(self) -> int:
        """How many windows there are."""
        return int(self._begins[-1])

    def scores(self, query: TextQuery | MotionQuery, windows: np.ndarray) -> np.ndarray:
        """Similarity (P,) of some windows."""
        result = np.empty(len(windows), np.float32)
        block_of = np.searchsorted(self._begins, windows, side="right") - 1
        for number in np.unique(block_of):
            mine = block_of == number
            result[mine] = query.score(self.blocks[number].read(windows[mine] - self._begins[number]))
        return result

    def best(self, query: TextQuery | MotionQuery, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` most similar windows and their similarities, the best first, ties by number."""
        count = min(count, len(self))
        if count == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        bounds = np.concatenate([query.bound(b.bounds)[b.rows] for b in self.blocks])
        size = min(max(LEAST_CANDIDATES, 2 * count), len(self))
        hopeful = np.argpartition(-bounds, size - 1)[:size]
        scores = self.scores(query, hopeful)
        worst_kept = np.partition(scores, -count)[-count]
        bounds[hopeful] = -np.inf
        rest = np.flatnonzero(bounds >= worst_kept)
        rest = rest[np.argsort(-bounds[rest], kind="stable")]
        while len(rest):
            # Ever larger parts: the first ones raise the bar, later ones need few rounds.
            size *= 2
            part, rest = rest[:size], rest[size:]
            hopeful, scores = np.append(hopeful, part), np.append(scores, self.scores(query, part))
            worst_kept = np.partition(scores, -count)[-count]
            rest = rest[bounds[rest] >= worst_kept]
        order = np.lexsort((hopeful, -scores))[:count]
        return hopeful[order], scores[order]
