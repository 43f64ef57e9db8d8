"""Whether tensors read from a file fit a network."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


def first_misfit(network: nn.Module, tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that is missing, unknown or of another shape; None when all fit."""
    own = network.state_dict()
    wrong = sorted(own.keys() ^ tensors.keys()) or [k for k in own if own[k].shape != tensors[k].shape]
    return wrong[0] if wrong else None
