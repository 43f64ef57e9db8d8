"""Motions and sentences in LaMP's shared space: what retrieval and scoring stand on.

Source: LaMP section 3 (LaMP-Feat): the query tokens' projections and [CLS]'s, as in the contrastive loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..bundle.bundle import Bundle
from ..corpus.batches import LONGEST_CLIP, collate
from ..model.qformer import Context
from .lamp_stage import encode_text, tokenize


@torch.no_grad()
def embed_texts(bundle: Bundle, texts: Sequence[str]) -> np.ndarray:
    """Unit vectors (B, E) float32 of sentences."""
    limit = bundle.lamp.config.qformer.text_tokens
    text = encode_text(bundle.vocabulary, texts, limit, bundle.device)
    return bundle.lamp.embed_text(text).cpu().numpy()


@torch.no_grad()
def embed_motions(bundle: Bundle, features: Sequence[np.ndarray]) -> np.ndarray:
    """Unit vectors (B, N, E) float32, one per query token, of features (T_i, C), T_i up to 196.

    Raises ``ValueError`` for a motion shorter than one token or longer than the model's window.
    """
    context = motion_context(bundle, features)
    return bundle.lamp.embed_motion(context).cpu().numpy()


def motion_context(bundle: Bundle, features: Sequence[np.ndarray]) -> Context:
    """The tokenizer's latents of features (T_i, C) and their mask, for the motion transformer."""
    step = bundle.tokenizer.config.frames_per_token
    for motion in features:
        if not step <= len(motion) <= LONGEST_CLIP:
            raise ValueError(f"{len(motion)} frames; expected {step} to {LONGEST_CLIP} for one window")
    whole = [bundle.statistics.normalise(m[: len(m) // step * step]) for m in features]
    batch = collate(whole, ("",) * len(whole), np.arange(len(whole)))
    latents, _, mask = tokenize(bundle.tokenizer, batch, bundle.device)
    return bundle.lamp.motion_context(latents, mask)


def similarity(motions: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Cosine (M, T) of motions (M, N, E) with sentences (T, E), the best query token counts."""
    return (motions.reshape(-1, motions.shape[-1]) @ texts.T).reshape(*motions.shape[:2], -1).max(1)
