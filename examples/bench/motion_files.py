"""Motion files in and out: ``python -m examples.bench.motion_files FOLDER [--truth FILE.npz ...]``.

Prints a table with a row for every file of a folder and every format: read, and written and read back. The
error of reading is the distance, in millimetres, to the true joints where an archive of ``--truth`` has the
take (integers in millimetres or metres at 20 frames per second, under a name that the file's ends with); that
of a round trip the distance to the motion that was written. An AMASS archive is read once more by its SMPL
poses alone, as other programs do, on a body of the usual bones.

Means over joints and frames: as the file lies, and as well as it can be laid over the truth by moving it as a
whole and by up to two frames. Last how much bones differ in length: a file of another body than the truth's,
as one that was retargeted to a figure (Daz's has the same bones in every take), cannot come nearer than that.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamp_cli.files.load import MOTION_SUFFIXES, load_motion
from lamp_cli.files.smpl import JOINTS, JOINTS_OF
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.plausibility import bone_lengths
from lamp_cli.motion.skeleton import HUMANML3D, Skeleton
from lamp_cli.motion.transform import resample

WRITTEN = (".bvh", ".glb", ".npz", ".npy")
MOST_SHIFT = 2


@dataclass(frozen=True)
class Row:
    """A line of the table; errors and differences of bones in millimetres, None where there is no truth."""

    sample: str
    format: str
    direction: str
    error: float | None
    laid_over: float | None
    bones: float | None
    seconds: float

    def __str__(self) -> str:
        figures = (self.error, self.laid_over, self.bones)
        errors = ("" if value is None else f"{value:.1f}" for value in figures)
        cells = (self.sample, self.format, self.direction, *errors, f"{self.seconds:.3f}")
        return f"| {' | '.join(cells)} |"


def distances(joints: np.ndarray, truth: np.ndarray, skeleton: Skeleton) -> tuple[float, float, float]:
    """Mean distance (mm) of joints (T, J, 3) from the truth, as they lie and laid over it; and of bones."""
    found = []
    for shift in range(-MOST_SHIFT, MOST_SHIFT + 1):
        first, second = joints[max(shift, 0) :], truth[max(-shift, 0) :]
        frames = min(len(first), len(second))
        gap = first[:frames] - second[:frames]
        centred = gap - gap.mean((0, 1))
        found.append((np.linalg.norm(centred, axis=-1).mean(), np.linalg.norm(gap, axis=-1).mean(), shift))
    as_it_lies = next(gap for _, gap, shift in found if shift == 0)
    lengths = [np.median(bone_lengths(each, skeleton), axis=0) for each in (joints, truth)]
    bones = np.abs(lengths[0] - lengths[1]).mean()
    return 1000.0 * float(as_it_lies), 1000.0 * float(min(found)[0]), 1000.0 * float(bones)


def rows_of(path: Path, truths: dict[str, np.ndarray], folder: Path) -> Iterator[Row]:
    """Reading a file, and writing it in every format and reading that."""
    begun = time.perf_counter()
    try:
        motion = load_motion(path)
    except ValueError as error:
        reason = str(error).removeprefix(f"{path}: ")
        yield Row(f"{path.name}: {reason}", path.suffix[1:], "in", None, None, None, 0.0)
        return
    seconds = time.perf_counter() - begun
    truth = truth_of(path.stem, truths)
    errors: tuple[float | None, float | None, float | None] = (None, None, None)
    if truth is not None and motion.skeleton is HUMANML3D:
        errors = distances(resample(motion.joints, motion.fps, HUMANML3D.fps), truth, HUMANML3D)
    yield Row(path.name, path.suffix[1:], "in", *errors, seconds)
    for suffix in WRITTEN:
        row, again = _round_trip(motion, path.name, folder / f"copy{suffix}")
        yield row
        if suffix == ".npz" and again is not None:
            yield _for_others(motion, path.name, folder / "copy.npz")


def truth_of(stem: str, truths: dict[str, np.ndarray]) -> np.ndarray | None:
    """The true joints of a take that a file's name ends with, whatever stands before it."""
    for name, joints in truths.items():
        # A word before the name is the corpus's; a number belongs to it.
        for own in (name, re.sub(r"^[A-Za-z]\w*?_", "", name)):
            if re.search(rf"(?<![A-Za-z0-9]){re.escape(own)}$", stem):
                return joints
    return None


def _round_trip(motion: Motion, sample: str, path: Path) -> tuple[Row, Motion | None]:
    """The row of writing and reading a motion, and what was read."""
    kind = path.suffix[1:]
    begun = time.perf_counter()
    try:
        motion.save(path)
        again = load_motion(path, fps=motion.fps if kind == "npy" else None)
    except ValueError as error:
        return Row(f"{sample}: {error}", kind, "out and in", None, None, None, 0.0), None
    seconds = time.perf_counter() - begun
    figures = distances(again.joints, motion.joints, motion.skeleton)
    return Row(sample, kind, "out and in", *figures, seconds), again


def _for_others(motion: Motion, sample: str, path: Path) -> Row:
    """The row of what a written archive says to other programs, which know its SMPL poses alone."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files if name not in (JOINTS, JOINTS_OF)}
    alone = path.with_name("alone.npz")
    np.savez(alone, **arrays)
    begun = time.perf_counter()
    poses = load_motion(alone)
    seconds = time.perf_counter() - begun
    return Row(
        sample, "npz", "its poses in", *distances(poses.joints, motion.joints, motion.skeleton), seconds
    )


def true_joints(paths: list[Path]) -> dict[str, np.ndarray]:
    """Every entry (T, 22, 3) of some archives, in metres."""
    found = {}
    for path in paths:
        with np.load(path) as archive:
            for name in archive.files:
                joints = archive[name]
                found[name] = joints / 1000.0 if joints.dtype.kind == "i" else joints
    return found


def main() -> None:
    """The table of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--truth", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    truths = true_joints(arguments.truth)
    print(
        "| sample | format | direction | error (mm) | laid over (mm) | bones (mm) | seconds |\n"
        "|---|---|---|---|---|---|---|"
    )
    files = sorted(p for p in arguments.folder.rglob("*") if p.suffix.lower() in MOTION_SUFFIXES)
    with tempfile.TemporaryDirectory() as name:
        for path in files:
            for row in rows_of(path, truths, Path(name)):
                print(row, flush=True)


if __name__ == "__main__":
    main()
