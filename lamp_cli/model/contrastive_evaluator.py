"""MARDM's second evaluator: a transformer for motions, one for sentences, compared by the cosine.

Source: Meng et al., "Rethinking Diffusion for Text-Driven Human Motion Generation", CVPR 2025, whose mean
cosine of matched pairs is its CLIP-score. Modules carry the names of the released checkpoint's
``contrast_model``, so that its state dict loads. Works on normalised features and word numbers; knows no
files and no captions.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import distributed
from .devices import on_device
from .evaluator import EvaluatorConfig, MatchingBatch, TaggedWords
from .lamp import negatives_allowed
from .transformer import length_mask

# Positions that the release keeps beside its weights.
MOST_FRAMES = 2000
# Where the scale of the cosines begins, and where CLIP stops it.
FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0


class ContrastiveEvaluator(nn.Module):
    """Both transformers, post-norm; words and their places have the vectors of CLIP in the release."""

    def __init__(self, config: EvaluatorConfig):
        super().__init__()
        self.config = config
        width = config.embedding_width
        self.motion_encoder = _MotionEncoder(config)
        self.token_embedding = nn.Embedding(config.words, width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(config.text_tokens, width))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))
        self.textTransEncoder = _layers(config)
        self.text_ln = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def embed_motion(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Unit vectors (B, E) of normalised features (B, T, C), of which ``lengths`` (B,) frames are real."""
        return F.normalize(self.motion_encoder(features[..., : self.config.visible], lengths), dim=-1)

    def embed_text(self, text: TaggedWords) -> Tensor:
        """Unit vectors (B, E) of sentences, read off at their last words; their tags do not count."""
        size, lengths = text.words.shape[1], on_device(text.lengths, text.words.device)
        x = self.token_embedding(text.words) + self.positional_embedding[:size]
        padding = None if self.config.padding_seen else ~length_mask(lengths, size)
        x = self.text_ln(self.textTransEncoder(x, src_key_padding_mask=padding))
        return F.normalize(self.out(x[torch.arange(len(x), device=x.device), lengths - 1]), dim=-1)


class _MotionEncoder(nn.Module):
    def __init__(self, config: EvaluatorConfig):
        super().__init__()
        width = config.embedding_width
        self.query_token = nn.Parameter(torch.randn(1, width))
        self.embed_motion = nn.Linear(config.visible, width)
        self.sequence_pos_encoder = _Positions(width)
        self.transformer = _layers(config)
        self.out_ln = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """What the query token, which stands first, has gathered (B, E) of frames (B, T, C)."""
        query, lengths = self.query_token.expand(len(features), 1, -1), on_device(lengths, features.device)
        x = torch.cat([query, self.embed_motion(features)], 1)
        x = x + self.sequence_pos_encoder.pe[: x.shape[1]]
        x = self.transformer(x, src_key_padding_mask=~length_mask(lengths + 1, x.shape[1]))
        return self.out(self.out_ln(x)[:, 0])


class _Positions(nn.Module):
    """Sines and cosines in turn (Vaswani et al. 2017), kept as a tensor."""

    pe: Tensor

    def __init__(self, width: int):
        super().__init__()
        rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        angles = torch.arange(MOST_FRAMES)[:, None] * rates
        self.register_buffer("pe", torch.stack([angles.sin(), angles.cos()], -1).flatten(1))


def _layers(config: EvaluatorConfig) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        config.embedding_width, config.heads, config.feed_forward, config.dropout, "gelu", batch_first=True
    )
    return nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)


class ContrastiveTraining(nn.Module):
    """The evaluator with the loss of its training."""

    def __init__(self, config: EvaluatorConfig):
        super().__init__()
        self.evaluator = ContrastiveEvaluator(config)

    def forward(self, batch: MatchingBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The ``loss``, and the scale of the cosines; nothing is drawn from ``generator``."""
        with torch.autocast(batch.features.device.type, enabled=False):
            motions = self.evaluator.embed_motion(batch.features, batch.lengths)
            texts = self.evaluator.embed_text(batch.text)
            scale = self.evaluator.logit_scale.exp().clamp(max=LARGEST_SCALE)
            loss = contrastive_loss(scale * texts, motions, batch.clips, batch.captions)
        return {"loss": loss, "scale": scale.detach()}


def contrastive_loss(texts: Tensor, motions: Tensor, clips: Tensor, captions: Tensor) -> Tensor:
    """Cross-entropy of matched pairs among the batch (B, E), the mean of both directions.

    MARDM's own counts every other pair as wrong; here those of the same clip or sentence are left out.
    """
    texts, motions = distributed.gather(texts), distributed.gather(motions)
    allowed = negatives_allowed(distributed.gather(clips), distributed.gather(captions))
    allowed = allowed | torch.eye(len(texts), dtype=torch.bool, device=texts.device)
    scores = (texts @ motions.mT).masked_fill(~allowed, -torch.inf)
    own = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.mT, own)) / 2
