"""False sentences: what a sentence says, with its sides exchanged or its two actions told in the other order.

A motion must be farther from these than from what is true of it. Among the other sentences of a batch there
is hardly one that differs from the true one in nothing but a side or an order. Works on finished sentences;
knows no motion.
"""

from __future__ import annotations

import re

import numpy as np

from ..language.mirror import mirror_sentence
from ..synthetic.language.rewording import SUBJECT

# Verbs that the next part would be without, were the parts exchanged: "is waving and then bowing".
_AUXILIARY = re.compile(r"(is|are|was|were|has|had|begins?|began|starts?|started|decides?|tries|proceeds?)\b")
# No second action follows: "punches with the left hand, then the right".
_NO_VERB = re.compile(r"(the|an?|this|their|his|her|with|to|on|in|back|again)\b")
_TWO_IN_A_ROW = re.compile(r"^(?P<first>.+?)(?P<link>,? (?:and )?then )(?P<second>.+?)(?P<stop>\.?)$")


def contradiction(sentence: str, rng: np.random.Generator) -> str | None:
    """A sentence that is false of every motion that ``sentence`` is true of; None where none is known.

    Which of the ways is taken is drawn from ``rng``.
    """
    ways = [false for false in (_other_side(sentence), _other_order(sentence)) if false is not None]
    return ways[int(rng.integers(len(ways)))] if ways else None


def _other_side(sentence: str) -> str | None:
    """Left for right; where both are named, they may be told of the same: "looks left and right"."""
    if re.search(r"\bleft", sentence, re.I) and re.search(r"\bright", sentence, re.I):
        return None
    mirrored = mirror_sentence(sentence)
    return mirrored if mirrored != sentence else None


def _other_order(sentence: str) -> str | None:
    """``a person walks, then bows`` -> ``a person bows, then walks``."""
    found = _TWO_IN_A_ROW.match(sentence)
    if found is None or " then " in found["second"]:
        return None
    subject = SUBJECT.match(found["first"])
    begin = subject[0] + " " if subject is not None else ""
    first, second = found["first"][len(begin) :], found["second"]
    if not first or _AUXILIARY.match(first) or first.lower() == second.lower():
        return None
    if any(start.match(second) for start in (_AUXILIARY, SUBJECT, _NO_VERB)):
        return None
    if not begin and sentence[0].isupper():
        first, second = first[0].lower() + first[1:], second[0].upper() + second[1:]
    return f"{begin}{second}{found['link']}{first}{found['stop']}"
