"""Which device networks run on, from the word that people give."""

from __future__ import annotations

import torch


def torch_device(name: str | torch.device) -> torch.device:
    """The device of ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; auto takes the fastest there is.

    Raises ``ValueError`` when it is not on this machine.
    """
    if isinstance(name, torch.device):
        return name
    available = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if name == "auto":
        return torch.device(next((kind for kind in ("cuda", "mps") if available[kind]), "cpu"))
    kind, _, number = name.partition(":")
    if kind not in available or (number and not number.isdigit()):
        raise ValueError(f"device {name}: expected auto, cpu, cuda or mps")
    if not available[kind]:
        raise ValueError(f"device {name}: this machine has none that torch can use")
    if int(number or 0) >= available[kind]:
        raise ValueError(f"device {name}: this machine has {available[kind]} of them, counted from 0")
    return torch.device(name)
