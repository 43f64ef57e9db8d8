"""How values reach the device that computes, without the processor waiting for it.

An accelerator works off what it is asked for while the processor goes on asking. Whatever the processor must
read from it first (a number, a count of true values, an index that it does not know) lets it run dry; so what
decides shapes and draws is kept on the processor, and copies go one way, by :func:`on_device`.
"""

from __future__ import annotations

import torch
from torch import Tensor


def on_device(value: Tensor, device: torch.device) -> Tensor:
    """A copy of ``value`` on the ``device``, or itself where it is there; the processor does not wait for it.

    ``value`` must not be changed afterwards.
    """
    # MPS reads the processor's memory later, when it may be another's; CUDA has it before this returns.
    return value.to(device, non_blocking=device.type != "mps")
