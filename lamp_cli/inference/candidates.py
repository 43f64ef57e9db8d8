"""Which of several draws is kept: the one that does most of what its sentence asks for, and fits it best.

What is done the check of joints says (room ``checking``); of draws that do as much, the one is kept that
LaMP finds nearest to the sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor

from ..bundle.bundle import Bundle
from ..checking.undone import undone
from ..model.lamp import Lamp, motion_text_similarity
from ..model.qformer import Text
from ..motion.skeleton import HUMANML3D, Skeleton
from .embed import encode_text

# Weight of a sentence's log-likelihood given the motion; the contrastive logit has the weight 1.
LIKELIHOOD_SHARE = 1 / 3


@dataclass(frozen=True)
class EmbeddedText:
    """Each row's sentence, and its unit vector (B, E) in the space it shares with motions."""

    text: Text
    embedding: Tensor


def embedded_rows(bundle: Bundle, sentences: Sequence[str], sentence_of_row: Tensor) -> EmbeddedText:
    """The sentence of every row, each of the distinct ``sentences`` embedded once."""
    text = encode_text(bundle.vocabulary, sentences, bundle.lamp.config.qformer.text_tokens, bundle.device)
    rows = Text(text.ids[sentence_of_row], text.mask[sentence_of_row])
    return EmbeddedText(rows, bundle.lamp.embed_text(text)[sentence_of_row])


def fits(bundle: Bundle, sentences: EmbeddedText, features: Tensor, tokens: Tensor) -> Tensor:
    """How well each row's motion fits its sentence (B,), as LaMP finds.

    ``features`` (B, T, C) are normalised. The fit is the contrastive logit, which is about the sentence as a
    whole, plus a share of the sentence's log-likelihood given the motion, which is about every word, where
    LaMP was trained for text generation.
    """
    lengths = tokens * bundle.tokenizer.config.frames_per_token
    mask = torch.arange(features.shape[1] // bundle.tokenizer.config.frames_per_token, device=tokens.device)
    motion = bundle.lamp.motion_context(bundle.tokenizer.latents(features, lengths), mask < tokens[:, None])
    lamp = bundle.lamp
    if not lamp.config.trains("text_generation"):
        return _logits(lamp, lamp.embed_motion(motion), sentences)
    queries, likelihood = lamp.log_likelihood(motion, sentences.text)
    return _logits(lamp, lamp.project_queries(queries), sentences) + LIKELIHOOD_SHARE * likelihood


def _logits(lamp: Lamp, motions: Tensor, sentences: EmbeddedText) -> Tensor:
    """The contrastive logit (B,) of each row's motion, unit vectors (B, N, E) of query tokens."""
    return motion_text_similarity(motions, sentences.embedding).diagonal() / lamp.temperature


def undone_of(skeleton: Skeleton, joints: Sequence[np.ndarray], texts: Sequence[str]) -> list[float | None]:
    """How much of its sentence each motion leaves undone, as :func:`..checking.undone.undone` counts it.

    ``joints``: (T, J, 3) each, at the skeleton's rate. None where nothing is judged, as of another skeleton
    than the checks read, and of an empty sentence.
    """
    judged = skeleton.name == HUMANML3D.name
    return [
        undone(one, text) if judged and text.strip() else None
        for one, text in zip(joints, texts, strict=True)
    ]


def is_undone(left: float | None) -> TypeGuard[float]:
    """Whether something that was asked for is not done; a pace that is a little off is not that."""
    return left is not None and left >= 1


def best_candidates(undone: Sequence[float | None], fit: Tensor, candidates: int) -> list[int]:
    """Of every ``candidates`` rows in a row the one that leaves least undone; of equals that of best fit."""
    firsts = range(0, len(undone), candidates)
    return [
        first + ranking(undone[first : first + candidates], fit[first : first + candidates])[0]
        for first in firsts
    ]


def ranking(undone: Sequence[float | None], fit: Tensor) -> list[int]:
    """Rows, first those that leave least undone, those that leave as much by their fit (B,)."""
    ranks = [(-(left or 0), one) for left, one in zip(undone, fit.tolist(), strict=True)]
    return sorted(range(len(ranks)), key=lambda row: ranks[row], reverse=True)
