"""Words that carry meaning, as stems: what makes "kicked" and "kicking" one word.

Knows English endings, coarsely: two forms of a word must meet, what they meet in need not be a word.
"""

from __future__ import annotations

import re

from .english import BASE_OF, IRREGULAR_VERBS

# Besides the closed classes: whoever moves, of whom no motion speaks.
_WITHOUT_MEANING = frozenset(
    """
    person people human individual figure character man men guy gentleman woman women lady boy girl kid child
    children adult dude fellow somebody actor performer athlete dancer player
    a an the this that these those each every some any another no all both he she it they him her them his
    its their himself herself itself themselves who which what someone somebody something anyone anything
    one you your we our i my in on at by with from of into onto over under around about across through up
    down off out above below behind between beside near against towards toward along during before after
    without within upon past as for and or but nor then while if because although though when whenever
    where until since like to not is are was were be been being am has have had does do did can could will
    will would may might must should there here also just very so too than again
    """.split()
)


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
