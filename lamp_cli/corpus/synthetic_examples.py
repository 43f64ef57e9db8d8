"""Synthetic clips as examples of a data set, with what is true of each in ``truth/``.

    truth/NAME.json   action, side, count, direction ... as the generator knows them

Clip n depends on (seed, n) alone: a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..motion.skeleton import HUMANML3D
from ..storage import write_json
from .examples import Written, frames_written, write_example
from .wording.people import PeoplesSentences

FOLDER = "truth"
# Of 40 clips one is for validation and one for testing.
HELD_OUT = {0: "val", 1: "test"}
CLIPS_PER_JOB = 32
PEOPLES_CAPTIONS = 2


@dataclass(frozen=True)
class SyntheticJob:
    """Clips ``first``..``last`` (without it) of the corpus of a seed, to be written to ``output``.

    Of ``people``'s sentences those that are true of a clip join its own.
    """

    first: int
    last: int
    seed: int
    output: Path
    people: PeoplesSentences


def synthetic_jobs(count: int, seed: int, output: Path, people: PeoplesSentences) -> list[SyntheticJob]:
    """Jobs for ``count`` clips."""
    begins = range(0, count, CLIPS_PER_JOB)
    return [SyntheticJob(n, min(n + CLIPS_PER_JOB, count), seed, output, people) for n in begins]


def write_synthetic(job: SyntheticJob) -> list[Written]:
    """Write the clips of a job; one that is already there is only counted."""
    return [_write(number, job) for number in range(job.first, job.last)]


def _write(number: int, job: SyntheticJob) -> Written:
    name, split = f"S{number:06d}", HELD_OUT.get(number % 40, "train")
    frames = frames_written(name, job.output)
    if frames is not None:
        lines = (job.output / "texts" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        return Written(name, split, frames, len(lines))
    from .synthetic import numbered_clip

    clip = numbered_clip(job.seed, number)
    write_json(job.output / FOLDER / f"{name}.json", clip.truth)
    people = job.people.held_out(split != "train")
    fitting = people.fitting(clip.truth, PEOPLES_CAPTIONS, np.random.default_rng([job.seed, number, 1]))
    captions = clip.captions + fitting
    write_example(name, clip.joints, captions, HUMANML3D, job.output)
    return Written(name, split, len(clip.joints) - 1, len(captions))


def read_truth(data: Path, name: str) -> dict[str, Any] | None:
    """What is true of a clip of a data set; None for a clip that is not synthetic."""
    path = data / FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
