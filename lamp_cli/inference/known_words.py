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

from ..language.stems import meaningful_words, stem

# A word in fewer sentences than these has hardly been learned, or in fewer than this share of those that
# the most used word is in: of few sentences no word is in many.
FEW_SENTENCES, SMALL_SHARE = 5, 0.005
# Words that describe no motion: forms of address and courtesy.
_ADDRESSES = frozenset("me us yourself myself ourselves please kids let lets re ll ve".split())
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
        """The likeliest known word that is one edit from a word that the vocabulary does not have."""
        if len(word) < 4 or word in self._ranks:
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
        """The text with every unknown word that is one edit from a known one written as that one.

        A word with a capital inside of the text is a name, and stays.
        """
        persons = _persons(re.findall(WORD, text.lower()))

        def written(match: re.Match[str]) -> str:
            word = match[0]
            lower = word.lower()
            is_name = match.start() > 0 and word[0].isupper() and not text.isupper()
            if is_name or lower in persons or lower in _ADDRESSES or self.is_known(lower):
                return word
            return self.nearest(lower) or word

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
    folded = _without_accents(text)
    everything = re.findall(WORD, folded.lower())
    persons = _persons(everything)
    words = [w for w in meaningful_words(folded) if w not in _ADDRESSES and w not in persons]
    unknown = [word for word in words if not known.is_known(word)]
    rare = [word for word in words if word not in unknown and not known.is_common(word)]
    # A rare word among known ones changes little; not so where it is half of the sentence.
    if 2 * len(unknown + rare) < len(words):
        rare = []
    reasons = []
    if unknown:
        reasons.append(f"{_listed(unknown, known)} in no sentence whose motion it learned")
    if rare:
        reasons.append(f"{_listed(rare, known)} in hardly any sentence whose motion it learned")
    if _is_foreign(unknown, everything):
        reasons.append("most of its words are unknown, and it knows English only")
    return "; ".join(reasons) or None


def negation_reason(text: str) -> str | None:
    """Says that a negation is ignored; None when there is none."""
    found = _NEGATION.search(text)
    if found is None:
        return None
    return f"negations are not understood: {found[0]!r} is read much like {found[1]!r}"


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
