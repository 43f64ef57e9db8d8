"""Sentences and motions as an evaluator embeds them, and R-precision of them.

What an evaluator is made of is not known here, but for one thing: LaMP's own features match a sentence with
single query tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.captions import Caption
from ..inference.embed import similarity
from ..metrics.matching import POOL, TOPS, Direction, r_precision
from ..metrics.retrieval import ranks
from .evaluators import Evaluator, LampEvaluator

BEST_TOKEN = "best query token"
MEAN_TOKEN = "mean query token"


@dataclass(frozen=True)
class Embedded:
    """Texts (N, D) and motions (N, D), row by row; ``queries`` (N, Q, D) where single tokens match."""

    texts: np.ndarray
    motions: np.ndarray
    queries: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.motions)


def embedded(evaluator: Evaluator, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> Embedded:
    """Embeddings of pairs of a sentence and features (T, C), not normalised."""
    return with_motions(evaluator, evaluator.text_embeddings(captions), features)


def with_motions(evaluator: Evaluator, texts: np.ndarray, features: Sequence[np.ndarray]) -> Embedded:
    """As ``embedded``, of texts that are embedded already."""
    if not isinstance(evaluator, LampEvaluator):
        return Embedded(texts, evaluator.motion_embeddings(features))
    queries = evaluator.query_embeddings(features)
    means = queries.mean(1)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return Embedded(texts, means, queries)


def joined(parts: Sequence[Embedded]) -> Embedded:
    """One after the other."""
    texts, motions = (np.concatenate([getattr(p, name) for p in parts]) for name in ("texts", "motions"))
    queries = [p.queries for p in parts if p.queries is not None]
    return Embedded(texts, motions, np.concatenate(queries) if queries else None)


def r_precision_of(
    pairs: Embedded,
    rng: np.random.Generator | None = None,
    direction: Direction = "text-to-motion",
    best_token: bool = True,
) -> dict[int, float]:
    """R-precision in batches of 32: where single tokens match by the best one's cosine, else by distance.

    Without ``best_token`` the mean of the query tokens is compared, by its distance. Raises
    ``FigureNotAllowed`` for fewer than 32 pairs.
    """
    if pairs.queries is None or len(pairs) < POOL or not best_token:
        return r_precision(pairs.texts, pairs.motions, rng, direction)
    order = np.arange(len(pairs)) if rng is None else rng.permutation(len(pairs))
    found: dict[int, list[float]] = {k: [] for k in TOPS}
    for batch in order[: len(order) // POOL * POOL].reshape(-1, POOL):
        scores = similarity(pairs.queries[batch], pairs.texts[batch])
        placed = ranks(scores.T if direction == "text-to-motion" else scores)
        for k, values in found.items():
            values.append(placed.found(k).mean())
    return {k: float(np.mean(values)) for k, values in found.items()}


def evaluator_protocol(base: str, evaluator: Evaluator, matched: bool = False) -> str:
    """The protocol's full name: LaMP's features are ``matched`` with texts in their own way."""
    if not isinstance(evaluator, LampEvaluator):
        return base
    return f"{base}, {BEST_TOKEN if matched else MEAN_TOKEN}"
