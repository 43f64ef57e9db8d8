"""The words of a sentence that are rare or missing in a model's training sentences, and its negations.

Knows words and their counts, no network.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property
from textwrap import shorten
from typing import NamedTuple

from ..language.english_words import is_english
from ..language.stems import meaningful_words, stem
from ..synthetic.corpus import claims

# A word in fewer sentences than these has hardly been learned, or in fewer than this share of those that
# the most used word is in: of few sentences no word is in many.
FEW_SENTENCES, SMALL_SHARE = 5, 0.005
# Captions have misspelt words too: what English lacks is one where another word is so many times as frequent.
MUCH_MORE = 20
# Words that describe no motion: forms of address and courtesy, and "now".
_ADDRESSES = frozenset("me us yourself myself ourselves please kids let lets re ll ve now".split())
# Who moves is no part of the motion: occupations and kin, by their endings.
_PERSON = re.compile(
    r"(?:er|or|ist|ian|ee|ast|man|men|woman|women|mother|father|sister|brother|grandma|grandpa)s?"
)
_DETERMINERS = frozenset("a an the my your his her our their this that another one some".split())
# A run of letters.
WORD = r"[^\W\d_]+"
_NEGATION = re.compile(
    r"\b(?:not|never|without|cannot|\w+n['\u2019]t)[\s,]+(?:(?:a|an|the|any|his|her|their|its|to)\s+)?([^\W\d_]+)",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[,.;:!?]|\b(?:and|but|then|while)\b", re.I)


class KnownWords:
    """The words that a model learned, by the stems of its training sentences and its vocabulary."""

    def __init__(self, counts: Mapping[str, int | None], pieces: Sequence[str]):
        """``counts``: in how many sentences each stem is, None if unknown; ``pieces`` of the vocabulary."""
        self._counts = counts
        self._pieces = pieces
        self._most = max((count for count in counts.values() if count), default=0)
        self._few = min(FEW_SENTENCES, SMALL_SHARE * self._most)

    def is_known(self, word: str) -> bool:
        """Whether some training sentence has a form of the word."""
        return stem(word) in self._counts

    def is_common(self, word: str) -> bool:
        """Whether more than a few training sentences have it, or their number is not known."""
        count = self._counts.get(stem(word), 0)
        return count is None or count >= self._few

    def nearest(self, word: str) -> str | None:
        """The likeliest known word that is one edit from one that neither vocabulary nor English has."""
        if len(word) < 4 or word in self._ranks or is_english(word):
            return None
        found = {other: weight * self._used(other) for other, weight in _one_edit_away(word).items()}
        # Of words used alike the first by the alphabet.
        best = max(sorted(found), key=lambda other: found[other], default="")
        return best if found.get(best) else None

    def _used(self, word: str) -> float:
        """About how many training sentences have the word; 0 for one that it does not replace others by."""
        if word not in self._ranks:
            return 0.0
        if not meaningful_words(word):
            return max(self._most / 10, 1.0) if len(word) > 4 else 0.0
        return float(self._counts.get(stem(word)) or 1)

    def corrected(self, text: str) -> str:
        """The text with every word that is one edit from a far better known one written as that one.

        A word with a capital inside of the text is a name, and stays.
        """
        persons = _persons(re.findall(WORD, text.lower()))

        def written(match: re.Match[str]) -> str:
            word = match[0]
            lower = word.lower()
            is_name = match.start() > 0 and word[0].isupper() and not text.isupper()
            own = self._counts.get(stem(lower), 0)
            if is_name or lower in persons or lower in _ADDRESSES or own is None:
                return word
            found = self.nearest(lower)
            return found if found is not None and self._used(found) > MUCH_MORE * own else word

        return re.sub(WORD, written, text)

    @cached_property
    def _ranks(self) -> dict[str, int]:
        """Whole words that training has, by their place in the vocabulary: BERT's begins with common ones."""
        words = (piece for piece in self._pieces if piece.isalpha() and len(piece) > 2)
        return {
            word: rank
            for rank, word in enumerate(words)
            if not meaningful_words(word) or self.is_common(word)
        }


