"""Cross-entropy of wide vocabularies, whose backward pass torch's own one spends most of its time on."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# The target of a position that has none.
IGNORED = -100
# Rows at once: what is computed of them stays in a processor's cache.
_TOGETHER = 64


def summed_cross_entropy(logits: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """Sum of the label-smoothed cross-entropies of logits (P, V) and targets (P,), in fp32.

    A target may be ``IGNORED``. Logits may be in bf16.
    """
    if logits.device.type == "cpu":
        total: Tensor = _SummedCrossEntropy.apply(logits, target, smoothing)
        return total
    return F.cross_entropy(
        logits.float(), target, ignore_index=IGNORED, label_smoothing=smoothing, reduction="sum"
    )


class _SummedCrossEntropy(torch.autograd.Function):
    """As torch's own on a CPU: the gradient is computed beside the loss, while its rows are in the cache."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), dtype=torch.float32)
        for begin in range(0, len(logits), _TOGETHER):
            rows = slice(begin, begin + _TOGETHER)
            real = (target[rows] != IGNORED)[:, None]
            own = target[rows].clamp(min=0)[:, None]
            logs = logits[rows].float().log_softmax(1)
            losses = (smoothing - 1) * logs.gather(1, own)
            if smoothing:
                losses -= smoothing * logs.mean(1, keepdim=True)
            total += losses[real].sum()
            if gradient is not None:
                shares = logs.exp_()
                if smoothing:
                    shares -= smoothing / logits.shape[1]
                shares.scatter_add_(1, own, torch.full(own.shape, smoothing - 1))
                gradient[rows] = shares.mul_(real)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0].to(gradient.dtype), None, None
