"""One training loop for every stage: optimiser, schedule, checkpoints, log, the best by validation.

A stage gives the network, its batches and its validation. Nothing random is saved: the batch and
the seed of step s are functions of (seed, s), so a run killed at any moment and resumed is
bit-identical to one that was not. The state is saved at every validation, every two minutes, and on
Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..inference.precision import autocast, check_precision, in_precision
from ..model import distributed
from .averaging import WeightAverage
from .checkpoint import (
    BEST,
    TrainingResult,
    TrainingState,
    load_best_weights,
    restore_state,
    save_best,
    save_state,
)
from .compiled import COMPILES, NONE, compile_repeated_parts
from .draws import drawn_ahead
from .log import LOG, TrainingLog
from .stopping import StopSignals, TrainingStopped

AUTO = "auto"
# Of all other figures on the validation split a smaller one is better.
LARGER_IS_BETTER = frozenset({"mean_recall", "r_sum", "mrr", "masked_accuracy", "word_accuracy"})
SAVE_EVERY_SECONDS = 120.0
# Ranks agree on a stop this often: asking each other costs every rank a wait.
STEPS_BETWEEN_QUESTIONS = 10
# Of the clips of a batch whose loss is not finite, this many are named.
CLIPS_NAMED = 8


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
    accumulate: batches whose mean gradient one step follows, for batches that a device cannot hold at once.
        The pairs of a contrastive objective are told apart within each batch alone.
    average_decay: share of the averaged weights that a step keeps; the averaged weights are validated and
        kept. 0: the weights themselves.
    precision: of matrix products; auto is bf16 where the device computes faster in it, else fp32.
    select: figure on the validation split by which the best weights are kept, see ``training.selection``.
    compile: ``default`` compiles the blocks of the networks (``torch.compile``), for long runs on an
        accelerator: it joins what would otherwise be many small kernels. A resumed run is then the same but
        for rounding. ``none``, also because it does not pay on a CPU: a step of mini's generator takes as
        long, after half a minute of compiling.
    fused: AdamW's update is one pass over the weights instead of one for each of its operations, which on a
        CPU takes a fifth of the time; without, it is torch's plain one, which alone is used on MPS.
    read_every: steps from one reading of the losses to the next, to be shown and to find one that is not
        finite. To read, the processor waits for an accelerator, so that with 1 nothing is asked of it
        ahead. A CPU's are read at every step: there nothing waits.

    Raises ``ValueError`` for an ``accumulate``, ``average_decay``, ``precision``, ``compile`` or
    ``read_every`` out of range.
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
    accumulate: int = 1
    average_decay: float = 0.0
    precision: str = AUTO
    select: str = "loss"
    compile: str = NONE
    fused: bool = True
    read_every: int = 10

    def __post_init__(self) -> None:
        if self.compile not in COMPILES:
            raise ValueError(f"compile: expected {' or '.join(COMPILES)}, found {self.compile!r}")
        if self.accumulate < 1:
            raise ValueError(f"accumulate: expected at least 1 batch, found {self.accumulate}")
        if self.read_every < 1:
            raise ValueError(f"read_every: expected at least 1 step, found {self.read_every}")
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"average_decay: expected a share from 0, below 1, found {self.average_decay}")
        if self.precision != AUTO:
            check_precision(self.precision)


class Stage(Protocol):
    """What the loop needs to know of a stage."""

    name: str

    @property
    def network(self) -> nn.Module:
        """What is trained."""

    def draw(self, step: int) -> Any:
        """What all ranks learn from in this step: arrays and sentences, which another process may draw."""

    def names(self, step: int) -> Sequence[str]:
        """The clips or sentences of a step's draw, for an error to name."""

    def batch(self, drawn: Any) -> tuple[Any, ...]:
        """Arguments of the network for this rank, of what was drawn for a step."""

    def validate(self) -> dict[str, float]:
        """Figures on the validation split; ``TrainingConfig.select`` names the one that chooses the best."""


Report = Callable[[int, dict[str, float] | None], None]


def silent(message: str) -> None:
    """Announce nothing."""


