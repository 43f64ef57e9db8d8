"""ASF/AMC: hand-made skeletons with positions in closed form, rates, and what is wrong in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.arrays import MotionFileError
from lamp_cli.files.asf_amc import bone_ends, cmu_rates, read_amc, read_asf
from lamp_cli.files.load import load_motion
from lamp_cli.motion.skeleton import HUMANML3D
from tests.command_line import lamp
from tests.files.test_bvh import body

CHAIN = """# made by hand
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name thigh
    direction 0 -1 0
    length 4
    axis 0 0 90 XYZ
    dof ry
    limits (-160.0 20.0)
  end
  begin
    id 2
    name shin
    direction 0 -1 0
    length 3
    axis 0 0 0 XYZ
    dof rx rz
    limits (-10.0 170.0)
           (-10.0 10.0)
  end
:hierarchy
  begin
    root thigh
    thigh shin
  end
"""
FRAMES = """#!OML:ASF somewhere
:FULLY-SPECIFIED
:DEGREES
1
root 0 9 0 0 0 0
thigh 0
shin 0 0
2
root 0 9 0 0 0 0
thigh 90
shin 0 0
3
root 1 9 0 0 90 0
thigh 90
shin 90 90
"""
# Of the end of each bone: its parent's bone, and the joint of the corpus where it ends.
BONES = {
    "lowerback": ("root", "spine2"),
    "upperback": ("lowerback", "spine3"),
    "thorax": ("upperback", "neck"),
    "upperneck": ("thorax", "head"),
    **{
        bone.replace("*", side[0]): (parent.replace("*", side[0]), f"{side}_{joint}")
        for side in ("left", "right")
        for bone, parent, joint in (
            ("*hipjoint", "root", "hip"),
            ("*femur", "*hipjoint", "knee"),
            ("*tibia", "*femur", "ankle"),
            ("*foot", "*tibia", "foot"),
            ("*clavicle", "thorax", "shoulder"),
            ("*humerus", "*clavicle", "elbow"),
            ("*radius", "*humerus", "wrist"),
        )
    },
}


def written(folder: Path, asf: str = CHAIN, amc: str = FRAMES, name: str = "02_01") -> Path:
    (folder / "02.asf").write_text(asf)
    (folder / f"{name}.amc").write_text(amc)
    return folder / f"{name}.amc"


def asf_of(pose: np.ndarray, names: dict[str, str] | None = None) -> str:
    """A skeleton whose rest pose is a pose (22, 3) of the corpus; every bone turns about all axes."""
    place = {"root": pose[0]} | {
        bone: pose[HUMANML3D.joint_names.index(joint)] for bone, (_, joint) in BONES.items()
    }
    called = {bone: (names or {}).get(bone, bone) for bone in place}
    entries = []
    for bone, (parent, _) in BONES.items():
        offset = place[bone] - place[parent]
        length = float(np.linalg.norm(offset))
        x, y, z = offset / length
        entries.append(
            f"begin\nid 1\nname {called[bone]}\ndirection {x:.9f} {y:.9f} {z:.9f}\nlength {length:.9f}\n"
            "axis 0 0 0 XYZ\ndof rx ry rz\nend\n"
        )
    hierarchy = "".join(f"{called[parent]} {called[bone]}\n" for bone, (parent, _) in BONES.items())
    root = ":root\norder RX RY RZ TX TY TZ\naxis XYZ\nposition 0 0 0\norientation 0 0 0\n"
    bones = f":bonedata\n{''.join(entries)}:hierarchy\nbegin\n{hierarchy}end\n"
    return f":units\nlength 1.0\nangle rad\n{root}{bones}"


def amc_of(pose: np.ndarray, turns: dict[str, str], frames: int = 3) -> str:
    rest = " ".join(f"{value:.9f}" for value in pose[0])
    lines = [f"root 0 0 0 {rest}", *(f"{bone} {turns.get(bone, '0 0 0')}" for bone in BONES)]
    return "".join(f"{frame}\n" + "\n".join(lines) + "\n" for frame in range(1, frames + 1))


def test_bones_turn_about_their_own_axes_in_their_own_order(tmp_path: Path) -> None:
    path = written(tmp_path)
    skeleton = read_asf(tmp_path / "02.asf")
    ends = bone_ends(skeleton, read_amc(path, skeleton))
    assert np.allclose(ends["root"], [[0, 9, 0], [0, 9, 0], [1, 9, 0]])
    # The thigh's own y lies along -x of the body, about which a quarter turn lifts it to +z.
    assert np.allclose(ends["thigh"][:2], [[0, 5, 0], [0, 9, 4]])
    assert np.allclose(ends["shin"][:2], [[0, 2, 0], [0, 9, 7]])
    # The body has turned +z to +x. The shin's -y goes to -z about x, where z leaves it; the thigh takes -z to
    # -y (its quarter turn), which the body's turn leaves alone.
    assert np.allclose(ends["thigh"][2], [5, 9, 0])
    assert np.allclose(ends["shin"][2], [5, 6, 0])


def test_a_body_is_mapped_to_the_joints_of_the_corpus(tmp_path: Path) -> None:
    pose = body()[0].astype(np.float64)
    # The left forearm turns a quarter about y: from +x to -z.
    path = written(tmp_path, asf_of(pose), amc_of(pose, {"lradius": f"0 {np.pi / 2:.9f} 0"}))
    motion = load_motion(path)
    expected = pose.copy()
    elbow, wrist = pose[18], pose[20]
    x, y, z = wrist - elbow
    expected[20] = elbow + np.array([z, y, -x])
    expected[3] = (pose[0] + pose[6]) / 2
    for collar, shoulder in ((13, 16), (14, 17)):
        expected[collar] = (pose[12] + pose[shoulder]) / 2
    assert np.allclose(motion.joints[1], expected, atol=1e-5)
    assert (len(motion), motion.fps) == (3, 120.0)
    assert "no spine1, no left collar" in motion.notes[0]


def test_the_rate_is_that_of_the_take(tmp_path: Path) -> None:
    rates = cmu_rates()
    assert (rates["02_01"], rates["60_01"], len(rates)) == (120.0, 60.0, 1876)
    pose = body()[0].astype(np.float64)
    for name, rate, said in (
        ("60_01", 60.0, False),
        ("HDM_bd_01-01_01_120", 120.0, False),
        ("walk", 120.0, True),
        ("999_99", 120.0, True),
    ):
        motion = load_motion(written(tmp_path, asf_of(pose), amc_of(pose, {}), name))
        assert (motion.fps, any("assumed (--fps)" in note for note in motion.notes)) == (rate, said)
    assert load_motion(tmp_path / "walk.amc", fps=60.0).fps == 60.0


def test_the_skeleton_is_the_one_whose_name_the_motion_begins_with(tmp_path: Path) -> None:
    pose = body()[0].astype(np.float64)
    path = written(tmp_path, asf_of(pose), amc_of(pose, {}))
    (tmp_path / "0.asf").write_text("no skeleton")
    assert len(load_motion(path)) == 3
    other = written(tmp_path, asf_of(pose), amc_of(pose, {}), "walk")
    with pytest.raises(MotionFileError, match=r"walk\.amc: its skeleton is missing; .*walk\.asf"):
        load_motion(other)
    (tmp_path / "0.asf").unlink()
    assert len(load_motion(other)) == 3


def test_a_map_names_bones_that_names_do_not_tell(tmp_path: Path) -> None:
    pose = body()[0].astype(np.float64)
    asf, amc = asf_of(pose, {"lfemur": "bone7"}), amc_of(pose, {}).replace("lfemur", "bone7")
    path = written(tmp_path, asf, amc)
    with pytest.raises(MotionFileError, match=r"left knee; the skeleton has root, .*bone7.*\(--map\)"):
        load_motion(path)
    (tmp_path / "map.txt").write_text("left_knee = bone7\n")
    done = lamp("convert", "02_01.amc", "a.npy", "--map", "map.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.allclose(np.load(tmp_path / "a.npy")[0, 4], pose[4], atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (":hierarchy", ":tree", "no ASF file"),
        ("length 0.45", "length 0", "a length of 0 in :units"),
        ("length 4", "length four", "length: expected numbers"),
        ("direction 0 -1 0\n    length 3", "length 3", "bone 2 needs a name, a direction"),
        ("axis 0 0 90 XYZ", "axis 0 0 90 XYX", "such as XYZ, found 'XYX'"),
        ("dof ry", "dof rw", "degrees of freedom such as rx"),
        ("thigh shin", "thigh chin", "the hierarchy is broken at 'thigh chin'"),
    ],
)
def test_what_is_wrong_in_a_skeleton_is_said(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, CHAIN.replace(old, new))
    with pytest.raises(MotionFileError, match=said) as error:
        load_motion(path)
    assert "02.asf" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shin 90 90\n", "", "frame 3 is not whole"),
        ("shin 90 90", "shin 90", "frame 3: expected one line of 2 numbers for shin"),
        ("shin 90 90", "shin 90 nan", "NaN, infinite or enormous"),
        ("shin 90 90", "shin 90 x", "no number"),
        ("shin 90 90", "chin 90 90", "it has no bone 'chin'"),
        (FRAMES, ":DEGREES\n", "holds no frames"),
        (FRAMES, "<html>", "no AMC file of this skeleton"),
        ("thigh 90", "thigh 90", "cannot tell which joint is the spine2"),
    ],
)
def test_what_is_wrong_in_a_motion_is_said(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, CHAIN, FRAMES.replace(old, new))
    with pytest.raises(MotionFileError, match=said) as error:
        load_motion(path)
    assert "02_01.amc" in str(error.value)


def test_a_skeleton_alone_is_no_motion(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(MotionFileError, match=r"02\.asf: an ASF file, a skeleton alone.*\.amc files"):
        load_motion(tmp_path / "02.asf")
