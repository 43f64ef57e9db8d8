"""A network's weights as one safetensors file, of 16-bit floats where that loses nothing that matters."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..data.statistics import Statistics
from ..model.state import first_misfit
from ..storage import replacing

# Functions that are given the sizes of a tensor that they make.
CREATING = (torch.empty, torch.zeros, torch.ones, torch.randn)


class SkipInitialisation(TorchFunctionMode):
    """Networks built within it have no initial weights: drawing them takes time, and a file replaces them.

    The meta device would also save the memory, but needs a part of torch that is slow to import. Networks of
    more numbers than the weights of ``folder`` have bytes are refused by a ``ValueError`` while they are
    built: a config that is damaged, or made to harm, would fill the memory or never come to an end.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder
        self._left = sum(path.stat().st_size for path in folder.glob("*.safetensors"))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in CREATING:
            self._left -= math.prod(args[0] if isinstance(args[0], Sequence) else args)
            if self._left < 0:
                config = self._folder / "config.json"
                raise ValueError(f"{config}: describes larger networks than there are weights beside it")
        drawing = func in (torch.Tensor.normal_, torch.Tensor.uniform_)
        if drawing or getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **(kwargs or {}))


def save_weights(path: Path, network: nn.Module, halved: bool = True) -> None:
    """Write a network's weights, floats as 16-bit ones if ``halved``; the file is there whole or not at all.

    Raises ``ValueError`` for a number beyond the range of 16-bit floats.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(_halved(tensors) if halved else tensors, temporary)


def load_weights(path: Path, network: nn.Module, device: torch.device) -> None:
    """Read weights into a network and put it in evaluation mode.

    Raises ``ValueError`` when the file is missing, cut short or of another network.
    """
    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: missing") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read, perhaps cut short ({error})") from None
    if misfit := first_misfit(network, tensors):
        raise ValueError(f"{path}: {misfit} does not fit config.json")
    expected = network.state_dict()
    whole = {k: v.to(device, expected[k].dtype) for k, v in tensors.items()}
    network.load_state_dict(whole, assign=True)
    network.eval().requires_grad_(False)


def weights_digest(networks: Iterable[nn.Module], statistics: Statistics, words: Sequence[str] = ()) -> str:
    """Eight digits that change with any weight, the statistics or the words that networks read."""
    digest = hashlib.sha256(statistics.mean.tobytes() + statistics.std.tobytes())
    digest.update("\n".join(words).encode())
    for network in networks:
        for value in network.state_dict().values():
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:8]


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floats as 16-bit; those beyond its range would be lost, so they must not exist."""
    result = {}
    for name, value in tensors.items():
        half = value.half() if value.is_floating_point() else value
        if not torch.isfinite(half).all():
            raise ValueError(f"{name} holds a number beyond the range of 16-bit floats")
        result[name] = half
    return result
