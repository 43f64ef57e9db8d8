"""How long a run will take: the steps of every stage, and what is left of them by the rate of one."""

from __future__ import annotations

from .experiment import CAPTIONER, CORE, LANGUAGE, Experiment
from .options import PretrainOptions
from .stages.evaluator import EVALUATOR

# Work of a step in relation to the tokenizer's, roughly the same in every size.
STEP_WORK = {EVALUATOR: 1.0, "tokenizer": 1.0, "lamp": 4.0, "generator": 1.2, LANGUAGE: 0.2, CAPTIONER: 1.7}


def planned_steps(options: PretrainOptions, experiment: Experiment) -> dict[str, int]:
    """Optimiser steps of every stage that a call trains, in their order, as if none was begun yet."""
    # A language model and the captioner of a bundle know their language.
    learns_language = experiment.captioner.language_model is None and options.start_from is None
    stages = {*options.stages, *((LANGUAGE,) if CAPTIONER in options.stages and learns_language else ())}
    every = (EVALUATOR, *CORE, LANGUAGE, CAPTIONER)
    return {name: experiment.training.of(name).steps for name in every if name in stages}


def seconds_left(planned: dict[str, int], stage: str, step: int, seconds_per_step: float) -> dict[str, float]:
    """Seconds that ``stage``, now at ``step``, and each stage after it will take at its rate."""
    names = list(planned)
    later = names[names.index(stage) + 1 :] if stage in planned else []
    unit = seconds_per_step / STEP_WORK[stage]
    left = {stage: (planned.get(stage, step) - step) * seconds_per_step}
    return left | {name: planned[name] * STEP_WORK[name] * unit for name in later}
