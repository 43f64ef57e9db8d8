"""Loops close in pose, velocity and contact; motions in place go nowhere."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lamp_cli.metrics.physics import foot_skate
from lamp_cli.motion import looping
from lamp_cli.motion.clean_up import resting_feet
from lamp_cli.motion.looping import CannotLoop, Loop, closed_loop, loop_at_rate, repeated, without_path
from lamp_cli.motion.placement import headings, placed, wrapped
from lamp_cli.motion.plausibility import bone_lengths
from lamp_cli.motion.seam_bounds import SeamBounds, seam_figures
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.motion.transform import resample
from lamp_cli.synthetic.corpus import synthetic_clip_of
from tests.conftest import standing, wandering


@cache
def clip(action: str) -> np.ndarray:
    return synthetic_clip_of(action, np.random.default_rng(6)).joints.astype(np.float64)


@cache
def looped(action: str) -> Loop:
    return closed_loop(clip(action), HUMANML3D)


def turn_of(joints: np.ndarray) -> float:
    return float(wrapped(np.subtract(*headings(joints[[-1, 0]], HUMANML3D))))


@pytest.mark.parametrize(
    "action", ["walk", "run", "march", "sidestep", "walk in a circle", "wave", "jump", "stand"]
)
def test_the_end_is_the_beginning(action: str) -> None:
    joints = looped(action).joints
    again = placed(joints, joints[0], joints[-1], HUMANML3D)
    assert np.linalg.norm(again[0] - joints[-1], axis=-1).max() < 0.01
    arriving, leaving = joints[-1] - joints[-2], again[1] - again[0]
    assert 20 * np.linalg.norm(arriving - leaving, axis=-1).max() < 0.1
    rounds = repeated(joints, 2, HUMANML3D)
    middle = len(joints) - 1
    again = resting_feet(repeated(joints, 3, HUMANML3D), HUMANML3D)
    for frame in range(-2, 3):
        np.testing.assert_array_equal(again[middle + frame], again[2 * middle + frame])
    bounds = SeamBounds.of(clip(action), 20.0)
    assert seam_figures(rounds, [middle, middle + 1], bounds, 20.0).within.all()
    jumps = np.linalg.norm(np.diff(rounds, n=2, axis=0), axis=-1).max(1)
    assert jumps[middle - 2 : middle + 2].max() <= 1.3 * jumps[: middle - 2].max() + 0.005


@pytest.mark.parametrize("action", ["walk", "sidestep", "wave", "jump"])
def test_feet_and_bones_are_as_before(action: str) -> None:
    joints = looped(action).joints
    assert (foot_skate(joints, 20.0) or 0.0) < 0.3
    usual = np.median(bone_lengths(clip(action), HUMANML3D), axis=0)
    assert np.abs(bone_lengths(joints, HUMANML3D) - usual).max() < 0.005


@pytest.mark.parametrize(("action", "seed"), [("jog", 0), ("jog", 7), ("walk", 5)])
def test_feet_neither_slide_at_the_seam_nor_sink(action: str, seed: int) -> None:
    # The poses that become one have their feet elsewhere.
    joints = synthetic_clip_of(action, np.random.default_rng(seed)).joints.astype(np.float64)
    rounds = repeated(closed_loop(joints, HUMANML3D).joints, 2, HUMANML3D)
    assert (foot_skate(rounds, 20.0) or 0.0) < 0.3
    assert rounds[..., 1].min() > joints[..., 1].min() - 0.005


def test_feet_on_a_treadmill_stay_on_it() -> None:
    walk = without_path(clip("walk"), HUMANML3D)
    loop = closed_loop(walk, HUMANML3D)
    low = [feet[:, list(HUMANML3D.feet), 1].min(1).max() for feet in (walk, loop.joints)]
    assert low[1] < low[0] + 0.01


def test_what_comes_back_at_another_speed_cannot_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looping, "VELOCITY", 0.0)
    with pytest.raises(CannotLoop, match=r"its speed is another one, 0\.\d\d m/s off"):
        closed_loop(clip("walk"), HUMANML3D)


@pytest.mark.parametrize("frames", [12, 16, 20])
def test_short_motions_close_too(frames: int) -> None:
    # Their ends lie apart, and a loop of them is all seam.
    swing = np.tile(standing(HUMANML3D), (frames + 1, 1, 1))
    wrists = [HUMANML3D.joint_names.index(f"{side}_wrist") for side in ("left", "right")]
    swing[:, wrists, 2] += 0.1 * np.sin(2 * np.pi * np.arange(frames + 1) / (frames - 1.5))[:, None]
    joints = closed_loop(swing, HUMANML3D).joints
    rounds, middle = repeated(joints, 2, HUMANML3D), len(joints) - 1
    assert 20 * np.linalg.norm(np.diff(rounds, n=2, axis=0)[middle - 1], axis=-1).max() < 0.1
    assert seam_figures(rounds, [middle, middle + 1], SeamBounds(np.inf), 20.0).jumps.max() < 0.02


@pytest.mark.parametrize("fps", [12.5, 24.0, 25.0, 30.0, 60.0, 120.0])
def test_at_other_rates_it_closes_too(fps: float) -> None:
    own = resample(clip("walk"), 20.0, fps)
    joints = loop_at_rate(looped("walk").joints, own, HUMANML3D, fps)
    again = placed(joints, joints[0], joints[-1], HUMANML3D)
    assert np.linalg.norm(again[0] - joints[-1], axis=-1).max() < 1e-6
    rounds, middle = repeated(joints, 2, HUMANML3D), len(joints) - 1
    assert fps * np.linalg.norm(np.diff(rounds, n=2, axis=0)[middle - 1], axis=-1).max() < 0.1
    assert seam_figures(rounds, [middle, middle + 1], SeamBounds.of(own, fps), fps).within.all()
    assert middle / fps == pytest.approx((len(looped("walk").joints) - 1) / 20.0, abs=0.5 / fps + 1e-9)


def test_a_walk_goes_straight_and_is_all_walking() -> None:
    loop = looped("walk")
    assert abs(turn_of(loop.joints)) < 1e-3
    way = np.linalg.norm(loop.joints[-1, 0] - loop.joints[0, 0])
    speeds = np.linalg.norm(np.diff(loop.joints[:, 0, ::2], axis=0), axis=-1) * 20
    assert way > 1.0 and speeds.min() > 0.5 * speeds.mean()


def test_a_circle_stays_a_circle_and_a_wave_in_its_place() -> None:
    assert abs(turn_of(looped("walk in a circle").joints)) > 0.5
    wave = looped("wave").joints
    np.testing.assert_allclose(wave[-1], wave[0], atol=1e-6)


@pytest.mark.parametrize("action", ["sit down", "lie down", "stand up"])
def test_what_does_not_come_back_cannot_loop(action: str) -> None:
    with pytest.raises(CannotLoop, match=r"never comes back .* cm from its first"):
        closed_loop(clip(action), HUMANML3D)


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_what_is_too_short_cannot_loop(frames: int) -> None:
    with pytest.raises(CannotLoop, match="lasts"):
        closed_loop(clip("walk")[:frames], HUMANML3D)


def test_a_statue_loops() -> None:
    joints = closed_loop(np.tile(standing(HUMANML3D), (40, 1, 1)), HUMANML3D).joints
    np.testing.assert_allclose(joints, np.tile(standing(HUMANML3D), (len(joints), 1, 1)), atol=1e-6)


def test_kits_joints_loop_too() -> None:
    swing = np.tile(standing(KIT), (60, 1, 1))
    wrists = [KIT.joint_names.index(f"{side}_wrist") for side in ("left", "right")]
    swing[:, wrists, 2] += 0.1 * np.sin(2 * np.pi * np.arange(60) / 15)[:, None]
    joints = closed_loop(swing, KIT).joints
    np.testing.assert_allclose(joints[0], joints[-1], atol=1e-6)


def test_place_and_heading_do_not_matter() -> None:
    moved = placed(clip("walk"), clip("walk")[0], wandering(HUMANML3D, 90)[-1], HUMANML3D)
    loop = closed_loop(moved, HUMANML3D)
    assert (loop.start, loop.end) == (looped("walk").start, looped("walk").end)


def test_in_place_only_sway_is_left() -> None:
    walk = clip("walk")
    joints = without_path(walk, HUMANML3D)
    assert np.linalg.norm(np.ptp(walk[:, 0, ::2], axis=0)) > 2.0
    assert np.linalg.norm(joints[:, 0, ::2] - joints[0, 0, ::2], axis=1).max() < 0.1
    np.testing.assert_allclose(np.diff(joints, axis=1), np.diff(walk, axis=1), atol=1e-9)
    np.testing.assert_allclose(joints[..., 1], walk[..., 1], atol=1e-12)


def test_a_loop_in_place_is_a_loop() -> None:
    joints = without_path(looped("walk").joints, HUMANML3D, is_loop=True)
    np.testing.assert_allclose(joints[-1], joints[0], atol=1e-6)
    assert 20 * np.linalg.norm((joints[1] - joints[0]) - (joints[-1] - joints[-2]), axis=-1).max() < 0.1


def test_a_loop_that_turns_stays_in_place_too() -> None:
    circle = looped("walk in a circle").joints
    joints = without_path(circle, HUMANML3D, is_loop=True)
    assert np.linalg.norm(np.ptp(circle[:, 0, ::2], axis=0)) > 0.5
    assert np.linalg.norm(joints[:, 0, ::2] - joints[0, 0, ::2], axis=1).max() < 0.15
    again = placed(joints, joints[0], joints[-1], HUMANML3D)
    np.testing.assert_allclose(again[0], joints[-1], atol=1e-5)
    np.testing.assert_allclose(np.diff(joints, axis=1), np.diff(circle, axis=1), atol=1e-5)


def test_one_frame_in_place_stays() -> None:
    np.testing.assert_allclose(without_path(clip("walk")[:1], HUMANML3D), clip("walk")[:1], atol=1e-9)
