"""One training loop for every stage: optimiser, schedule, checkpoints, log, the best by validation.

A stage gives the network, its batches and its validation. Nothing random is saved: the batch and
the seed of step s are functions of (seed, s), so a run killed at any moment and resumed is
bit-identical to one that was not. Checkpoints are safetensors, never pickles.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..inference.precision import autocast
from ..model import distributed
from ..model.state import first_misfit
from ..storage import replacing
from .draws import drawn_ahead
from .log import LOG, TrainingLog

BEST, LAST = "best.safetensors", "last.safetensors"


@dataclass(frozen=True)
class TrainingConfig:
    """How one stage is trained, by AdamW.

    steps: optimiser steps.
    batch_size: windows, pairs or sentences per step, over all ranks.
    learning_rate: after the warm-up.
    final_learning_rate: at the last step.
    warmup_steps: steps in which the learning rate rises.
    weight_decay: AdamW's, for matrices only.
    betas: AdamW's.
    validate_every: steps between two validations, each of which writes a checkpoint.
    gradient_clip: largest norm of the gradient.
    """

    steps: int
    batch_size: int
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    weight_decay: float
    betas: tuple[float, float] = (0.9, 0.99)
    validate_every: int = 200
    gradient_clip: float = 1.0


class Stage(Protocol):
    """What the loop needs to know of a stage."""

    name: str
    figure: str
    larger_is_better: bool

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def draw(self, step: int) -> Any:
        """What all ranks learn from in this step: arrays and sentences, which another process may draw."""

    def batch(self, drawn: Any) -> tuple[Any, ...]:
        """Arguments of the network for this rank, of what was drawn for a step."""

    def validate(self) -> dict[str, float]:
        """Figures on the validation split; ``figure`` is the one that chooses the best."""


@dataclass(frozen=True)
class TrainingResult:
    """The validation figures of the best step."""

    step: int
    figures: dict[str, float]


Report = Callable[[int, dict[str, float] | None], None]


def train(
    stage: Stage,
    config: TrainingConfig,
    folder: Path,
    seed: int,
    device: torch.device,
    report: Report,
    workers: int = 0,
) -> TrainingResult:
    """Train a stage in ``folder``, going on from its checkpoint when there is one.

    Writes ``last.safetensors`` (weights and optimiser), ``best.safetensors`` (weights only) and
    ``log.jsonl``. On return the network holds the best weights. ``report(step, figures)`` is called
    after every step, and once more without figures when a validation begins. What steps learn from is drawn
    ahead by ``workers`` processes, and the same for any number of them. Raises ``ValueError`` for a
    checkpoint of another network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = stage.network.to(device)
    optimizer = _optimizer(network, config)
    step, best = _restore(folder / LAST, network, optimizer, device)
    log = TrainingLog(folder / LOG, step) if distributed.rank() == 0 else None
    parallel = _parallel(network, device)
    start_time, start_step = time.monotonic(), step
    for drawn in drawn_ahead(stage.draw, range(step, config.steps), workers):
        figures = _step(stage, drawn, parallel, optimizer, config, seed, step, device)
        step += 1
        figures["steps_per_second"] = (step - start_step) / (time.monotonic() - start_time)
        report(step, figures)
        if step % config.validate_every == 0 or step == config.steps:
            report(step, None)
            network.eval()
            with torch.no_grad():
                measured = stage.validate()
            network.train()
            improved = best is None or _better(stage, measured, best.figures)
            best = TrainingResult(step, measured) if best is None or improved else best
            if log is not None:
                log.write({"step": step, **figures, **{f"val_{k}": v for k, v in measured.items()}})
                if improved:
                    _save_weights(folder / BEST, network, best)
                _save(folder / LAST, network, optimizer, step, best)
    # The first rank alone writes: the others must not read before it has.
    distributed.barrier()
    return load_best_weights(folder / BEST, network)


def _better(stage: Stage, new: dict[str, float], old: dict[str, float]) -> bool:
    """Whether new figures are better; any number is better than NaN, which compares with nothing."""
    first, second = new[stage.figure], old[stage.figure]
    if math.isnan(first) or math.isnan(second):
        return math.isnan(second) and not math.isnan(first)
    return first > second if stage.larger_is_better else first < second


def _optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW without decay on biases and norms."""
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=config.learning_rate, betas=config.betas)


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up from 1e-6, then a cosine down to the final rate at the last step."""
    if step < config.warmup_steps:
        return 1e-6 + (config.learning_rate - 1e-6) * step / config.warmup_steps
    progress = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    spread = config.learning_rate - config.final_learning_rate
    return config.final_learning_rate + spread * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def _parallel(network: nn.Module, device: torch.device) -> nn.Module:
    if distributed.world_size() == 1:
        return network
    from torch.nn.parallel import DistributedDataParallel

    devices = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices, find_unused_parameters=True)


def _step(
    stage: Stage,
    drawn: Any,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    seed: int,
    step: int,
    device: torch.device,
) -> dict[str, float]:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(config, step)
    generator = torch.Generator().manual_seed(_mixed(seed, step, 0))
    # Dropout draws from torch's own stream and no other can be given to it: seed it for this step
    # only, apart on every rank, and leave the caller's stream as it was.
    with torch.random.fork_rng(devices=_cuda(device)):
        torch.manual_seed(_mixed(seed, step, 1 + distributed.rank()))
        with autocast(device):
            losses: dict[str, Tensor] = network(*stage.batch(drawn), generator)
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
    if not torch.isfinite(norm):
        raise FloatingPointError(f"{stage.name}: the loss is not finite at step {step}")
    optimizer.step()
    return {name: float(value.detach()) for name, value in losses.items()}


def _mixed(seed: int, step: int, stream: int) -> int:
    return (seed * 1_000_003 + step) * 64 + stream


def _cuda(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def _save_weights(path: Path, network: nn.Module, best: TrainingResult) -> None:
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"best": json.dumps(asdict(best))})


def _save(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, step: int, best: TrainingResult
) -> None:
    tensors = {f"network.{k}": v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"optimizer.{number}.{name}"] = value.detach().cpu().contiguous()
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"step": str(step), "best": json.dumps(asdict(best))})


def _restore(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[int, TrainingResult | None]:
    if not path.exists():
        return 0, None
    tensors, metadata = _read(path)
    _load(path, network, {k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".", 2)
            state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(metadata["step"]), TrainingResult(**json.loads(metadata["best"]))


def load_best_weights(path: Path, network: nn.Module) -> TrainingResult:
    """Load ``best.safetensors``; raises ``ValueError`` naming what does not fit."""
    tensors, metadata = _read(path)
    _load(path, network, tensors)
    return TrainingResult(**json.loads(metadata["best"]))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a whole checkpoint ({error})") from None


def _load(path: Path, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    if misfit := first_misfit(network, tensors):
        raise ValueError(f"{path}: belongs to another network, {misfit} does not fit")
    network.load_state_dict(tensors)
