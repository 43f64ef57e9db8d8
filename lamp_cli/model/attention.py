"""Scaled dot-product attention by whichever way is fast on the device.

Source: Vaswani et al. 2017, equation 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """What queries (B, H, S, D) see of values (B, H, K, D) by their keys; ``mask`` is True where seen.

    ``mask`` broadcasts to (B, H, S, K) and leaves every query something to see.
    """
    learning = torch.is_grad_enabled() and queries.requires_grad
    if not (learning and queries.device.type == "cpu" and queries.dtype == torch.bfloat16):
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    # torch's fused kernel runs backwards five times slower than these products in bf16 on a CPU.
    scores = queries @ keys.mT * queries.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1).to(values.dtype) @ values
