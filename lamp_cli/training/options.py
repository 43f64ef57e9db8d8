"""What decides a pretraining run, and what it reports; shared by the stages' own files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..data.layout import ReadReport
from ..model.captioner import LanguageModelConfig
from .loop import TrainingConfig, TrainingResult
from .sizes import STAGES

Report = Callable[[str, int, int, dict[str, float]], None]


@dataclass(frozen=True)
class PretrainOptions:
    """Everything that decides a run; ``steps``, ``batch_sizes``, ``learning_rates`` (the highest) and
    ``validate_every`` (steps from one validation to the next) replace the size's own by stage.

    ``captions`` is a file of sentences without motions: the vocabulary holds their words, LaMP learns from
    those of one JSON line that they say the same, and the embedded decoder learns its language from them.
    ``language_model`` stands in that decoder's place. ``start_from`` is a bundle whose networks, vocabulary
    and statistics the run goes on with: what is not among ``stages`` stays as it is there, and an embedded
    decoder that it has knows its language already. Of networks of other sizes, what fits is taken over. With
    ``renew_text`` the vocabulary is chosen anew from this corpus's sentences, and LaMP's text side and the
    captioner begin anew with it. With ``keep_text`` LaMP's text transformer learns nothing, so that a
    generator that reads its words stays as it is in the bundle. ``workers`` processes draw what the steps
    learn from, ahead of them; they decide nothing of the result.
    """

    size: str = "mini"
    stages: tuple[str, ...] = STAGES
    seed: int = 0
    text_encoder: Path | None = None
    steps: dict[str, int] = field(default_factory=dict)
    batch_sizes: dict[str, int] = field(default_factory=dict)
    learning_rates: dict[str, float] = field(default_factory=dict)
    validate_every: dict[str, int] = field(default_factory=dict)
    objectives_off: tuple[str, ...] = ()
    bidirectional: bool = False
    word_vectors: Path | None = None
    captions: Path | None = None
    language_model: LanguageModelConfig | None = None
    start_from: str | None = None
    renew_text: bool = False
    keep_text: bool = False
    workers: int = 0


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
