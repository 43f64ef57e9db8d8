"""An exponential moving average of a network's weights, which is validated and kept in their place.

Source: Polyak and Juditsky 1992; as an exponential average, Tarvainen and Valpola 2017 (mean teacher).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of the trained weights; what is not trained, such as a codebook, is not averaged."""

    def __init__(self, network: nn.Module, decay: float):
        """Begins as the weights are; ``decay`` is the share of the average that a step keeps."""
        self._trained = {name: value for name, value in network.named_parameters() if value.requires_grad}
        self._decay = decay
        self.weights = {name: value.detach().clone() for name, value in self._trained.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights of this step."""
        torch._foreach_lerp_(list(self.weights.values()), list(self._trained.values()), 1 - self._decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the network has the averaged weights."""
        own = {name: value.detach().clone() for name, value in self._trained.items()}
        self._copy(self.weights)
        try:
            yield
        finally:
            self._copy(own)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from a saved average, or from weights by name, of which those that are trained count."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    @torch.no_grad()
    def _copy(self, weights: Mapping[str, Tensor]) -> None:
        for name, value in weights.items():
            self._trained[name].copy_(value)
