"""The Q-Former: a BERT encoder whose self-attention query tokens and text share.

Source: Li et al. 2023 (BLIP-2), as LaMP uses it for motion: the motion transformer is the query
tokens with cross-attention to motion in every second layer, the text transformer is BERT itself.
Queries and text have feed-forward layers of their own. Which token may attend to which is the caller's
choice of ``SelfAttention``. Knows no objective and no motion beyond vectors to attend to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..motion.clip_length import LONGEST_CLIP_TOKENS
from .transformer import (
    PackedAttention,
    Packing,
    attend,
    checked_heads,
    in_product_type,
    initialise_normal,
    join_heads,
    split_heads,
)


@dataclass(frozen=True)
class QFormerConfig:
    """Sizes of the Q-Former; the defaults are the paper's, BERT-base.

    vocabulary: word pieces.
    width: of a token's vector.
    layers: of the transformer.
    heads: of attention in every layer.
    feed_forward: width of the hidden layer of every feed-forward.
    query_tokens: learned queries, one for every token of the longest motion.
    text_tokens: of the longest sentence, [CLS] and [SEP] among them.
    context_width: of the vectors that queries cross-attend to.
    cross_attention_every: layers from one with cross-attention to the next; the first has it.
    dropout: probability, in training.
    """

    vocabulary: int = 30523
    width: int = 768
    layers: int = 12
    heads: int = 12
    feed_forward: int = 3072
    query_tokens: int = LONGEST_CLIP_TOKENS
    text_tokens: int = 32
    context_width: int = 512
    cross_attention_every: int = 2
    dropout: float = 0.1


class SelfAttention(Enum):
    """Which tokens attend to which where query tokens and text meet (BLIP-2, figure 2)."""

    BIDIRECTIONAL = "all to all"
    MULTIMODAL_CAUSAL = "queries to queries, text to queries and earlier text"


@dataclass(frozen=True)
class Text:
    """WordPiece ids (B, T) and ``mask`` (B, T), True on real tokens."""

    ids: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Context:
    """What the query tokens cross-attend to: vectors (B, S, C) and ``mask`` (B, S), True on real ones."""

    vectors: Tensor
    mask: Tensor


class Attention(nn.Module):
    """Multi-head attention, its output projection, and BERT's add-and-norm."""

    def __init__(self, width: int, context_width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = checked_heads(heads, width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(context_width, width)
        self.value = nn.Linear(context_width, width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, context: Tensor, mask: Tensor | None = None, packed: PackedAttention | None = None
    ) -> Tensor:
        """``x`` (B, S, W) after attention to ``context`` (B, K, C).

        ``mask`` broadcasts to (B, heads, S, K), True where a token may attend. One ``x`` (1, S, W) attends to
        every context. Where they are ``packed``, ``x`` (P, W) attends to itself.
        """
        read = in_product_type(context)
        parts = self.query(read if x is context else x), self.key(read), self.value(read)
        if packed is not None:
            out = packed(*parts, self.heads)
        else:
            # No dropout on the attention weights: with it torch has no fused kernel on a CPU.
            q, k, v = (split_heads(part, self.heads) for part in parts)
            out = join_heads(attend(q.expand(len(k), -1, -1, -1), k, v, mask))
        return self.norm(x + self.dropout(self.output(out)))


class FeedForward(nn.Module):
    """BERT's two-layer feed-forward with add-and-norm."""

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        return self.norm(x + self.dropout(self.down(F.gelu(self.up(x)))))


class Layer(nn.Module):
    """Shared self-attention, cross-attention of the queries, a feed-forward each for queries and text."""

    def __init__(self, config: QFormerConfig, cross_attention: bool):
        super().__init__()
        width, dropout = config.width, config.dropout
        self.attention = Attention(width, width, config.heads, dropout)
        self.cross = (
            Attention(width, config.context_width, config.heads, dropout) if cross_attention else None
        )
        self.text_feed = FeedForward(width, config.feed_forward, dropout)
        self.query_feed = FeedForward(width, config.feed_forward, dropout)

    def read_by_queries(self, x: Tensor, motion: Context, packed: PackedAttention) -> Tensor:
        """Query tokens (B, N, W) after attention to packed queries and text, of which no more is computed."""
        queries, _ = packed.packing.split(self.attention(x, x, packed=packed))
        return self._read(queries, motion)

    def forward(
        self, x: Tensor, motion: Context | None = None, packed: PackedAttention | None = None
    ) -> Tensor:
        """Query tokens (B, N, W) of a ``motion``; packed text (P, W); or, packed, both, the queries first.

        Query tokens that are the same for all motions may be given once, (1, N, W).
        """
        x = self.attention(x, x, packed=packed)
        if motion is None:
            return self.text_feed(x)
        if packed is None:
            return self._read(x, motion)
        queries, text = packed.packing.split(x)
        return packed.packing.join(self._read(queries, motion), self.text_feed(text))

    def _read(self, queries: Tensor, motion: Context) -> Tensor:
        if self.cross is not None:
            queries = self.cross(queries, motion.vectors, motion.mask[:, None, None, :])
        return self.query_feed(queries)


class QFormer(nn.Module):
    """Embeddings, query tokens and layers."""

    def __init__(self, config: QFormerConfig):
        super().__init__()
        self.config = config
        width = config.width
        self.words = nn.Embedding(config.vocabulary, width)
        self.positions = nn.Embedding(config.text_tokens, width)
        self.text_norm = nn.LayerNorm(width, eps=1e-12)
        self.queries = nn.Parameter(torch.randn(1, config.query_tokens, width) * 0.02)
        self.query_norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(
            Layer(config, cross_attention=number % config.cross_attention_every == 0)
            for number in range(config.layers)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.apply(initialise_normal)

    def embed(self, ids: Tensor) -> Tensor:
        """Word and position embeddings (B, T, W) of ids (B, T), T at most ``text_tokens``."""
        positions = self.positions.weight[: ids.shape[1]]
        return self.dropout(self.text_norm(self.words(ids) + positions))

    def text_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the text transformer; the query tokens share its self-attention."""
        parts: list[nn.Module] = [self.words, self.positions, self.text_norm]
        for layer in self.layers:
            assert isinstance(layer, Layer)
            parts += [layer.attention, layer.text_feed]
        for part in parts:
            yield from part.parameters()

    def text(self, text: Text, padding: bool = False) -> Tensor:
        """The text transformer's output (B, T, W), of ``padding`` too where it is asked for."""
        # Most sentences are half as long as the longest of their batch.
        packing = Packing(torch.ones_like(text.mask) if padding else text.mask)
        packed = PackedAttention(packing, text.mask[:, None, None, :])
        x = packing.pack(self.embed(text.ids))
        for layer in self.layers:
            x = layer(x, packed=packed)
        return packing.pad(x)

    def motion(self, context: Context) -> Tensor:
        """The motion transformer's query outputs (B, N, W)."""
        drops = self.training and self.config.dropout > 0
        # Before the first cross-attention they are the same for every motion, unless something drops out.
        x = self._query_tokens(len(context.vectors) if drops else 1)
        motion = Context(in_product_type(context.vectors), context.mask)
        for layer in self.layers:
            x = layer(x, motion)
        return x

    def both(self, context: Context, text: Text, attention: SelfAttention) -> tuple[Tensor, Tensor]:
        """Query outputs (B, N, W) and text outputs (B, T, W) of a motion and a text together."""
        x, motion, packed = self._together(context, text, attention)
        for layer in self.layers:
            x = layer(x, motion, packed)
        x, count = packed.packing.pad(x), self.config.query_tokens
        return x[:, :count], x[:, count:]

    def motion_beside(self, context: Context, text: Text) -> Tensor:
        """Query outputs (B, N, W) of a motion and a text whose tokens all attend to each other."""
        x, motion, packed = self._together(context, text, SelfAttention.BIDIRECTIONAL)
        *others, last = self.layers
        for layer in others:
            x = layer(x, motion, packed)
        # The text's own output would be read by nobody.
        assert isinstance(last, Layer)
        return last.read_by_queries(x, motion, packed)

    def _together(
        self, context: Context, text: Text, attention: SelfAttention
    ) -> tuple[Tensor, Context, PackedAttention]:
        """Packed query tokens and words (P, W), the motion, and which of them attends to which."""
        queries = self._query_tokens(len(context.vectors))
        count = queries.shape[1]
        motion = Context(in_product_type(context.vectors), context.mask)
        packing = Packing(F.pad(text.mask, (count, 0), value=True), count)
        x = packing.pack(torch.cat([queries, self.embed(text.ids)], 1))
        return x, motion, PackedAttention(packing, self_attention_mask(count, text.mask, attention))

    def _query_tokens(self, size: int) -> Tensor:
        return self.dropout(self.query_norm(self.queries)).expand(size, -1, -1)


class MotionTransformer(QFormer):
    """The query tokens and what they use of a Q-Former, without its text side."""

    def __init__(self, config: QFormerConfig):
        super().__init__(config)
        del self.words, self.positions, self.text_norm
        for layer in self.layers:
            del layer.text_feed

    def take_over(self, qformer: QFormer) -> None:
        """Have the weights of the motion side of ``qformer``, which must be of the same sizes."""
        weights, own = qformer.state_dict(), self.state_dict()
        self.load_state_dict({name: weights[name] for name in own})


def self_attention_mask(queries: int, text_mask: Tensor, attention: SelfAttention) -> Tensor:
    """Mask (B, 1, N + T, N + T), True where a token (rows) may attend to another (columns)."""
    size, length = text_mask.shape
    total = queries + length
    mask = torch.ones(size, 1, total, total, dtype=torch.bool, device=text_mask.device)
    if attention is SelfAttention.MULTIMODAL_CAUSAL:
        mask[..., :queries, queries:] = False
        causal = torch.ones(length, length, dtype=torch.bool, device=text_mask.device).tril()
        mask[..., queries:, queries:] = causal
    mask[..., queries:] &= text_mask[:, None, None, :]
    return mask
