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

from .attention import attend


class Cache(Protocol):
    """Keys and values of what a decoder has read."""

    def select(self, rows: Tensor) -> None:
        """Keep these rows (R,) in this order; a row may be taken several times."""


class CausalDecoder(nn.Module, ABC):
    """A causal language model that reads vectors, so that a prefix need not be words.

    ``width`` is the width of those vectors, ``begin`` the ids every sentence begins with (none for some
    models), ``end`` the id that ends one. Padding must stand on the right, where causal attention never
    shows it to a real token.
    """

    width: int
    begin: tuple[int, ...]
    end: int

    @abstractmethod
    def embed(self, ids: Tensor) -> Tensor:
        """Vectors (B, T, W) of ids (B, T)."""

    @abstractmethod
    def logits(self, x: Tensor, first: int) -> Tensor:
        """Next-token logits (B, S - first, V) at the positions from ``first`` on of vectors (B, S, W)."""

    @abstractmethod
    def start(self, x: Tensor) -> tuple[Tensor, Cache]:
        """Next-token logits (B, V) after vectors (B, S, W), and the cache to go on with."""

    @abstractmethod
    def step(self, ids: Tensor, cache: Cache) -> Tensor:
        """Next-token logits (R, V) after one more token (R,) per row; the cache grows."""


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the embedded decoder (defaults: 10 MB in half precision at 8,000 word pieces)."""

    vocabulary: int
    width: int = 256
    layers: int = 4
    heads: int = 8
    feed_forward: int = 1024
    dropout: float = 0.1


@dataclass
class LayerCache:
    """Keys and values of one layer: the prefix's (B, heads, P, D), and each row's own since (R, heads, T, D).

    Rows of one prefix stand together, R / B of each: the prefix is held once for all its beams, which is
    most of what there is to copy and to read.
    """

    prefix: tuple[Tensor, Tensor]
    own: tuple[Tensor, Tensor]

    def add(self, keys: Tensor, values: Tensor) -> None:
        """Append one position (R, heads, 1, D)."""
        self.own = torch.cat([self.own[0], keys], 2), torch.cat([self.own[1], values], 2)

    def attend(self, q: Tensor) -> Tensor:
        """What queries (R, heads, 1, D) see of the prefix and of their own row, (R, heads, 1, D)."""
        (prefix_keys, prefix_values), (keys, values) = self.prefix, self.own
        grouped = q.unflatten(0, (len(prefix_keys), -1)).squeeze(3).transpose(1, 2)
        far = (grouped @ prefix_keys.mT).transpose(1, 2).flatten(0, 1)[:, :, None]
        scores = torch.cat([far, q @ keys.mT], -1) * q.shape[-1] ** -0.5
        far, near = scores.softmax(-1).split([far.shape[-1], keys.shape[2]], dim=-1)
        grouped = far.unflatten(0, (len(prefix_keys), -1)).squeeze(3).transpose(1, 2)
        return (grouped @ prefix_values).transpose(1, 2).flatten(0, 1)[:, :, None] + near @ values

    def select(self, rows: Tensor, prefixes: Tensor | None) -> None:
        """Keep these rows, and of the prefixes these (all as they are when None)."""
        self.own = self.own[0].index_select(0, rows), self.own[1].index_select(0, rows)
        if prefixes is not None:
            self.prefix = self.prefix[0].index_select(0, prefixes), self.prefix[1].index_select(0, prefixes)


@dataclass
class KeysAndValues:
    """The embedded decoder's cache."""

    layers: list[LayerCache]

    @property
    def length(self) -> int:
        """How many positions have been read."""
        return self.layers[0].prefix[0].shape[2] + self.layers[0].own[0].shape[2]

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order."""
        known, before = len(self.layers[0].prefix[0]), len(self.layers[0].own[0])
        owners = rows // (before // known)
        prefixes, counts = owners.unique_consecutive(return_counts=True)
        if (counts != counts[0]).any():
            # Rows of one prefix no longer stand together: every row gets its own copy.
            prefixes = owners
        unchanged = torch.equal(prefixes, torch.arange(known, device=rows.device))
        for layer in self.layers:
            layer.select(rows, None if unchanged else prefixes)


class Block(nn.Module):
    """Pre-norm causal layer with rotary positions."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width)
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)
        self.feed_norm = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], past: LayerCache | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, S, W) and its keys and values; with a ``past``, which takes them in, S must be 1."""
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for t in self.query_key_value(self.attention_norm(x)).chunk(3, dim=-1)
        )
        q, k = _rotated(q, turn), _rotated(k, turn)
        if past is None:
            earlier = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).tril()
            mixed = attend(q, k, v, earlier)
        else:
            past.add(k, v)
            mixed = past.attend(q)
        x = x + self.dropout(self.output(mixed.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.down(F.gelu(self.up(self.feed_norm(x))))), (k, v)


class EmbeddedDecoder(CausalDecoder):
    """The decoder that ships inside a bundle; its words are the bundle's vocabulary."""

    def __init__(self, config: DecoderConfig, begin: int, end: int):
        """``begin`` and ``end`` are the ids around every sentence."""
        super().__init__()
        self.config = config
        self.width, self.begin, self.end = config.width, (begin,), end
        self.words = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.apply(_initialise)

    def embed(self, ids: Tensor) -> Tensor:
        """Vectors (B, T, W) of ids (B, T)."""
        return self.words(ids)

    def logits(self, x: Tensor, first: int) -> Tensor:
        """Logits (B, S - first, V)."""
        return self._read(x)[0][:, first:] @ self.words.weight.T

    def start(self, x: Tensor) -> tuple[Tensor, Cache]:
        """Logits (B, V) after (B, S, W)."""
        hidden, prefix = self._read(x)
        layers = [LayerCache((k, v), (k[:, :, :0], v[:, :, :0])) for k, v in prefix]
        return hidden[:, -1] @ self.words.weight.T, KeysAndValues(layers)

    def step(self, ids: Tensor, cache: Cache) -> Tensor:
        """Logits (R, V) after one more token (R,)."""
        assert isinstance(cache, KeysAndValues)
        hidden, _ = self._read(self.embed(ids[:, None]), cache)
        return hidden[:, -1] @ self.words.weight.T

    def _read(
        self, x: Tensor, past: KeysAndValues | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        turn = _turn(past.length if past else 0, x.shape[1], self.width // self.config.heads, x.device)
        x, read = self.dropout(x), []
        before: Sequence[LayerCache | None] = past.layers if past else [None] * len(self.blocks)
        for block, known in zip(self.blocks, before, strict=True):
            x, both = block(x, turn, known)
            read.append(both)
        return self.norm(x), read


def _turn(begin: int, length: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine (length, width / 2) of the rotary angles of positions from ``begin``."""
    rate = 10_000.0 ** (-torch.arange(0, width, 2, device=device) / width)
    angle = torch.arange(begin, begin + length, device=device)[:, None] * rate
    return angle.cos(), angle.sin()


def _rotated(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """(B, heads, S, width) with the pair (i, i + width / 2) turned by its angle."""
    cos, sin = turn
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
