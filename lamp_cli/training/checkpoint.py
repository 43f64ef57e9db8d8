"""Checkpoints of a stage: safetensors with the state of training, written whole, the one before kept.

last.safetensors      weights, optimiser, averaged weights, and where training is
previous.safetensors  the same of the save before, for when the last one cannot be read
best.safetensors      the weights that were best by validation
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..model.state import first_misfit
from ..storage import replacing
from .averaging import WeightAverage

BEST, LAST, PREVIOUS = "best.safetensors", "last.safetensors", "previous.safetensors"
CHECKPOINTS = (BEST, LAST, PREVIOUS)


@dataclass(frozen=True)
class TrainingResult:
    """The validation figures of the best step."""

    step: int
    figures: dict[str, float]


@dataclass(frozen=True)
class Progress:
    """Where the training of a stage is.

    step: optimiser steps done.
    validated: the last step that was validated.
    figures: of the training batch of the last step.
    best: the best validation so far.
    begun: the step at which the optimiser began: 0, or that of the best weights with which a finished stage
        goes on.
    """

    step: int = 0
    validated: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    best: TrainingResult | None = None
    begun: int = 0


@dataclass(frozen=True)
class TrainingState:
    """What a checkpoint saves and restores; ``average`` is None where weights are not averaged."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None = None


def save_best(path: Path, network: nn.Module, best: TrainingResult) -> None:
    """Write the weights with their validation figures."""
    with replacing(path) as temporary:
        save_file(_on_cpu(network.state_dict()), temporary, metadata={"best": json.dumps(asdict(best))})


def load_best_weights(path: Path, network: nn.Module) -> TrainingResult:
    """Load ``best.safetensors``; raises ``ValueError`` naming what does not fit."""
    tensors, metadata = _read(path)
    _load(path, network, tensors)
    return TrainingResult(**json.loads(metadata["best"]))


def save_state(folder: Path, state: TrainingState, progress: Progress) -> None:
    """Write ``last.safetensors``; the one there becomes ``previous.safetensors``."""
    tensors = {f"network.{name}": value for name, value in _on_cpu(state.network.state_dict()).items()}
    for number, values in state.optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{number}.{name}": v for name, v in _on_cpu(values).items()})
    if state.average is not None:
        tensors.update({f"average.{name}": v for name, v in _on_cpu(state.average.weights).items()})
    last = folder / LAST
    with replacing(last) as temporary:
        save_file(tensors, temporary, metadata={"progress": json.dumps(asdict(progress))})
        if last.exists():
            os.replace(last, folder / PREVIOUS)


def go_on_from_best(folder: Path) -> int:
    """Make the best weights the last checkpoint, with an optimiser that begins anew; returns their step."""
    tensors, metadata = _read(folder / BEST)
    best = TrainingResult(**json.loads(metadata["best"]))
    progress = Progress(best.step, best.step, best=best, begun=best.step)
    network = {f"network.{name}": value for name, value in tensors.items()}
    with replacing(folder / LAST) as temporary:
        save_file(network, temporary, metadata={"progress": json.dumps(asdict(progress))})
    return best.step


def restore_state(folder: Path, state: TrainingState, announce: Callable[[str], None]) -> Progress:
    """Load the last checkpoint that can be read; without any, training begins at step 0.

    ``announce`` is told of one that cannot be read. Raises ``ValueError`` for a checkpoint of another
    network, and when none of those there can be read.
    """
    found = [path for path in (folder / LAST, folder / PREVIOUS) if path.exists()]
    problems = []
    for path in found:
        try:
            tensors, metadata = _read(path)
            progress = _progress(path, metadata)
        except ValueError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            announce(f"{problem}; going on from the checkpoint before, step {progress.step}")
        _restore(path, state, tensors)
        return progress
    if problems:
        raise ValueError(problems[0])
    return Progress()


def _progress(path: Path, metadata: Mapping[str, str]) -> Progress:
    try:
        fields = json.loads(metadata["progress"])
        best = fields.pop("best")
        return Progress(**fields, best=None if best is None else TrainingResult(**best))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}: not a checkpoint of this version of lamp") from None


def _restore(path: Path, state: TrainingState, tensors: Mapping[str, Tensor]) -> None:
    _load(path, state.network, _named(tensors, "network."))
    optimizer: dict[int, dict[str, Tensor]] = {}
    for key, value in _named(tensors, "optimizer.").items():
        number, name = key.split(".", 1)
        optimizer.setdefault(int(number), {})[name] = value
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": optimizer, "param_groups": groups})
    if state.average is not None:
        state.average.load(_named(tensors, "average.") or _named(tensors, "network."))


def _named(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a whole checkpoint ({error})") from None


def _load(path: Path, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    if misfit := first_misfit(network, tensors):
        raise ValueError(f"{path}: belongs to another network, {misfit} does not fit")
    network.load_state_dict(tensors)
