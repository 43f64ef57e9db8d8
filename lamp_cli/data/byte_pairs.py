"""Captions as CLIP's byte pairs: the text input of MARDM's second evaluator.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021. The
merges are CLIP's ``bpe_simple_vocab_16e6.txt.gz``, which its code brings, or ``merges.txt`` of its models on
the Hugging Face hub. What ftfy would repair of broken characters stays as it is.
"""

from __future__ import annotations

import gzip
import html
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .captions import Caption
from .word_tokens import WordBatch

MERGES = ("bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt", "merges.txt")
BEGIN, END, LAST_PIECE = "<|startoftext|>", "<|endoftext|>", "</w>"
# Contractions, words, single digits, and runs of anything else.
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_BYTES = 256


class BytePairs:
    """CLIP's tokenizer, with rows of a fixed length."""

    def __init__(self, merges: Sequence[tuple[str, str]], row: int):
        """``merges`` in their order; ``row`` word pieces a sentence, begin and end among them."""
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers

        letters = _letters()
        joined = [first + second for first, second in merges]
        self.words = [*letters, *(letter + LAST_PIECE for letter in letters), *joined, BEGIN, END]
        self._row = row
        self._tokenizer = Tokenizer(
            models.BPE(
                {word: number for number, word in enumerate(self.words)},
                list(merges),
                end_of_word_suffix=LAST_PIECE,
            )
        )
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_PIECES), "removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )

    def encode(self, captions: Sequence[Caption]) -> WordBatch:
        """Rows of numbers, zeros beyond their ends; what is too long is cut before the end."""
        words = np.zeros((len(captions), self._row), np.int64)
        lengths = np.zeros(len(captions), np.int64)
        for row, caption in enumerate(captions):
            text = " ".join(html.unescape(html.unescape(caption.text)).split()).lower()
            pieces = self._tokenizer.encode(text).ids[: self._row - 2]
            numbers = [len(self.words) - 2, *pieces, len(self.words) - 1]
            lengths[row] = len(numbers)
            words[row, : len(numbers)] = numbers
        return WordBatch(words, np.zeros_like(words), lengths)


def read_byte_pairs(path: Path, words: int, row: int) -> BytePairs:
    """The first merges of a file, as many as ``words`` numbers have room for.

    Raises ``ValueError`` when it is no such file or has fewer.
    """
    count = words - 2 * _BYTES - 2
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        # The first line says a version.
        lines = raw.decode("utf-8").split("\n")[1 : count + 1]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read as merges of byte pairs ({error})") from None
    merges = [(first, second) for first, _, second in (line.partition(" ") for line in lines)]
    if len(merges) < count or not all(first and second for first, second in merges):
        raise ValueError(f"{path}: expected {count} merges of byte pairs, two pieces a line")
    return BytePairs(merges, row)


def _letters() -> list[str]:
    """A visible letter for every byte: its own where it has one, then letters from 256 on for the rest."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [*map(chr, own), *(chr(_BYTES + n) for n in range(_BYTES - len(own)))]
