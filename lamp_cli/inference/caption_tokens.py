"""Captions to the ids of a captioner's decoder and back, whichever tokenizer it brings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from ..data.vocabulary import Vocabulary
from ..model.captioner import Captioner
from ..model.devices import on_device
from ..model.hugging_face import HuggingFaceDecoder
from ..model.qformer import Text

# A word is no longer than this many characters, as in WordPiece: a novel is cut before it is read.
LONGEST_WORD = 100


class CaptionTokenizer(Protocol):
    """Ids of sentences without the tokens around them, and sentences of ids."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of every sentence."""

    def decode(self, ids: Sequence[int]) -> str:
        """The sentence of ids."""


class WordPieceCaptions:
    """The embedded decoder's words are the bundle's."""

    def __init__(self, vocabulary: Vocabulary):
        self._vocabulary = vocabulary

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids without [CLS] and [SEP]."""
        most = max(map(len, texts), default=0) + 2
        ids, mask = self._vocabulary.encode(texts, most)
        return [row[real][1:-1].tolist() for row, real in zip(ids, mask, strict=True)]

    def decode(self, ids: Sequence[int]) -> str:
        """The sentence as people write it."""
        return tidy(self._vocabulary.decode(ids))


class HuggingFaceCaptions:
    """A language model's own tokenizer."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids without special tokens."""
        return [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """The sentence on one line."""
        return " ".join(self._tokenizer.decode(list(ids), skip_special_tokens=True).split())


def caption_tokenizer(captioner: Captioner, vocabulary: Vocabulary) -> CaptionTokenizer:
    """The tokenizer of a captioner's decoder."""
    if isinstance(captioner.decoder, HuggingFaceDecoder):
        return HuggingFaceCaptions(captioner.decoder.tokenizer)
    return WordPieceCaptions(vocabulary)


def caption_words(
    captioner: Captioner, tokenizer: CaptionTokenizer, texts: Sequence[str], device: torch.device
) -> Text:
    """Ids (B, T) of captions between the decoder's begin and end, padded on the right, and their mask.

    A caption beyond ``caption_tokens`` is cut and has no end: nothing shall learn to stop there.
    """
    decoder, most = captioner.decoder, captioner.config.caption_tokens
    rows = []
    for ids in tokenizer.encode([text[: LONGEST_WORD * most] for text in texts]):
        rows.append([*decoder.begin, *[*ids, decoder.end][:most]])
    longest = max(map(len, rows))
    padded = [row + [decoder.end] * (longest - len(row)) for row in rows]
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(longest) < lengths[:, None]
    return Text(on_device(torch.tensor(padded), device), on_device(mask, device))


def tidy(text: str) -> str:
    """Joined word pieces as a person writes them: ``he ' s up , then`` becomes ``he's up, then``."""
    text = re.sub(r"\s+([,.;:!?)\]])", r"\1", text)
    text = re.sub(r"([(\[])\s+", r"\1", text)
    return re.sub(r"(?<=\w)\s*(['’/-])\s*(?=\w)", r"\1", text)
