"""BERTScore: every word's nearest word in the other sentence, by contextual embeddings.

Source: Zhang et al., ICLR 2020, section 3 (greedy matching, idf, baseline rescaling), as the released
``bert-score`` computes it. Works on the token embeddings of any ``TokenEncoder``; knows no network.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from .captions import require_captions


@dataclass(frozen=True)
class TokenStates:
    """One encoded sentence: ``ids`` (T,), ``states`` (T, D), and ``inner`` (T,) bool.

    ``inner`` is False on tokens that are no words of the sentence ([CLS], [SEP], <s>, </s>): those weigh
    nothing themselves but words of the other sentence may match them, as in ``bert-score``.
    """

    ids: np.ndarray
    states: np.ndarray
    inner: np.ndarray


class TokenEncoder(Protocol):
    """Anything that turns sentences into contextual token embeddings; ``name`` goes into the output."""

    @property
    def name(self) -> str:
        """The network and its layer, e.g. ``roberta-large, layer 17``."""
        ...

    def encode(self, sentences: Sequence[str]) -> list[TokenStates]:
        """One ``TokenStates`` per sentence, in order; an empty sentence has no inner token."""
        ...


class Baseline(NamedTuple):
    """What unrelated sentences score; rescaling maps it to 0 and leaves 1 at 1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class BertScoreConfig:
    """``idf`` weighs tokens by their rarity among the references; without ``baseline`` no rescaling."""

    idf: bool = True
    baseline: Baseline | None = None


# bert-score's published baseline of roberta-large, layer 17, English.
ROBERTA_LARGE_17 = Baseline(0.83150584, 0.8314941, 0.83122575)


@dataclass(frozen=True)
class BertScorePreset:
    """A named encoder and setting."""

    model: str
    layer: int
    config: BertScoreConfig


FIELD = BertScorePreset("roberta-large", 17, BertScoreConfig(idf=True, baseline=ROBERTA_LARGE_17))


@dataclass(frozen=True)
class BertScore:
    """Precision, recall and F1 (N,) of every caption, each the best over its references."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    def parts(self) -> dict[str, np.ndarray]:
        """All three by printed name."""
        return {"precision": self.precision, "recall": self.recall, "F1": self.f1}


def bert_score(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    encoder: TokenEncoder,
    config: BertScoreConfig = BertScoreConfig(),
) -> BertScore:
    """BERTScore of captions, each with one or more references.

    Every distinct sentence is encoded once. With several references precision, recall and F1 are each
    the best one, as in ``bert-score``. An empty caption scores 0 before rescaling. Where the idf of all
    tokens of a sentence is 0 (each is in every reference) its tokens weigh alike, instead of 0/0.
    Raises ``ValueError`` for captions without references or states that are not finite.
    """
    require_captions(candidates, references)
    references = [[reference.strip() for reference in several] for several in references]
    candidates = [candidate.strip() for candidate in candidates]
    flat = [reference for several in references for reference in several]
    distinct = list(dict.fromkeys([*candidates, *flat]))
    encoded = dict(zip(distinct, encoder.encode(distinct), strict=True))
    rarity = inverse_document_frequencies([encoded[r].ids for r in flat]) if config.idf else None
    unseen = math.log(len(flat) + 1)
    words = {text: _weighted(states, rarity, unseen) for text, states in encoded.items()}
    best = np.array(
        [
            np.max([_greedy(words[candidate], words[reference]) for reference in several], axis=0)
            for candidate, several in zip(candidates, references, strict=True)
        ]
    )
    if config.baseline is not None:
        baseline = np.array(config.baseline)
        best = (best - baseline) / (1.0 - baseline)
    return BertScore(*best.T)


def sentence_embeddings(encoded: Sequence[TokenStates]) -> np.ndarray:
    """Unit vectors (N, D) of encoded sentences: the mean over all tokens, as all-MiniLM is trained for.

    For retrieval's protocols ``threshold`` and ``dissimilar``. Raises ``ValueError`` for no sentences.
    """
    if not encoded:
        raise ValueError("no sentences to embed")
    means = np.array([np.asarray(states.states, dtype=np.float64).mean(0) for states in encoded])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.where(lengths > 0.0, lengths, 1.0)


def inverse_document_frequencies(documents: Sequence[np.ndarray]) -> dict[int, float]:
    """log((N + 1) / (n + 1)) of every token id, n of the N documents (ids) holding it."""
    counts: Counter[int] = Counter()
    for ids in documents:
        counts.update(set(ids.tolist()))
    return {token: math.log((len(documents) + 1) / (n + 1)) for token, n in counts.items()}


class _Words(NamedTuple):
    """Unit vectors (T, D) of all tokens, and their weights (T,), summing to 1 or, if empty, to 0."""

    vectors: np.ndarray
    weights: np.ndarray


def _weighted(states: TokenStates, rarity: Mapping[int, float] | None, unseen: float) -> _Words:
    vectors: np.ndarray = np.asarray(states.states, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(states.ids) or not np.isfinite(vectors).all():
        raise ValueError(f"expected finite token states ({len(states.ids)}, D), found {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(lengths > 0.0, lengths, 1.0)
    inner = np.asarray(states.inner, dtype=np.float64)
    weights = inner
    if rarity is not None:
        weights = inner * [rarity.get(token, unseen) for token in states.ids.tolist()]
    if not weights.sum():
        weights = inner
    return _Words(vectors, weights / max(weights.sum(), 1e-12))


def _greedy(candidate: _Words, reference: _Words) -> tuple[float, float, float]:
    """Precision, recall and F1: weighted means of each token's best cosine in the other sentence."""
    if not candidate.weights.any() or not reference.weights.any():
        return 0.0, 0.0, 0.0
    cosines = candidate.vectors @ reference.vectors.T
    precision = float(cosines.max(1) @ candidate.weights)
    recall = float(cosines.max(0) @ reference.weights)
    total = precision + recall
    return precision, recall, 2.0 * precision * recall / total if total else 0.0
