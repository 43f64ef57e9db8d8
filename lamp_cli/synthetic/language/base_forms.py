"""Words to their base forms: "walked", "walking" and "wlking" are "walk". Knows no meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from .action_words import PATTERNS

_IRREGULAR = """
run ran, sit sat seated, stand stood standing, take took taken, throw threw thrown, bend bent, spin spun,
do did does, make made, leap leapt, rise rose risen, get got gotten, hold held, shake shook, bring
brought, swing swung, go went gone goes, swim swam, eat ate, drink drank, kneel knelt, lie lay lays lying
laying laid layed, creep crept, come came, fall fell, catch caught, sneak snuck, strike struck, spring
sprang sprung, foot feet, keep kept, write wrote, drive drove driven, sweep swept, fling flung, back
backed, backward backwards, forward forwards onwards, sideways sideway sidewards, right rightward
rightwards, left leftward leftwards, up upwards upward, down downwards downward, slow slowly, quick
quickly, unsteady unsteadily, drunk drunkenly drunken, with using, move motions, four fours, stand
stationary, racket racquet, box boxing boxer, intoxicate intoxicated, underhand underhanded, overhand
overhanded, ax axe
"""
# Words of sentences that no pattern has, but sides, counts and links depend on.
_OTHERS = (
    "left right both foot leg hand arm knee elbow shoulder finger fist time clockwise counterclockwise "
    "while zig zag one two three four five six seven eight once twice thrice put"
)
# Known words that a slip would otherwise be seen in.
_NO_SLIPS = (
    "stop start star stare stance act be clasp stir wind swipe pant shoe trip fly sing saw sew learn widen "
    "shovel ski lick live lounge dunk waver poise arch salt comb droop wake pay ask blow string sport couch "
    "chase slink punt handle erase wither writhe steep weigh spit spite tile file sand squad always winding "
    "post sling there"
)
_ENDINGS = ("s", "es", "ed", "d", "ing")
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
    irregular = {
        form: row.split()[0] for row in _IRREGULAR.replace("\n", " ").split(",") for form in row.split()[1:]
    }
    words = (
        words | set(_OTHERS.split()) | set(_NO_SLIPS.split()) | set(irregular.values())
    ) - irregular.keys()
    # A slip of "lifting" must not be a form of "left".
    regular = {form: word for word in sorted(words - {"left", "right"}) for form in _inflected(word)}
    return regular | {word: word for word in words} | irregular


def _inflected(word: str) -> Iterable[str]:
    yield from (word + ending for ending in _ENDINGS)
    if word.endswith("e"):
        yield f"{word[:-1]}ing"
    elif word.endswith("y") and word[-2] not in "aeiou":
        yield from (f"{word[:-1]}ies", f"{word[:-1]}ied")
    elif word[-1] not in "aeiouwy" and word[-2] in "aeiou":
        yield from (f"{word}{word[-1]}ed", f"{word}{word[-1]}ing")


@lru_cache(maxsize=1)
def _with_a_letter_lost() -> dict[str, str]:
    """Known forms without one of their inner letters."""
    found: dict[str, str] = {}
    for form, word in _forms().items():
        if len(form) > _LEAST_LETTERS:
            for at in range(1, len(form) - 1):
                found.setdefault(form[:at] + form[at + 1 :], word)
    return found
