"""HumanML3D from its public texts and takes of motion capture, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.data.prepare.humanml3d import (
    IndexedClip,
    TakeFiles,
    clip_of_take,
    joints_of_index,
    read_index,
)
from lamp_cli.files.load import load_motion
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import mirror
from tests.command_line import lamp
from tests.files.test_asf_amc import amc_of, asf_of
from tests.files.test_bvh import body, bvh_of, called

INDEX = """source_path,start_frame,end_frame,new_name
./pose_data/CMU/02/02_01_poses.npy,0,30,000001.npy
./pose_data/CMU/02/02_01_poses.npy,10,50,000002.npy
./pose_data/CMU/02/02_01_poses.npy,40,90,000003.npy
./pose_data/ACCAD/Male2MartialArtsPunches_c3d/E12 - backfist right_poses.npy,5,35,000004.npy
./pose_data/MPI_HDM05/bd/HDM_bd_01-01_01_120_poses.npy,0,25,000005.npy
./pose_data/KIT/3/kick_high_left02_poses.npy,0,117,000006.npy
./pose_data/CMU/02/02_01_poses.npy,0,40,000007.npy
"""
TEXT = "a man turns left#a/DET man/NOUN turn/VERB left/ADV#0.0#0.0\nhe waves#he/PRON wave/VERB#1.0#1.5\n"


def moving(amc: str, step: float) -> str:
    """The same AMC file with a root that goes along z by ``step`` a frame."""
    lines, frame = [], -1
    for line in amc.splitlines():
        frame += line.isdigit()
        words = line.split()
        if words[0] == "root":
            words[-1] = f"{float(words[-1]) + step * frame:.9f}"
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes of three corpora, and HumanML3D's repository as it is cloned."""
    home = tmp_path_factory.mktemp("humanml3d")
    pose = body()[0].astype(np.float64)
    for folder, asf, amc, frames in (
        ("cmu", "02.asf", "02_01.amc", 330),
        ("hdm", "HDM_bd.asf", "HDM_bd_01-01_01_120.amc", 540),
    ):
        (home / "mocap" / folder).mkdir(parents=True)
        (home / "mocap" / folder / asf).write_text(asf_of(pose))
        (home / "mocap" / folder / amc).write_text(moving(amc_of(pose, {}, frames), 0.01))
    names = [called(name, "ACCAD") for name in HUMANML3D.joint_names]
    text = bvh_of(pose * 100, names, frames=60, frame_time="0.0333333")
    (home / "mocap" / "Male2_E12_BackfistRight.bvh").write_text(text)
    (home / "repository" / "HumanML3D" / "texts").mkdir(parents=True)
    (home / "repository" / "index.csv").write_text(INDEX)
    for number in range(1, 7):
        (home / "repository" / "HumanML3D" / "texts" / f"{number:06d}.txt").write_text(TEXT)
    (home / "repository" / "HumanML3D" / "texts" / "M000002.txt").write_text("its own#its/ADJ#0.0#0.0\n")
    return home


def test_clips_are_cut_mirrored_listed_and_counted(home: Path, tmp_path: Path) -> None:
    for split, names in {"train": "000001 M000001 000006", "val": "000002 M000002", "test": "000004"}.items():
        (home / "repository" / "HumanML3D" / f"{split}.txt").write_text("\n".join(names.split()) + "\n")
    words = ("prepare", "humanml3d", "--mocap", home / "mocap", "--texts", home / "repository")
    done = lamp(*words, "--output", "data", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["clips"], report["captions"]) == ({"train": 2, "val": 2, "test": 1}, 9)
    assert report["missing"] == {"take of KIT not there": 1, "no text": 1, "times beyond the take": 1}
    assert "missing: 1 clips, take of KIT not there" in done.stderr
    data = tmp_path / "data"
    assert (data / "train.txt").read_text() == "000001\nM000001\n"
    take = load_motion(home / "mocap" / "cmu" / "02_01.amc").joints[::6]
    second = np.load(data / "new_joints" / "000002.npy")
    np.testing.assert_allclose(second, take[10:50], atol=1e-6)
    np.testing.assert_allclose(
        np.load(data / "new_joints" / "M000002.npy"), mirror(second, HUMANML3D), atol=1e-6
    )
    # The field cuts three seconds off HDM05's takes.
    cut = load_motion(home / "mocap" / "hdm" / "HDM_bd_01-01_01_120.amc").joints[360::6]
    np.testing.assert_allclose(np.load(data / "new_joints" / "000005.npy"), cut[:25], atol=1e-6)
    assert np.load(data / "new_joint_vecs" / "000002.npy").shape == (39, 263)
    assert (data / "texts" / "000002.txt").read_text() == TEXT
    assert (data / "texts" / "M000002.txt").read_text() == "its own#its/ADJ#0.0#0.0\n"
    mirrored = (data / "texts" / "M000001.txt").read_text()
    assert mirrored.startswith("a man turns right#") and "#1.0#1.5" in mirrored
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*.npy")}
    again = lamp(*words, "--output", "data", "--workers", "1", cwd=tmp_path)
    assert json.loads(again.stdout)["clips"] == report["clips"]
    joints = [path for path in before if path.parent.name == "new_joints"]
    assert joints and all(path.stat().st_mtime_ns == before[path] for path in joints)


