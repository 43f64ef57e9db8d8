"""What the steps of training learn from, drawn ahead of them in other processes.

Knows neither networks nor devices: a draw is made of arrays and sentences.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..processes import begin_worker


def drawn_ahead(draw: Callable[[int], Any], steps: range, workers: int) -> Iterator[Any]:
    """``draw(step)`` for every step, in order; by ``workers`` processes, by this one when there are none.

    The draws are the same whatever ``workers`` is. Raises ``ValueError`` where the system cannot fork: the
    processes share the corpus with this one.
    """
    if not workers:
        yield from map(draw, steps)
        return
    if "fork" not in multiprocessing.get_all_start_methods():
        raise ValueError(f"workers {workers}: this system cannot fork processes; expected 0")
    loader = DataLoader(
        _Draws(draw, steps),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="fork",
        # Arrays as tensors pass between processes as shared memory, never copied.
        collate_fn=partial(_replaced, kind=np.ndarray, change=torch.from_numpy),
        worker_init_fn=lambda number: begin_worker(),
        # It draws a seed for its processes, which must not come from the caller's stream.
        generator=torch.Generator(),
    )
    yield from (_replaced(drawn, torch.Tensor, torch.Tensor.numpy) for drawn in loader)


class _Draws(Dataset):  # type: ignore[type-arg]
    def __init__(self, draw: Callable[[int], Any], steps: range):
        self._draw = draw
        self._steps = steps

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: int) -> Any:
        if place >= len(self._steps):
            raise IndexError(place)
        return self._draw(self._steps[place])


def _replaced(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """``value`` with everything of a kind changed, within tuples, lists and dataclasses too."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(_replaced(each, kind, change) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return dataclasses.replace(value, **{n: _replaced(getattr(value, n), kind, change) for n in names})
    return value
