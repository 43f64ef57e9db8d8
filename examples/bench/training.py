"""Training: ``python -m examples.bench.training --data DATA [--beside CHECKOUT] [--steps 6] [--set F=V]``.

Processor seconds per step of every stage, with what is drawn, the frozen networks and the optimiser; and of
all steps of the size. ``--beside`` trains by another version in turn, so that ratios mean something: of the
processor's own seconds other programs take less than of the clock's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training.experiment_files import read_experiment, settings_from

STAGES = ("tokenizer", "lamp", "generator", "language", "captioner")
# Every stage has an optimiser of its own; all versions have the command line. Prints times of steps by stage.
TIMED = """
import json, sys, time
from torch.optim.optimizer import register_optimizer_step_post_hook
from lamp_cli.cli.app import main

stages = []

def note(optimizer, *arguments):
    if not stages or stages[-1][0] is not optimizer:
        stages.append((optimizer, []))
    stages[-1][1].append(time.process_time())

register_optimizer_step_post_hook(note)
try:
    main(sys.argv[1:])
finally:
    print(json.dumps([times for _, times in stages]))
"""


def seconds_of_steps(
    data: Path, steps: int, options: Sequence[str] = (), checkout: Path | None = None
) -> dict[str, list[float]]:
    """Processor seconds of every step by stage; the first one, which warms up, is left out.

    ``options`` are those of ``lamp pretrain``, by this version or by that in another ``checkout``. Raises
    ``RuntimeError`` where it fails.
    """
    counts = [
        word
        for stage in STAGES
        for name in ("--steps", "--validate-every")
        for word in (name, f"{stage}={steps}")
    ]
    root = checkout or Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root.resolve())}
    with tempfile.TemporaryDirectory() as folder:
        output = ["--data", str(data.resolve()), "--output", f"{folder}/bundle", "--device", "cpu"]
        call = [sys.executable, "-c", TIMED, "pretrain", *output, *counts, *options]
        done = subprocess.run(call, capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{root}: {done.stderr.strip()}")
    times = json.loads(done.stdout.splitlines()[-1])
    return {
        stage: [after - before for before, after in itertools.pairwise(each)]
        for stage, each in zip(STAGES, times, strict=True)
    }


def in_turn(
    data: Path, steps: int, rounds: int, options: Sequence[str], own: Sequence[str], beside: Path | None
) -> list[dict[str, float]]:
    """Median processor seconds of a step by stage, of this version and of that ``beside`` it, if any.

    The ``own`` options are for this version alone.
    """
    versions: list[tuple[Sequence[str], Path | None]] = [([*options, *own], None)]
    if beside is not None:
        versions.append((options, beside))
    found: list[dict[str, list[float]]] = [{stage: [] for stage in STAGES} for _ in versions]
    for _ in range(rounds):
        for (given, checkout), times in zip(versions, found, strict=True):
            for stage, several in seconds_of_steps(data, steps, given, checkout).items():
                times[stage] += several
    return [{stage: statistics.median(each) for stage, each in times.items()} for times in found]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line a stage, and one of all steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data set in the HumanML3D layout")
    parser.add_argument("--beside", type=Path, help="folder of another version, which trains in turn")
    parser.add_argument("--size", help="size of the networks; mini when not given")
    parser.add_argument("--config", type=Path, help="experiment, a .toml file, of this version alone")
    parser.add_argument("--set", action="append", default=[], help="a field of it, of this version alone")
    parser.add_argument("--steps", type=int, default=6, help="steps of every stage")
    parser.add_argument("--rounds", type=int, default=2, help="trainings by each version")
    asked = parser.parse_args(arguments)
    size = [] if asked.size is None else ["--size", asked.size]
    own = [word for setting in asked.set for word in ("--set", setting)]
    if asked.config is not None:
        own += ["--config", str(asked.config.resolve())]
    found = in_turn(asked.data, asked.steps, asked.rounds, size, own, asked.beside)
    experiment = read_experiment(asked.size, asked.config, settings_from(asked.set), HUMANML3D)
    for stage in STAGES:
        print(_line(stage, [each[stage] for each in found], "s of the processor a step"))
    hours = [
        sum(experiment.training.of(stage).steps * each[stage] for stage in STAGES) / 3600 for each in found
    ]
    print(_line("all steps", hours, "hours of the processor"))


def _line(name: str, figures: Sequence[float], unit: str) -> str:
    line = f"{name:12s} {figures[0]:8.3f} {unit}"
    beside = (f"; the other {other:.3f}, {other / figures[0]:.2f} times as many" for other in figures[1:])
    return line + "".join(beside)


if __name__ == "__main__":
    main()
