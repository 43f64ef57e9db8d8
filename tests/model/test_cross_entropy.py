"""The cross-entropy of wide vocabularies is torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lamp_cli.model.cross_entropy import IGNORED, summed_cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_losses_and_gradients_are_torchs(smoothing: float, dtype: torch.dtype, tolerance: float) -> None:
    random = torch.Generator().manual_seed(0)
    given = torch.randn(150, 301, generator=random) * 3
    target = torch.randint(301, (150,), generator=random)
    target[[0, 77, 149]] = IGNORED
    one, other = (given.to(dtype).requires_grad_() for _ in range(2))
    total = summed_cross_entropy(one, target, smoothing)
    wanted = F.cross_entropy(
        other.float(), target, ignore_index=IGNORED, label_smoothing=smoothing, reduction="sum"
    )
    torch.testing.assert_close(total, wanted, rtol=1e-5, atol=1e-3)
    (total / 147).backward()
    (wanted / 147).backward()
    torch.testing.assert_close(one.grad, other.grad, rtol=tolerance, atol=1e-7)
    assert one.grad is not None and not one.grad[0].any()


def test_without_any_target_the_sum_is_zero() -> None:
    logits = torch.randn(3, 5, requires_grad=True)
    total = summed_cross_entropy(logits, torch.full((3,), IGNORED), 0.1)
    total.backward()
    assert float(total) == 0.0 and logits.grad is not None and not logits.grad.any()
