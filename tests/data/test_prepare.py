"""Preparing a data set: what is asked for, what is cut, what is dropped, and going on after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.data.layout import FramesLimit, open_dataset
from lamp_cli.data.prepare.caption_files import ClipRequest, read_requests
from lamp_cli.data.prepare.clip_spans import LEAST_FRAMES, MOST_FRAMES, ClipPlan, plan_clips
from lamp_cli.data.prepare.prepare import PrepareOptions, prepare, remove_prepared
from lamp_cli.data.prepare.synthetic import read_truth
from lamp_cli.data.sentences import read_sentences
from lamp_cli.files.reading import Reading
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.synthetic.corpus import agrees
from tests.conftest import wandering
from tests.files.test_smpl import body_model
from tests.motion.test_plausibility import stepping

FPS = 20.0


@pytest.fixture
def motions(tmp_path: Path) -> Path:
    """Four takes of 3, 4, 5 and 23 seconds."""
    folder = tmp_path / "motions"
    folder.mkdir()
    for number, frames in enumerate((60, 80, 100, 460)):
        np.save(folder / f"take{number}.npy", wandering(HUMANML3D, frames, number).astype(np.float32))
    return folder


def whole(*names: str) -> list[ClipRequest]:
    return [ClipRequest(name, name, (f"{name} lifts the left hand",)) for name in names]


def contents(folder: Path) -> dict[str, bytes]:
    """Every finished file by its relative path."""
    files = (f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("."))
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


# Requests


def test_requests_of_json_lines_text_and_folder(tmp_path):
    lines = tmp_path / "c.jsonl"
    lines.write_text(
        '{"trial": "a", "id": "a1", "captions": ["x ", ""], "start": 1, "end": 2.5, "split": "val"}\n\n'
        '{"motion": "b", "text": "y"}\n'
    )
    assert read_requests(lines) == [
        ClipRequest("a1", "a", ("x", ""), 1.0, 2.5, "val"),
        ClipRequest("b", "b", ("y",)),
    ]
    text = tmp_path / "c.txt"
    text.write_text("a\tone\nb\ttwo\na\tthree\n")
    assert read_requests(text) == [ClipRequest("a", "a", ("one", "three")), ClipRequest("b", "b", ("two",))]
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("he walks#he/PRON walk/VERB#0.0#0.0\nhe turns#he/PRON turn/VERB#1.0#2.5\n")
    assert read_requests(folder) == [
        ClipRequest("a", "a", ("he walks",)),
        ClipRequest("a_0", "a", ("he turns",), 1.0, 2.5),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: expected a JSON object, found list"),
        ('{"text": "x"}', "line 2: expected the motion's name"),
        ('{"motion": "a", "split": "dev"}', "line 2: split must be train, val or test, found 'dev'"),
        ('{"motion": "a", "start": -1}', "line 2: start must be seconds"),
        ('{"motion": "a", "end": NaN}', "line 2: end must be seconds"),
        ('{"motion": "a", "start": 3, "end": 2}', "line 2: end .2 s. must come after start .3 s."),
        ('{"motion": "a", "captions": 5}', "line 2: captions must be a sentence"),
    ],
)
def test_a_bad_request_names_file_and_line(tmp_path, line, message):
    path = tmp_path / "c.jsonl"
    path.write_text(f'{{"motion": "a"}}\n{line}\n')
    with pytest.raises(ValueError, match=message) as error:
        read_requests(path)
    assert str(path) in str(error.value)


def test_other_bad_caption_files(tmp_path):
    (tmp_path / "c.txt").write_text("no tab here\n")
    with pytest.raises(ValueError, match="line 1: expected the motion's name, a tab and a sentence"):
        read_requests(tmp_path / "c.txt")
    (tmp_path / "c.jsonl").write_bytes(b"\x89PNG\x00\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        read_requests(tmp_path / "c.jsonl")
    with pytest.raises(FileNotFoundError):
        read_requests(tmp_path / "absent.jsonl")


def test_labels_become_sentences_that_hold_for_windows_where_they_are_steady(motions, tmp_path):
    requests = [
        ClipRequest("take0", "take0", ("Run/Jog",)),
        ClipRequest("take1", "take1", ("unknown",)),
        ClipRequest("take2", "take2", ("a person runs to the store",)),
        ClipRequest("take3", "take3", ("salsa dance",)),
    ]
    report = prepare(motions, requests, tmp_path / "set", PrepareOptions(mirror=False, val_fraction=0))
    assert report.labels == 3
    texts = {p.stem: p.read_text() for p in (tmp_path / "set/texts").glob("*.txt")}
    assert texts["take0"].startswith("a person runs forward#") and "Run/Jog" not in texts["take0"]
    assert texts["take1"] == ""
    assert texts["take2"].startswith("a person runs to the store#")
    windows = [text for name, text in texts.items() if name.startswith("take3")]
    assert len(windows) == 3 and all("dances salsa" in text for text in windows)


def test_motions_go_to_the_test_split_by_name(motions, tmp_path):
    options = PrepareOptions(mirror=False, val_fraction=0.25, test=("*3", "take0"))
    requests = whole("take0", "take1", "take2")
    prepare(motions, requests, tmp_path / "set", options)
    test = (tmp_path / "set/test.txt").read_text().split()
    assert "take0" in test and {name[:5] for name in test} == {"take0", "take3"}
    train = (tmp_path / "set/train.txt").read_text().split()
    assert not set(train) & set(test)
    with pytest.raises(ValueError, match="test take9: expected the name of motions"):
        prepare(motions, requests, tmp_path / "other", replace(options, test=("take9",)))


# Plan


def frames_of(clip: ClipPlan) -> set[int]:
    return set(range(round(clip.start * FPS), round(clip.end * FPS)))


@pytest.mark.parametrize("seed", range(8))
def test_no_training_frame_is_held_out_and_windows_fit(seed):
    rng = np.random.default_rng(seed)
    seconds = {f"m{k}": float(rng.uniform(0.5, 60)) for k in range(6)}
    requests = []
    for number in range(60):
        motion = f"m{rng.integers(6)}"
        start, length = rng.uniform(0, seconds[motion]), rng.uniform(0.5, 25)
        split = ("train", "val", "test")[rng.choice(3, p=(0.7, 0.15, 0.15))]
        requests.append(ClipRequest(f"c{number}", motion, ("x",), start, start + length, split))
    plan = plan_clips(requests, seconds, FPS, 0.1)
    train = [c for c in plan.clips if c.split == "train"]
    held_out = [c for c in plan.clips if c.split != "train"]
    assert train and held_out and plan.trimmed
    for clip in held_out:
        for other in train:
            assert clip.motion != other.motion or not frames_of(clip) & frames_of(other)
    assert all(len(frames_of(c)) <= MOST_FRAMES for c in plan.clips)
    assert all(0 <= c.start < c.end <= seconds[c.motion] for c in plan.clips)
    assert len({c.id for c in plan.clips}) == len(plan.clips)


def test_a_trimmed_clip_keeps_its_caption_only_when_most_of_it_is_left():
    requests = [
        ClipRequest("v", "m", ("held out",), 8.0, 10.0, "val"),
        ClipRequest("most", "m", ("walks",), 0.0, 9.0, "train"),
        ClipRequest("half", "m", ("turns",), 4.0, 12.0, "train"),
        ClipRequest("inside", "m", ("jumps",), 8.2, 9.8, "train"),
    ]
    plan = plan_clips(requests, {"m": 12.0}, FPS, 0.1)
    found = {(c.id, c.start, c.end): c.captions for c in plan.clips if c.split == "train"}
    assert found == {
        ("most", 0.0, 8.0): ("walks",),
        ("half", 4.0, 8.0): (),
        ("half_w02", 10.0, 12.0): (),
    }
    assert plan.dropped == {"inside": "overlaps a held-out clip"}
    assert plan.trimmed == 3


@pytest.mark.parametrize("times", [(None, None), (0.0, 23.0)])
def test_windows_of_a_long_clip_lose_its_captions_and_the_plan_counts_them(times):
    plan = plan_clips([ClipRequest("m", "m", ("he walks, then sits", "x"), *times)], {"m": 23.0}, FPS, 0.0)
    clips = plan.clips
    assert [c.id for c in clips] == ["m", "m_w02", "m_w03"]
    assert [len(frames_of(c)) for c in clips] == [153, 154, 153]
    assert set.union(*map(frames_of, clips)) == set(range(460))
    assert not any(c.captions for c in clips)
    assert (plan.windowed, plan.captions_left_out) == (1, 2)
    # Ten seconds and a bit become one clip of ten, which the sentence is still true of.
    plan = plan_clips([ClipRequest("m", "m", ("x",), 0.0, 8.0)], {"m": 23.0}, FPS, 0.0)
    assert [c.captions for c in plan.clips] == [("x",)] and not plan.windowed


def test_mirrored_files_of_humanml3d_are_left_out_with_a_reason():
    seconds = {f"{mirror}{number:06d}": 3.0 + number for number in range(8) for mirror in ("", "M")}
    seconds |= {"ark": 4.0, "Mark": 5.0}
    plan = plan_clips([ClipRequest(name, name, ("x",)) for name in seconds], seconds, FPS, 0.25)
    assert {c.motion for c in plan.clips} == {f"{number:06d}" for number in range(8)} | {"ark", "Mark"}
    assert plan.dropped == {f"M{n:06d}": "mirrored copy of another motion" for n in range(8)}
    # "ark" mirrored will be written as "Mark": the motion of that name gets another.
    assert len({c.id for c in plan.clips} | {f"M{c.id}" for c in plan.clips}) == 2 * len(plan.clips)


def test_times_beyond_the_motion_are_mended_or_dropped():
    requests = [
        ClipRequest("after", "m", ("x",), 9.0, 12.0),
        ClipRequest("mostly after", "m", ("x",), 4.0, 12.0),
        ClipRequest("a little after", "m", ("x",), 2.0, 6.5),
    ]
    plan = plan_clips(requests, {"m": 6.0}, FPS, 0.0)
    assert [(c.id, c.start, c.end) for c in plan.clips] == [("a_little_after", 2.0, 6.0)]
    assert plan.dropped == dict.fromkeys(["after", "mostly after"], "times beyond the motion")


def test_names_with_a_suffix_and_one_caption_a_line():
    requests = [
        ClipRequest("a", "a.npy", ("x",)),
        ClipRequest("a", "a.npy", ("y",)),
        ClipRequest("b", "./b", ("z",)),
    ]
    plan = plan_clips(requests, {"a": 3.0, "b": 3.0}, FPS, 0.0, reserved=["b"])
    assert [(c.id, c.motion, c.captions) for c in plan.clips] == [
        ("a", "a", ("x", "y")),
        ("b_w02", "b", ("z",)),
    ]


def test_whole_motions_are_held_out_when_no_split_is_named():
    requests = [ClipRequest(f"{m}{k}", m, ("x",), k, k + 2.0) for m in "abcdefghij" for k in range(3)]
    seconds = dict.fromkeys("abcdefghij", 5.0)
    plan = plan_clips(requests, seconds, FPS, 0.2)
    val = {c.motion for c in plan.clips if c.split == "val"}
    assert len(val) == 2
    assert not val & {c.motion for c in plan.clips if c.split == "train"}
    again = plan_clips(requests[::-1], seconds, FPS, 0.2)
    assert {c.motion for c in again.clips if c.split == "val"} == val
    assert {c.split for c in plan_clips(requests, seconds, FPS, 0.0).clips} == {"train"}


def test_motions_nobody_asked_for_stay_and_unknown_ones_are_dropped():
    requests = [ClipRequest("../x", "a", ("x",)), ClipRequest("c", "c", ("x",)), ClipRequest("b", "b", ())]
    plan = plan_clips(requests, {"a": 3.0, "b": 0.9, "silent": 3.0}, FPS, 0.0)
    assert {c.id: c.captions for c in plan.clips} == {"x": ("x",), "silent": ()}
    assert plan.dropped == {"c": "no such motion", "b": f"shorter than {LEAST_FRAMES} frames"}


# Prepare


def test_the_folder_reads_back_as_a_data_set(motions, tmp_path):
    out = tmp_path / "data"
    requests = [*whole("take1", "take2", "take3"), ClipRequest("v", "take0", ("he sits",), split="val")]
    report = prepare(motions, requests, out, PrepareOptions())
    assert report.clips == {"train": 5, "val": 1}
    assert (report.mirrored, report.captioned, report.captions, report.dropped) == (5, 3, 3, {})
    assert (report.windowed, report.captions_left_out) == (1, 1)
    train = (out / "train.txt").read_text().split()
    originals = [name for name in train if not name.startswith("M")]
    assert sorted(train) == sorted([*originals, *(f"M{name}" for name in originals)])
    assert (out / "val.txt").read_text() == "v\n"
    assert sorted((out / "all.txt").read_text().split()) == sorted([*train, "v"])
    dataset = open_dataset(out)
    clips, read = dataset.clips("train", FramesLimit(1, MOST_FRAMES - 1))
    assert not read.skipped
    assert {c.id: c.captions for c in clips}["Mtake1"] == ("take1 lifts the right hand",)
    assert report.frames["train"] == sum(len(c.features) for c in clips if not c.id.startswith("M"))
    assert json.loads((out / "report.json").read_text())["clips"] == report.clips


def test_mirrored_joints_swap_sides_and_can_be_left_out(motions, tmp_path):
    prepare(motions, whole("take0", "take1"), tmp_path / "data", PrepareOptions(val_fraction=0.0))
    joints = np.load(tmp_path / "data/new_joints/take0.npy")
    mirrored = np.load(tmp_path / "data/new_joints/Mtake0.npy")
    left, right = (HUMANML3D.joint_names.index(f"{side}_wrist") for side in ("left", "right"))
    np.testing.assert_allclose(mirrored[:, right], joints[:, left] * [-1, 1, 1], atol=1e-6)
    report = prepare(motions, whole("take0"), tmp_path / "plain", PrepareOptions(mirror=False))
    assert report.mirrored == 0
    assert not list((tmp_path / "plain").rglob("M*_*.npy")) + list((tmp_path / "plain").rglob("Mtake*"))


def test_no_frame_of_a_held_out_clip_is_written_to_train(motions, tmp_path):
    requests = [
        ClipRequest("v", "take3", ("x",), 5.03, 9.98, "val"),
        ClipRequest("t", "take3", ("y",), 2.0, 20.0, "train"),
        *whole("take0"),
    ]
    out = tmp_path / "data"
    report = prepare(motions, requests, out, PrepareOptions(mirror=False))
    assert report.trimmed == 1
    frames = {
        split: {
            frame.tobytes()
            for name in (out / f"{split}.txt").read_text().split()
            for frame in np.load(out / "new_joints" / f"{name}.npy")
        }
        for split in ("train", "val")
    }
    # Joints are stored as recorded at 20 fps, so a frame that leaked would be there byte by byte.
    source = {frame.tobytes() for frame in np.load(motions / "take3.npy")}
    assert frames["val"] <= source and len(frames["val"]) == 99
    assert frames["train"] & source and not frames["train"] & frames["val"]


@pytest.mark.parametrize("fps", [12.5, 29.97, 30.0, 120.0])
def test_clips_of_other_rates_stay_within_the_window(tmp_path, fps):
    motions = tmp_path / "motions"
    motions.mkdir()
    np.save(motions / "long.npy", wandering(HUMANML3D, round(21.3 * fps)).astype(np.float32))
    out = tmp_path / "data"
    prepare(motions, whole("long"), out, PrepareOptions(Reading(fps), mirror=False))
    lengths = [len(np.load(file)) for file in (out / "new_joints").glob("*.npy")]
    assert len(lengths) == 3 and max(lengths) <= MOST_FRAMES
    # A window ends at its last source frame: up to one source step and one rounding are lost for each.
    assert abs(sum(lengths) - 21.3 * FPS) <= 3 * max(1.0, FPS / fps) + 1


def test_an_archive_of_kit_motions_with_two_workers_equals_one(tmp_path):
    archive = tmp_path / "kit.npz"
    np.savez(archive, **{f"k{n}": wandering(KIT, 40 + n, n).astype(np.float32) for n in range(3)})
    requests = whole("k0", "k1", "k2")
    one = prepare(archive, requests, tmp_path / "one", PrepareOptions())
    two = prepare(archive, requests, tmp_path / "two", PrepareOptions(workers=2))
    assert one == two
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert open_dataset(tmp_path / "one").skeleton is KIT


def test_broken_sources_are_counted_with_a_reason(motions, tmp_path):
    broken = wandering(HUMANML3D, 60)
    broken[30, 4, 1] = np.nan
    np.save(motions / "nan.npy", broken)
    np.save(motions / "short.npy", broken[:10])
    np.save(motions / "table.npy", np.zeros((60, 7)))
    np.save(motions / "pickled.npy", np.full((60, 22, 3), None), allow_pickle=True)
    (motions / "torn.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (motions / "text.npz").write_text("not an archive")
    report = prepare(motions, whole("take0", "nan", "absent"), tmp_path / "data", PrepareOptions())
    assert report.dropped.pop("pickled").startswith("cannot be read: a pickled object")
    assert report.dropped == {
        "nan": "NaN or infinite numbers, first in frame 30",
        "short": f"shorter than {LEAST_FRAMES} frames",
        "table": "not a motion array",
        "torn": "unreadable file",
        "text": "unreadable file",
        "absent": "no such motion",
    }
    assert report.reasons()["unreadable file"] == 2
    assert not [f for f in contents(tmp_path / "data") if "nan" in f]


def test_motions_of_one_name_in_two_archives_both_stay(tmp_path):
    motions = tmp_path / "motions"
    motions.mkdir()
    takes = [wandering(HUMANML3D, 60 + n, n).astype(np.float32) for n in range(3)]
    np.savez(motions / "alice.npz", take1=takes[0], take2=takes[1])
    np.savez(motions / "bob.npz", take1=takes[2])
    requests = [ClipRequest("a", "alice/take1", ("x",)), ClipRequest("b", "take2", ("y",))]
    report = prepare(motions, requests, tmp_path / "data", PrepareOptions(mirror=False, val_fraction=0.0))
    assert report.dropped == {} and report.clips == {"train": 3}
    lengths = {f.stem: len(np.load(f)) for f in (tmp_path / "data/new_joints").iterdir()}
    assert lengths == {"a": 60, "b": 61, "bob_take1": 62}


def test_bvh_files_and_poses_of_amass_are_read_and_other_formats_named(tmp_path):
    motions = tmp_path / "motions"
    motions.mkdir()
    walk = Motion(wandering(HUMANML3D, 120), HUMANML3D, 60.0, "")
    walk.save(motions / "b.bvh")
    walk.save(motions / "a.npz")
    # As other programs write it: without the joints that lamp keeps beside the poses.
    with np.load(motions / "a.npz") as saved:
        poses = {key: saved[key] for key in saved.files if not key.startswith("lamp_")}
    np.savez(motions / "a.npz", **poses)
    (motions / "c.fbx").write_bytes(b"Kaydara FBX Binary")
    (motions / "a.pkl").write_bytes(b"\x80\x04")
    requests = [ClipRequest("a", "a.npz", ("x",)), ClipRequest("b", "b.bvh", ("y",))]
    options = PrepareOptions(Reading(30.0), mirror=False, val_fraction=0.0)
    report = prepare(motions, requests, tmp_path / "data", options)
    assert report.captions == 2 and report.clips == {"train": 2}
    assert {name: reason.split(",")[0] for name, reason in report.dropped.items()} == {
        "c.fbx": "an FBX file",
        "a.pkl": "a pickle",
    }
    # Their own rate counts, and 60 frames per second become 20.
    assert {len(np.load(file)) for file in (tmp_path / "data/new_joints").iterdir()} == {40}
    assert [note for note in report.notes if note.startswith("SMPL poses on a neutral body")]
    body_model(tmp_path / "bodies/smplx_neutral.npz", 55)
    with_bodies = replace(options, reading=Reading(30.0, tmp_path / "bodies"))
    with pytest.raises(ValueError, match="prepared from other input"):
        prepare(motions, requests, tmp_path / "data", with_bodies)
    report = prepare(motions, requests, tmp_path / "shaped", with_bodies)
    assert not [note for note in report.notes if note.startswith("SMPL poses on a neutral body")]
    one, other = (np.load(tmp_path / folder / "new_joints/a.npy") for folder in ("data", "shaped"))
    assert one.shape == other.shape and not np.array_equal(one, other)


def test_batches_and_archives_of_one_motion_are_taken_apart(tmp_path):
    motions = tmp_path / "motions"
    motions.mkdir()
    walk = wandering(HUMANML3D, 60)
    np.save(motions / "mdm.npy", np.stack([walk, walk]).transpose(0, 2, 3, 1))
    np.savez(motions / "kimodo.npz", posed_joints=walk, foot_contacts=np.zeros((60, 4)), fps=30.0)
    requests = whole("mdm/0", "mdm/1", "kimodo")
    report = prepare(motions, requests, tmp_path / "data", PrepareOptions(mirror=False, val_fraction=0.0))
    assert report.dropped == {} and report.captioned == 3
    assert len(np.load(tmp_path / "data/new_joints/kimodo.npy")) == 40
    assert report.notes == {"no frame rate given, 20 frames per second assumed (--fps)": 2}


def test_a_rate_that_is_assumed_is_doubted_where_steps_are_too_slow(motions, tmp_path):
    np.save(motions / "fast.npy", stepping(0.5, 60).astype(np.float32))
    report = prepare(motions, whole("fast"), tmp_path / "data", PrepareOptions(mirror=False))
    assumed = "no frame rate given, 20 frames per second assumed (--fps)"
    doubt = "steps last longer than people's: is the true rate about 60 frames per second (--fps)?"
    assert report.notes == {assumed: 5, doubt: 1}
    report = prepare(motions, whole("fast"), tmp_path / "given", PrepareOptions(Reading(60.0), mirror=False))
    assert report.notes == {}


def test_the_rate_of_a_caption_line_counts(motions, tmp_path):
    requests = [ClipRequest("a", "take0", ("x",), fps=40.0), *whole("take1")]
    prepare(
        motions, requests, tmp_path / "data", PrepareOptions(Reading(20.0), mirror=False, val_fraction=0.0)
    )
    assert len(np.load(tmp_path / "data/new_joints/a.npy")) == 30
    assert len(np.load(tmp_path / "data/new_joints/take1.npy")) == 80
    two = [*requests, ClipRequest("b", "take0", ("y",), fps=20.0)]
    with pytest.raises(ValueError, match="take0: captions give 40 and 20 frames per second"):
        prepare(motions, two, tmp_path / "other", PrepareOptions())


def test_what_is_repaired_and_what_is_no_body_is_reported(motions, tmp_path):
    np.save(motions / "take0.npy", np.load(motions / "take0.npy") * 100)
    np.save(motions / "rotations.npy", np.random.default_rng(0).normal(size=(60, 22, 3)))
    report = prepare(motions, whole("take0", "take1"), tmp_path / "data", PrepareOptions(Reading(20.0)))
    assert report.notes == {"taken for centimetres, converted to metres": 1}
    assert list(report.dropped) == ["rotations"] and "bones change" in report.dropped["rotations"]


def test_captions_that_fit_no_motion_are_refused(motions, tmp_path):
    with pytest.raises(ValueError, match="none of the 2 captioned motions is in it, such as 'x'"):
        prepare(motions, whole("x", "y"), tmp_path / "data", PrepareOptions())
    assert not (tmp_path / "data").exists()
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(ValueError, match=r"empty\.jsonl: no captions in it"):
        read_requests(tmp_path / "empty.jsonl")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_text_of_windows_programs_is_read(tmp_path, encoding):
    (tmp_path / "c.txt").write_bytes("a\the says \u201ccaf\u00e9\u201d\r\nb\the sits\r\n".encode(encoding))
    (tmp_path / "c.jsonl").write_bytes('{"motion": "a", "text": "caf\u00e9"}\r\n'.encode(encoding))
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_bytes("caf\u00e9#caf\u00e9/NOUN#0.0#0.0\r\n".encode(encoding))
    assert [r.captions for r in read_requests(tmp_path / "c.txt")] == [
        ("he says \u201ccaf\u00e9\u201d",),
        ("he sits",),
    ]
    assert [r.captions for r in read_requests(tmp_path / "c.jsonl")] == [("caf\u00e9",)]
    assert [r.captions for r in read_requests(folder)] == [("caf\u00e9",)]
    assert read_sentences(tmp_path / "c.jsonl") == read_sentences(folder / "a.txt") == ["caf\u00e9"]


def test_input_without_a_motion_is_refused(motions, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match=r"expected motion files \(.*\.bvh, \.amc, \.glb\), found none"):
        prepare(empty, [], tmp_path / "data", PrepareOptions())
    np.save(motions / "kit.npy", wandering(KIT, 60))
    with pytest.raises(ValueError, match=r"one skeleton .*humanml3d and kit"):
        prepare(motions, [], tmp_path / "data", PrepareOptions())
    (motions / "kit.npy").unlink()
    held_out = [ClipRequest(f"take{k}", f"take{k}", ("x",), split="val") for k in range(4)]
    with pytest.raises(ValueError, match="no clip is left for training"):
        prepare(motions, held_out, tmp_path / "data", PrepareOptions())


def test_a_foreign_folder_is_neither_written_nor_removed(motions, tmp_path):
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "train.txt").write_text("precious")
    for _ in range(2):
        with pytest.raises(ValueError, match="not empty"):
            prepare(motions, whole("take0"), foreign, PrepareOptions())
        remove_prepared(foreign)
    assert contents(foreign) == {"train.txt": b"precious"}
    with pytest.raises(ValueError, match="a file, expected a folder"):
        prepare(motions, whole("take0"), foreign / "train.txt", PrepareOptions())


def test_a_data_set_of_other_input_is_refused_until_removed(motions, tmp_path):
    out = tmp_path / "data"
    prepare(motions, whole("take0"), out, PrepareOptions())
    (out / "notes.md").write_text("kept")
    before = contents(out)
    with pytest.raises(ValueError, match="prepared from other input, use --force"):
        prepare(motions, whole("take1"), out, PrepareOptions())
    assert contents(out) == before
    remove_prepared(out)
    assert contents(out) == {"notes.md": b"kept"}


KILLED = """
import os, signal, sys
from pathlib import Path
from lamp_cli.data.prepare.prepare import PrepareOptions, prepare
from tests.data.test_prepare import whole

