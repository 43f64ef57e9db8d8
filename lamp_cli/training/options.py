"""What decides a pretraining run, and what it reports; shared by the stages' own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..data.layout import ReadReport
from .checkpoint import TrainingResult
from .experiment import STAGES, Experiment
from .loop import silent
from .selection import MotionJudge

Report = Callable[[str, int, int, dict[str, float] | None], None]


@dataclass(frozen=True)
class PretrainOptions:
    """Everything that decides a run; its networks and their training are an ``Experiment``.

    size: a name of ``experiment_files.SIZES``; None for that of ``config``, else mini.
    config: file of an experiment.
    settings: single fields of the experiment by their dotted names.
    stages: what is trained by this call; the others must be finished, or come from ``start_from``.
    seed: of everything random.
    text_encoder: what LaMP's text side starts from, see ``bundle.text_encoder.find_text_encoder``; ``auto``
        is the experiment's.
    word_vectors: folder of GloVe's our_vab files, for the evaluator.
    captions: file of sentences without motions: the vocabulary holds their words, LaMP learns from those of
        one JSON line that they say the same, and the captioner's decoder learns its language from them.
    start_from: bundle whose networks, vocabulary and statistics the run goes on with; of networks of other
        sizes what fits is taken over, of a bundle of another skeleton LaMP. Or a tokenizer's folder.
    anew: stages whose networks are drawn anew, although ``start_from`` has them.
    workers: processes that draw batches ahead; they decide nothing of the result.
    """

    size: str | None = None
    config: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[str, ...] = STAGES
    seed: int = 0
    text_encoder: str = "auto"
    word_vectors: Path | None = None
    captions: Path | None = None
    start_from: str | None = None
    anew: tuple[str, ...] = ()
    workers: int = 0


@dataclass(frozen=True)
class RunContext:
    """What every stage of a call of ``pretrain`` needs beside its data and networks.

    options: what decides the run.
    experiment: the networks and their training, as the options say.
    device: where it computes.
    report: called with stage, step, all steps and figures after every step (beside an accelerator once a
        second), and with None in the figures' place when the validation after a step begins.
    announce: called with a line that a user should know.
    judge: evaluator of FID, where a stage's best weights are chosen by it.
    """

    options: PretrainOptions
    experiment: Experiment
    device: torch.device
    report: Report
    announce: Callable[[str], None] = silent
    judge: MotionJudge | None = None

    def announce_skipped(self, read: Mapping[str, ReadReport]) -> None:
        """Say of every split how many clips are left out and why."""
        for split, report in read.items():
            for reason, count in report.reasons().items():
                self.announce(f"{split}: skipped {count} clips: {reason}")


@dataclass(frozen=True)
class PretrainReport:
    """What was trained, by stage, and which clips were read.

    ``changed`` are the networks that are of another kind than those of the bundle to start from.
    """

    results: dict[str, TrainingResult]
    read: dict[str, ReadReport]
    changed: tuple[str, ...] = ()
