"""Words that carry meaning, as stems: what makes "kicked" and "kicking" one word.

Knows English endings, coarsely: two forms of a word must meet, what they meet in need not be a word.
"""

from __future__ import annotations

import re

from .english import BASE_OF, IRREGULAR_VERBS
from .part_of_speech import FUNCTION_WORDS

# Words of grammar, whoever moves (no motion speaks of them), and words that only stress or refer.
_WITHOUT_MEANING = FUNCTION_WORDS.union(
    """
    person people human individual figure character man men guy gentleman woman women lady boy girl kid child
    children adult dude fellow actor performer athlete dancer player
    his her its their your our my which what there here also just very so too than again
    """.split()
).difference("forwards backwards everyone everything nothing".split())


def stem(word: str) -> str:
    """A lower-case word without its ending: ``hopping``, ``hopped`` and ``hops`` are ``hop``."""
    irregular = word in IRREGULAR_VERBS or word in BASE_OF
    word = BASE_OF.get(word, word) if irregular else _without_ending(word)
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] in "eiy" else word


def _without_ending(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def meaningful_words(text: str) -> tuple[str, ...]:
    """The words of a sentence that carry meaning, lower-case, each once, in order."""
    words = re.findall(r"[^\W\d_]+", text.lower().replace("-", ""))
    return tuple(dict.fromkeys(word for word in words if word not in _WITHOUT_MEANING and len(word) > 1))


def stems_of(text: str) -> frozenset[str]:
    """The stems of a sentence's meaningful words."""
    return frozenset(stem(word) for word in meaningful_words(text))