def test_without_lists_takes_are_held_out_whole(home: Path, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    for number in range(1, 6):
        (tmp_path / "texts" / f"{number:06d}.txt").write_text(TEXT)
    (tmp_path / "index.csv").write_text(INDEX)
    words = ("--mocap", home / "mocap", "--texts", "texts", "--output", "data", "--val-fraction", "0.4")
    done = lamp("prepare", "humanml3d", *words, "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    train, val = ((tmp_path / "data" / f"{split}.txt").read_text().split() for split in ("train", "val"))
    assert len(train) + len(val) == 8 and val
    assert all(name[1:] in val for name in val if name.startswith("M"))
    assert ("000001" in val) == ("000002" in val)


def test_takes_are_found_by_the_names_they_have(tmp_path: Path) -> None:
    files = (
        "cmu/prefix__35_19.bvh",
        "cmu/35_19.amc",
        "amass/CMU/60/60_01_poses.npz",
        "amass/ACCAD/Female1General_c3d/A3_-_Swing_t2_stageii.npz",
        "Male2_G20_ReverseSpinCrescentRight.bvh",
        "Male1_A2_SwayT2.bvh",
        "Male2_B14_WalkTurnRight45.bvh",
    )
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    takes = TakeFiles(tmp_path)

    def found(source: str) -> str | None:
        path = takes.of(source)
        return None if path is None else path.relative_to(tmp_path).as_posix()

    assert found("CMU/35/35_19_poses") == "cmu/35_19.amc"
    assert found("CMU/60/60_01_poses") == "amass/CMU/60/60_01_poses.npz"
    assert found("ACCAD/Female1General_c3d/A3 - Swing t2_poses") == files[3]
    assert found("ACCAD/Male2MartialArtsKicks_c3d/G20 -  reverse spin cresent right_poses") == files[4]
    assert found("ACCAD/Male1General_c3d/General A2 - Sway t2_poses") == files[5]
    assert found("ACCAD/Male1General_c3d/General A2 - Sway t3_poses") is None
    assert found("ACCAD/Male2Walking_c3d/B14 -  Walk turn right 90_poses") is None
    assert found("KIT/3/35_19_poses") is None


@pytest.mark.parametrize(
    ("name", "fps", "step"),
    [("a.npz", 250.0, 12), ("a.npz", 59.0, 2), ("a.npz", 120.0, 6), ("a.bvh", 60.0, 3)],
)
def test_amass_is_thinned_as_the_field_does(name: str, fps: float, step: int) -> None:
    joints = np.arange(600.0)[:, None, None] * np.ones((1, 22, 3))
    found = joints_of_index(Motion(joints, HUMANML3D, fps), Path(name))
    np.testing.assert_array_equal(found, joints[::step])


def test_other_rates_become_twenty() -> None:
    joints = np.arange(60.0)[:, None, None] * np.ones((1, 22, 3))
    found = joints_of_index(Motion(joints, HUMANML3D, 30.0), Path("a.bvh"))
    np.testing.assert_allclose(found[:, 0, 0], 1.5 * np.arange(40), atol=1e-9)


def test_a_clip_keeps_to_its_take() -> None:
    joints = np.zeros((100, 22, 3))
    assert clip_of_take(joints, IndexedClip("a", "CMU/01/01_01_poses", 90, 130)) is None
    for source, start, end, frames in (("CMU/01/01_01_poses", 60, 105, 40), ("humanact12/x", 0, -1, 99)):
        part = clip_of_take(joints, IndexedClip("a", source, start, end))
        assert part is not None and len(part) == frames
    assert clip_of_take(joints, IndexedClip("a", "Eyes_Japan_Dataset/x/y", 50, 80)) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("humanml3d", "--mocap", "mocap"), "expected humanml3d --mocap DIR --texts DIR"),
        (("other", "--mocap", "mocap", "--texts", "texts"), "expected humanml3d --mocap DIR --texts DIR"),
        (("humanml3d", "--mocap", "absent", "--texts", "texts"), "--mocap absent: no such folder"),
        (("humanml3d", "--mocap", "mocap", "--texts", "absent"), "absent: no such folder"),
        (("humanml3d", "--mocap", "mocap", "--texts", "mocap"), "expected HumanML3D's texts"),
        (("humanml3d", "--mocap", "mocap", "--texts", "texts"), "no take that index.csv names is in it"),
        (
            ("humanml3d", "--mocap", "mocap", "--texts", "texts", "--synthetic", "3"),
            "--synthetic: has no effect",
        ),
        (("humanml3d", "--mocap", "mocap", "--texts", "texts", "--no-mirror"), "--no-mirror: has no effect"),
    ],
)
def test_what_is_missing_is_said(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "mocap").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "000001.txt").write_text(TEXT)
    (tmp_path / "index.csv").write_text(INDEX)
    done = lamp("prepare", *words, "--output", "data", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr
    assert not (tmp_path / "data").exists()


def test_an_index_that_is_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"index\.csv: expected the columns source_path"):
        read_index(path)
    path.write_text(INDEX.replace("10,50", "ten,50"))
    with pytest.raises(ValueError, match=r"index\.csv, line 3: expected a path, two frames and a name"):
        read_index(path)
