"""How familiar a sentence is to a bundle: whether it is near the sentences that the bundle was trained on.

A generator always makes something; for a sentence unlike all it has learned, that is a guess. Signs are
the distance to the nearest such sentence, the share of words that none of them has, whether an action is
named, and negations.

Distances are those of the mean outputs of LaMP's text transformer, which keep what it knew of English before
it saw a motion. In LaMP's shared space, learned from motions alone, "the stock market crashed" lay as near as
two actions in a row that nobody had told together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..bundle.bundle import Bundle
from ..bundle.training_sentences import TrainingSentences
from ..data.vocabulary import Vocabulary
from ..language.stems import stems_of
from ..model.lamp import Lamp
from ..model.qformer import Text
from ..synthetic.corpus import claims
from .embed import encode_text, part_read
from .known_words import KnownWords, negation_reason, quoted, strange_share, unknown_words, word_reason
from .spelling import as_read, words_of

# Sentences that are embedded at once: on a CPU more are slower.
CHUNK = 64
READ, KEPT = 10_000, 2000
# The share of validation sentences that may lie further from the training sentences than is usual.
UNUSUAL_SHARE = 0.02
# Sentences of words that have nothing to do with each other, and the words of each: how near is anything?
SALADS, SALAD_WORDS = 500, 6
# Of a bundle that keeps no sentences that compare: from this share of strange words a sentence is unfamiliar.
MOSTLY_STRANGE = 0.5
# People who never saw the captions word the same motions otherwise: from anything to what is usual, the part
# of the way that their sentences must have gone. Measured with the prompts of examples/judge/joints and 62
# sentences about other things.
NEAR_ENOUGH = 0.2
# So much nearer must be what names no action that is known: the reader of sentences knows most.
WITHOUT_ACTION = 0.08


@dataclass(frozen=True)
class Remark:
    """What people should know about a sentence that a model is given.

    familiar: whether it learned motions of sentences like it; None when it remembers none.
    reason: why it did not.
    unlearned: of a familiar sentence the words that no sentence of its motions has, with what may be meant.
    truncated_to: the part that it reads of a sentence with too many word pieces.
    read_as: the sentence as it reads it, where that has words that are spelt otherwise.
    """

    familiar: bool | None
    reason: str | None
    truncated_to: str | None
    read_as: str | None = None
    unlearned: tuple[str, ...] = ()

    def sentences(self, text: str, guess: str) -> list[str]:
        """What to say of ``text``; ``guess`` is what is one, as ``the motion is``."""
        said = []
        if self.read_as is not None:
            said.append(f"{quoted(text)} is read as {quoted(self.read_as)}")
        if self.reason is not None:
            said.append(
                f"{quoted(text)} lies far from what this model was trained on: {self.reason}; {guess} a guess"
            )
        if self.unlearned:
            are = "is" if len(self.unlearned) == 1 else "are"
            words = ", ".join(map(repr, self.unlearned))
            said.append(
                f"{quoted(text)}: {words} {are} in no sentence whose motion this model learned, "
                "and may say nothing to it"
            )
        if self.truncated_to is not None:
            rest = quoted((self.read_as or text)[len(self.truncated_to) :].strip())
            said.append(f"{quoted(text)} has more word pieces than this model reads; left out: {rest}")
        return said

    def record(self) -> dict[str, Any]:
        """The keys of a line of output."""
        unlearned = {"unlearned_words": list(self.unlearned)} if self.unlearned else {}
        truncated = {} if self.truncated_to is None else {"truncated_to": self.truncated_to}
        read_as = {} if self.read_as is None else {"read_as": self.read_as}
        return {"familiar": self.familiar, "reason": self.reason, **unlearned, **truncated, **read_as}


def remarks_on(bundle: Bundle, texts: Sequence[str], generating: bool = False) -> dict[str, Remark]:
    """The remark on each distinct sentence, in order; ``generating`` as in ``part_read``."""
    distinct = list(dict.fromkeys(texts))
    words = words_of(bundle)
    read = as_read(bundle, distinct)
    remarks = {}
    for text, spelt, reason in zip(distinct, read, unfamiliar_reasons(bundle, read), strict=True):
        part = part_read(bundle, spelt, generating)
        familiar = reason is None if words is not None else None
        remarks[text] = Remark(
            familiar,
            reason,
            None if part == spelt else part,
            None if spelt == text else spelt,
            unknown_words(spelt, words) if words is not None and familiar else (),
        )
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
    others = _some(list(dict.fromkeys(validation)))
    usual, anything = (
        nearest_similarity(embed_sentences(lamp, vocabulary, texts, device), kept)
        for texts in (others, salads(vocabulary.pieces) or others)
    )
    far = float(np.median(anything))
    least = far + NEAR_ENOUGH * (float(np.quantile(usual, UNUSUAL_SHARE)) - far)
    stems = Counter(stem for sentence in known for stem in stems_of(sentence))
    return TrainingSentences(dict(stems), kept, least)


def _some(sentences: list[str]) -> list[str]:
    return [sentences[n] for n in np.linspace(0, len(sentences) - 1, min(len(sentences), READ)).astype(int)]


def salads(pieces: Sequence[str]) -> list[str]:
    """Sentences of words of a vocabulary that have nothing to do with each other, evenly drawn from all."""
    words = [piece for piece in pieces if piece.isalpha() and len(piece) > 2]
    apart = max(len(words) // SALAD_WORDS, 1)
    firsts = np.linspace(0, apart - 1, min(apart, SALADS)).astype(int).tolist()
    return [" ".join(["the", *words[first::apart][:SALAD_WORDS]]) for first in firsts if words]


def unfamiliar_reasons(bundle: Bundle, texts: Sequence[str]) -> list[str | None]:
    """In one sentence, why each text asks for what the bundle did not learn; None for those that do not.

    The more of its words no sentence or hardly any of training has, the nearer a text must be to one, and
    nearer where it names no action; those words are named, with the nearest known word where one looks
    misspelt. Negations are named too: they are not understood. A bundle that remembers no sentences gives no
    other reason.
    """
    known, words = bundle.training_sentences, words_of(bundle)
    if known is None or words is None or not texts:
        return [negation_reason(text) for text in texts]
    near: Sequence[float | None] = [None] * len(texts)
    if len(known.embeddings):
        embedded = embed_sentences(bundle.lamp, bundle.vocabulary, texts, bundle.device)
        near = nearest_similarity(embedded, known.embeddings).tolist()
    return [
        _reason(text, value, known.least_similarity, words) for text, value in zip(texts, near, strict=True)
    ]


def _reason(text: str, similarity: float | None, least: float, words: KnownWords) -> str | None:
    """``similarity`` None: only words are known, of a bundle of an earlier version.

    A text must be the nearer the more of its words are strange, and exactly like one where all are.
    """
    share = strange_share(text, words)
    needed = least if claims(text).parts else least + WITHOUT_ACTION
    needed += (1 - needed) * share**2
    reasons = [negation_reason(text)]
    if similarity is None:
        reasons.append(word_reason(text, words) if share >= MOSTLY_STRANGE else None)
    elif similarity < needed:
        strange = word_reason(text, words)
        reasons.append(strange)
        if strange is None or similarity < least:
            # What strange words call for beyond that is told by naming them.
            usual = needed if strange is None else least
            reasons.append(
                "no sentence whose motion it learned is near "
                f"(cosine {similarity:.2f}, usual from {usual:.2f})"
            )
    return "; ".join(filter(None, reasons)) or None


@torch.no_grad()
def embed_sentences(
    lamp: Lamp, vocabulary: Vocabulary, texts: Sequence[str], device: torch.device
) -> np.ndarray:
    """The text transformer's mean output of each sentence as unit vectors (N, W) float32, in order."""
    if not texts:
        return np.empty((0, lamp.config.qformer.width), np.float32)
    text = encode_text(vocabulary, texts, lamp.config.qformer.text_tokens, device)
    # Sentences of like length share a batch, so that hardly anything is padding.
    lengths = text.mask.sum(1)
    result = torch.empty(len(texts), lamp.config.qformer.width, device=device)
    for numbers in lengths.argsort(stable=True).split(CHUNK):
        longest = int(lengths[numbers[-1]])
        part = Text(text.ids[numbers, :longest], text.mask[numbers, :longest])
        words, mask = lamp.qformer.text(part).float(), part.mask[..., None]
        result[numbers] = F.normalize((words * mask).sum(1), dim=-1)
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
