"""Typing errors as people make them, for networks that must read sentences with some. Knows letters alone."""

from __future__ import annotations

import re
import string

import numpy as np

# Shorter words are seldom wrong, and another word when they are.
LEAST_LETTERS = 4


def with_typing_error(text: str, rng: np.random.Generator) -> str:
    """The sentence with one word misspelt: letters swapped, one left out, doubled, or another.

    The first letter stays. A sentence without a word of four letters stays as it is.
    """
    words = [match.span() for match in re.finditer(rf"[A-Za-z]{{{LEAST_LETTERS},}}", text)]
    if not words:
        return text
    start, end = words[int(rng.integers(len(words)))]
    place = int(rng.integers(start + 1, end))
    kind = int(rng.integers(4))
    letter = text[place]
    if kind == 0 and place + 1 < end:
        return text[:place] + text[place + 1] + letter + text[place + 2 :]
    if kind == 1:
        return text[:place] + text[place + 1 :]
    if kind == 2:
        return text[:place] + letter + text[place:]
    return text[:place] + string.ascii_lowercase[int(rng.integers(26))] + text[place + 1 :]
