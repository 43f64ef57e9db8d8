"""What a caption's decoder is, and the small one of our own: a causal transformer over WordPiece ids.

Sources: Vaswani et al. 2017 (pre-norm here), Su et al. 2021 (rotary positions, so that a sentence reads
the same behind a prefix as without one), Press and Wolf 2017 (the output layer is the word embeddings).
Knows vectors and ids; not what a prefix stands for, and no search.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .transformer import Packing, PreNormBlock, attend, initialise_normal, join_heads, split_heads


class Cache(Protocol):
    """Keys and values of the tokens that a decoder has seen."""

    def select(self, rows: Tensor) -> None:
        """Keep these rows (R,) in this order; a row may be taken several times."""


class CausalDecoder(nn.Module, ABC):
    """A causal language model that reads vectors, so that a prefix need not be words.

    ``width`` is the width of those vectors, ``begin`` the ids every sentence begins with (none for some
    models), ``end`` the id that ends one. Padding must be on the right, where causal attention keeps
    real tokens from it.
    """

    width: int
    begin: tuple[int, ...]
    end: int

    @abstractmethod
    def embed(self, ids: Tensor) -> Tensor:
        """Vectors (B, T, W) of ids (B, T)."""

    @abstractmethod
    def logits(self, x: Tensor, real: Tensor) -> Tensor:
        """Next-token logits (P, V) of vectors (B, S, W), at the last R positions of each row.

        Those that are ``real`` (B, R) are packed; the positions before them all are.
        """

    @abstractmethod
    def start(self, x: Tensor) -> tuple[Tensor, Cache]:
        """Next-token logits (B, V) after vectors (B, S, W), and the cache to go on with."""

    @abstractmethod
    def step(self, ids: Tensor, cache: Cache) -> Tensor:
        """Next-token logits (R, V) after one more token (R,) per row; the cache grows."""


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the embedded decoder.

    vocabulary: word pieces, which are the bundle's.
    width: of a token's vector.
    layers: blocks.
    heads: of attention in every block.
    feed_forward: width of the hidden layer of every feed-forward.
    dropout: probability, in training.
    """

    vocabulary: int
    width: int = 256
    layers: int = 4
    heads: int = 8
    feed_forward: int = 1024
    dropout: float = 0.1


@dataclass
class LayerCache:
    """Keys and values of one layer: of B prefixes (B, heads, P, D), of R beams after them (R, heads, T, D).

    Every prefix has R / B beams, whose rows follow each other, so that its keys and values are held once and
    not once a beam: most of what there is to copy and to read.
    """

    prefix: tuple[Tensor, Tensor]
    beams: tuple[Tensor, Tensor]

    def add(self, keys: Tensor, values: Tensor) -> None:
        """Append one position (R, heads, 1, D)."""
        self.beams = torch.cat([self.beams[0], keys], 2), torch.cat([self.beams[1], values], 2)

    def attend(self, q: Tensor) -> Tensor:
        """Attention (R, heads, 1, D) of queries (R, heads, 1, D) to the prefix and to their own beam."""
        (prefix_keys, prefix_values), (keys, values) = self.prefix, self.beams
        grouped = q.unflatten(0, (len(prefix_keys), -1)).squeeze(3).transpose(1, 2)
        to_prefix = (grouped @ prefix_keys.mT).transpose(1, 2).flatten(0, 1)[:, :, None]
        scores = torch.cat([to_prefix, q @ keys.mT], -1) * q.shape[-1] ** -0.5
        to_prefix, to_beam = scores.softmax(-1).split([to_prefix.shape[-1], keys.shape[2]], dim=-1)
        grouped = to_prefix.unflatten(0, (len(prefix_keys), -1)).squeeze(3).transpose(1, 2)
        return (grouped @ prefix_values).transpose(1, 2).flatten(0, 1)[:, :, None] + to_beam @ values

    def select(self, rows: Tensor, prefixes: Tensor | None) -> None:
        """Keep the beams of these rows and these prefixes; None keeps the prefixes as they are."""
        self.beams = self.beams[0].index_select(0, rows), self.beams[1].index_select(0, rows)
        if prefixes is not None:
            self.prefix = self.prefix[0].index_select(0, prefixes), self.prefix[1].index_select(0, prefixes)


