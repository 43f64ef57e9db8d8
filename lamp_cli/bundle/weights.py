"""A network's weights as one safetensors file of 16-bit floats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..storage import replacing


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's weights, floats as 16-bit ones; the file is there whole or not at all.

    Raises ``ValueError`` for a number beyond the range of 16-bit floats.
    """
    with replacing(path) as temporary:
        save_file(_halved(network.state_dict()), temporary)


def load_weights(path: Path, network: nn.Module, device: torch.device) -> None:
    """Read weights into a network, which may be on the meta device, and put it in evaluation mode.

    Raises ``ValueError`` when the file is missing, cut short or of another network.
    """
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: missing") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read, perhaps cut short ({error})") from None
    expected = network.state_dict()
    wrong = sorted(expected.keys() ^ tensors.keys())
    wrong = wrong or [k for k in expected if expected[k].shape != tensors[k].shape]
    if wrong:
        raise ValueError(f"{path}: {wrong[0]} does not fit config.json")
    whole = {k: v.to(device, expected[k].dtype) for k, v in tensors.items()}
    network.load_state_dict(whole, assign=True)
    network.eval().requires_grad_(False)


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floats as 16-bit; those beyond its range would be lost, so they must not exist."""
    result = {}
    for name, value in tensors.items():
        value = value.detach().cpu().contiguous()
        half = value.half() if value.is_floating_point() else value
        if not torch.isfinite(half).all():
            raise ValueError(f"{name} holds a number beyond the range of 16-bit floats")
        result[name] = half
    return result
