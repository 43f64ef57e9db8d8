"""What clean-up does to motions: ``python -m examples.bench.clean_up FILES_OR_FOLDERS``.

Foot skate and jitter before and after ``lamp convert --clean``, and how far joints are moved. Every motion
is put on its own floor first, the height on which its lowest foot joint stands, so that recordings whose
floor is off by centimetres compare. Prints one JSON line; each figure is a mean over motions.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lamp_cli.files.load import load_takes
from lamp_cli.inference.index.library import motion_files
from lamp_cli.metrics.physics import foot_skate, jitter
from lamp_cli.motion.clean_up import clean_up_recording
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample

RATE = HUMANML3D.fps
LONGEST_FRAMES = 200


def joints_of(names: list[str]) -> Iterator[np.ndarray]:
    """The first ten seconds (T, 22, 3) of every motion of HumanML3D's skeleton, at 20 frames per second."""
    for name in names:
        for path in motion_files(Path(name)):
            for _, motion in load_takes(path):
                # What cannot be read is no motion to clean up.
                if isinstance(motion, Motion) and motion.skeleton is HUMANML3D and len(motion) > 40:
                    yield resample(motion.joints, motion.fps, RATE)[:LONGEST_FRAMES]


def on_its_floor(joints: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) float64 whose lowest foot joint stands at 0."""
    floor = np.percentile(joints[:, list(HUMANML3D.feet), 1].min(1), 5)
    return joints.astype(np.float64) - np.array([0.0, floor, 0.0])


def measure(motions: list[np.ndarray]) -> dict[str, float]:
    """The figures; skate in cm per frame at 20 frames per second, changes in cm."""
    begun = time.perf_counter()
    cleaned = [clean_up_recording(joints, HUMANML3D) for joints in motions]
    seconds = time.perf_counter() - begun
    before, after = [on_its_floor(j) for j in motions], [on_its_floor(j) for j in cleaned]
    skate = [np.array([foot_skate(j, RATE) or 0.0 for j in several]) for several in (before, after)]
    moved = [np.linalg.norm(a - b, axis=-1).mean() for a, b in zip(after, before, strict=True)]
    return {
        "motions": len(motions),
        "skate before": float(skate[0].mean()),
        "skate after": float(skate[1].mean()),
        "skate change": float(skate[1].mean() / skate[0].mean() - 1.0),
        "median skate change": float(np.median(skate[1] / np.maximum(skate[0], 1e-9)) - 1.0),
        "jitter before": float(np.mean([jitter(j, RATE) for j in before])),
        "jitter after": float(np.mean([jitter(j, RATE) for j in after])),
        "joint change": 100.0 * float(np.mean(moved)),
        "largest joint change of a motion": 100.0 * float(np.max(moved)),
        "seconds per motion": seconds / len(motions),
    }


if __name__ == "__main__":
    print(json.dumps(measure(list(joints_of(sys.argv[1:])))))