@dataclass
class KeyValueCache:
    """The embedded decoder's cache."""

    layers: list[LayerCache]

    @property
    def length(self) -> int:
        """Positions in the cache: of a prefix and of a beam after it."""
        return self.layers[0].prefix[0].shape[2] + self.layers[0].beams[0].shape[2]

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order."""
        prefix_count, beam_count = len(self.layers[0].prefix[0]), len(self.layers[0].beams[0])
        prefix_of_row = rows // (beam_count // prefix_count)
        prefixes, counts = prefix_of_row.unique_consecutive(return_counts=True)
        if (counts != counts[0]).any():
            # The prefixes no longer have equally many beams: every row gets a copy of its own.
            prefixes = prefix_of_row
        unchanged = torch.equal(prefixes, torch.arange(prefix_count, device=rows.device))
        for layer in self.layers:
            layer.select(rows, None if unchanged else prefixes)


class DecoderBlock(PreNormBlock):
    """A causal layer with rotary positions."""

    def forward(
        self, x: Tensor, packing: Packing, rotary: tuple[Tensor, Tensor], cache: LayerCache | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Packed (P, W) -> (P, W), and its keys and values; a ``cache`` takes them in, and S must be 1."""
        q, k, v = (
            split_heads(t, self.heads)
            for t in packing.pad(self.query_key_value(self.attention_norm(x))).chunk(3, dim=-1)
        )
        q, k = _rotated(q, rotary), _rotated(k, rotary)
        if cache is None:
            causal = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).tril()
            attended = attend(q, k, v, causal)
        else:
            cache.add(k, v)
            attended = cache.attend(q)
        return self.add_and_feed_forward(x, packing.pack(join_heads(attended))), (k, v)


class EmbeddedDecoder(CausalDecoder):
    """The decoder that ships inside a bundle; its words are the bundle's vocabulary."""

    def __init__(self, config: DecoderConfig, begin: int, end: int):
        """``begin`` and ``end`` are the ids around every sentence."""
        super().__init__()
        self.config = config
        self.width, self.begin, self.end = config.width, (begin,), end
        self.words = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(
            DecoderBlock(config.width, config.heads, config.feed_forward, config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.apply(initialise_normal)

    def embed(self, ids: Tensor) -> Tensor:
        """Vectors (B, T, W) of ids (B, T)."""
        return self.words(ids)

    def logits(self, x: Tensor, real: Tensor) -> Tensor:
        """Logits (P, V)."""
        first = x.shape[1] - real.shape[1]
        hidden = self._hidden(x, real=F.pad(real, (first, 0), value=True))[0]
        return Packing(real).pack(hidden[:, first:]) @ self.words.weight.T

    def start(self, x: Tensor) -> tuple[Tensor, Cache]:
        """Logits (B, V) after (B, S, W)."""
        hidden, prefix = self._hidden(x)
        layers = [LayerCache((k, v), (k[:, :, :0], v[:, :, :0])) for k, v in prefix]
        return hidden[:, -1] @ self.words.weight.T, KeyValueCache(layers)

    def step(self, ids: Tensor, cache: Cache) -> Tensor:
        """Logits (R, V) after one more token (R,)."""
        assert isinstance(cache, KeyValueCache)
        hidden, _ = self._hidden(self.embed(ids[:, None]), cache)
        return hidden[:, -1] @ self.words.weight.T

    def _hidden(
        self, x: Tensor, cache: KeyValueCache | None = None, real: Tensor | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Hidden states (B, S, W) of vectors (B, S, W), and every layer's keys and values of them.

        Without ``real`` (B, S) there is no padding.
        """
        if real is None:
            real = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        packing = Packing(real)
        begin, head_width = cache.length if cache else 0, self.width // self.config.heads
        rotary = _rotary_angles(begin, x.shape[1], head_width, x.device)
        x, keys_and_values = packing.pack(self.dropout(x)), []
        caches: Sequence[LayerCache | None] = cache.layers if cache else [None] * len(self.blocks)
        for block, layer_cache in zip(self.blocks, caches, strict=True):
            x, added = block(x, packing, rotary, layer_cache)
            keys_and_values.append(added)
        return packing.pad(self.norm(x)), keys_and_values


def _rotary_angles(begin: int, length: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine (length, width / 2) of the rotary angles of positions from ``begin``."""
    rate = 10_000.0 ** (-torch.arange(0, width, 2, device=device) / width)
    angle = torch.arange(begin, begin + length, device=device)[:, None] * rate
    return angle.cos(), angle.sin()


def _rotated(x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """(B, heads, S, width) with the pair (i, i + width / 2) turned by its angle."""
    cos, sin = rotary
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)
