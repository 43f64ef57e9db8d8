"""The judge of posture: what it measures, whom it compares, and whom it can tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from examples.judge import posture
from examples.judge.two_samples import auc, aucs
from examples.judge.windows import (
    FRAMES,
    RealMotion,
    Window,
    action_named,
    actions_shown,
    made_up_windows,
    windows_of,
)
from lamp_cli.data.examples import FOLDERS, write_example
from lamp_cli.data.layout import Clip
from lamp_cli.data.statistics import compute_statistics, save_statistics
from lamp_cli.motion.representation import facing_direction
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import synthetic_clip_of

RNG = np.random.default_rng


def figure(frames: int = FRAMES) -> np.ndarray:
    """Joints (T, 22, 3) of a body that stands straight, arms hanging, and faces +z."""
    places = {
        0: (0, 0.9, 0),
        1: (0.1, 0.85, 0),
        4: (0.1, 0.45, 0),
        7: (0.1, 0.06, 0),
        10: (0.1, 0, 0.1),
        12: (0, 1.4, 0),
        15: (0, 1.5, 0),
        16: (0.2, 1.4, 0),
        18: (0.2, 1.1, 0),
        20: (0.2, 0.85, 0),
    }
    joints = np.zeros((frames, 22, 3))
    for joint, (x, y, z) in places.items():
        joints[:, joint] = x, y, z
        if x:
            joints[:, joint + 1] = -x, y, z
    return joints


def test_a_straight_figure_bends_and_leans_by_nothing() -> None:
    joints = figure()
    assert posture.knees(joints) == pytest.approx(0, abs=1e-5)
    assert posture.lean(joints) == pytest.approx(0)
    assert posture.elbow_out(joints) == pytest.approx(0)
    assert posture.stance_width(joints) == pytest.approx(20)
    assert posture.bearing(joints).all()


def test_angles_and_lengths_are_those_of_the_figure() -> None:
    joints = figure()
    joints[:, [12, 15], 2] = 0.5
    assert posture.lean(joints) == pytest.approx(45)
    joints[:, 7:9, 1:] = 0.45, -0.4
    assert posture.knees(joints) == pytest.approx(90)
    joints[:, 18, 0] = 0.5
    assert posture.elbow_out(joints) == pytest.approx(45)
    joints[:, 0, 1] += np.linspace(0, 0.1, FRAMES)
    assert posture.bob(joints) == pytest.approx(9.0, abs=0.1)


def test_a_figure_that_turns_leans_as_far_ahead_as_one_that_does_not() -> None:
    joints = figure()
    joints[:, [12, 15], 2] = 0.2
    angle = np.linspace(0, np.pi, FRAMES)
    c, s, zero, one = np.cos(angle), np.sin(angle), 0 * angle, 0 * angle + 1
    turned = joints @ np.stack([c, zero, -s, zero, one, zero, s, zero, c], -1).reshape(-1, 3, 3)
    assert posture.lean(turned) == pytest.approx(posture.lean(joints))
    assert posture.stance_width(turned) == pytest.approx(posture.stance_width(joints))


def test_windows_face_ahead_and_show_the_action_all_through() -> None:
    joints = synthetic_clip_of("walk", RNG([1, 2])).joints.astype(np.float64)
    found = list(windows_of(joints, "walk", "one"))
    assert 0 < len(found) < (len(joints) - FRAMES) // (FRAMES // 2) + 1, "the body stands at both ends"
    for window in found:
        middle = facing_direction(window.joints, HUMANML3D)[FRAMES // 2]
        np.testing.assert_allclose(middle, [0, 0, 1], atol=1e-6)
        assert np.abs(window.joints[FRAMES // 2, 0, [0, 2]]).max() < 1e-9
    assert not list(windows_of(joints, "stand", "one"))


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (("a person walks forward", "someone is walking"), "walk"),
        (("a person runs", "a man jogs"), "run"),
        (("a person walks", "a person jumps"), None),
        (("a person sits down and waves",), None),
        ((), None),
    ],
)
def test_a_clip_counts_for_the_action_that_all_its_captions_name(captions, expected) -> None:
    assert action_named(captions) == expected


def test_clips_show_standing_and_running_that_are_told_by_their_pace() -> None:
    assert actions_shown(("a person walks forward",)) == ("walk", "stand")
    assert actions_shown(("a person runs and jumps",)) == ("run", "stand")
    assert actions_shown(("a person runs and jumps", "a person jumps")) == ("stand",)
    assert actions_shown(("a person stands still",)) == ("stand",)
    assert actions_shown(()) == ()


def test_who_waves_is_not_counted_as_standing() -> None:
    still, waving = figure(60), figure(60)
    waving[:, 20, 0] += 0.2 * np.sin(np.arange(60))
    clip = Clip("one", np.zeros((60, 263), np.float32), ("a person waves",))
    real = RealMotion(clip, "stand", "train")
    assert len(list(real.windows_of(still))) == 3 and not list(real.windows_of(waving))


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert auc(np.array([1.0, 1.0]), np.array([1.0])) == 0.5
    assert auc(np.array([0.0, 3.0]), np.array([1.0, 2.0])) == 0.5


def test_bent_bodies_are_told_from_others_and_copies_are_not() -> None:
    def bodies(bend: float, seed: int) -> list[Window]:
        noise = RNG(seed).normal(0, 0.02, (48, 1, 22, 3))
        joints = figure() + noise
        joints[:, :, 4:6, 2] += bend
        return [Window(one, "stand", f"{seed} {n // 2}") for n, one in enumerate(joints)]

    straight, also = bodies(0.0, 1), bodies(0.0, 2)
    assert aucs(straight, bodies(0.15, 3), steps=60)["stand"] > 0.95
    same = aucs(straight, also, steps=60)
    assert 0.2 < same["mean"] < 0.8
    assert aucs(straight, also, steps=60) == same
    assert aucs(straight, also[:3]) == {}


def test_the_report_of_made_up_motion_beside_a_folder_of_real_clips(tmp_path, capsys, monkeypatch) -> None:
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    names = [f"take{n}" for n in range(12)]
    for n, name in enumerate(names):
        clip = synthetic_clip_of("walk", RNG([8, n]))
        write_example(name, clip.joints, ("a person walks forward",), HUMANML3D, tmp_path)
    features = (np.load(tmp_path / "new_joint_vecs" / f"{name}.npy") for name in names)
    save_statistics(tmp_path, compute_statistics(features, HUMANML3D))
    (tmp_path / "train.txt").write_text("\n".join(names))
    monkeypatch.setattr(posture, "LEAST_WINDOWS", 20)
    posture.main(["--data", str(tmp_path), "--made-up", "3", "--json", str(tmp_path / "report.json")])
    printed = capsys.readouterr().out
    assert printed.startswith("walk, ") and "stance knee, deg" in printed and "AUC, made-up" in printed


def test_a_folder_without_real_clips_is_refused(tmp_path) -> None:
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    save_statistics(tmp_path, compute_statistics(iter([RNG(0).normal(size=(50, 263))]), HUMANML3D))
    (tmp_path / "train.txt").write_text("take")
    write_example("take", synthetic_clip_of("nod", RNG(1)).joints, ("a person nods",), HUMANML3D, tmp_path)
    with pytest.raises(ValueError, match="no real clip whose captions name one of walk, run"):
        posture.real_motions(tmp_path)


def test_made_up_windows_are_of_every_action() -> None:
    assert {"walk", "stand", "wave"} <= {window.action for window in made_up_windows(1, 0)}
