"""``torch.compile`` for training: the parts that a network repeats, each compiled by itself.

Blocks of one kind share their code, so that a deep network takes no longer to compile than a shallow one, and
what stands between them (random draws, choices of the processor) stays as it is. Names of weights stay too.
"""

from __future__ import annotations

import torch
from torch import nn

NONE, DEFAULT = "none", "default"
COMPILES = (NONE, DEFAULT)


def compile_repeated_parts(network: nn.Module) -> int:
    """Have the parts of every list of a network compiled when they are first called; returns how many."""
    lists = (part for part in network.modules() if isinstance(part, nn.ModuleList))
    parts = [part for several in lists for part in several if not isinstance(part, nn.ModuleList)]
    for part in parts:
        part.compile()
    return len(parts)


def require_compiler(device: torch.device) -> None:
    """Raise ``ValueError`` where torch cannot compile for the device: it needs a compiler (C++ or Triton)."""
    try:
        torch.compile(torch.nn.functional.gelu)(torch.ones(2, device=device))
    # What is missing is told by the compiler's own errors, which are of many kinds.
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ValueError(
            f"compile {DEFAULT!r}: torch cannot compile for this {device.type} ({reason.strip()}); "
            f"expected {NONE!r}"
        ) from None
