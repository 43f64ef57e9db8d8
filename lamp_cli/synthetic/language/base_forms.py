"""Words to their base forms: "walked", "walking" and "wlking" are "walk". Knows no meaning."""

from __future__ import annotations

import re
from functools import lru_cache

from ...language.english import BASE_OF, NUMBERS, regular_forms
from .action_words import PATTERNS

# What counts as the same word for an action, beside the forms of English verbs: the word, then the others.
_SAME = """
sit seated, lie lay lays laying laid layed, back backed, backward backwards, forward forwards onwards,
sideways sideway sidewards, right rightward rightwards, left leftward leftwards, up upwards upward, down
downwards downward, slow slowly, quick quickly, unsteady unsteadily, drunk drunkenly drunken, with using,
move motions, four fours, stand stationary standing, racket racquet, box boxing boxer, intoxicate
intoxicated, underhand underhanded, overhand overhanded, ax axe
"""
# Words of sentences that no pattern has, but sides, counts and links depend on.
_OTHERS = (
    "left right both foot leg hand arm knee elbow shoulder finger fist time clockwise counterclockwise "
    "while zig zag once twice thrice put keep write drive rise leap "
    "creep sweep fling"
)
# Known words that a slip would otherwise be seen in.
_NO_SLIPS = (
    "stop start star stare stance act be clasp stir wind swipe pant shoe trip fly sing saw sew learn widen "
    "shovel ski lick live lounge dunk waver poise arch salt comb droop wake pay ask blow string sport couch "
    "chase slink punt handle erase wither writhe steep weigh spit spite tile file sand squad always winding "
    "post sling there"
)
# Shorter words have too many neighbours to tell a slip from another word.
_LEAST_LETTERS = 5


@lru_cache(maxsize=20_000)
def base_form(word: str) -> str:
    """The base form of a word that the patterns know, another word as it is, nothing for adverbs in -ly.

    An unknown word with one inner letter lost, added, or exchanged with its neighbour is taken for the
    known one.
    """
    forms = _forms()
    if word in forms:
        return forms[word]
    if word.endswith("ly"):
        return ""
    return _slipped(word, forms) if len(word) >= _LEAST_LETTERS else word


def _slipped(word: str, forms: dict[str, str]) -> str:
    lost = _with_a_letter_lost().get(word)
    if lost is not None:
        return lost
    inner = range(1, len(word) - 1)
    added = (word[:at] + word[at + 1 :] for at in inner)
    exchanged = (word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in inner)
    guesses = (guess for guess in (*added, *exchanged) if guess in forms and len(guess) >= _LEAST_LETTERS)
    return forms[found] if (found := next(guesses, None)) else word


@lru_cache(maxsize=1)
def _forms() -> dict[str, str]:
    """Every form of every known word, and its base form; a base form is never another word's."""
    patterns = " ".join(pattern for patterns in PATTERNS.values() for pattern in patterns)
    words = set(re.findall(r"[a-z]{2,}", re.sub(r"\\[a-z]|\(\?<?[!=:]", " ", patterns)))
    same = {form: row.split()[0] for row in _SAME.split(",") for form in row.split()[1:]}
    words = (words | {*_OTHERS.split(), *NUMBERS[1:], *_NO_SLIPS.split(), *same.values()}) - same.keys()
    # A slip of "lifting" must not be a form of "left".
    regular = {form: word for word in sorted(words - {"left", "right"}) for form in _inflected(word)}
    irregular = {form: word for form, word in BASE_OF.items() if word in words}
    return regular | irregular | {word: word for word in words} | same


def _inflected(word: str) -> tuple[str, ...]:
    """The regular forms, and before them those that people write by mistake: "trys", "stoped", "puting"."""
    return f"{word}s", f"{word}ed", f"{word}ing", *regular_forms(word)


@lru_cache(maxsize=1)
def _with_a_letter_lost() -> dict[str, str]:
    """Known forms without one of their inner letters."""
    found: dict[str, str] = {}
    for form, word in _forms().items():
        if len(form) > _LEAST_LETTERS:
            for at in range(1, len(form) - 1):
                found.setdefault(form[:at] + form[at + 1 :], word)
    return found
