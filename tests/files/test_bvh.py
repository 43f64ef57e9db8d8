"""BVH: hand-made hierarchies, names of the skeletons people have, and what is wrong in a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.bvh import load_bvh, positions, read_bvh
from lamp_cli.files.joint_names import JointPlaces, UnknownSkeletonError, read_joint_map
from lamp_cli.files.load import load_motion
from lamp_cli.files.reading import Reading
from lamp_cli.files.smpl import BodyPoses, neutral_joints
from lamp_cli.motion import rotation
from lamp_cli.motion.joint_rotations import joint_rotations, t_pose
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from tests.conftest import standing, wandering

CHAIN = """HIERARCHY
ROOT hip
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT knee
  {
    OFFSET 0 -4 0
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET 0 -3 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.05
0 9 0 0 0 0 0 0 0
1 9 0 90 0 0 0 0 90
"""
# What others call pelvis, spine1 to spine3, neck and head; hip, knee, ankle, foot, collar, shoulder, elbow
# and wrist; and how they tell sides: {Side} is Left, {S} L, {s} l.
USUAL = "UpLeg Leg Foot ToeBase Shoulder Arm ForeArm Hand"
XSENS = (
    "Hips Chest2 Chest3 Chest4 Neck Head",
    "Hip Knee Ankle Toe Collar Shoulder Elbow Wrist",
    "{Side}{part}",
)
DIALECTS: dict[str, tuple[str, str, str]] = {
    "SMPL": (
        "Pelvis Spine1 Spine2 Spine3 Neck Head",
        "Hip Knee Ankle Foot Collar Shoulder Elbow Wrist",
        "{S}_{part}",
    ),
    "SMPL in Blender": (
        "m_avg_Pelvis m_avg_Spine1 m_avg_Spine2 m_avg_Spine3 m_avg_Neck m_avg_Head",
        "Hip Knee Ankle Foot Collar Shoulder Elbow Wrist",
        "m_avg_{S}_{part}",
    ),
    "Mixamo": (
        "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck mixamorig:Head",
        USUAL,
        "mixamorig:{Side}{part}",
    ),
    "Mixamo without colons": (
        "mixamorigHips mixamorigSpine mixamorigSpine1 mixamorigSpine2 mixamorigNeck mixamorigHead",
        USUAL,
        "mixamorig{Side}{part}",
    ),
    "MotionBuilder": ("Hips Spine Spine1 Spine2 Neck Head", USUAL, "{Side}{part}"),
    "MotionBuilder's character": (
        "Reference Character1_Spine Character1_Spine1 Character1_Spine2 Character1_Neck Character1_Head",
        USUAL,
        "Character1_{Side}{part}",
    ),
    "ACCAD": ("Hips ToSpine Spine Spine1 Neck Head", USUAL, "{Side}{part}"),
    "LaFAN1": ("Hips Spine Spine1 Spine2 Neck Head", USUAL.replace("ToeBase", "Toe"), "{Side}{part}"),
    "100STYLE": XSENS,
    "Xsens": XSENS,
    "Rokoko": (
        "Hips Spine2 Spine3 Spine4 Neck Head",
        "Thigh Shin Foot Toe Shoulder Arm ForeArm Hand",
        "{Side}{part}",
    ),
    "Bandai-Namco": (
        "Hips Spine Chest UpperChest Neck Head",
        "UpperLeg LowerLeg Foot Toes Shoulder UpperArm LowerArm Hand",
        "{part}_{S}",
    ),
    "SOMA": (
        "Hips Spine1 Spine2 Chest Neck1 Head",
        "Leg Shin Foot ToeBase Shoulder Arm ForeArm Hand",
        "{Side}{part}",
    ),
    "Daz": (
        "hip abdomen abdomen2 chest neck head",
        "Thigh Shin Foot Toe Collar Shldr ForeArm Hand",
        "{s}{part}",
    ),
    "Acclaim": (
        "root lowerback upperback thorax lowerneck head",
        "femur tibia foot toes clavicle humerus radius wrist",
        "{s}{part}",
    ),
    "3ds Max": (
        "Bip01 Bip01_Spine Bip01_Spine1 Bip01_Spine2 Bip01_Neck Bip01_Head",
        "Thigh Calf Foot Toe0 Clavicle UpperArm Forearm Hand",
        "Bip01 {S} {part}",
    ),
    "Unreal": (
        "pelvis spine_01 spine_02 spine_03 neck_01 head",
        "thigh calf foot ball clavicle upperarm lowerarm hand",
        "{part}_{s}",
    ),
    "Motive": ("Hip Ab Ab2 Chest Neck Head", "Thigh Shin Foot Toe Shoulder UArm FArm Hand", "{S}{part}"),
    "VRM": (
        "J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head",
        "UpperLeg LowerLeg Foot ToeBase Shoulder UpperArm LowerArm Hand",
        "J_Bip_{S}_{part}",
    ),
    "Blender": (
        "hips spine chest chest.001 neck head",
        "thigh shin foot toe shoulder upper_arm forearm hand",
        "{part}.{S}",
    ),
}
MIDDLE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
LIMBS = ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")


def called(name: str, dialect: str) -> str:
    """What a dialect calls a joint of the corpus."""
    middle, limbs, form = DIALECTS[dialect]
    if name in MIDDLE:
        return middle.split()[MIDDLE.index(name)].replace("Bip01_", "Bip01 ")
    side, part = name.split("_")
    part = limbs.split()[LIMBS.index(part)]
    return form.format(Side=side.capitalize(), S=side[0].upper(), s=side[0], part=part)


def body(frames: int = 12) -> np.ndarray:
    """A standing body in the T-pose (T, 22, 3), metres, on the floor."""
    rotations = np.zeros((frames, 22, 3))
    rotations[:, 0, 0] = np.pi / 2
    joints = neutral_joints(BodyPoses(rotations, np.zeros((frames, 3)), np.zeros(0), "neutral", 20.0))
    return joints - joints[..., 1].min() * np.array([0, 1, 0], dtype=np.float32)


def bvh_of(pose: np.ndarray, names: list[str], frames: int = 3, frame_time: str = "0.0083333") -> str:
    """A BVH file of a resting pose (22, 3) that moves along x, one unit a frame."""
    parents = HUMANML3D.parents

    def block(joint: int, indent: str) -> str:
        children = [child for child in range(len(parents)) if parents[child] == joint]
        origin = pose[parents[joint]] if joint else np.zeros(3)
        offset = " ".join(f"{value:.6f}" for value in (pose[joint] - origin if joint else origin))
        kind = "JOINT" if joint else "ROOT"
        channels = "3 Zrotation Yrotation Xrotation"
        if not joint:
            channels = "6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
        inside = "".join(block(child, indent + "  ") for child in children)
        inside = inside or f"{indent}  End Site\n{indent}  {{\n{indent}    OFFSET 0 0 0\n{indent}  }}\n"
        return (
            f"{indent}{kind} {names[joint]}\n{indent}{{\n{indent}  OFFSET {offset}\n"
            f"{indent}  CHANNELS {channels}\n{inside}{indent}}}\n"
        )

    rows = [
        " ".join([f"{pose[0, 0] + frame:.6f}", f"{pose[0, 1]:.6f}", f"{pose[0, 2]:.6f}", *["0"] * 66])
        for frame in range(frames)
    ]
    return (
        f"HIERARCHY\n{block(0, '')}MOTION\nFrames: {frames}\nFrame Time: {frame_time}\n"
        + "\n".join(rows)
        + "\n"
    )


def test_channels_are_applied_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "chain.bvh"
    path.write_text(CHAIN)
    clip = read_bvh(path)
    assert clip.names == ("hip", "knee", "knee end")
    places = positions(clip)
    assert np.allclose(places[0], [[0, 9, 0], [0, 5, 0], [0, 2, 0]])
    # A quarter turn about z takes -y to x; the knee's own about x takes -y to -z, which z leaves alone.
    assert np.allclose(places[1], [[1, 9, 0], [5, 9, 0], [5, 9, -3]])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("unit", "said"), [(1.0, None), (100.0, "centimetres"), (1000 / 25.4, "inches")])
def test_joints_are_told_by_the_names_people_use(
    dialect: str, unit: float, said: str | None, tmp_path: Path
) -> None:
    names = [called(name, dialect) for name in HUMANML3D.joint_names]
    path = tmp_path / "take.bvh"
    path.write_text(bvh_of(body()[0] * unit, names))
    motion = load_bvh(path)
    assert motion.fps == 120.0
    assert np.allclose(motion.joints[0], body()[0], atol=2e-3)
    assert any(said in note for note in motion.notes) if said else not motion.notes


def test_a_figure_of_daz_is_said_to_be_one(tmp_path: Path) -> None:
    """Those of its third and fourth generation, onto which CMU's takes were retargeted, have buttocks."""
    names = [called(name, "Daz") for name in HUMANML3D.joint_names]
    text = bvh_of(body()[0] * 100, names).replace("lThigh", "lButtock").replace("rThigh", "rButtock")
    joints = {"left_hip": "lButtock", "right_hip": "rButtock"}
    path = tmp_path / "take.bvh"
    path.write_text(text)
    motion = load_bvh(path, Reading(joint_map=tuple(joints.items())))
    assert [note for note in motion.notes if note.startswith("a Daz figure: a take retargeted to it")]


def test_a_t_pose_before_the_motion_is_left_out(tmp_path: Path) -> None:
    names = [called(name, "MotionBuilder") for name in HUMANML3D.joint_names]
    text = bvh_of(body()[0], names, frames=6)
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    moving = [f"{5 + 0.01 * frame:.4f} " + row.split(" ", 1)[1] for frame, row in enumerate(lines[start:])]
    path = tmp_path / "take.bvh"
    path.write_text("\n".join([*lines[:start], lines[start], *moving[1:]]) + "\n")
    motion = load_bvh(path)
    assert len(motion) == 5 and "first frame" in motion.notes[0]


def test_what_a_skeleton_lacks_is_put_between_and_said() -> None:
    names = [called(name, "MotionBuilder") for name in HUMANML3D.joint_names]
    kept = [index for index, name in enumerate(names) if name not in ("Spine1", "Spine", "LeftShoulder")]
    parents = []
    for index in kept:
        parent = HUMANML3D.parents[index]
        while parent >= 0 and parent not in kept:
            parent = HUMANML3D.parents[parent]
        parents.append(kept.index(parent) if parent >= 0 else -1)
    found = JointPlaces([names[index] for index in kept], parents, body()[:, kept])
    assert found.added == ["spine1 and spine2", "left collar"]
    assert np.abs(found.joints - body()).max() < 0.1


def test_an_unknown_skeleton_lists_its_joints() -> None:
    with pytest.raises(UnknownSkeletonError, match=r"left hip.*the skeleton has Root, Tail"):
        JointPlaces(["Root", "Tail"], [-1, 0], np.zeros((2, 2, 3)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("MOTION", "NOTION"), "expected HIERARCHY and MOTION"),
        (lambda text: text.replace("Frames: 2", "Frames: 3"), "is the file whole"),
        (lambda text: text.replace("1 9 0 90", "1 nan 0 90"), "NaN"),
        (lambda text: text.replace("1 9 0 90", "1 x 0 90"), "no number"),
        (lambda text: text.replace("0.05", "0"), "frame time"),
        (lambda text: text.replace("OFFSET 0 -4 0", "OFFSET 0 -4"), "three numbers"),
        (lambda text: text.replace("CHANNELS 3", "CHANNELS 4"), "channels such as"),
        (lambda text: text.replace("}\nMOTION", "MOTION"), "not whole"),
        (lambda text: text.replace("Frames: 2", "Frames: 0"), "no frames"),
        (lambda text: text.replace("ROOT hip\n", ""), "hierarchy is broken"),
        (lambda text: text.replace("OFFSET 0 -4 0", "OFFSET 0 -4e12 0"), "enormous numbers"),
        (lambda text: text, "cannot tell which joint"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(change: Callable[[str], str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "take.bvh"
    path.write_text(change(CHAIN))
    with pytest.raises(ValueError, match=said) as error:
        load_motion(path)
    assert str(path) in str(error.value) or "BVH" in str(error.value) or "expected" in str(error.value)


def test_windows_text_and_lower_case_are_read(tmp_path: Path) -> None:
    path = tmp_path / "take.bvh"
    path.write_bytes(b"\xef\xbb\xbf" + CHAIN.lower().replace("\n", "\r\n").encode())
    assert read_bvh(path).names == ("hip", "knee", "knee end")


def bent(skeleton: Skeleton = HUMANML3D, frames: int = 40) -> Motion:
    """A motion whose bones keep their lengths, as joints of its own rotations."""
    joints = wandering(skeleton, frames)
    found = joint_rotations(joints, skeleton, skeleton.fps)
    return Motion(found.joints().astype(np.float32), skeleton, skeleton.fps)


@pytest.mark.parametrize("scale", ["cm", "m"])
def test_a_written_motion_is_read_back(scale: str, tmp_path: Path) -> None:
    motion = bent()
    motion.save(tmp_path / "a.bvh", scale=scale)
    again = load_motion(tmp_path / "a.bvh")
    expected = joint_rotations(motion.joints, HUMANML3D, 20.0).joints()
    assert (again.fps, again.joints.shape) == (20.0, motion.joints.shape)
    assert np.abs(again.joints - expected).max() < 1e-3
    assert np.linalg.norm(again.joints - motion.joints, axis=-1).mean() < 0.01


def test_the_rest_pose_is_a_t_pose(tmp_path: Path) -> None:
    bent().save(tmp_path / "a.bvh")
    text = (tmp_path / "a.bvh").read_text()
    assert "Frame Time: 0.0500000000" in text and "-0.000000" not in text
    assert re.search(r"ROOT Hips\n\{\n  OFFSET 0\.0{6} 0\.0{6} 0\.0{6}\n  CHANNELS 6 Xposition", text)
    clip = read_bvh(tmp_path / "a.bvh")
    assert set(clip.channels[1]) == {"zrotation", "yrotation", "xrotation"}
    resting = dict(zip(clip.names, positions(replace(clip, values=np.zeros((1, 69))))[0], strict=True))
    arm = resting["LeftHand"] - resting["LeftArm"]
    assert arm[0] > 0.99 * np.linalg.norm(arm) and resting["LeftFoot"][1] < -60
    assert resting["LeftToeBase end"][2] > resting["LeftToeBase"][2] > resting["LeftFoot"][2]


def test_the_angles_of_a_body_that_turns_round_and_round_do_not_wrap(tmp_path: Path) -> None:
    heading = np.linspace(0.0, 4 * np.pi, 100)
    turned = rotation.rotate(rotation.about_y(heading)[:, None], standing(HUMANML3D))
    Motion(turned.astype(np.float32), HUMANML3D, 20.0).save(tmp_path / "a.bvh")
    steps = np.abs(np.diff(read_bvh(tmp_path / "a.bvh").values[:, 3:], axis=0))
    assert steps.max() < 100


def test_two_bones_are_written_as_by_hand(tmp_path: Path) -> None:
    pose = np.zeros((22, 3))
    offsets = t_pose(HUMANML3D)
    for joint in HUMANML3D.order:
        pose[joint] = pose[HUMANML3D.parents[joint]] + offsets[joint]
    elbow, wrist = 18, 20
    pose[wrist] = pose[elbow] + [0.0, 0.0, np.linalg.norm(offsets[wrist])]
    Motion(np.repeat(pose[None], 3, axis=0), HUMANML3D, 30.0).save(tmp_path / "a.bvh", scale="m")
    clip = read_bvh(tmp_path / "a.bvh")
    column = sum(len(channels) for channels in clip.channels[: clip.names.index("LeftForeArm")])
    # The forearm lay along x and points to z: a quarter turn about y, against the hand's clock.
    assert np.allclose(clip.values[:, column : column + 3], [0.0, -90.0, 0.0], atol=0.5)
    assert np.allclose(clip.frame_time, 1 / 30, atol=1e-6)


def test_another_reader_finds_the_same_places(tmp_path: Path) -> None:
    pybvh = pytest.importorskip("pybvh")
    bent().save(tmp_path / "a.bvh")
    found = pybvh.read_bvh_file(tmp_path / "a.bvh", world_up="+y").node_positions()
    assert np.abs(found - positions(read_bvh(tmp_path / "a.bvh"))).max() < 1e-6


def test_kits_joints_are_written_too(tmp_path: Path) -> None:
    motion = bent(KIT)
    motion.save(tmp_path / "kit.bvh", scale="m")
    clip = read_bvh(tmp_path / "kit.bvh")
    assert {"LeftHeel", "LeftToeBase", "Spine2", "Neck", "RightHand"} <= set(clip.names)
    head = positions(clip)[:, clip.names.index("Head")]
    assert np.linalg.norm(head - motion.joints[:, 4], axis=-1).mean() < 0.02


def test_a_scale_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'inch': expected one of cm, m"):
        bent().save(tmp_path / "a.bvh", scale="inch")
    assert not list(tmp_path.iterdir())


MAP = '# of my rig\nleft_hip = \'Hüfte links\'\n"right_hip" = "b"\nhead = rig:c # the crown\n'


def test_a_map_is_read_in_the_forms_people_write(tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_text(MAP, encoding="utf-8")
    assert read_joint_map(path) == (("left_hip", "Hüfte links"), ("right_hip", "b"), ("head", "rig:c"))
    path.write_text('{"left_hip": "b 1", "head": "c"}')
    assert read_joint_map(path) == (("left_hip", "b 1"), ("head", "c"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("left_hip LeftThigh\n", "line 1: expected a line such as"),
        ("\nleft_hipp = a\n", "line 2: 'left_hipp' is no joint; expected one of pelvis, left_hip"),
        ("head = a\nhead = b\n", "line 2: head stands there twice"),
        ("# nothing\n", "names no joint"),
    ],
)
def test_what_is_no_map_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text(text)
    with pytest.raises(ValueError, match=f"map.txt.*{said}"):
        read_joint_map(tmp_path / "map.txt")


def test_a_map_names_joints_that_names_do_not_tell(tmp_path: Path) -> None:
    names = [f"bone{number}" for number in range(22)]
    path = tmp_path / "take.bvh"
    path.write_text(bvh_of(body()[0], names))
    with pytest.raises(
        ValueError, match=r"cannot tell .*left hip.*bone0, bone1.*left_hip = bone\d+ \(--map\)"
    ):
        load_motion(path)
    lines = [f"{ours} = {theirs}\n" for ours, theirs in zip(HUMANML3D.joint_names, names, strict=True)]
    (tmp_path / "map.txt").write_text("".join(lines))
    assert np.allclose(load_motion(path, joint_map=tmp_path / "map.txt").joints[0], body()[0], atol=2e-3)
    (tmp_path / "map.txt").write_text("".join(lines).replace("bone7", "bone77"))
    with pytest.raises(ValueError, match="--map calls the left_ankle 'bone77'; the skeleton has bone0"):
        load_motion(path, joint_map=tmp_path / "map.txt")


def test_a_map_of_some_joints_leaves_the_others_to_their_names(tmp_path: Path) -> None:
    names = [called(name, "Mixamo") for name in HUMANML3D.joint_names]
    names[HUMANML3D.joint_names.index("left_elbow")] = "rig:Ellbogen"
    path = tmp_path / "take.bvh"
    path.write_text(bvh_of(body()[0], names))
    (tmp_path / "map.txt").write_text("left_elbow = Ellbogen\nneck = mixamorig:Head\n")
    joints = load_motion(path, joint_map=tmp_path / "map.txt").joints[0]
    expected = body()[0]
    expected[12] = expected[15]
    assert np.allclose(joints, expected, atol=2e-3)


def with_rows(text: str, rows: list[str]) -> str:
    """A BVH file with other frames."""
    head = text[: text.index("Frames:")]
    return f"{head}Frames: {len(rows)}\nFrame Time: 0.0083333\n" + "\n".join(rows) + "\n"


def test_the_way_from_a_t_pose_to_the_motion_is_left_out_too(tmp_path: Path) -> None:
    names = [called(name, "MotionBuilder") for name in HUMANML3D.joint_names]
    # The whole body bows by the root's turn about x: fast from frame 0 to 4, then at a bow's pace.
    bow = [0.0, 15.0, 30.0, 45.0, 60.0, *(60.0 + 0.5 * frame for frame in range(1, 30))]
    rows = [f"0 1 0 0 0 {angle:.2f} " + "0 " * 63 for angle in bow]
    (tmp_path / "take.bvh").write_text(with_rows(bvh_of(body()[0], names), rows))
    motion = load_bvh(tmp_path / "take.bvh")
    assert len(motion) == len(bow) - 4 and "the first 4 frames" in motion.notes[0]
    slow = [f"0 1 0 0 0 {0.5 * frame:.2f} " + "0 " * 63 for frame in range(30)]
    (tmp_path / "slow.bvh").write_text(with_rows(bvh_of(body()[0], names), slow))
    assert len(load_bvh(tmp_path / "slow.bvh")) == 30


@pytest.mark.parametrize("held", [True, False])
def test_a_root_with_an_offset_and_a_position_stands_on_the_floor(held: bool, tmp_path: Path) -> None:
    names = [called(name, "MotionBuilder") for name in HUMANML3D.joint_names]
    pose = body()[0] + np.array([0.3, 0.0, 0.2], dtype=np.float32)
    origin = " ".join(f"{value:.6f}" for value in pose[0])
    text = bvh_of(pose, names).replace("OFFSET 0.000000 0.000000 0.000000", f"OFFSET {origin}", 1)
    row = origin if held else "0.01 0 0"
    (tmp_path / "take.bvh").write_text(with_rows(text, [f"{row} " + "0 " * 66] * 3))
    motion = load_bvh(tmp_path / "take.bvh")
    assert not motion.notes
    assert np.allclose(motion.joints[0], pose, atol=0.011)


def test_a_spine_joint_at_the_pelvis_is_none() -> None:
    pose = body()
    pose[:, 3] = pose[:, 0]
    names = [called(name, "MotionBuilder") for name in HUMANML3D.joint_names]
    found = JointPlaces(names, HUMANML3D.parents, pose)
    assert found.added == ["spine1"]
    assert np.allclose(found.joints[:, 3], (pose[:, 0] + pose[:, 6]) / 2)


def test_a_body_in_a_unit_of_its_own_is_made_a_usual_one(tmp_path: Path) -> None:
    names = [called(name, "Mixamo") for name in HUMANML3D.joint_names]
    (tmp_path / "take.bvh").write_text(bvh_of(body()[0] * 290, names))
    motion = load_bvh(tmp_path / "take.bvh")
    assert re.search(r"a body 4\d\d long in no known unit, scaled to a usual one", motion.notes[0])
    assert np.allclose(motion.joints[0, :, 1], body()[0, :, 1], atol=0.02)
    np.save(tmp_path / "take.npy", np.repeat(body()[:1] * 290, 3, axis=0))
    with pytest.raises(ValueError, match="no known unit"):
        load_motion(tmp_path / "take.npy")


def test_a_body_whose_rest_pose_stands_along_z_stands_there(tmp_path: Path) -> None:
    names = [called(name, "Mixamo") for name in HUMANML3D.joint_names]
    x, y, z = np.moveaxis(body()[0], -1, 0)
    along_z = np.stack([x, z.max() - z, y], axis=-1)
    (tmp_path / "take.bvh").write_text(bvh_of(along_z, names))
    motion = load_bvh(tmp_path / "take.bvh")
    assert "z taken for up" in motion.notes[0]
    assert np.allclose(motion.joints[0], body()[0] - [0.0, 0.0, z.max()], atol=1e-3)
    # Without a rest pose such joints may be those of somebody who lies on the floor.
    np.save(tmp_path / "take.npy", np.repeat(along_z[None], 3, axis=0))
    assert not any("taken for up" in note for note in load_motion(tmp_path / "take.npy", fps=20.0).notes)
