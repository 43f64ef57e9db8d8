"""What decides a pretraining run, and what it reports; shared by the stages' own files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..data.layout import ReadReport
from ..model.captioner import LanguageModelConfig
from .checkpoint import TrainingResult
from .loop import TrainingConfig, silent
from .sizes import STAGES

Report = Callable[[str, int, int, dict[str, float] | None], None]


@dataclass(frozen=True)
class PretrainOptions:
    """Everything that decides a run. Fields by stage replace what its size says of that stage.

    size: networks and training, a name of ``sizes.SIZES``.
    stages: what is trained by this call; the others must be finished, or come from ``start_from``.
    seed: of everything random.
    text_encoder: what LaMP's text side starts from, see ``bundle.text_encoder.find_text_encoder``.
    steps: optimiser steps, by stage.
    batch_sizes: windows, pairs or sentences per step over all processes, by stage.
    learning_rates: after the warm-up, by stage.
    validate_every: steps between two validations and checkpoints, by stage.
    objectives_off: LaMP's objectives to leave out.
    bidirectional: the generator sees later tokens too (the paper's ablation).
    condition: what of a sentence the generator is told, as ``bundle.sentence_encoder.parse_condition`` takes
        it; None as the size says.
    word_vectors: folder of GloVe's our_vab files, for the evaluator.
    captions: file of sentences without motions: the vocabulary holds their words, LaMP learns from those of
        one JSON line that they say the same, and the captioner's decoder learns its language from them.
    language_model: stands in the place of the captioner's own decoder.
    start_from: bundle whose networks, vocabulary and statistics the run goes on with; of networks of other
        sizes what fits is taken over, of a bundle of another skeleton LaMP.
    anew: stages whose networks are drawn anew, although ``start_from`` has them.
    workers: processes that draw batches ahead; they decide nothing of the result.
    """

    size: str = "mini"
    stages: tuple[str, ...] = STAGES
    seed: int = 0
    text_encoder: str = "auto"
    steps: dict[str, int] = field(default_factory=dict)
    batch_sizes: dict[str, int] = field(default_factory=dict)
    learning_rates: dict[str, float] = field(default_factory=dict)
    validate_every: dict[str, int] = field(default_factory=dict)
    objectives_off: tuple[str, ...] = ()
    bidirectional: bool = False
    condition: str | None = None
    word_vectors: Path | None = None
    captions: Path | None = None
    language_model: LanguageModelConfig | None = None
    start_from: str | None = None
    anew: tuple[str, ...] = ()
    workers: int = 0


@dataclass(frozen=True)
class RunContext:
    """What every stage of a call of ``pretrain`` needs beside its data and networks.

    options: what decides the run.
    device: where it computes.
    report: called with stage, step, all steps and figures after every step (beside an accelerator once a
        second), and with None in the figures' place when the validation after a step begins.
    announce: called with a line that a user should know.
    """

    options: PretrainOptions
    device: torch.device
    report: Report
    announce: Callable[[str], None] = silent


@dataclass(frozen=True)
class PretrainReport:
    """What was trained, by stage, and which clips were read.

    ``changed`` are the networks that are of another kind than those of the bundle to start from.
    """

    results: dict[str, TrainingResult]
    read: dict[str, ReadReport]
    changed: tuple[str, ...] = ()


def with_overrides(stage: str, config: TrainingConfig, options: PretrainOptions) -> TrainingConfig:
    """How a stage is trained: as its size says, but for what the options replace."""
    steps = options.steps.get(stage, config.steps)
    warmup = min(config.warmup_steps, steps // 10)
    return dataclasses.replace(
        config,
        steps=steps,
        warmup_steps=warmup,
        batch_size=options.batch_sizes.get(stage, config.batch_size),
        learning_rate=options.learning_rates.get(stage, config.learning_rate),
        validate_every=options.validate_every.get(stage, config.validate_every),
    )
