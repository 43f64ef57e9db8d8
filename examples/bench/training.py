"""Training: ``python -m examples.bench.training --data DATA [--size SIZE] [--config FILE] [--steps 6]``.

Processor seconds per step of every stage, with what is drawn, the frozen networks and the optimiser. Run it
in two checkouts in turn to compare them: of the processor's own seconds other programs take less.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import torch

from lamp_cli.training.options import PretrainOptions
from lamp_cli.training.pretrain import pretrain

STAGES = ("tokenizer", "lamp", "generator", "language", "captioner")


def seconds_per_step(
    data: Path, steps: int, size: str | None = None, config: Path | None = None
) -> dict[str, float]:
    """Median processor seconds of a step by stage; the first one, which warms up, is left out.

    ``size`` and ``config`` are those of ``lamp pretrain``.
    """
    times: dict[str, list[float]] = {}

    def report(stage: str, step: int, of: int, figures: dict[str, float] | None) -> None:
        if figures is not None:
            times.setdefault(stage, []).append(time.process_time())

    fields = ("steps", "validate_every")
    settings = {f"training.{stage}.{name}": steps for stage in STAGES for name in fields}
    with tempfile.TemporaryDirectory() as folder:
        options = PretrainOptions(size=size, config=config, settings=settings)
        pretrain(data, Path(folder) / "bundle", options, torch.device("cpu"), report)
    return {
        stage: statistics.median(after - before for before, after in itertools.pairwise(each))
        for stage, each in times.items()
    }


def main() -> None:
    """Print a line a stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data set in the HumanML3D layout")
    parser.add_argument("--size", help="size of the networks; mini when not given")
    parser.add_argument("--config", type=Path, help="experiment, a .toml file")
    parser.add_argument("--steps", type=int, default=6, help="steps of every stage")
    options = parser.parse_args()
    figures = seconds_per_step(options.data, options.steps, options.size, options.config)
    for stage, seconds in figures.items():
        print(f"{stage:12s} {seconds:8.3f} s of the processor a step")


if __name__ == "__main__":
    main()
