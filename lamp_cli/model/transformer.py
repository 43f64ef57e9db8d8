"""What the transformers are made of: attention, the pre-norm block, masks and packing, initial weights.

Sources: Vaswani et al. 2017 (attention, equation 1), Xiong et al. 2020 (pre-norm), Devlin et al. 2019 (BERT's
initial weights).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention (B, H, S, D) of queries (B, H, S, D) to keys and values (B, H, K, D).

    ``mask`` broadcasts to (B, H, S, K), True where a query may attend, which is somewhere for every query.
    """
    learning = torch.is_grad_enabled() and queries.requires_grad
    if not (learning and queries.device.type == "cpu" and queries.dtype == torch.bfloat16):
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    # In bf16 on a CPU torch's fused kernel runs backwards more slowly than these products.
    scores = queries @ keys.mT * queries.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1).to(values.dtype) @ values


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

    def __init__(self, real: Tensor):
        """``real`` (B, S), False on padding."""
        self.real, self._shape = real, real.shape
        self._positions = None
        if real.device.type == "cpu":
            positions = real.flatten().nonzero().squeeze(1)
            self._positions = positions if len(positions) < real.numel() else None

    def pack(self, x: Tensor) -> Tensor:
        """(B, S, W) -> (P, W)."""
        flat = x.flatten(0, 1)
        return flat if self._positions is None else flat.index_select(0, self._positions)

    def pad(self, packed: Tensor) -> Tensor:
        """(P, W) -> (B, S, W), zeros on padding."""
        if self._positions is not None:
            size = self._shape.numel(), packed.shape[1]
            packed = packed.new_zeros(size).index_copy(0, self._positions, packed)
        return packed.unflatten(0, self._shape)


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
