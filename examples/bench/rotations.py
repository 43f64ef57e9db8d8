"""Rotations from joints: ``python -m examples.bench.rotations FILES_OR_FOLDERS [--first 500]``.

Of the first motions by name, at 20 frames per second: how near the rotations come to the joints, and from
frame to frame in how many steps a joint turns by more than 60 degrees against its parent. In most of those
the bone itself points elsewhere, as joints say it: a fast kick, or a bad frame. What is left of such a step
when the bone's own way is taken out of it is twist, a turn about the bone; a twist of more than 60 degrees is
a flip. Pelvis and chest carry several bones; they flip where none of these turns as far. Prints one JSON
line, and with ``--list`` before it a line for every step.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from lamp_cli.files.load import load_takes
from lamp_cli.inference.index.library import motion_files
from lamp_cli.motion import rotation
from lamp_cli.motion.joint_rotations import JointRotations, joint_rotations
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample

RATE = HUMANML3D.fps
# Degrees from frame to frame that count as a large step.
LARGE = 60.0


@dataclass(frozen=True)
class Step:
    """A large step of a joint; degrees.

    motion, joint: which.
    frame: the first of the two.
    turn: of the joint against its parent.
    bone: of the bone's direction (the farthest of several) against the parent.
    twist: about the bone; of a joint with several bones ``turn`` where none of them turns as far, else 0.
    """

    motion: str
    joint: str
    frame: int
    turn: float
    bone: float
    twist: float


def motions_of(names: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and joints (T, 22, 3) of every motion of HumanML3D's skeleton at 20 frames per second, by name."""
    for name in names:
        for path in motion_files(Path(name)):
            takes = dict(load_takes(path))
            for take in sorted(takes):
                motion = takes[take]
                if isinstance(motion, Motion) and motion.skeleton is HUMANML3D and len(motion) > 1:
                    yield (
                        f"{path.stem}:{take}" if take else path.stem,
                        resample(motion.joints, motion.fps, RATE),
                    )


def large_steps(name: str, found: JointRotations) -> Iterator[Step]:
    """Every step of more than 60 degrees."""
    skeleton = found.skeleton
    for joint, own_name in enumerate(skeleton.joint_names):
        children = [child for child in skeleton.order if skeleton.parents[child] == joint]
        turns = found.rotations[:, joint]
        step = rotation.multiply(turns[1:], rotation.inverse(turns[:-1]))
        angle = _degrees(step)
        if not children or not np.any(angle > LARGE):
            continue
        ways = [_ways(turns, found.offsets[child]) for child in children]
        bone = np.max([_degrees(way) for way in ways], axis=0)
        twist = np.where(bone > LARGE, 0.0, angle)
        if len(children) == 1:
            twist = _degrees(rotation.multiply(rotation.inverse(ways[0]), step))
        for frame in np.flatnonzero(angle > LARGE):
            figures = (round(float(values[frame]), 1) for values in (angle, bone, twist))
            yield Step(name, own_name, int(frame), *figures)


def _ways(turns: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The shortest turns (T-1, 4) of a bone's direction, from frame to frame, as ``turns`` (T, 4) lead it."""
    direction = rotation.rotate(turns, np.broadcast_to(rotation.unit(offset), (len(turns), 3)))
    return rotation.between(direction[:-1], direction[1:])


def _degrees(turns: np.ndarray) -> np.ndarray:
    return np.degrees(2 * np.arccos(np.clip(np.abs(turns[:, 0]), 0.0, 1.0)))


def main(arguments: Sequence[str] | None = None) -> None:
    """The figures of some motions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("motions", nargs="+", help="motion files, archives and folders")
    parser.add_argument("--first", type=int, help="only the first so many by name")
    parser.add_argument("--list", action="store_true", help="print every step of more than 60 degrees too")
    options = parser.parse_args(arguments)
    steps: list[Step] = []
    errors = []
    for name, joints in islice(motions_of(options.motions), options.first):
        found = joint_rotations(joints, HUMANML3D, RATE)
        errors.append(1000.0 * float(np.linalg.norm(found.joints() - joints, axis=-1).mean()))
        steps += large_steps(name, found)
    if options.list:
        for step in steps:
            print(json.dumps(asdict(step)))
    figures = {
        "motions": len(errors),
        "joint error (mm)": float(np.mean(errors)) if errors else 0.0,
        "largest joint error of a motion (mm)": max(errors, default=0.0),
        "steps over 60 degrees": len(steps),
        "of them the bone's own way is as far": sum(step.bone > LARGE for step in steps),
        "motions with such steps": len({step.motion for step in steps}),
        "most twist in such a step": max((step.twist for step in steps), default=0.0),
        "flips": sum(step.twist > LARGE for step in steps),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