def word_reason(text: str, known: KnownWords) -> str | None:
    """Names the words of a text that training lacks, or hardly has where they are half of what it says."""
    words = _sorted_by_use(text, known)
    reasons = []
    if words.unknown:
        reasons.append(f"{_listed(words.unknown, known)} in no sentence whose motion it learned")
    # A rare word among known ones changes little; not so where it is half of the sentence.
    if words.rare and 2 * words.strange >= words.meaningful:
        reasons.append(f"{_listed(words.rare, known)} in hardly any sentence whose motion it learned")
    if _is_foreign(words.unknown, re.findall(WORD, _without_accents(text.lower()))):
        reasons.append("most of its words are unknown, and it knows English only")
    return "; ".join(reasons) or None


def strange_share(text: str, known: KnownWords) -> float:
    """The share of a text's words that training lacks; those that it hardly has count half.

    1 where no word is well known, and for a text without any word.
    """
    words = _sorted_by_use(text, known)
    if words.strange == words.meaningful:
        return float(words.strange > 0 or not re.search(WORD, text))
    return (len(words.unknown) + len(words.rare) / 2) / words.meaningful


def unknown_words(text: str, known: KnownWords) -> tuple[str, ...]:
    """The words of a text that no training sentence has, without those for who moves."""
    return tuple(_sorted_by_use(text, known).unknown)


class _ByUse(NamedTuple):
    """How many words of a text carry meaning; which of them training lacks, and which it hardly has."""

    meaningful: int
    unknown: list[str]
    rare: list[str]

    @property
    def strange(self) -> int:
        return len(self.unknown) + len(self.rare)


def _sorted_by_use(text: str, known: KnownWords) -> _ByUse:
    folded = _without_accents(text)
    persons = _persons(re.findall(WORD, folded.lower()))
    words = [w for w in meaningful_words(folded) if w not in _ADDRESSES and w not in persons]
    unknown = [word for word in words if not known.is_known(word)]
    rare = [word for word in words if known.is_known(word) and not known.is_common(word)]
    return _ByUse(len(words), unknown, rare)


def negation_reason(text: str) -> str | None:
    """Says that a negation is ignored, where an action is negated; None when there is none."""
    for found in _NEGATION.finditer(text):
        negated = _CLAUSE_END.split(text[found.start(1) :], maxsplit=1)[0]
        # "So the baby won't wake": what somebody wants to come of it.
        purpose = re.search(r"\bso\b[^,.;]*$", text[: found.start()], re.I)
        if purpose is None and claims(negated).parts:
            return f"negations are not understood: {found[0]!r} is read much like {found[1]!r}"
    return None


def quoted(text: str) -> str:
    """A sentence in quotes, the end of a long one left out."""
    return repr(shorten(text, 80, placeholder=" ..."))


def _listed(words: Sequence[str], known: KnownWords) -> str:
    named = []
    for word in words:
        nearest = known.nearest(word)
        named.append(f"{word!r} (did you mean {nearest!r}?)" if nearest else repr(word))
    return f"{', '.join(named)} {'is' if len(words) == 1 else 'are'}"


def _persons(words: Sequence[str]) -> frozenset[str]:
    """Words that name who moves: by their ending, at the beginning or within two words of a determiner."""
    return frozenset(
        word
        for place, word in enumerate(words)
        if len(word) > 4
        and re.fullmatch(rf"\w*{_PERSON.pattern}", word)
        and (place < 2 or _DETERMINERS & set(words[place - 2 : place]))
    )


def _is_foreign(unknown: Sequence[str], everything: Sequence[str]) -> bool:
    """Whether more than half of all words are unknown, or most letters are of another script."""
    letters = "".join(everything)
    strange = sum(not letter.isascii() for letter in letters)
    return 2 * strange > len(letters) or (len(unknown) > 1 and 2 * len(unknown) > len(everything))


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))


def _one_edit_away(word: str) -> dict[str, float]:
    """All words that are one edit away, with how likely it is to write ``word`` for them.

    Damerau's edits (1964), the first letter kept or swapped: letters are swapped or left out, one is doubled,
    or in a long word one is too many or another. In a short one that is too often a word of its own.
    """
    letters = string.ascii_lowercase
    found: dict[str, float] = {}
    for place in range(len(word) + 1):
        before, after = word[:place], word[place:]
        if len(after) > 1:
            found[before + after[1] + after[0] + after[2:]] = 2.0
            if after[0] == after[1]:
                found[before + after[1:]] = 1.0
        if not before:
            continue
        for letter in letters:
            found.setdefault(before + letter + after, 1.0)
            if after and len(word) > 5:
                found.setdefault(before + letter + after[1:], 0.25)
        if after and len(word) > 4:
            found.setdefault(before + after[1:], 0.25)
    found.pop(word, None)
    return found
