"""Sentences as the networks are given them: a misspelt word is read as the known one that is one edit away.

A network has learned nothing of "wlaks"; what people see of their sentences stays as they wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..bundle.bundle import Bundle
from .known_words import KnownWords


def as_read(bundle: Bundle, texts: Sequence[str]) -> list[str]:
    """The sentences with misspelt words corrected; unchanged where the bundle remembers no words."""
    known = bundle.training_sentences
    if known is None:
        return list(texts)
    words = KnownWords(known.stems, bundle.vocabulary.pieces)
    return [words.corrected(text) for text in texts]