def train(
    stage: Stage,
    config: TrainingConfig,
    folder: Path,
    seed: int,
    device: torch.device,
    report: Report,
    workers: int = 0,
    announce: Callable[[str], None] = silent,
    save_every: float = SAVE_EVERY_SECONDS,
) -> TrainingResult:
    """Train a stage in ``folder``, going on from its checkpoint when there is one.

    Writes the files of :mod:`lamp_cli.training.checkpoint` and ``log.jsonl``; the state every ``save_every``
    seconds, too. On return the network holds the best weights. ``report(step, figures)`` is called after
    every step, beside an accelerator every ``read_every``, and without figures when a validation begins;
    ``announce`` is told of a checkpoint that cannot be read. What steps learn from is drawn ahead by
    ``workers`` processes, and the same for any number of them. Raises ``ValueError`` for a checkpoint of
    another network, ``FloatingPointError`` naming the clips of a batch whose loss is not finite, and
    :class:`TrainingStopped` after a signal, when the state is saved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    training = _Training(stage, config, folder, seed, device, announce)
    begun = training.progress.step
    # Batches, not steps: a step may accumulate several.
    batches = range(begun * config.accumulate, config.steps * config.accumulate)
    draws = drawn_ahead(stage.draw, batches, workers)
    clock = _Clock(begun, save_every)
    with StopSignals() as signals:
        while True:
            step = training.progress.step
            if training.validation_is_due():
                training.read_figures()
                report(step, None)
                training.validate(signals)
                clock.saved()
            if step == config.steps:
                break
            if training.stop_is_asked_for(signals):
                training.save_and_stop()
            training.step(draws)
            if is_read(step + 1, config, device):
                figures = training.read_figures()
                report(step + 1, {**figures, "steps_per_second": clock.rate(step + 1)})
            if clock.is_time_to_save():
                training.save()
                clock.saved()
    # The first rank alone writes: the others must not read before it has.
    distributed.barrier()
    return load_best_weights(folder / BEST, training.network)


class _Clock:
    """When to save, and how fast steps are."""

    def __init__(self, first_step: int, save_every: float):
        self._first_step, self._save_every = first_step, save_every
        self._start = self._saved = time.monotonic()

    def rate(self, step: int) -> float:
        """Steps per second since the beginning."""
        return (step - self._first_step) / (time.monotonic() - self._start)

    def is_time_to_save(self) -> bool:
        return time.monotonic() - self._saved >= self._save_every

    def saved(self) -> None:
        self._saved = time.monotonic()


class _Training:
    """A stage, its optimiser and averaged weights, and where they are."""

    def __init__(
        self,
        stage: Stage,
        config: TrainingConfig,
        folder: Path,
        seed: int,
        device: torch.device,
        announce: Callable[[str], None],
    ):
        self._stage, self._config, self._folder = stage, config, folder
        self._seed, self._device = seed, device
        self.network = stage.network.to(device)
        self._optimizer = _optimizer(self.network, config, device)
        self._average = WeightAverage(self.network, config.average_decay) if config.average_decay else None
        self._state = TrainingState(self.network, self._optimizer, self._average)
        self.progress = restore_state(folder, self._state, announce)
        if self.progress.step > config.steps:
            raise ValueError(too_few_steps(stage.name, self.progress.step))
        if config.compile != NONE:
            compile_repeated_parts(self.network)
        self._parallel = _parallel(self.network, device)
        self._log = TrainingLog(folder / LOG, self.progress.step) if distributed.rank() == 0 else None
        self._losses: dict[str, Tensor] = {}
        # On the device, so that no step waits for it; -1 while every loss was finite.
        self._not_finite = torch.full((), -1, dtype=torch.long, device=device)

    def validation_is_due(self) -> bool:
        """Whether the last step is one to validate and was not."""
        step = self.progress.step
        due = step and (step % self._config.validate_every == 0 or step == self._config.steps)
        return bool(due) and self.progress.validated < step

    def step(self, draws: Iterator[Any]) -> None:
        """One optimiser step on the mean gradient of ``accumulate`` batches."""
        config, step = self._config, self.progress.step
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(config, step, self.progress.begun)
        self._optimizer.zero_grad(set_to_none=True)
        several = []
        for number, drawn in enumerate(itertools.islice(draws, config.accumulate)):
            last = number == config.accumulate - 1
            several.append(self._accumulate(drawn, step * config.accumulate + number, last))
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_clip)
        first = ~torch.isfinite(norm) & (self._not_finite < 0)
        self._not_finite = torch.where(first, step, self._not_finite)
        self._optimizer.step()
        if self._average is not None:
            self._average.update()
        self._losses = {name: _mean([each[name] for each in several]) for name in several[0]}
        self.progress = replace(self.progress, step=step + 1)

    def _accumulate(self, drawn: Any, number: int, last: bool) -> dict[str, Tensor]:
        """Add the gradient of one batch; gradients of ranks are exchanged with the ``last`` one."""
        generator = torch.Generator().manual_seed(_mixed(self._seed, number, 0))
        devices = [self._device] if self._device.type == "cuda" else []
        # Dropout draws from torch's own stream and no other can be given to it: seed it for this batch
        # only, apart on every rank, and leave the caller's stream as it was.
        with self._exchanging(last), torch.random.fork_rng(devices):
            torch.manual_seed(_mixed(self._seed, number, 1 + distributed.rank()))
            with self._autocast():
                losses: dict[str, Tensor] = self._parallel(*self._stage.batch(drawn), generator)
            loss = losses["loss"]
            (loss if self._config.accumulate == 1 else loss / self._config.accumulate).backward()
        return {name: value.detach() for name, value in losses.items()}

    def _autocast(self) -> torch.autocast:
        precision = self._config.precision
        return autocast(self._device) if precision == AUTO else in_precision(precision, self._device)

    def _exchanging(self, exchange: bool) -> AbstractContextManager[Any]:
        """Within the block gradients are exchanged between ranks, or not yet."""
        if exchange or not isinstance(self._parallel, DistributedDataParallel):
            return nullcontext()
        return self._parallel.no_sync()

    def read_figures(self) -> dict[str, float]:
        """The figures of the last step; raises ``FloatingPointError`` when a loss was not finite."""
        if self._losses:
            figures = {name: float(value) for name, value in self._losses.items()}
            self.progress, self._losses = replace(self.progress, figures=figures), {}
        if (step := int(self._not_finite)) >= 0:
            raise FloatingPointError(self._not_finite_message(step))
        return self.progress.figures

    def _not_finite_message(self, step: int) -> str:
        accumulate = self._config.accumulate
        names = [n for k in range(accumulate) for n in self._stage.names(step * accumulate + k)]
        more = f" and {len(names) - CLIPS_NAMED} more" if len(names) > CLIPS_NAMED else ""
        return (
            f"{self._stage.name}: the loss is not finite at step {step + 1}, of "
            f"{', '.join(names[:CLIPS_NAMED])}{more}; the last checkpoint, in {self._folder}, is from before"
        )

    def validate(self, signals: StopSignals) -> None:
        """Validate the last step, log it, keep the best, save; a signal meanwhile saves and stops."""
        try:
            with signals.at_once():
                measured = self._measured()
        except KeyboardInterrupt:
            self.save_and_stop()
        step, best = self.progress.step, self.progress.best
        improved = best is None or _better(self._config.select, measured, best.figures)
        best = TrainingResult(step, measured) if improved else best
        self.progress = replace(self.progress, validated=step, best=best)
        if self._log is None:
            return
        validation = {f"val_{name}": value for name, value in measured.items()}
        self._log.write({"step": step, **self.progress.figures, **validation})
        if improved:
            assert best is not None
            with self._averaged():
                save_best(self._folder / BEST, self.network, best)
        save_state(self._folder, self._state, self.progress)

    def _measured(self) -> dict[str, float]:
        self.network.eval()
        try:
            # Every rank measures all clips: gathered batches would hold each clip once for every rank.
            with self._averaged(), torch.no_grad(), distributed.alone():
                return self._stage.validate()
        finally:
            self.network.train()

    def _averaged(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._average is None else self._average.in_place()

    def save(self) -> None:
        """Write the state after the last step, which must have been finite."""
        self.read_figures()
        if distributed.rank() == 0:
            save_state(self._folder, self._state, self.progress)

    def stop_is_asked_for(self, signals: StopSignals) -> bool:
        """Whether a signal has come, to any rank."""
        if distributed.world_size() == 1:
            return signals.received
        if self.progress.step % STEPS_BETWEEN_QUESTIONS:
            return False
        asked = torch.tensor(int(signals.received), device=self._device)
        return bool(distributed.sum_over_ranks(asked))

    def save_and_stop(self) -> NoReturn:
        """Save, and raise ``TrainingStopped``."""
        self.save()
        raise TrainingStopped(self._stage.name, self.progress.step)


def is_read(step: int, config: TrainingConfig, device: torch.device) -> bool:
    """Whether the figures of this step, counted from 1, are read."""
    return device.type == "cpu" or step % config.read_every == 0


def too_few_steps(stage: str, done: int) -> str:
    """Why a stage of which so many steps are ``done`` cannot be trained for fewer."""
    return f"{stage}: {done} steps are done; expected --steps {stage}={done} or more, or another --output"


def _mean(values: Sequence[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(list(values)).float().mean()


def _better(figure: str, new: dict[str, float], old: dict[str, float]) -> bool:
    """Whether a figure is better than it was; any number is better than NaN, which compares with nothing."""
    first, second = new[figure], old[figure]
    if math.isnan(first) or math.isnan(second):
        return math.isnan(second) and not math.isnan(first)
    return first > second if figure in LARGER_IS_BETTER else first < second


def _optimizer(network: nn.Module, config: TrainingConfig, device: torch.device) -> torch.optim.Optimizer:
    """AdamW without decay on biases and norms."""
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = config.fused and device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=fused)


def learning_rate(config: TrainingConfig, step: int, begun: int = 0) -> float:
    """Linear warm-up from 1e-6, then a cosine down to the final rate at the last step.

    An optimiser that was ``begun`` anew at a later step warms up from there to what the cosine says.
    """
    if begun and step - begun < config.warmup_steps:
        share = (step - begun) / config.warmup_steps
        return 1e-6 + (learning_rate(config, step) - 1e-6) * share
    if step < config.warmup_steps:
        return 1e-6 + (config.learning_rate - 1e-6) * step / config.warmup_steps
    progress = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    spread = config.learning_rate - config.final_learning_rate
    return config.final_learning_rate + spread * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def _parallel(network: nn.Module, device: torch.device) -> nn.Module:
    if distributed.world_size() == 1:
        return network
    devices = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices, find_unused_parameters=True)


def _mixed(seed: int, step: int, stream: int) -> int:
    return (seed * 1_000_003 + step) * 64 + stream
