"""Attention by every way that it is computed: the same numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lamp_cli.model.transformer import PackedAttention, Packing, attend, join_heads, split_heads


@pytest.mark.parametrize("masked", [True, False])
def test_learning_in_half_precision_attends_as_the_fused_kernel_in_full(masked: bool) -> None:
    stream = torch.Generator().manual_seed(0)
    inputs = [torch.randn(2, 3, size, 8, generator=stream) for size in (5, 7, 7)]
    mask = torch.rand(2, 1, 5, 7, generator=stream) < 0.6 if masked else None
    if mask is not None:
        mask[..., 0] = True
    full = [t.clone().requires_grad_() for t in inputs]
    half = [t.bfloat16().requires_grad_() for t in inputs]
    weights = torch.randn(2, 3, 5, 8, generator=stream)
    expected = F.scaled_dot_product_attention(*full, attn_mask=mask)
    found = attend(*half, mask)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.03, rtol=0.03)
    (expected * weights).sum().backward()
    (found.float() * weights).sum().backward()
    for own, other in zip(half, full, strict=True):
        assert own.grad is not None and other.grad is not None
        torch.testing.assert_close(own.grad.float(), other.grad, atol=0.06, rtol=0.06)


def test_what_is_masked_counts_for_nothing() -> None:
    q, k, v = (torch.randn(1, 1, 3, 4, dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    mask = torch.tensor([True, True, False])
    attend(q, k, v, mask).sum().backward()
    assert k.grad is not None and v.grad is not None
    assert not k.grad[0, 0, 2].any() and not v.grad[0, 0, 2].any()
    assert v.grad[0, 0, :2].any()


def test_packed_positions_come_back_to_their_places() -> None:
    real = torch.tensor([[True, False, True], [False, True, True]])
    x = torch.arange(12.0).reshape(2, 3, 2)
    packing = Packing(real)
    assert packing.pack(x).tolist() == [[0, 1], [4, 5], [8, 9], [10, 11]]
    assert torch.equal(packing.pad(packing.pack(x)), x * real[..., None])
    full = Packing(torch.ones(2, 3, dtype=torch.bool))
    assert torch.equal(full.pad(full.pack(x)), x)
    first, others = Packing(real.roll(1, 1), 1), Packing(torch.ones(2, 3, dtype=torch.bool), 1)
    x = torch.arange(12.0).reshape(2, 3, 2)
    # The first of every sequence, then what else is real.
    assert first.pack(x).tolist() == [[0, 1], [6, 7], [2, 3], [10, 11]]
    for packing in (first, others):
        assert torch.equal(packing.split(packing.pack(x))[0], x[:, :1])
        assert torch.equal(packing.join(*packing.split(packing.pack(x))), packing.pack(x))


@pytest.mark.parametrize("first", [0, 2])
def test_sequences_sorted_by_length_attend_as_padded_ones(first: int) -> None:
    """Forwards and backwards, with gaps within the sequences and a mask of their own."""
    stream = torch.Generator().manual_seed(0)
    real = torch.rand(40, 9, generator=stream) < 0.5
    real[:, : max(first, 1)] = True
    mask = (torch.rand(40, 1, 9, 9, generator=stream) < 0.7) & real[:, None, None]
    mask[..., 0] = True
    packing = Packing(real, first)
    packed = PackedAttention(packing, mask)
    found, expected = [], []
    padded = [torch.randn(40, 9, 8, generator=stream) for _ in range(3)]
    weights = packing.pack(torch.randn(40, 9, 8, generator=stream))
    for results, compute in (
        (found, lambda parts: packed(*map(packing.pack, parts), 2)),
        (expected, lambda parts: packing.pack(_attended(*parts, mask))),
    ):
        parts = [part.clone().requires_grad_() for part in padded]
        results.append(compute(parts))
        (results[0] * weights).sum().backward()
        results += [part.grad for part in parts]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def _attended(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    q, k, v = (split_heads(part, 2) for part in (queries, keys, values))
    return join_heads(attend(q, k, v, mask))
