"""Sentences as the networks are given them: a misspelt word is read as the known one that is one edit away.

A network has learned nothing of "wlaks"; what people see of their sentences stays as they wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..bundle.bundle import Bundle
from .known_words import KnownWords


def words_of(bundle: Bundle) -> KnownWords | None:
    """The words that a bundle learned; None where it does not remember them."""
    known = bundle.training_sentences
    return None if known is None else KnownWords(known.stems, bundle.vocabulary.pieces)


def as_read(bundle: Bundle, texts: Sequence[str]) -> list[str]:
    """The sentences with misspelt words corrected; unchanged where the bundle remembers no words."""
    words = words_of(bundle)
    return list(texts) if words is None else [words.corrected(text) for text in texts]
