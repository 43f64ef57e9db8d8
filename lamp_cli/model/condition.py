"""The generator's condition: what it is told of a sentence, and by whom.

Source: LaMP section 3 (LaMP-T2M), and table 6 for its ablations. The paper's own is one vector: the query
tokens cross-attend to a learned projection of the text transformer's output, and the mean of their outputs is
taken. Its ablations take the text feature alone, or that of another text encoder, such as CLIP. The text
transformer's output word by word is not in the paper: one vector hardly holds an order of actions, a side and
a count.

What is trained with the generator is a condition's state; LaMP and other encoders are frozen, no part of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..data.vocabulary import Vocabulary
from .generator import Condition
from .lamp import Lamp
from .qformer import Context, QFormerConfig, Text

QUERY, NO_QUERY, WORDS = "query", "no_query", "words"
# The conditions that LaMP's own text side gives.
OF_LAMP = (QUERY, NO_QUERY, WORDS)


@dataclass(frozen=True)
class TextReading:
    """The generator's ``condition`` and the length head's ``feature`` (B, F) of sentences."""

    condition: Condition
    feature: Tensor


class SentenceEncoder(Protocol):
    """A pretrained text encoder, frozen, that reads sentences with a tokenizer of its own.

    width: of its vectors.
    digest: changes with its weights.
    """

    width: int
    digest: str

    def tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Ids (B, T) int64 and mask (B, T), True on real tokens."""

    def vectors(self, text: Text) -> Tensor:
        """One vector (B, ``width``) a sentence, computed where ``text`` is."""


class TextCondition(nn.Module, ABC):
    """Reads sentences for the generator."""

    def tokens(
        self, texts: Sequence[str], vocabulary: Vocabulary, limit: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ids (B, T) int64 and mask (B, T) of sentences, by LaMP's ``vocabulary`` and token ``limit``."""
        return vocabulary.encode(texts, limit)

    def part_read(self, text: str, vocabulary: Vocabulary, limit: int) -> str:
        """The sentence, or the beginning of it that ``tokens`` keeps."""
        return vocabulary.truncated(text, limit)

    @abstractmethod
    def forward(self, lamp: Lamp, text: Text) -> TextReading:
        """What the sentences of ``tokens`` say; ``lamp`` must be frozen.

        Gradients pass through ``lamp`` to what the condition learns.
        """


class QueryCondition(TextCondition):
    """The paper's condition, whose projection is trained with the generator."""

    def __init__(self, width: int, context_width: int):
        super().__init__()
        self.projection = nn.Linear(width, context_width)

    def forward(self, lamp: Lamp, text: Text) -> TextReading:
        """One vector (B, W): the mean of the query tokens that attended to the words."""
        words = lamp.qformer.text(text)
        queries = lamp.qformer.motion(Context(self.projection(words), text.mask))
        return TextReading(Condition.single(queries.mean(1)), words[:, 0])


class FeatureCondition(TextCondition):
    """The paper's ablation without query tokens: the text transformer's [CLS] alone; has no weights."""

    def forward(self, lamp: Lamp, text: Text) -> TextReading:
        """One vector (B, W), the text feature before its projection to the space shared with motions."""
        feature = lamp.qformer.text(text)[:, 0]
        return TextReading(Condition.single(feature), feature)


class WordCondition(TextCondition):
    """Every word of the text transformer's output; has no weights."""

    def forward(self, lamp: Lamp, text: Text) -> TextReading:
        """The words (B, T, W) and their mask."""
        words = lamp.qformer.text(text)
        return TextReading(Condition(words, text.mask), words[:, 0])


class EncoderCondition(TextCondition):
    """The vector of another text encoder in LaMP's place; has no weights."""

    def __init__(self, encoder: SentenceEncoder):
        super().__init__()
        self.encoder = encoder

    def tokens(
        self, texts: Sequence[str], vocabulary: Vocabulary, limit: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`TextCondition.tokens`, but by the encoder's own tokenizer and limit."""
        return self.encoder.tokens(texts)

    def part_read(self, text: str, vocabulary: Vocabulary, limit: int) -> str:
        """The sentence; what is beyond the encoder's own limit is not told."""
        return text

    def forward(self, lamp: Lamp, text: Text) -> TextReading:
        """One vector (B, width)."""
        with torch.no_grad():
            feature = self.encoder.vectors(text)
        return TextReading(Condition.single(feature), feature)


def build_condition(kind: str, qformer: QFormerConfig, encoder: SentenceEncoder | None) -> TextCondition:
    """The condition of this kind, not trained: ``encoder``'s when there is one, else LaMP's.

    Raises ``ValueError`` for a kind that LaMP does not give.
    """
    if encoder is not None:
        return EncoderCondition(encoder)
    if kind == QUERY:
        return QueryCondition(qformer.width, qformer.context_width)
    if kind == NO_QUERY:
        return FeatureCondition()
    if kind == WORDS:
        return WordCondition()
    raise ValueError(f"condition {kind}: expected one of {', '.join(OF_LAMP)}, or a text encoder")
