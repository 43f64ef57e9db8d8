"""The one motion: its parts, its slices, and what a notebook does with it."""

from __future__ import annotations

import copy
import html
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.load import load_motion
from lamp_cli.motion.motion import Motion, MotionPart
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from tests.conftest import wandering


def walk(frames: int = 100) -> Motion:
    joints = wandering(HUMANML3D, frames).astype(np.float32)
    features = np.zeros((frames, 263), np.float32)
    features[:-1] = joints_to_features(joints, HUMANML3D)
    return Motion(joints, HUMANML3D, 20.0, "a.npy", features, text="a person walks")


def test_another_process_gives_back_the_same_skeleton() -> None:
    again = pickle.loads(pickle.dumps(walk()))
    assert again.skeleton is HUMANML3D
    other = replace(KIT, fps=30.0)
    assert pickle.loads(pickle.dumps(other)) == other and copy.deepcopy(KIT) is KIT


def test_a_slice_keeps_what_belongs_to_its_frames() -> None:
    motion = walk()
    part = motion[40:80]
    assert (len(part), part.seconds, part.text, part.source) == (40, 2.0, "a person walks", "a.npy")
    np.testing.assert_array_equal(part.joints, motion.joints[40:80])
    assert part.features is not None and motion.features is not None
    np.testing.assert_array_equal(part.features, motion.features[40:80])
    assert motion[-20:].seconds == 1.0


def test_a_slice_counts_its_parts_anew() -> None:
    parts = (MotionPart("walks", 0, 30), MotionPart("sits", 30, 70), MotionPart("waves", 70, 100))
    motion = replace(walk(), parts=parts)
    assert motion[20:60].parts == (MotionPart("walks", 0, 10), MotionPart("sits", 10, 40))
    assert motion[::10].parts == (
        MotionPart("walks", 0, 3),
        MotionPart("sits", 3, 7),
        MotionPart("waves", 7, 10),
    )
    assert walk()[20:60].parts == ()


def test_every_second_frame_is_the_same_motion_at_half_the_rate() -> None:
    half = walk()[::2]
    assert (len(half), half.fps, half.seconds, half.features) == (50, 10.0, 5.0, None)


def test_what_is_no_slice_of_frames_is_refused() -> None:
    with pytest.raises(TypeError, match=r"motion\[40:80\]"):
        walk()[3]  # type: ignore[index]
    with pytest.raises(ValueError, match="no frame between 200 and 300 of 100"):
        walk()[200:300]
    with pytest.raises(ValueError, match="a step of -1"):
        walk()[::-1]


def test_a_motion_is_said_in_a_line() -> None:
    assert repr(walk()) == "Motion(100 frames, 5.00 s of humanml3d, 'a person walks')"


def test_save_and_render_take_names(tmp_path: Path) -> None:
    motion = walk(8)
    motion.save(str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(load_motion(tmp_path / "a.npy").joints, motion.joints)
    for suffix in ("gif", "html"):
        motion.render(str(tmp_path / f"a.{suffix}"), size=64)
        assert (tmp_path / f"a.{suffix}").stat().st_size > 500
    with pytest.raises(ValueError, match=r"a\.exe"):
        motion.save(tmp_path / "a.exe")
    with pytest.raises(ValueError, match=r"a\.exe"):
        motion.render(tmp_path / "a.exe")


def test_a_notebook_shows_the_page_of_the_viewer(tmp_path: Path) -> None:
    motion = walk(8)
    shown = motion._repr_html_()
    page = shown.split('srcdoc="')[1].split('" width')[0]
    motion.render(tmp_path / "a.html")
    assert html.unescape(page) == (tmp_path / "a.html").read_text(encoding="utf-8")
