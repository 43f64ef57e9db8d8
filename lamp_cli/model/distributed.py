"""What several training processes must agree on. With one process every function is the identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, distributed

_ALONE = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Within the block this process agrees with no other, as in validation, where each has every clip."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def world_size() -> int:
    """Number of training processes."""
    if _ALONE.get():
        return 1
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if world_size() > 1 else 0


def rows_of_rank(total: int, what: str = "a batch") -> slice:
    """Rows of this process in a batch of ``total``: equal shares in rank order.

    Raises ``ValueError``, on every rank, naming ``what`` there are no equal shares of: without some rows the
    batch would be another than that of one process.
    """
    size, rest = divmod(total, world_size())
    if rest or not size:
        raise ValueError(
            f"{what} of {total} cannot be shared by {world_size()} processes alike; expected a multiple of "
            f"{world_size()} (--batch-size), and as many clips or sentences at least"
        )
    return slice(rank() * size, (rank() + 1) * size)


def barrier() -> None:
    """Wait until every rank is here."""
    if world_size() > 1:
        distributed.barrier()


def gather(values: Tensor) -> Tensor:
    """Rows (B, ...) of all ranks in rank order, (R*B, ...), with gradients to every rank.

    Every rank must hold the same shape.
    """
    if world_size() == 1:
        return values
    return _Gather.apply(values)  # type: ignore[no-any-return]


class _Gather(torch.autograd.Function):
    """Forward: rows of all ranks. Backward: every rank's gradient for my rows, summed."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values) for _ in range(world_size())]
        distributed.all_gather(parts, values.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = sum_over_ranks(gradients[0])
        return total.chunk(world_size())[rank()]


def sum_over_ranks(values: Tensor) -> Tensor:
    """Sum over ranks, without gradients."""
    total = values.detach().clone()
    if world_size() > 1:
        distributed.all_reduce(total)
    return total


def global_mean(total: Tensor, count: Tensor) -> Tensor:
    """A share of ``total / count`` over all ranks whose average over ranks is the global mean.

    Data-parallel training averages gradients over ranks; ranks with fewer real positions must
    not weigh more, so that R ranks give the gradients of one.
    """
    return total * world_size() / sum_over_ranks(count).clamp(min=1)