def advance(done, total):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

motions, out = map(Path, sys.argv[1:])
prepare(motions, whole("take0", "take1", "take2", "take3"), out, PrepareOptions(), advance)
"""


def test_a_killed_run_goes_on_and_ends_like_an_unbroken_one(motions, tmp_path):
    root = Path(__file__).resolve().parents[2]
    words = [sys.executable, "-c", KILLED, motions, tmp_path / "killed"]
    assert subprocess.run(words, cwd=root, timeout=120).returncode == -signal.SIGKILL
    killed = tmp_path / "killed"
    done = {f: f.stat().st_mtime_ns for f in (killed / "texts").iterdir()}
    assert done and not (killed / "train.txt").exists()
    # The kill may also fall between a clip's features and its text: then it is written again.
    (killed / "new_joint_vecs" / "take3.npy").write_bytes(b"half")
    requests = whole("take0", "take1", "take2", "take3")
    report = prepare(motions, requests, killed, PrepareOptions())
    unbroken = prepare(motions, requests, tmp_path / "unbroken", PrepareOptions())
    assert report == unbroken
    assert contents(killed) == contents(tmp_path / "unbroken")
    assert {f: f.stat().st_mtime_ns for f in done} == done


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"val_fraction": float("nan")}, "val_fraction"),
        ({"val_fraction": 0.6}, "val_fraction"),
        ({"workers": 0}, "workers"),
        ({"synthetic": -1}, "synthetic"),
    ],
)
def test_options_out_of_range_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        PrepareOptions(**wrong)


def test_results_inside_the_motions_folder_are_not_taken_for_motions(tmp_path):
    motions = tmp_path / "motions"
    motions.mkdir()
    for number in range(3):
        np.save(motions / f"take{number}.npy", wandering(HUMANML3D, 60, seed=number).astype(np.float32))
    (motions / ".take0-left.npy").write_bytes(b"left by a kill")
    reports = [prepare(motions, whole("take0", "take1"), motions / "data", PrepareOptions()) for _ in "ab"]
    assert reports[0] == reports[1]
    assert not reports[0].dropped


def test_peoples_sentences_join_those_of_made_up_motions(tmp_path: Path) -> None:
    said = tuple(
        f"{who} {does}"
        for who in ("a man", "he", "somebody", "a figure")
        for does in (
            "is waving",
            "jumps up",
            "walks forward",
            "is dancing",
            "kicks",
            "is stretching",
            "claps",
            "takes a bow",
        )
    )
    plain = prepare(None, [], tmp_path / "plain", PrepareOptions(synthetic=60, seed=4))
    rich = prepare(None, [], tmp_path / "rich", PrepareOptions(synthetic=60, seed=4, wording=said))
    assert rich.captions > plain.captions
    added = 0
    for path in (tmp_path / "rich" / "texts").glob("*.txt"):
        texts = [line.split("#")[0] for line in path.read_text().splitlines()]
        theirs = [text for text in texts if text in said]
        truth = read_truth(tmp_path / "rich", path.stem)
        assert truth is not None and all(agrees(text, truth).action for text in theirs)
        own = (tmp_path / "plain" / "texts" / path.name).read_text().splitlines()
        assert [line.split("#")[0] for line in own] == texts[: len(own)]
        added += len(theirs)
    assert added == rich.captions - plain.captions
    with pytest.raises(ValueError, match="wording: is for synthetic clips"):
        PrepareOptions(wording=said)


def test_further_wordings_stand_beside_training_clips_and_go_with_them(tmp_path: Path) -> None:
    output, options = tmp_path / "data", PrepareOptions(synthetic=50, seed=4)
    prepare(None, [], output, options)
    written = contents(output)
    wordings = {name for name in written if name.startswith("wordings/")}
    train = (output / "train.txt").read_text().split()
    assert wordings == {f"wordings/{name}.txt" for name in train}
    clips, _ = open_dataset(output).clips("train", FramesLimit(20, 200))
    assert all(len(clip.wordings) >= 3 and clip.sentences == clip.captions + clip.wordings for clip in clips)
    held_out, _ = open_dataset(output).clips("val", FramesLimit(20, 200))
    assert held_out and not any(clip.wordings for clip in held_out)
    in_a_row = [clip for clip in clips if "parts" in (read_truth(output, clip.id) or {})]
    assert in_a_row and not any(clip.parts for clip in clips if clip not in in_a_row)
    read = []
    for clip in in_a_row:
        truth = read_truth(output, clip.id) or {}
        for part in clip.parts:
            [action] = [each for each in truth["parts"] if part.start == each["start"]]
            assert part.end == min(action["end"], len(clip.features))
            read.append(agrees(part.text, action).action)
    # Of the phrase book's ways to say an action the reader of sentences knows many.
    assert sum(read) > 0.3 * len(read) > 5
    # A run that was killed, or made before there were wordings, goes on where it stopped.
    (output / sorted(wordings)[0]).unlink()
    prepare(None, [], output, options)
    assert contents(output) == written
    remove_prepared(output)
    assert not contents(output)


@pytest.mark.parametrize("gone_at", ["copies_of", "_facts", "_write_motion"])
def test_a_file_that_vanishes_meanwhile_costs_its_own_clips_alone(
    gone_at: str, motions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["lamp_cli.data.prepare.prepare"]
    function = getattr(module, gone_at)
    (motions / "take2.npy").write_bytes((motions / "take1.npy").read_bytes())

    def after_a_loss(*given: object) -> object:
        (motions / "take1.npy").unlink(missing_ok=True)
        return function(*given)

    monkeypatch.setattr(module, gone_at, after_a_loss)
    report = prepare(
        motions, whole("take0", "take1", "take3"), tmp_path / "out", PrepareOptions(val_fraction=0)
    )
    assert report.clips["train"] > 0 and "take1" in report.dropped
    assert "no such file" in report.dropped["take1"].lower()
    assert not any(name.startswith("take0") or name.startswith("take3") for name in report.dropped)
