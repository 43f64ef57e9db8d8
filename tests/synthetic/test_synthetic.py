"""The synthetic corpus: bodies that keep the laws, sentences that keep the truth."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.data.layout import FramesLimit, open_dataset
from lamp_cli.data.prepare.prepare import PrepareOptions, prepare
from lamp_cli.data.prepare.synthetic import read_truth
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import (
    ACTIONS,
    SyntheticClip,
    numbered_clip,
    synthetic_clip_of,
    synthetic_clips,
)
from lamp_cli.synthetic.style import random_style

FPS, GRAVITY = 20.0, 9.81
LEFT_FOOT, RIGHT_FOOT, LEFT_WRIST, RIGHT_WRIST = 10, 11, 20, 21


def samples(action: str, count: int = 4) -> list:
    return [synthetic_clip_of(action, np.random.default_rng([11, n])) for n in range(count)]


def _every(clips: dict[str, list[SyntheticClip]]) -> Iterator[tuple[str, SyntheticClip]]:
    return ((action, clip) for action, own in clips.items() for clip in own)


def feet_bearing(joints: np.ndarray, side: int) -> np.ndarray:
    """(T-1,) True where ankle and toe of a foot are low in both frames: the whole foot bears the body."""
    ankle, toe = joints[:, (7, 8)[side], 1], joints[:, (10, 11)[side], 1]
    flat = (ankle < 0.085) & (toe < 0.025)
    return flat[:-1] & flat[1:]


def test_bodies_keep_the_laws(clips: dict[str, list[SyntheticClip]]) -> None:
    for action, clip in _every(clips):
        joints = clip.joints.astype(np.float64)
        assert joints.shape[1:] == (22, 3) and 41 <= len(joints) <= 197, action
        assert np.isfinite(joints).all(), action
        lengths = np.linalg.norm(joints[:, 1:] - joints[:, list(HUMANML3D.parents[1:])], axis=-1)
        expected = np.tile(HUMANML3D.bone_lengths[1:], (len(joints), 1))
        np.testing.assert_allclose(lengths, expected, atol=1e-4, err_msg=action)
        assert joints[..., 1].min() > -0.01, action
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * FPS
        assert speed.max() < 14, f"{action}: no hand or foot of a person is as fast"
        for side, toe in enumerate((LEFT_FOOT, RIGHT_FOOT)):
            slide = np.linalg.norm(np.diff(joints[:, toe][:, [0, 2]], axis=0), axis=-1)[
                feet_bearing(joints, side)
            ]
            # A moonwalk is made of sliding feet.
            assert not len(slide) or np.mean(slide) < 0.005 or clip.truth.get("slides"), action


def test_bodies_in_the_air_fall_freely(clips: dict[str, list[SyntheticClip]]) -> None:
    for clip in (*clips["jump"], *clips["jump forward"], *clips["jump sideways"]):
        feet = clip.joints[:, [7, 8, 10, 11], 1].min(1)
        aloft = (feet > 0.06).tolist()
        runs = [list(g) for air, g in itertools.groupby(range(len(aloft)), aloft.__getitem__) if air]
        assert len(runs) == clip.truth["count"]
        for run in runs:
            height = clip.joints[run, 0, 1].astype(np.float64)
            fall = np.diff(height, 2) * FPS**2
            np.testing.assert_allclose(fall, -GRAVITY, atol=0.05)


def test_captions_are_different(clips: dict[str, list[SyntheticClip]]) -> None:
    for action, clip in _every(clips):
        assert 1 <= len(clip.captions) <= 3 and len(set(clip.captions)) == len(clip.captions), action


def test_no_way_to_say_an_action_names_the_other_side() -> None:
    for action in ACTIONS.keys() - {"look around", "punch", "balance"}:
        for rng in (np.random.default_rng([11, number]) for number in range(4)):
            movement = ACTIONS[action](random_style(rng), rng)
            other = {"left": "right", "right": "left"}.get(movement.truth.get("side"))
            assert not any(other and other in rest for _, rest in movement.ways), (action, movement.ways)


def test_motions_do_what_their_truth_says() -> None:
    for clip in samples("kick", 8):
        rise = np.ptp(clip.joints[:, [LEFT_FOOT, RIGHT_FOOT], 1], axis=0)
        assert ("left", "right")[int(np.argmax(rise))] == clip.truth["side"]
    for clip in samples("wave", 8):
        high = clip.joints[:, [LEFT_WRIST, RIGHT_WRIST], 1].max(0) > clip.joints[:, 15, 1].max() - 0.1
        assert {(True, False): "left", (False, True): "right", (True, True): "both"}[
            tuple(high.tolist())
        ] == clip.truth["side"]
    for clip in samples("sidestep", 8):
        assert (clip.joints[-1, 0, 0] > clip.joints[0, 0, 0]) == (clip.truth["side"] == "left")
    for clip in samples("walk backward"):
        assert clip.joints[-1, 0, 2] < clip.joints[0, 0, 2] - 0.5
    for clip in samples("turn", 8):
        across = clip.joints[:, 1] - clip.joints[:, 2]
        turned = np.degrees(np.unwrap(np.arctan2(-across[:, 2], across[:, 0])))
        assert turned[-1] - turned[0] == pytest.approx(clip.truth["angle"], abs=25)
    for clip in samples("squat"):
        assert clip.joints[:, 0, 1].min() < clip.joints[0, 0, 1] - 0.25
    for clip in samples("sit down"):
        assert clip.joints[-1, 0, 1] < clip.joints[0, 0, 1] - 0.3


def test_a_clip_depends_on_seed_and_number_alone() -> None:
    one = list(synthetic_clips(6, seed=3))
    for number, clip in enumerate(one):
        again = numbered_clip(3, number)
        assert (clip.joints == again.joints).all()
        assert (clip.captions, clip.truth) == (again.captions, again.truth)
    assert any(len(a.joints) != len(b.joints) for a, b in zip(one, synthetic_clips(6, seed=4), strict=True))


def test_the_corpus_mixes_single_actions_sequences_and_combinations() -> None:
    kinds = {"sequence": 0, "while": 0}
    for clip in synthetic_clips(50, seed=0):
        json.dumps(clip.truth)
        kinds["sequence"] += clip.truth["action"] == "sequence"
        kinds["while"] += "while" in clip.truth
        for part in clip.truth.get("parts", []):
            assert 0 <= part["start"] < part["end"] <= len(clip.joints)
        jerk = np.abs(np.diff(clip.joints[:, 0].astype(np.float64), axis=0)).max()
        assert jerk < 0.35, "the pelvis never leaps between frames"
    assert kinds["sequence"] > 5 and kinds["while"] > 1


def test_prepare_writes_them_with_their_truth_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    options = PrepareOptions(synthetic=42, seed=5)
    first = prepare(None, [], data, options)
    assert first.clips == {"train": 38, "val": 2, "test": 2}
    before = (data / "new_joint_vecs" / "S000007.npy").read_bytes()
    (data / "texts" / "S000007.txt").unlink()
    assert prepare(None, [], data, options) == first
    assert (data / "new_joint_vecs" / "S000007.npy").read_bytes() == before
    clips, report = open_dataset(data).clips("train", FramesLimit(20, 199))
    assert len(clips) == 38 and not report.skipped
    assert read_truth(data, "S000007") == numbered_clip(5, 7).truth
    assert set(clips[0].captions) == set(numbered_clip(5, int(clips[0].id[1:])).captions)


def test_walking_knees_bend_as_peoples_do() -> None:
    """Real ones (294 windows of CMU and ACCAD): the middle half 20 to 31 degrees, accelerations of 6 m/s2."""
    bearing, accelerations = [], []
    for number in range(12):
        clip = synthetic_clip_of("walk", np.random.default_rng([5, number]))
        hip, knee, ankle, toe = (clip.joints[:, [left, left + 1]] for left in (1, 4, 7, 10))
        thigh, shin = hip - knee, ankle - knee
        cosine = (thigh * shin).sum(-1) / np.linalg.norm(thigh, axis=-1) / np.linalg.norm(shin, axis=-1)
        bend = 180 - np.degrees(np.arccos(cosine))
        speed = np.linalg.norm(np.gradient(toe, axis=0), axis=-1) * 20
        walking = np.linalg.norm(np.gradient(clip.joints[:, 0], axis=0), axis=-1) * 20 > 0.5
        bearing.append(bend[(speed < 0.5) & (toe[..., 1] < 0.05) & walking[:, None]])
        accelerations.append(np.linalg.norm(np.diff(knee[walking], 2, axis=0), axis=-1).mean() * 400)
    low, high = np.percentile(np.concatenate(bearing), [25, 75])
    assert 15 < low < high < 38
    assert np.median(accelerations) < 8.5


@pytest.mark.parametrize("action", ["walk", "walk in a curve", "limp"])
def test_walks_set_off_without_a_jerk(action: str) -> None:
    """The first foot lifts in the first frame: no joint may change its speed by 1.5 m/s within a frame."""
    for clip in samples(action, 8):
        change = np.linalg.norm(np.diff(clip.joints[:6], 2, axis=0), axis=-1) * FPS
        assert change.max() < 1.5
