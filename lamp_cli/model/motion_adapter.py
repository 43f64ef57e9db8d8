"""Low-rank adaptation (LoRA) of LaMP's motion transformer, learned with the captioner; LaMP is not changed.

Sources: BLIP-2 (Li et al. 2023), whose second stage trains the Q-Former further under the language model's
loss, and LoRA (Hu et al. 2022), which adds a product of two thin matrices to a weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .qformer import Context, QFormer, QFormerConfig

# Hu et al.'s alpha over rank, at the paper's alpha of 32 and rank of 16.
SCALE = 2.0


@dataclass(frozen=True)
class MotionAdapterConfig:
    """The Q-Former that is changed, and the rank of the changes. Raises ``ValueError`` for a rank below 1."""

    qformer: QFormerConfig
    rank: int = 16

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"adapter.rank: expected at least 1, found {self.rank}")


class MotionAdapter(nn.Module):
    """Changes of the query tokens and of every matrix that queries do not share with text."""

    def __init__(self, config: MotionAdapterConfig):
        """The changes are zero at first."""
        super().__init__()
        shapes = _adapted(config.qformer)
        self._names = tuple(shapes)
        self.narrow = nn.ParameterList(
            nn.init.kaiming_uniform_(torch.empty(config.rank, inner), math.sqrt(5))
            for _, inner in shapes.values()
        )
        self.widen = nn.ParameterList(torch.zeros(outer, config.rank) for outer, _ in shapes.values())
        self.queries = nn.Parameter(torch.zeros(1, config.qformer.query_tokens, config.qformer.width))

    def forward(self, qformer: QFormer, motion: Context) -> Tensor:
        """Query outputs (B, N, W) of the changed motion transformer; gradients reach the changes alone."""
        weights = {name: weight.detach() for name, weight in qformer.named_parameters()}
        weights["queries"] = weights["queries"] + self.queries
        for name, narrow, widen in zip(self._names, self.narrow, self.widen, strict=True):
            weights[name] = weights[name] + SCALE * (widen @ narrow)
        named = {f"qformer.{name}": weight for name, weight in weights.items()}
        return functional_call(_MotionTransformer(qformer), named, (motion,))


class _MotionTransformer(nn.Module):
    """``functional_call`` needs a module with ``forward``, which a Q-Former lacks."""

    def __init__(self, qformer: QFormer):
        super().__init__()
        self.qformer = qformer

    def forward(self, motion: Context) -> Tensor:
        return self.qformer.motion(motion)


def _adapted(config: QFormerConfig) -> dict[str, tuple[int, int]]:
    """Shapes (out, in) of the adapted weights by their names in the Q-Former."""
    width, context, hidden = config.width, config.context_width, config.feed_forward
    shapes: dict[str, tuple[int, int]] = {}
    for number in range(config.layers):
        if number % config.cross_attention_every == 0:
            cross = {"query": width, "key": context, "value": context, "output": width}
            shapes |= {
                f"layers.{number}.cross.{name}.weight": (width, inner) for name, inner in cross.items()
            }
        shapes[f"layers.{number}.query_feed.up.weight"] = (hidden, width)
        shapes[f"layers.{number}.query_feed.down.weight"] = (width, hidden)
    return shapes
