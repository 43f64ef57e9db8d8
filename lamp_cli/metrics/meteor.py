"""METEOR of a caption and its reference by exact words and stems, without synonyms.

Source: Lavie and Agarwal, "Meteor: An Automatic Metric for MT Evaluation with High Levels of Correlation with
Human Judgments", WMT 2007, with the weights (0.9, 3, 0.5) that NLTK has. Words are aligned from the end, as
NLTK does. METEOR's later releases, which the field runs in Java, match synonyms and paraphrases too and weigh
words: their values are others. Works on lists of words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..language.stems import stem

PRECISION_WEIGHT, FRAGMENT_POWER, FRAGMENT_WEIGHT = 0.9, 3.0, 0.5


def meteor(candidate: Sequence[str], reference: Sequence[str], stemmed: Callable[[str], str] = stem) -> float:
    """METEOR, 0 to 1, of lower-case words; a caption of n words has 1 - 1 / 2n³ with itself."""
    pairs = _aligned(candidate, reference, stemmed)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(candidate), len(pairs) / len(reference)
    mean = precision * recall / (PRECISION_WEIGHT * precision + (1 - PRECISION_WEIGHT) * recall)
    # Pairs that follow each other on both sides are one chunk.
    chunks = sum((own - 1, other - 1) not in pairs for own, other in pairs)
    return mean * (1 - FRAGMENT_WEIGHT * (chunks / len(pairs)) ** FRAGMENT_POWER)


def _aligned(
    candidate: Sequence[str], reference: Sequence[str], stemmed: Callable[[str], str]
) -> set[tuple[int, int]]:
    """Places of words that are the same, then of the others whose stems are, each at most once."""
    left, right = dict(enumerate(candidate)), dict(enumerate(reference))
    pairs = set()
    for form in (str, stemmed):
        for own in sorted(left, reverse=True):
            same = [place for place, word in right.items() if form(word) == form(left[own])]
            if same:
                pairs.add((own, max(same)))
                del left[own], right[max(same)]
    return pairs
