"""Captions as rows of whole words with parts of speech: the text input of Guo et al.'s evaluator.

Source: Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022. A
caption's ``word/POS`` tokens, at most 20, between ``sos/OTHER`` and ``eos/OTHER``, padded to 22 with
``unk/OTHER``. Words that say a place, a part of the body, a thing, an action or a manner have parts of
speech of their own. Knows words and their numbers, not their vectors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..language.part_of_speech import tagged_tokens
from ..storage import read_text_file, write_text
from .captions import Caption

UNKNOWN, BEGIN, END = "unk", "sos", "eos"
MOST_TOKENS = 20
ROW = MOST_TOKENS + 2

TAGS = (
    "VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV",
    "Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER",
)  # fmt: skip
OTHER = TAGS.index("OTHER")
# The evaluator's own classes, which replace a known word's part of speech (names as in its release).
_CLASSES = {
    "Loc_VIP": "left right clockwise counterclockwise anticlockwise forward back backward up down straight "
    "curve",
    "Body_VIP": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
    "Obj_VIP": "stair dumbbell chair window floor car ball handrail baseball basketball",
    "Act_VIP": "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift "
    "lower raise wash stand kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb",
    "Desc_VIP": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
}
_CLASS_OF = {word: TAGS.index(tag) for tag, words in _CLASSES.items() for word in words.split()}
_NUMBER_OF_TAG = {tag: number for number, tag in enumerate(TAGS)}


@dataclass(frozen=True)
class WordBatch:
    """Word numbers and tag numbers (B, 22) int64 and how many of each row are real, (B,) int64."""

    words: np.ndarray
    tags: np.ndarray
    lengths: np.ndarray


class WordList:
    """Whole words by number; ``unk``, ``sos`` and ``eos`` are among them."""

    def __init__(self, words: Sequence[str]):
        """``words`` in the order of their numbers; raises ``ValueError`` when a special word is missing."""
        self.words = list(words)
        self._numbers = {word: number for number, word in enumerate(self.words)}
        for special in (UNKNOWN, BEGIN, END):
            if special not in self._numbers:
                raise ValueError(f"the word list lacks {special!r}; expected a word list of an evaluator")

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, captions: Sequence[Caption]) -> WordBatch:
        """Rows of 22 numbers; a caption without tokens is tagged here, an empty one is legal.

        As the field does: a word that is not in the list is ``unk`` with the tag OTHER, a tag that is
        not in the evaluator's is OTHER, tokens beyond the twentieth are cut.
        """
        unknown = self._numbers[UNKNOWN]
        words = np.full((len(captions), ROW), unknown, np.int64)
        tags = np.full((len(captions), ROW), OTHER, np.int64)
        lengths = np.zeros(len(captions), np.int64)
        for row, caption in enumerate(captions):
            tokens = [f"{BEGIN}/OTHER", *tokens_of(caption)[:MOST_TOKENS], f"{END}/OTHER"]
            lengths[row] = len(tokens)
            for column, token in enumerate(tokens):
                words[row, column], tags[row, column] = self._numbered(token)
        return WordBatch(words, tags, lengths)

    def _numbered(self, token: str) -> tuple[int, int]:
        word, _, tag = token.partition("/")
        if word not in self._numbers:
            return self._numbers[UNKNOWN], OTHER
        return self._numbers[word], _CLASS_OF.get(word, _NUMBER_OF_TAG.get(tag, OTHER))

    def save(self, path: Path) -> None:
        """Write one word per line."""
        write_text(path, "".join(f"{word}\n" for word in self.words))


def tokens_of(caption: Caption) -> tuple[str, ...]:
    """The caption's ``word/POS`` tokens, or those of our tagger when it has none; a wordless one has none."""
    if caption.tokens or not any(character.isalpha() for character in caption.text):
        return caption.tokens
    return tuple(tagged_tokens(caption.text))


def words_of_captions(captions: Iterable[Caption], least: int, most: int) -> WordList:
    """The words that occur ``least`` times or more, the ``most`` frequent of them, special ones first."""
    counts = Counter(token.partition("/")[0] for caption in captions for token in tokens_of(caption))
    specials = (UNKNOWN, BEGIN, END)
    frequent = [w for w, n in counts.items() if n >= least and w not in specials]
    # Ties go by the alphabet: the same corpus gives the same list in any order of reading.
    frequent.sort(key=lambda word: (-counts[word], word))
    return WordList([*specials, *frequent[:most]])


def load_words(path: Path) -> WordList:
    """Read a list that ``WordList.save`` wrote; raises ``ValueError`` when it is missing or not one."""
    try:
        return WordList(read_text_file(path).split("\n")[:-1])
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; it holds the evaluator's words") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
