"""The bench of rotations: what is a flip, and what is a bone that turns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from examples.bench.rotations import large_steps, main
from lamp_cli.motion import rotation
from lamp_cli.motion.joint_rotations import joint_rotations
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import synthetic_clip_of

ELBOW = HUMANML3D.joint_names.index("left_elbow")


def test_a_turn_about_the_bone_is_a_flip_and_a_turn_of_the_bone_is_none() -> None:
    joints = synthetic_clip_of("walk", np.random.default_rng(3)).joints
    found = joint_rotations(joints, HUMANML3D, 20.0)
    assert list(large_steps("walk", found)) == []
    forearm = rotation.unit(found.offsets[HUMANML3D.joint_names.index("left_wrist")])
    for axis, degrees, flips in ((forearm, 100.0, True), (np.cross(forearm, [0.0, 1.0, 0.0]), 80.0, False)):
        turn = rotation.of_axis_angle(np.radians(degrees) * rotation.unit(axis))
        turned = found.rotations.copy()
        turned[10:, ELBOW] = rotation.multiply(
            turned[10:, ELBOW], np.broadcast_to(turn, (len(turned) - 10, 4))
        )
        [step] = large_steps("walk", replace(found, rotations=turned))
        assert (step.joint, step.frame) == ("left_elbow", 9)
        assert step.turn == pytest.approx(degrees, abs=8) and (step.twist > 60) == flips
        assert (step.bone > 60) == (not flips)


def test_the_first_motions_by_name_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, action in enumerate(("kick", "walk", "wave")):
        joints = synthetic_clip_of(action, np.random.default_rng(number)).joints
        np.save(tmp_path / f"{action}.npy", joints.astype(np.float32))
    main([str(tmp_path), "--first", "2", "--list"])
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["motions"], figures["flips"]) == (2, 0)
    assert figures["largest joint error of a motion (mm)"] < 10
