"""Left and right in a sentence, exchanged: what a mirrored motion is called."""

from __future__ import annotations

import re

MIRRORED_WORDS = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
    "anticlockwise": "clockwise",
}


def mirror_sentence(text: str) -> str:
    """The sentence for the mirrored motion: left and right, clockwise and counterclockwise swapped."""
    text = re.sub(r"\b(counter|anti)[- ]clockwise\b", r"\1clockwise", text, flags=re.IGNORECASE)
    pattern = r"\b(" + "|".join(MIRRORED_WORDS) + r")(?=\b|ward|s\b|hand|most)"
    return re.sub(pattern, lambda m: _like(m[0], MIRRORED_WORDS[m[0].lower()]), text, flags=re.IGNORECASE)


def _like(model: str, word: str) -> str:
    return word.capitalize() if model[0].isupper() else word
