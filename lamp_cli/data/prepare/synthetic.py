"""Synthetic clips as examples of a data set, with what is true of each in ``truth/``.

    truth/NAME.json      action, side, count, direction ... as the generator knows them
    wordings/NAME.txt    further sentences of training clips, for the networks that must understand people
    parts/NAME.txt       sentences about one of several actions in a row, with its seconds

Clip n depends on (seed, n) alone: a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...motion.skeleton import HUMANML3D
from ...storage import write_json, write_text
from ...synthetic.corpus import PeoplesSentences, further_wordings, numbered_clip
from ..captions import Caption, format_captions
from ..examples import WrittenExample, write_example, written_example
from ..layout import PARTS, TAG_FPS, WORDINGS

FOLDER = "truth"
WORDINGS_PER_CLIP = 6
WORDINGS_PER_PART = 3
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


def write_synthetic(job: SyntheticJob) -> list[WrittenExample]:
    """Write the clips of a job; one that is already there is only counted."""
    return [_write(number, job) for number in range(job.first, job.last)]


def _write(number: int, job: SyntheticJob) -> WrittenExample:
    name, split = f"S{number:06d}", HELD_OUT.get(number % 40, "train")
    written = written_example(name, job.output, split)
    if written is not None:
        if split == "train" and not (job.output / WORDINGS / f"{name}.txt").is_file():
            write_wordings(number, read_truth(job.output, name) or {}, job.seed, job.output)
        return written
    clip = numbered_clip(job.seed, number)
    write_json(job.output / FOLDER / f"{name}.json", clip.truth)
    if split == "train":
        write_wordings(number, clip.truth, job.seed, job.output)
    people = job.people.held_out(split != "train")
    fitting = people.fitting(clip.truth, PEOPLES_CAPTIONS, np.random.default_rng([job.seed, number, 1]))
    return write_example(name, clip.joints, clip.captions + fitting, HUMANML3D, job.output, split)


def write_wordings(number: int, truth: Mapping[str, Any], seed: int, output: Path) -> None:
    """Write the further sentences of clip ``number``, and those about its parts."""
    rng = np.random.default_rng([seed, number, 2])
    sentences = further_wordings(truth, WORDINGS_PER_CLIP, rng)
    if "parts" in truth:
        write_text(output / PARTS / f"S{number:06d}.txt", format_captions(_of_parts(truth["parts"], rng)))
    # Last: a clip that has this file is complete.
    write_text(output / WORDINGS / f"S{number:06d}.txt", "".join(f"{text}\n" for text in sentences))


def _of_parts(parts: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> list[Caption]:
    return [
        Caption(text, (), part["start"] / TAG_FPS, part["end"] / TAG_FPS)
        for part in parts
        for text in further_wordings(part, WORDINGS_PER_PART, rng)
    ]


def read_truth(data: Path, name: str) -> dict[str, Any] | None:
    """What is true of a clip of a data set; None for a clip that is not synthetic."""
    path = data / FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
