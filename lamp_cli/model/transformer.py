"""What the transformers are made of: attention, the pre-norm block, masks and packing, initial weights.

Sources: Vaswani et al. 2017 (attention, equation 1), Xiong et al. 2020 (pre-norm), Devlin et al. 2019 (BERT's
initial weights).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention (B, H, S, D) of queries (B, H, S, D) to keys and values (B, H, K, D).

    ``mask`` broadcasts to (B, H, S, K), True where a query may attend, which is somewhere for every query.
    """
    if queries.device.type == "cpu" and queries.dtype == torch.bfloat16:
        attended: Tensor = _HalfPrecisionAttention.apply(queries, keys, values, mask)
        return attended
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)


class _HalfPrecisionAttention(torch.autograd.Function):
    """Attention in bf16 on a CPU, where torch's fused kernel takes twice as long, five times backwards."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        # Heads lie apart in memory, and every product here and backwards would copy them together.
        keys, values = keys.contiguous(), values.contiguous()
        queries = (queries * queries.shape[-1] ** -0.5).contiguous()
        scores = queries @ keys.mT
        if mask is not None:
            # Of a mask's size, not of the scores': theirs has all heads.
            least = torch.finfo(scores.dtype).min
            scores += torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(~mask, least)
        # Sums are in fp32 within.
        shares = scores.softmax(-1)
        ctx.save_for_backward(queries, keys, values, shares)
        return shares @ values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        queries, keys, values, shares = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        of_scores = torch._softmax_backward_data(gradient @ values.mT, shares, -1, shares.dtype)
        of_queries = of_scores @ keys * queries.shape[-1] ** -0.5
        return of_queries, of_scores.mT @ queries, shares.mT @ gradient, None


def in_product_type(x: Tensor) -> Tensor:
    """``x`` as autocast's matrix products read it: what several would each convert is converted once."""
    device = x.device.type
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return x
    return x.to(torch.get_autocast_dtype(device))


