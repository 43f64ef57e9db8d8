"""CIDEr-D of captions: agreement with a set of references, common phrases counting less.

Source: Vedantam et al., CVPR 2015, section 5 (D: clipped counts and a penalty on length); document
frequencies come from the references that are scored. Works on lists of words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .bleu import ngrams
from .captions import require_captions
from .measurement import FigureNotAllowed

Words = Sequence[str]
Ngram = tuple[str, ...]

ORDERS = 4
LENGTH_DEVIATION = 6.0
SCALE = 10.0


@dataclass(frozen=True)
class _Sentence:
    """TF-IDF weights by n-gram for each order, their lengths as vectors, and the number of words."""

    weights: tuple[dict[Ngram, float], ...]
    norms: tuple[float, ...]
    words: int


def cider_d(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """Mean CIDEr-D (0..10) of captions, each with one or more references.

    Raises ``FigureNotAllowed`` for a single caption (every phrase is then in every document, and
    the score 0 whatever is said), ``ValueError`` for captions without references.
    """
    return sum(scores := cider_d_each(candidates, references)) / len(scores)


def cider_d_each(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """CIDEr-D of every caption, document frequencies from all the references."""
    require_captions(candidates, references)
    if len(candidates) < 2:
        raise FigureNotAllowed("CIDEr-D", "its document frequencies need at least 2 clips, found 1")
    rarity = _inverse_document_frequencies(references)
    unseen = math.log(len(references))
    scores = []
    for words, allowed in zip(candidates, references, strict=True):
        candidate = _sentence(words, rarity, unseen)
        each = [_similarity(candidate, _sentence(reference, rarity, unseen)) for reference in allowed]
        scores.append(SCALE * sum(each) / len(each))
    return scores


def cider_d_pairs(pairs: Sequence[tuple[Words, Words]], corpus: Sequence[Sequence[Words]]) -> list[float]:
    """CIDEr-D (0..10) of each candidate with one reference; document frequencies from ``corpus``' clips.

    Raises ``FigureNotAllowed`` for a corpus of fewer than two clips.
    """
    if len(corpus) < 2:
        raise FigureNotAllowed(
            "CIDEr-D", f"its document frequencies need at least 2 clips, found {len(corpus)}"
        )
    rarity, unseen = _inverse_document_frequencies(corpus), math.log(len(corpus))
    return [
        SCALE * _similarity(_sentence(words, rarity, unseen), _sentence(reference, rarity, unseen))
        for words, reference in pairs
    ]


def _inverse_document_frequencies(references: Sequence[Sequence[Words]]) -> dict[Ngram, float]:
    """log(clips / clips whose references hold the n-gram)."""
    documents: Counter[Ngram] = Counter()
    for allowed in references:
        documents.update(
            {ngram for words in allowed for n in range(1, ORDERS + 1) for ngram in ngrams(words, n)}
        )
    return {ngram: math.log(len(references) / count) for ngram, count in documents.items()}


def _sentence(words: Words, rarity: Mapping[Ngram, float], unseen: float) -> _Sentence:
    weights = tuple(
        {ngram: count * rarity.get(ngram, unseen) for ngram, count in ngrams(words, n).items()}
        for n in range(1, ORDERS + 1)
    )
    norms = tuple(math.sqrt(sum(w * w for w in order.values())) for order in weights)
    return _Sentence(weights, norms, len(words))


def _similarity(candidate: _Sentence, reference: _Sentence) -> float:
    """Mean over the orders of the clipped cosine, times a Gaussian of the difference in length."""
    total = 0.0
    for ours, theirs, a, b in zip(
        candidate.weights, reference.weights, candidate.norms, reference.norms, strict=True
    ):
        if a and b:
            shared = ours.keys() & theirs.keys()
            total += sum(min(ours[g], theirs[g]) * theirs[g] for g in sorted(shared)) / (a * b)
    difference = candidate.words - reference.words
    return total / ORDERS * math.exp(-(difference**2) / (2.0 * LENGTH_DEVIATION**2))
