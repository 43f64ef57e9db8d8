"""How familiar a sentence is to a bundle: whether it is near the sentences that the bundle was trained on.

A generator always makes something; for a sentence unlike all it has learned, that is a guess. Signs are
words that such sentences lack, negations, and the distance to the nearest one in LaMP's space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..bundle.bundle import Bundle
from ..bundle.training_sentences import TrainingSentences
from ..data.vocabulary import Vocabulary
from ..language.stems import stems_of
from ..model.lamp import Lamp
from ..model.qformer import Text
from .embed import encode_text, part_read
from .known_words import KnownWords, negation_reason, quoted, word_reason
from .spelling import as_read

# Sentences that are embedded at once: on a CPU more are slower.
CHUNK = 64
READ, KEPT = 10_000, 2000
# The share of validation sentences that may lie further from the training sentences than is usual.
UNUSUAL_SHARE = 0.02


@dataclass(frozen=True)
class Remark:
    """What people should know about a sentence that a model is given.

    familiar: whether it learned motions of sentences like it; None when it remembers none.
    reason: why it did not.
    truncated_to: the part that it reads of a sentence with too many word pieces.
    read_as: the sentence as it reads it, where that has words that are spelt otherwise.
    """

    familiar: bool | None
    reason: str | None
    truncated_to: str | None
    read_as: str | None = None

    def sentences(self, text: str, guess: str) -> list[str]:
        """What to say of ``text``; ``guess`` is what is one, as ``the motion is``."""
        said = []
        if self.read_as is not None:
            said.append(f"{quoted(text)} is read as {quoted(self.read_as)}")
        if self.reason is not None:
            said.append(
                f"{quoted(text)} lies far from what this model was trained on: {self.reason}; {guess} a guess"
            )
        if self.truncated_to is not None:
            rest = quoted((self.read_as or text)[len(self.truncated_to) :].strip())
            said.append(f"{quoted(text)} has more word pieces than this model reads; left out: {rest}")
        return said

    def record(self) -> dict[str, Any]:
        """The keys of a line of output."""
        truncated = {} if self.truncated_to is None else {"truncated_to": self.truncated_to}
        read_as = {} if self.read_as is None else {"read_as": self.read_as}
        return {"familiar": self.familiar, "reason": self.reason, **truncated, **read_as}


def remarks_on(bundle: Bundle, texts: Sequence[str], generating: bool = False) -> dict[str, Remark]:
    """The remark on each distinct sentence, in order; ``generating`` as in ``part_read``."""
    distinct = list(dict.fromkeys(texts))
    knows = bundle.training_sentences is not None
    read = as_read(bundle, distinct)
    remarks = {}
    for text, spelt, reason in zip(distinct, read, unfamiliar_reasons(bundle, read), strict=True):
        part = part_read(bundle, spelt, generating)
        familiar = reason is None if knows else None
        spelt_otherwise = None if spelt == text else spelt
        remarks[text] = Remark(familiar, reason, None if part == spelt else part, spelt_otherwise)
    return remarks


def summarise_sentences(
    lamp: Lamp,
    vocabulary: Vocabulary,
    training: Sequence[str],
    validation: Sequence[str],
    device: torch.device,
) -> TrainingSentences:
    """What to keep of the sentences of training clips, with validation's to tell what is usual.

    Of many sentences some are read, evenly, and of those some are kept, chosen to lie among all
    (farthest-point sampling from the first); the words of every one are counted. Raises ``ValueError``
    when there is no sentence of either.
    """
    if not training or not validation:
        raise ValueError("no sentences of training and of validation clips; both are needed")
    known = list(dict.fromkeys(training))
    embedded = embed_sentences(lamp, vocabulary, _some(known), device)
    kept = embedded[spread(embedded, KEPT)]
    others = embed_sentences(lamp, vocabulary, _some(list(dict.fromkeys(validation))), device)
    usual = nearest_similarity(others, kept)
    stems = Counter(stem for sentence in known for stem in stems_of(sentence))
    return TrainingSentences(dict(stems), kept, float(np.quantile(usual, UNUSUAL_SHARE)))


def _some(sentences: list[str]) -> list[str]:
    return [sentences[n] for n in np.linspace(0, len(sentences) - 1, min(len(sentences), READ)).astype(int)]


def unfamiliar_reasons(bundle: Bundle, texts: Sequence[str]) -> list[str | None]:
    """In one sentence, why each text asks for what the bundle did not learn; None for those that do not.

    Every word that no sentence or hardly any of training has is named, with the nearest known word where it
    looks misspelt; so are negations, which are not understood. A text of known words is judged by its
    distance to the training sentences. A bundle that remembers no sentences gives no such reason.
    """
    known = bundle.training_sentences
    if known is None or not texts:
        return [negation_reason(text) for text in texts]
    embedded = embed_sentences(bundle.lamp, bundle.vocabulary, texts, bundle.device)
    near = nearest_similarity(embedded, known.embeddings)
    words = KnownWords(known.stems, bundle.vocabulary.pieces)
    return [
        _reason(text, float(value), known.least_similarity, words)
        for text, value in zip(texts, near, strict=True)
    ]


def _reason(text: str, similarity: float, least: float, words: KnownWords) -> str | None:
    reasons = [word_reason(text, words), negation_reason(text)]
    if not any(reasons) and similarity < least:
        reasons.append(
            f"no sentence whose motion it learned is near (cosine {similarity:.2f}, usual from {least:.2f})"
        )
    return "; ".join(filter(None, reasons)) or None


@torch.no_grad()
def embed_sentences(
    lamp: Lamp, vocabulary: Vocabulary, texts: Sequence[str], device: torch.device
) -> np.ndarray:
    """LaMP's unit text embeddings (N, D) float32, in order."""
    if not texts:
        return np.empty((0, lamp.config.embedding_width), np.float32)
    text = encode_text(vocabulary, texts, lamp.config.qformer.text_tokens, device)
    # Sentences of like length share a batch, so that hardly anything is padding.
    lengths = text.mask.sum(1)
    result = torch.empty(len(texts), lamp.config.embedding_width, device=device)
    for numbers in lengths.argsort(stable=True).split(CHUNK):
        longest = int(lengths[numbers[-1]])
        part = Text(text.ids[numbers, :longest], text.mask[numbers, :longest])
        result[numbers] = lamp.embed_text(part).float()
    return result.cpu().numpy()


def nearest_similarity(embedded: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The cosine (N,) of each unit vector (N, D) to the nearest of the known ones (M, D)."""
    return np.asarray((embedded @ known.T).max(1))


def spread(vectors: np.ndarray, count: int) -> np.ndarray:
    """Numbers of at most ``count`` unit vectors (N, D) chosen so that every one has a chosen one near.

    Farthest-point sampling from the first (Gonzalez, "Clustering to minimize the maximum intercluster
    distance", 1985).
    """
    if len(vectors) <= count:
        return np.arange(len(vectors))
    chosen = [0]
    nearest = vectors @ vectors[0]
    for _ in range(count - 1):
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return np.array(chosen)
