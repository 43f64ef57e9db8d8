"""An edited BVH file on its own skeleton: kept frames as they stood, and joints where the edited ones are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.bvh import load_bvh, positions, read_bvh, save_bvh
from lamp_cli.files.edited_bvh import UnfitSkeletonError, save_edited_bvh
from lamp_cli.files.reading import AS_STORED, Reading
from lamp_cli.motion import rotation
from lamp_cli.motion.gap import Gap
from lamp_cli.motion.joint_rotations import joint_rotations
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import synthetic_clip_of

FEET = list(HUMANML3D.feet)


def walk() -> Motion:
    joints = synthetic_clip_of("walk", np.random.default_rng(2)).joints
    return Motion(joints[:60].astype(np.float32), HUMANML3D, 20.0)


def rig_file(path: Path, order: str = "zyx", z_up: bool = False) -> Path:
    """A walk on a skeleton with a root on the floor, fingers, and channels in that order."""
    found = joint_rotations(walk().joints.astype(np.float64), HUMANML3D, 20.0)
    rows: list[np.ndarray] = []
    rotations = " ".join(f"{axis.upper()}rotation" for axis in order)
    sway = np.linspace(0.0, 40.0, 60)[:, None]

    def angles(turns: np.ndarray) -> np.ndarray:
        return np.degrees(rotation.to_angles(rotation.to_matrix(turns), order))

    def written(joint: int, indent: str) -> str:
        name, offset = HUMANML3D.joint_names[joint], 100 * found.offsets[joint]
        moved = "Xposition Yposition Zposition " if joint == 0 else ""
        rows.append(np.concatenate([*([100 * found.root] if joint == 0 else []), angles(turns[:, joint])], 1))
        children = [child for child in HUMANML3D.order if HUMANML3D.parents[child] == joint]
        inside = "".join(written(child, indent + " ") for child in children)
        if name.endswith("wrist"):
            rows.append(np.concatenate([sway, 0 * sway, 0 * sway], axis=1))
            inside = f"{indent} JOINT {name}_finger\n{indent} {{\n{indent} OFFSET 0 -8 0\n"
            inside += f"{indent} CHANNELS 3 {rotations}\n"
            inside += f"{indent} End Site\n{indent} {{\n{indent} OFFSET 0 -3 0\n{indent} }}\n{indent} }}\n"
        elif not children:
            inside = f"{indent} End Site\n{indent} {{\n{indent} OFFSET 0 0 5\n{indent} }}\n"
        return (
            f"{indent}JOINT {name}\n{indent}{{\n{indent} OFFSET {' '.join(f'{x:.6f}' for x in offset)}\n"
            f"{indent} CHANNELS {6 if joint == 0 else 3} {moved}{rotations}\n{inside}{indent}}}\n"
        )

    turns = found.rotations
    # The whole lies on its back in a file whose z is up.
    upright = [90.0 if z_up and axis == "x" else 0.0 for axis in order]
    rows.append(np.tile([0.0, 0.0, 0.0, *upright], (60, 1)))
    head = "HIERARCHY\nROOT Reference\n{\n OFFSET 0 0 0\n"
    head += f" CHANNELS 6 Xposition Yposition Zposition {rotations}\n{written(0, ' ')}}}\n"
    lines = [" ".join(f"{value:.5f}" for value in row) for row in np.concatenate(rows, axis=1)]
    path.write_text(f"{head}MOTION\nFrames: 60\nFrame Time: 0.05\n" + "\n".join(lines) + "\n")
    return path


def lines_of(path: Path) -> list[str]:
    return re.split(r"Frame Time: 0.050*\n", path.read_text())[1].splitlines()


def eased_aside(original: Motion, gap: Gap) -> Motion:
    """The motion with the body moved by up to 8 cm aside and 4 cm down within the gap, legs as they fit."""
    joints = original.joints.astype(np.float64)
    share = np.sin(np.linspace(0, np.pi, gap.frames + 2))[1:-1, None, None] ** 2
    joints[gap.start : gap.stop] += share * np.array([0.08, 0.0, 0.02])
    return Motion(joints.astype(np.float32), HUMANML3D, original.fps)


@pytest.mark.parametrize(("order", "z_up"), [("zyx", False), ("xyz", False), ("yzx", True), ("zxy", True)])
def test_kept_frames_stand_as_they_stood_and_joints_follow(order: str, z_up: bool, tmp_path: Path) -> None:
    source, gap = rig_file(tmp_path / "take.bvh", order, z_up), Gap(20, 40, 20)
    original = load_bvh(source)
    edited = eased_aside(original, gap)
    save_edited_bvh(tmp_path / "edited.bvh", source, AS_STORED, original, edited, gap)
    before, after = lines_of(source), lines_of(tmp_path / "edited.bvh")
    assert before[:20] == after[:20] and before[40:] == after[40:] and before[20:40] != after[20:40]
    head, written = (file.read_text().split("MOTION")[0] for file in (source, tmp_path / "edited.bvh"))
    assert head == written
    made = load_bvh(tmp_path / "edited.bvh").joints
    apart = np.linalg.norm(made - edited.joints, axis=-1)
    assert apart.max() < 0.02 and apart[:, FEET].max() < 0.001
    values = read_bvh(tmp_path / "edited.bvh").values
    assert np.abs(np.diff(values, axis=0)).max() < 60, "angles do not jump by rounds"
    # Fingers, of which our joints say nothing, lead from one side to the other.
    clip = read_bvh(tmp_path / "edited.bvh")
    columns = np.cumsum([0, *map(len, clip.channels)])
    finger = values[:, columns[clip.names.index("left_wrist_finger")]]
    assert (np.diff(finger) > 0).all()


def test_what_is_drawn_before_after_and_around_kept_frames(tmp_path: Path) -> None:
    source = rig_file(tmp_path / "take.bvh")
    original, lines = load_bvh(source), lines_of(source)
    joints = original.joints
    for gap, motion in (
        (Gap(0, 0, 10), np.concatenate([np.repeat(joints[:1], 10, 0), joints])),
        (Gap(60, 60, 10), np.concatenate([joints, np.repeat(joints[-1:], 10, 0)])),
        (Gap(20, 30, 25), np.concatenate([joints[:20], np.repeat(joints[20:25], 5, 0), joints[30:]])),
        (Gap(20, 40, 20, (25, 33)), joints),
    ):
        edited = Motion(motion, HUMANML3D, 20.0)
        save_edited_bvh(tmp_path / "edited.bvh", source, AS_STORED, original, edited, gap)
        found = lines_of(tmp_path / "edited.bvh")
        assert len(found) == len(motion) == len(read_bvh(tmp_path / "edited.bvh").values)
        assert found[: gap.start] == lines[: gap.start] and found[gap.stop :] == lines[gap.end :]
        assert all(found[frame] == lines[frame] for frame in gap.kept)
        apart = np.linalg.norm(load_bvh(tmp_path / "edited.bvh").joints - motion, axis=-1)
        assert apart.max() < 0.02


def test_a_t_pose_before_the_motion_stays(tmp_path: Path) -> None:
    source = rig_file(tmp_path / "take.bvh")
    head, rows = source.read_text().split("Frames: 60\nFrame Time: 0.05\n")
    pose = " ".join(["0"] * 6 + ["0", "300", "0"] + ["0"] * (len(rows.splitlines()[0].split()) - 9))
    source.write_text(f"{head}Frames: 61\nFrame Time: 0.05\n{pose}\n{rows}")
    original, gap = load_bvh(source), Gap(20, 40, 20)
    assert len(original) == 60
    save_edited_bvh(tmp_path / "edited.bvh", source, AS_STORED, original, eased_aside(original, gap), gap)
    found = lines_of(tmp_path / "edited.bvh")
    assert found[0] == pose and found[:21] == lines_of(source)[:21] and len(found) == 61


def test_signs_and_line_ends_of_the_file_stay(tmp_path: Path) -> None:
    source, gap = rig_file(tmp_path / "take.bvh"), Gap(20, 40, 20)
    content = source.read_bytes().replace(b"left_wrist_finger", b"left_wrist_\xfcber").replace(b"\n", b"\r\n")
    source.write_bytes(content)
    original = load_bvh(source)
    save_edited_bvh(tmp_path / "edited.bvh", source, AS_STORED, original, eased_aside(original, gap), gap)
    before, after = (file.read_bytes().split(b"\r\n") for file in (source, tmp_path / "edited.bvh"))
    assert len(before) == len(after) and b"\n" not in b"".join(after)
    begin = len(before) - 61
    assert before[: begin + 20] == after[: begin + 20] and before[begin + 40 :] == after[begin + 40 :]


def test_a_rate_that_is_said_is_written(tmp_path: Path) -> None:
    source, gap, said = rig_file(tmp_path / "take.bvh"), Gap(20, 40, 20), Reading(fps=30.0)
    original = load_bvh(source, said)
    save_edited_bvh(tmp_path / "edited.bvh", source, said, original, original, gap)
    assert load_bvh(tmp_path / "edited.bvh").fps == 30.0


def test_who_cannot_follow_is_said(tmp_path: Path) -> None:
    source = tmp_path / "take.bvh"
    save_bvh(source, walk())
    original, gap = load_bvh(source), Gap(20, 40, 20)
    longer = Motion(original.joints[:50], HUMANML3D, 20.0)
    with pytest.raises(UnfitSkeletonError, match="left out"):
        save_edited_bvh(tmp_path / "edited.bvh", source, AS_STORED, longer, original, gap)
    text = re.sub(r"6 Xposition Yposition Zposition", "3", source.read_text())
    rows = lines_of(source)
    head = text.split("Frame Time")[0]
    kept = "\n".join(" ".join(row.split()[3:]) for row in rows)
    source.write_text(f"{head}Frame Time: 0.05\n{kept}\n")
    still = load_bvh(source)
    with pytest.raises(UnfitSkeletonError, match="hips cannot be moved"):
        save_edited_bvh(tmp_path / "edited.bvh", source, AS_STORED, still, still, gap)
    assert not (tmp_path / "edited.bvh").exists()


def test_a_planted_foot_stays_on_a_body_with_other_hips(tmp_path: Path) -> None:
    """Edited joints have hips elsewhere in the pelvis than the file's: legs bend until ankles are there."""
    source, gap = rig_file(tmp_path / "take.bvh"), Gap(20, 40, 20)
    original = load_bvh(source)
    joints = original.joints.astype(np.float64)
    share = np.sin(np.linspace(0, np.pi, 22))[1:-1, None] ** 2
    joints[20:40, HUMANML3D.hips[0]] += 0.03 * share * np.array([0.0, -1.0, 0.0])
    edited = Motion(joints.astype(np.float32), HUMANML3D, 20.0)
    save_edited_bvh(tmp_path / "edited.bvh", source, AS_STORED, original, edited, gap)
    clip = read_bvh(tmp_path / "edited.bvh")
    places = positions(clip) / 100
    own = positions(read_bvh(source)) / 100
    for name in ("left_ankle", "right_ankle"):
        joint = clip.names.index(name)
        assert np.linalg.norm(places[:, joint] - own[:, joint], axis=-1).max() < 0.002
