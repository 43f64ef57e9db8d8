"""Motions and sentences in LaMP's shared space, which retrieval and scoring compare them in.

Source: LaMP section 3 (LaMP-Feat): the query tokens' projections and [CLS]'s, as in the contrastive loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..bundle.bundle import Bundle
from ..data.batches import MotionBatch, collate
from ..data.vocabulary import Vocabulary
from ..data.word_tokens import WordBatch
from ..model.devices import on_device
from ..model.evaluator import TaggedWords
from ..model.lamp import Lamp
from ..model.qformer import Context, Text
from ..model.text_to_motion import TextToMotion
from ..model.tokenizer import MotionTokenizer
from ..model.transformer import length_mask
from ..motion.clip_length import LONGEST_CLIP


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
    """The tokenizer's latents of features (T_i, C) and their mask, for the motion transformer.

    Raises ``ValueError`` as :func:`require_motion_side`.
    """
    require_motion_side(bundle)
    step = bundle.tokenizer.config.frames_per_token
    for motion in features:
        if not step <= len(motion) <= LONGEST_CLIP:
            raise ValueError(f"{len(motion)} frames; expected {step} to {LONGEST_CLIP} for one window")
    whole = [bundle.statistics.normalise(m[: len(m) // step * step]) for m in features]
    batch = collate(whole, ("",) * len(whole), np.arange(len(whole)))
    latents, _, mask = tokenize(bundle.tokenizer, batch, bundle.device)
    return bundle.lamp.motion_context(latents, mask)


def require_motion_side(bundle: Bundle, remedy: str = "") -> None:
    """Raise ``ValueError`` when LaMP reads no motions of the bundle's; ``remedy`` is what to do then."""
    if not bundle.config.lamp_reads_motions:
        reason = "its LaMP was trained on another skeleton and reads sentences alone"
        told = f"{bundle.config.name}: {reason}; it neither finds, describes nor judges motions"
        raise ValueError(f"{told}; {remedy}" if remedy else told)


@torch.no_grad()
def matching_probabilities(
    bundle: Bundle, texts: Sequence[str], features: Sequence[np.ndarray]
) -> np.ndarray:
    """The matching head's probability (B,) float32 that each sentence says its motion, features (T_i, C)."""
    limit = bundle.lamp.config.qformer.text_tokens
    tokens = encode_text(bundle.vocabulary, texts, limit, bundle.device)
    logits = bundle.lamp.matching_logits(motion_context(bundle, features), tokens)
    return logits.softmax(-1)[:, 1].cpu().numpy()


def similarity(motions: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Cosine (M, T) of motions (M, N, E) with sentences (T, E), the best query token counts."""
    return (motions.reshape(-1, motions.shape[-1]) @ texts.T).reshape(*motions.shape[:2], -1).max(1)


@torch.no_grad()
def tokenize(
    tokenizer: MotionTokenizer, batch: MotionBatch, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (B, L, C), codes (B, L * codebooks) and mask (B, L), True on real tokens; fp32 everywhere."""
    features = on_device(torch.from_numpy(batch.features), device)
    lengths = on_device(torch.from_numpy(batch.lengths), device)
    latents, codes = tokenizer.tokenize(features, lengths)
    tokens = lengths // tokenizer.config.frames_per_token
    return latents, codes, length_mask(tokens, latents.shape[1])


def encode_text(vocabulary: Vocabulary, texts: Sequence[str], limit: int, device: torch.device) -> Text:
    """Ids and mask of sentences on the device."""
    return _text_on_device(*vocabulary.encode(texts, limit), device)


def encode_condition(
    network: TextToMotion, lamp: Lamp, vocabulary: Vocabulary, texts: Sequence[str], device: torch.device
) -> Text:
    """Ids and mask on the device of sentences as the generator's condition reads them."""
    ids, mask = network.condition.tokens(texts, vocabulary, lamp.config.qformer.text_tokens)
    return _text_on_device(ids, mask, device)


def _text_on_device(ids: np.ndarray, mask: np.ndarray, device: torch.device) -> Text:
    return Text(on_device(torch.from_numpy(ids), device), on_device(torch.from_numpy(mask), device))


def part_read(bundle: Bundle, text: str, generating: bool = False) -> str:
    """The sentence, or the beginning of it that the bundle reads of one with too many word pieces.

    When ``generating`` it is the generator that reads, which may read more than LaMP or less.
    """
    limit = bundle.lamp.config.qformer.text_tokens
    if generating and bundle.text_to_motion is not None:
        return bundle.text_to_motion.condition.part_read(text, bundle.vocabulary, limit)
    return bundle.vocabulary.truncated(text, limit)


def words_on_device(batch: WordBatch, device: torch.device) -> TaggedWords:
    """Word rows as tensors; their lengths stay on the CPU, as the evaluator takes them."""
    words, tags = (on_device(torch.from_numpy(array), device) for array in (batch.words, batch.tags))
    return TaggedWords(words, tags, torch.from_numpy(batch.lengths))
