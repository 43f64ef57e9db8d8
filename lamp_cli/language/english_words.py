"""Which words English has, so that none of them is taken for another one misspelt.

``english_words.txt`` holds the lower-case words of four letters and more of SCOWL (Kevin Atkinson's Spell
Checker Oriented Word Lists, version 2020.12.07, size 60), American and British spelling together;
``english_words_licence.txt`` is their copyright notice. Knows no meaning and no rules.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

LEAST_LETTERS = 4


def is_english(word: str) -> bool:
    """Whether a lower-case word of at least ``LEAST_LETTERS`` letters is one of English."""
    return word in _words()


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    return frozenset((files(__package__) / "english_words.txt").read_text(encoding="ascii").split())