def checked_heads(heads: int, width: int) -> int:
    """``heads``; raises ``ValueError`` where they cannot share the ``width``."""
    if heads < 1 or width % heads:
        raise ValueError(f"heads: expected a number that divides the width {width}, found {heads}")
    return heads


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, S, W) -> (B, heads, S, W / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(B, heads, S, D) -> (B, S, heads * D)."""
    return x.transpose(1, 2).flatten(2)


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """(B, ``size``), True on the first ``lengths`` (B,) positions of each row, False on padding."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


class Packing:
    """Padded sequences (B, S, W) without their padding (P, W), so that nothing is computed for it.

    Attention alone needs the sequences; all else in a transformer works on one position at a time. On an
    accelerator the padding stays: to know how many positions are real the processor would wait for it.
    """

    def __init__(self, real: Tensor, first: int = 0):
        """``real`` (B, S), False on padding; the ``first`` positions of every sequence all are.

        Packed, these come first, where there is padding. ``positions`` (P,) are the packed ones' of B * S.
        """
        self.real, self._shape, self._first = real, real.shape, first
        self.positions: Tensor | None = None
        if real.device.type == "cpu":
            places = torch.arange(real.numel()).view(real.shape)
            positions = torch.cat([places[:, :first].flatten(), places[:, first:][real[:, first:]]])
            self.positions = positions if len(positions) < real.numel() else None

    def pack(self, x: Tensor) -> Tensor:
        """(B, S, W) -> (P, W)."""
        flat = x.flatten(0, 1)
        return flat if self.positions is None else flat.index_select(0, self.positions)

    def pad(self, packed: Tensor) -> Tensor:
        """(P, W) -> (B, S, W), zeros on padding."""
        if self.positions is not None:
            size = self._shape.numel(), packed.shape[1]
            packed = packed.new_zeros(size).index_copy(0, self.positions, packed)
        return packed.unflatten(0, self._shape)

    def split(self, packed: Tensor) -> tuple[Tensor, Tensor]:
        """The ``first`` positions (B, F, W) and the others, in an order of their own that ``join`` knows."""
        if self.positions is None:
            x = packed.unflatten(0, self._shape)
            return x[:, : self._first], x[:, self._first :]
        count = self._shape[0] * self._first
        return packed[:count].unflatten(0, (self._shape[0], self._first)), packed[count:]

    def join(self, first: Tensor, others: Tensor) -> Tensor:
        """What ``split`` has parted, (P, W)."""
        if self.positions is None:
            return torch.cat([first, others], 1).flatten(0, 1)
        return torch.cat([first.flatten(0, 1), others])


# Sequences that attention takes at once: fewer waste less on the longest of them, and are more calls.
_TOGETHER = 16


class PackedAttention:
    """Attention among the positions of packed sequences: on a CPU of some sequences of like length at once.

    Its work is the square of the length that the longest of them has.
    """

    def __init__(self, packing: Packing, mask: Tensor):
        """``mask`` broadcasts to (B, 1, S, S), True where a position may attend."""
        self.packing, self.mask = packing, mask
        self._places: Tensor | None = None
        if packing.positions is not None and len(packing.real) > _TOGETHER:
            self._sort()

    def _sort(self) -> None:
        """Where packed positions stand among sequences that are sorted by length, without gaps in them."""
        real, size = self.packing.real, self.packing.real.shape[1]
        counts = real.sum(1)
        mask = self.mask.expand(len(real), 1, size, size)
        # Real positions first, in their order.
        order = real.int().argsort(stable=True, dim=1, descending=True)
        starts, begin = torch.empty_like(counts), 0
        self._masks: list[Tensor] = []
        for rows in counts.argsort(stable=True).split(_TOGETHER):
            kept = order[rows, : int(counts[rows].max())]
            pairs = mask[rows[:, None, None], 0, kept[:, :, None], kept[:, None, :]]
            self._masks.append((pairs & real[rows].gather(1, kept)[:, None, :])[:, None])
            starts[rows] = begin + kept.shape[1] * torch.arange(len(rows))
            begin += kept.numel()
        self._size = begin
        self._places = (starts[:, None] + real.cumsum(1) - 1).flatten()[self.packing.positions]

    def __call__(self, queries: Tensor, keys: Tensor, values: Tensor, heads: int) -> Tensor:
        """What positions (P, W) attend to, (P, W)."""
        parts = queries, keys, values
        if self._places is None:
            q, k, v = (split_heads(self.packing.pad(part), heads) for part in parts)
            return self.packing.pack(join_heads(attend(q, k, v, self.mask)))
        places, sizes = self._places, [mask.shape[0] * mask.shape[-1] for mask in self._masks]
        spread = [part.new_zeros(self._size, part.shape[1]).index_copy(0, places, part) for part in parts]
        attended = []
        for mask, *group in zip(self._masks, *(part.split(sizes) for part in spread), strict=True):
            q, k, v = (split_heads(part.unflatten(0, (len(mask), -1)), heads) for part in group)
            attended.append(join_heads(attend(q, k, v, mask)).flatten(0, 1))
        return torch.cat(attended).index_select(0, places)


class PreNormBlock(nn.Module):
    """The weights of a pre-norm transformer layer; what attends to what is for its subclasses to say."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float):
        super().__init__()
        self.heads = checked_heads(heads, width)
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, feed_forward)
        self.down = nn.Linear(feed_forward, width)
        self.dropout = nn.Dropout(dropout)

    def add_and_feed_forward(self, x: Tensor, attended: Tensor) -> Tensor:
        """``x`` (..., W) with what it ``attended`` to (..., W) added, then the feed-forward's output."""
        x = x + self.dropout(self.output(attended))
        return x + self.dropout(self.down(F.gelu(self.up(self.feed_norm(x)))))


def initialise_normal(module: nn.Module) -> None:
    """BERT's initial weights: normal with a standard deviation of 0.02, biases zero."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
