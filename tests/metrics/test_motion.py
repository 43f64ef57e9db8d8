"""Physical quality and reconstruction errors on motions with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.metrics.feet import CONTACT_CONSISTENCY
from lamp_cli.metrics.measurement import FigureNotAllowed, confidence_interval
from lamp_cli.metrics.physics import (
    ANKLE_HEIGHT,
    JITTER,
    PENETRATION,
    PHYSICAL_FIGURES,
    TOE_HEIGHT,
    bone_drift,
    floating,
    foot_skate,
    jitter,
    penetration,
    physical_figures,
    physical_quality,
)
from lamp_cli.metrics.reconstruction import (
    acceleration_error,
    mpjpe,
    pa_mpjpe,
    procrustes,
    reconstruction,
    root_relative_mpjpe,
)
from lamp_cli.motion import rotation
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from tests.conftest import standing, wandering


def still(skeleton: Skeleton = HUMANML3D, frames: int = 10) -> np.ndarray:
    return np.repeat(standing(skeleton)[None], frames, axis=0)


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT])
def test_a_statue_is_perfect(skeleton: Skeleton) -> None:
    quality = physical_quality(still(skeleton), skeleton.fps)
    assert (quality.penetration, quality.floating, quality.jitter) == (0.0, 0.0, 0.0)
    assert quality.bone_drift == pytest.approx(0.0, abs=1e-12)
    assert quality.foot_skate in (0.0, None)


def test_foot_skate_is_the_slip_of_feet_on_the_floor() -> None:
    joints = still()
    joints[..., 1] += TOE_HEIGHT / 2 - joints[0, [10, 11], 1].max()
    sliding = joints + 0.03 * np.arange(10)[:, None, None] * np.array([0.6, 0.0, 0.8])
    assert foot_skate(sliding, 20.0) == pytest.approx(3.0)
    # Sliding as fast, above the floor: no contact, and no figure.
    assert foot_skate(sliding + np.array([0.0, 1.0, 0.0]), 20.0) is None
    assert foot_skate(sliding + np.array([0.0, 1.0, 0.0]), 20.0, floor=1.0) == pytest.approx(3.0)
    # As far in a frame of half the time is twice as fast.
    assert foot_skate(sliding, 40.0) == pytest.approx(6.0)
    # Falling straight down slips nowhere.
    falling = joints - 0.001 * np.arange(10)[:, None, None] * np.array([0.0, 1.0, 0.0])
    assert foot_skate(falling, 20.0) == 0.0


def test_only_a_foot_that_is_low_in_both_frames_is_in_contact() -> None:
    joints = np.full((4, 22, 3), 1.0)
    left_foot = joints[:, 10]
    left_foot[:, 1] = [0.0, TOE_HEIGHT, 2 * TOE_HEIGHT, 0.0]
    left_foot[:, 0] = [0.0, 0.02, 0.5, 0.9]
    assert foot_skate(joints, 20.0) == pytest.approx(2.0)
    ankle = np.full((3, 22, 3), 1.0)
    ankle[:, 7, 1] = [ANKLE_HEIGHT, ANKLE_HEIGHT - 1e-9, ANKLE_HEIGHT + 1e-6]
    ankle[:, 7, 2] = [0.0, 0.01, 0.9]
    assert foot_skate(ankle, 20.0) == pytest.approx(1.0)


def test_penetration_is_the_depth_of_the_lowest_joint() -> None:
    joints = np.full((4, 22, 3), 0.5)
    joints[0, 3, 1], joints[0, 4, 1], joints[1, 5, 1] = -0.02, -0.01, -0.06
    assert penetration(joints) == pytest.approx((2.0 + 6.0) / 4)
    assert penetration(joints, floor=0.5) == pytest.approx((52.0 + 56.0) / 4)
    assert penetration(joints, floor=-1.0) == 0.0


def test_floating_is_the_height_of_the_lowest_joint() -> None:
    joints = np.full((4, 22, 3), 0.5)
    joints[0, 3, 1], joints[1, 5, 1] = -0.02, 0.06
    assert floating(joints) == pytest.approx((6.0 + 50.0 + 50.0) / 4)
    assert floating(joints, floor=0.5) == 0.0
    # A body that hovers 20 cm above the floor never skates nor sinks: this figure alone tells.
    hovering = physical_quality(still() + np.array([0.0, 0.2, 0.0]), 20.0)
    assert (hovering.foot_skate, hovering.penetration) == (None, 0.0)
    assert hovering.floating == pytest.approx(20.0)


@pytest.mark.parametrize("fps", [12.5, 20.0, 60.0])
def test_jitter_of_a_cubic_path_is_its_third_derivative(fps: float) -> None:
    time = np.arange(12) / fps
    path = np.stack([time**3, 5.0 * time**2, -2.0 * time**3], axis=-1)
    joints = still(frames=12) + path[:, None]
    assert jitter(joints, fps) == pytest.approx(6.0 * np.sqrt(1.0 + 4.0), rel=1e-6)
    assert jitter(still(frames=12) + 5.0 * time[:, None, None] ** 2, fps) == pytest.approx(0.0, abs=1e-6)


def test_bone_drift_is_the_deviation_from_the_mean_length() -> None:
    joints = still(frames=4)
    # The head moves away from the neck by 0, 4, 0, 4 cm: 2 cm off the mean in one of 21 bones.
    joints[1::2, 15, 1] += 0.04
    assert bone_drift(joints) == pytest.approx(2.0 / 21)
    turned = rotation.rotate(rotation.about_y(np.arange(4.0))[:, None], still(frames=4))
    assert bone_drift(turned) == pytest.approx(0.0, abs=1e-10)


def test_figures_of_several_clips_leave_out_what_a_clip_has_not() -> None:
    clips = [physical_quality(wandering(HUMANML3D, 40, seed), 20.0) for seed in range(3)]
    clips.append(physical_quality(still(frames=1) + 5.0, 20.0))
    assert clips[-1].jitter is None and clips[-1].foot_skate is None
    figures = physical_figures(clips[:3] * 2 + clips[3:])
    assert list(figures) == [name for name in PHYSICAL_FIGURES if name != CONTACT_CONSISTENCY]
    jitters = [c.jitter for c in clips[:3] if c.jitter is not None]
    assert figures[JITTER].value == pytest.approx(np.mean(jitters))
    assert figures[JITTER].interval == pytest.approx(confidence_interval(jitters * 2))
    assert (figures[JITTER].clips, figures[PENETRATION].clips) == (6, 7)
    assert physical_figures(clips[:1])[JITTER].interval is None
    with pytest.raises(FigureNotAllowed, match="no clips"):
        physical_figures([])


@pytest.mark.parametrize(
    "figure",
    [
        lambda joints: foot_skate(joints, 20.0),
        penetration,
        floating,
        bone_drift,
        lambda joints: jitter(joints, 20.0),
    ],
)
def test_what_is_no_motion_is_refused(figure: object) -> None:
    assert callable(figure)
    with pytest.raises(ValueError, match=r"found shape \(5, 9, 3\)"):
        figure(np.zeros((5, 9, 3)))
    with pytest.raises(ValueError, match="NaN"):
        figure(np.full((5, 22, 3), np.nan))
    with pytest.raises(ValueError, match="at least"):
        figure(np.zeros((0, 22, 3)))


def test_short_clips_and_wrong_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="jitter: expected a clip of at least 4 frames, found 3"):
        jitter(still(frames=3), 20.0)
    with pytest.raises(ValueError, match="foot skate: expected a clip of at least 2 frames, found 1"):
        foot_skate(still(frames=1), 20.0)
    for fps in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="frame rate above 0"):
            jitter(still(), fps)


def test_position_errors_by_hand(walk: np.ndarray) -> None:
    moved = walk + np.array([0.3, 0.0, 0.4])
    assert mpjpe(moved, walk) == pytest.approx(500.0)
    assert root_relative_mpjpe(moved, walk) == pytest.approx(0.0, abs=1e-9)
    grown = 1.5 * moved
    assert pa_mpjpe(grown, walk) == pytest.approx(0.0, abs=1e-9)
    one = walk.copy()
    one[:, 15] += np.array([0.0, 0.022, 0.0])
    assert mpjpe(one, walk) == root_relative_mpjpe(one, walk) == pytest.approx(1.0)


def test_acceleration_error_by_hand(walk: np.ndarray) -> None:
    frames = np.arange(len(walk))[:, None, None]
    assert acceleration_error(walk + 0.1 * frames, walk, 20.0) == pytest.approx(0.0, abs=1e-9)
    bent = walk + 0.001 * frames**2 * np.array([1.0, 0.0, 0.0])
    assert acceleration_error(bent, walk, 20.0) == pytest.approx(2.0)
    assert acceleration_error(bent, walk, 12.5) == pytest.approx(2.0 * (12.5 / 20) ** 2)


def test_procrustes_is_scipys_and_does_not_mirror(walk: np.ndarray) -> None:
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(0)
    noisy = walk[:20] + 0.05 * rng.standard_normal((20, 22, 3))
    aligned = procrustes(noisy, walk[:20])
    for moving, fixed, ours in zip(noisy, walk, aligned, strict=False):
        a, b = moving - moving.mean(0), fixed - fixed.mean(0)
        turn, _ = Rotation.align_vectors(b, a)
        turned = turn.apply(a)
        scale = (turned * b).sum() / (turned * turned).sum()
        np.testing.assert_allclose(ours, scale * turned + fixed.mean(0), atol=1e-7)
    mirrored = walk * np.array([-1.0, 1.0, 1.0])
    assert pa_mpjpe(mirrored, walk) > 10.0
    turned = rotation.rotate(rotation.about_y(np.linspace(0, 3, len(walk)))[:, None], walk)
    assert pa_mpjpe(turned, walk) == pytest.approx(0.0, abs=1e-6)
    assert pa_mpjpe(np.zeros_like(walk), walk) == pytest.approx(
        mpjpe(np.repeat(walk.mean(1, keepdims=True), 22, 1), walk)
    )


def test_reconstruction_gathers_all(walk: np.ndarray) -> None:
    noisy = walk + 0.01
    figures = reconstruction(noisy, walk, 20.0)
    assert list(figures) == [
        "MPJPE (mm)",
        "root-relative MPJPE (mm)",
        "PA-MPJPE (mm)",
        "acceleration error (mm/frame² at 20 fps)",
    ]
    assert figures["MPJPE (mm)"] == mpjpe(noisy, walk)
    assert "acceleration error (mm/frame² at 20 fps)" not in reconstruction(noisy[:2], walk[:2], 20.0)
    for wrong in (walk[:-1], walk[..., :2], walk[0]):
        with pytest.raises(ValueError, match="of one shape"):
            reconstruction(wrong, walk, 20.0)
    with pytest.raises(ValueError, match="at least 1 frames, found 0"):
        mpjpe(walk[:0], walk[:0])
    with pytest.raises(ValueError, match="NaN"):
        mpjpe(walk * np.nan, walk)
