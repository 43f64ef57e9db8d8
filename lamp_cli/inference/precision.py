"""In which numbers networks compute: fp32, or bf16 where the processor has instructions for it."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FP32, BF16 = "fp32", "bf16"
PRECISIONS = (FP32, BF16)


def autocast(device: torch.device) -> torch.autocast:
    """bf16 where the processor computes faster in it, fp32 elsewhere."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=is_faster_in_bf16(device))


def check_precision(precision: str) -> None:
    """Raise ``ValueError`` for another than ``PRECISIONS``."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}: expected {' or '.join(PRECISIONS)}")


def in_precision(precision: str, device: torch.device) -> torch.autocast:
    """Matrix products in the precision that was asked for.

    Raises ``ValueError`` for another than ``PRECISIONS`` and for one that the device does not have.
    """
    check_precision(precision)
    if precision == BF16 and not has_bf16(device):
        raise ValueError(f"precision {BF16}: this {device.type} has no instructions for it; expected {FP32}")
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=precision == BF16)


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes in bf16 itself; emulated it is slower than fp32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def is_faster_in_bf16(device: torch.device) -> bool:
    """Whether matrix products in bf16 take less time than in fp32."""
    if device.type != "cpu":
        return has_bf16(device)
    import torch

    # A core does, in GFLOP/s of fp32 and of bf16: a Xeon with instructions for vectors alone 145 and 80,
    # one with those for tiles (AMX) twice as many in bf16; an EPYC with those for vectors 102 and 487.
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or (capabilities.get("avx512_bf16") and _is_amd()))


def _is_amd() -> bool:
    """Whether the processor is one of AMD's; False where the system does not tell."""
    try:
        maker = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        maker = platform.processor()
    return "AuthenticAMD" in maker
