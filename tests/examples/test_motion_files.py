"""The table of motion files: errors by hand, and which truth belongs to which file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.bench.motion_files import distances, rows_of, truth_of
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.plausibility import bone_lengths
from lamp_cli.motion.skeleton import HUMANML3D
from tests.conftest import wandering


def test_errors_are_distances_as_files_lie_and_laid_over() -> None:
    joints = wandering(HUMANML3D, 40)
    assert distances(joints, joints, HUMANML3D) == (0.0, 0.0, 0.0)
    error, laid_over, bones = distances(joints + np.array([0.03, 0.0, 0.04]), joints, HUMANML3D)
    assert (error, laid_over, bones) == pytest.approx((50.0, 0.0, 0.0), abs=1e-6)
    assert distances(joints[1:], joints[:-1], HUMANML3D)[1] == pytest.approx(0.0, abs=1e-6)
    lengths = np.median(bone_lengths(joints, HUMANML3D), axis=0)
    assert distances(1.1 * joints, joints, HUMANML3D)[2] == pytest.approx(100.0 * lengths.mean(), rel=1e-3)


def test_a_file_belongs_to_the_take_that_its_name_ends_with() -> None:
    truths = {
        name: np.full(1, k) for k, name in enumerate(("02_01", "102_01", "accad_Male2_E1_Jab", "3_acted"))
    }
    for stem, expected in (
        ("02_01", 0),
        ("corpus__02_01", 0),
        ("102_01", 1),
        ("ACCAD__Male2_E1_Jab", 2),
        ("4_acted", None),
        ("02_011", None),
    ):
        found = truth_of(stem, truths)
        assert (None if found is None else int(found[0])) == expected, stem


def test_a_row_for_reading_and_every_format(tmp_path: Path) -> None:
    joints = wandering(HUMANML3D, 30).astype(np.float32)
    Motion(joints, HUMANML3D, 20.0).save(tmp_path / "02_01.npy")
    rows = list(rows_of(tmp_path / "02_01.npy", {"02_01": joints}, tmp_path))
    assert [(row.format, row.direction) for row in rows] == [
        ("npy", "in"),
        ("bvh", "out and in"),
        ("glb", "out and in"),
        ("npz", "out and in"),
        ("npz", "its poses in"),
        ("npy", "out and in"),
    ]
    assert rows[0].error == rows[-1].error == 0.0 and "| 0.0 | 0.0 | 0.0 |" in str(rows[0])
    (tmp_path / "no.npy").write_bytes(b"nothing")
    (row,) = rows_of(tmp_path / "no.npy", {}, tmp_path)
    assert "not a .npy" in str(row) or "cannot be read" in str(row)
