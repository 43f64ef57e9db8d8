"""BLEU of a corpus of captions, with either rule for the length of the references.

Source: Papineni et al., ACL 2002. Works on lists of words; how sentences become words is the caller's choice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from .captions import require_captions

Words = Sequence[str]
LengthRule = Literal["closest", "shortest"]

ORDERS = 4


def corpus_bleu(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]], length_rule: LengthRule = "closest"
) -> tuple[float, float, float, float]:
    """BLEU-1 to BLEU-4 (0..1) of captions, each with one or more references, without smoothing.

    ``length_rule`` says which reference's length the brevity penalty adds up: the ``closest`` to the
    caption's (Papineni; sacreBLEU, nlg-eval and so TM2T; the shorter wins a tie) or the ``shortest``
    (TensorFlow NMT, nlg-metricverse and so MotionGPT), which is never the stricter one. An empty
    caption counts with its length 0. Raises ``ValueError`` for captions without references.
    """
    require_captions(candidates, references)
    if length_rule not in ("closest", "shortest"):
        raise ValueError(f"expected the length rule closest or shortest, found {length_rule!r}")
    matched, possible = [0] * ORDERS, [0] * ORDERS
    candidate_length = reference_length = 0
    for words, allowed in zip(candidates, references, strict=True):
        candidate_length += len(words)
        reference_length += _reference_length(len(words), [len(r) for r in allowed], length_rule)
        for order in range(ORDERS):
            counts = ngrams(words, order + 1)
            most: Counter[tuple[str, ...]] = Counter()
            for reference in set(map(tuple, allowed)):
                most |= ngrams(reference, order + 1)
            matched[order] += (counts & most).total()
            possible[order] += counts.total()
    penalty = _brevity_penalty(candidate_length, reference_length)
    scores = [penalty * _geometric_mean(matched[:n], possible[:n]) for n in range(1, ORDERS + 1)]
    return scores[0], scores[1], scores[2], scores[3]


def ngrams(words: Words, order: int) -> Counter[tuple[str, ...]]:
    """How often each run of ``order`` words occurs."""
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def _reference_length(candidate: int, lengths: list[int], rule: LengthRule) -> int:
    if rule == "shortest":
        return min(lengths)
    return min(lengths, key=lambda length: (abs(length - candidate), length))


def _brevity_penalty(candidate: int, reference: int) -> float:
    if candidate >= reference:
        return 1.0
    return math.exp(1.0 - reference / candidate) if candidate else 0.0


def _geometric_mean(matched: list[int], possible: list[int]) -> float:
    if not all(matched):
        return 0.0
    logs = [math.log(m / p) for m, p in zip(matched, possible, strict=True)]
    return math.exp(sum(logs) / len(logs))
