"""In which numbers networks compute by default."""

from __future__ import annotations

import pytest
import torch

from lamp_cli.inference.precision import autocast, has_bf16


@pytest.mark.parametrize(
    ("instructions", "maker", "faster"),
    [
        ((), "AuthenticAMD", False),
        (("avx512_bf16",), "GenuineIntel", False),
        (("avx512_bf16",), "AuthenticAMD", True),
        (("avx512_bf16", "amx_bf16"), "GenuineIntel", True),
    ],
)
def test_a_processor_trains_in_half_precision_where_that_is_faster(
    instructions: tuple[str, ...], maker: str, faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without AMX Intel's processors take longer for products in bf16 than in fp32, AMD's do not."""
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: dict.fromkeys(instructions, True))
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: f"vendor_id\t: {maker}\n")
    cpu = torch.device("cpu")
    assert has_bf16(cpu) == bool(instructions)
    with autocast(cpu):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if faster else torch.float32)
