"""Recombined clips as examples of a data set, with where each comes from in ``truth/``.

    truth/R000000.json   recombined (the kind), sources (names of the real clips), mirrored, ...

Clip n depends on the real clips, the seed and n alone: a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ...motion.skeleton import HUMANML3D
from ...storage import write_json
from ...synthetic.corpus import RealClip, Recombiner
from ..examples import WrittenExample, write_example, written_example
from .synthetic import FOLDER, read_truth

CLIPS_PER_JOB = 32
# Reading the captions costs each job the same, so that there are few of them.
JOBS_PER_WORKER = 4


@dataclass(frozen=True)
class RecombinationJob:
    """Clips ``first``..``last`` (without it) made of ``sources`` by a seed, to be written to ``output``."""

    first: int
    last: int
    seed: int
    mirrored: bool
    sources: tuple[RealClip, ...]
    output: Path


def recombination_jobs(
    count: int, seed: int, mirrored: bool, sources: list[RealClip], output: Path, workers: int
) -> list[RecombinationJob]:
    """Jobs for ``count`` clips; raises ``ValueError`` when ``sources`` hold nothing to make them of."""
    if not count:
        return []
    if not any(source.captions for source in sources):
        raise ValueError("recombining needs captioned clips in the training split, found none")
    size = max(CLIPS_PER_JOB, math.ceil(count / (JOBS_PER_WORKER * workers)))
    every = tuple(sources)
    begins = range(0, count, size)
    return [RecombinationJob(n, min(n + size, count), seed, mirrored, every, output) for n in begins]


def write_recombined(job: RecombinationJob) -> list[tuple[WrittenExample, str]]:
    """Write the clips of a job and return them with their kinds; one that is there is only counted."""
    found = {number: _already_there(f"R{number:06d}", job) for number in range(job.first, job.last)}
    missing = [number for number, written in found.items() if written is None]
    if missing:
        recombiner = Recombiner(job.sources, job.mirrored)
        found |= {number: _write(number, recombiner, job) for number in missing}
    return [written for written in found.values() if written is not None]


def _already_there(name: str, job: RecombinationJob) -> tuple[WrittenExample, str] | None:
    written, truth = written_example(name, job.output, "train"), read_truth(job.output, name)
    return None if written is None or truth is None else (written, truth["recombined"])


def _write(number: int, recombiner: Recombiner, job: RecombinationJob) -> tuple[WrittenExample, str]:
    name = f"R{number:06d}"
    clip = recombiner.clip(job.seed, number)
    if clip is None:
        return WrittenExample(name, "train", 0, reason="no real clips that match"), ""
    write_json(job.output / FOLDER / f"{name}.json", clip.provenance)
    written = write_example(name, clip.joints, clip.captions, HUMANML3D, job.output, "train")
    return written, clip.provenance["recombined"]
