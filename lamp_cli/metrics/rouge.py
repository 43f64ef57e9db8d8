"""ROUGE-L of captions: the longest common subsequence of words.

Source: Lin 2004. The field uses two conventions, which differ by some points and are both here by name.
Works on lists of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .captions import require_captions

Words = Sequence[str]
Convention = Literal["rouge-score", "coco"]

COCO_BETA = 1.2


def rouge_l(
    candidates: Sequence[Words],
    references: Sequence[Sequence[Words]],
    convention: Convention = "rouge-score",
) -> float:
    """Mean ROUGE-L (0..1) of captions, each with one or more references.

    ``rouge-score`` (MotionGPT): the F1 against the reference with the best F1. ``coco`` (nlg-eval and
    so TM2T): F with beta 1.2 of the best precision and the best recall, which may come from different
    references. An empty caption or reference has nothing in common with any. Raises
    ``ValueError`` for captions without references.
    """
    return sum(scores := rouge_l_each(candidates, references, convention)) / len(scores)


def rouge_l_each(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]], convention: Convention
) -> list[float]:
    """ROUGE-L of every caption."""
    require_captions(candidates, references)
    if convention not in ("rouge-score", "coco"):
        raise ValueError(f"expected the convention rouge-score or coco, found {convention!r}")
    return [_score(c, refs, convention) for c, refs in zip(candidates, references, strict=True)]


def longest_common_subsequence(first: Words, second: Words) -> int:
    """Number of words of the longest sequence that both hold in order."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, 1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return row[-1]


def _score(candidate: Words, references: Sequence[Words], convention: Convention) -> float:
    pairs = [_precision_and_recall(candidate, reference) for reference in references]
    if convention == "rouge-score":
        return max(_f(precision, recall, 1.0) for precision, recall in pairs)
    return _f(max(p for p, _ in pairs), max(r for _, r in pairs), COCO_BETA)


def _precision_and_recall(candidate: Words, reference: Words) -> tuple[float, float]:
    if not candidate or not reference:
        return 0.0, 0.0
    common = longest_common_subsequence(candidate, reference)
    return common / len(candidate), common / len(reference)


def _f(precision: float, recall: float, beta: float) -> float:
    if not precision or not recall:
        return 0.0
    return (1.0 + beta**2) * precision * recall / (recall + beta**2 * precision)
