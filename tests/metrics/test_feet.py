"""Feet by the definitions of the field's benchmarks, each beside a slow one that follows the source."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from lamp_cli.metrics.feet import (
    CONTACT_CONSISTENCY,
    GMD_SKATING,
    KIMODO_SKATING,
    MBENCH_PENETRATION,
    MBENCH_SLIDING,
    PFC,
    FootTracks,
    contact_consistency,
    gmd_skating_ratio,
    kimodo_skating_ratio,
    mbench_penetration,
    mbench_sliding,
    physical_foot_contact,
)
from lamp_cli.metrics.physics import foot_tracks, jitter, physical_quality
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from tests.conftest import wandering

ANKLES_AND_TOES = [7, 10, 8, 11]


def shuffling(frames: int = 80, seed: int = 0) -> np.ndarray:
    """A body whose feet slide, stand, rise and sink by chance."""
    rng = np.random.default_rng(seed)
    joints = wandering(HUMANML3D, frames).astype(np.float64)
    joints[:, ANKLES_AND_TOES] = rng.normal(size=(4, 3))
    steps = rng.normal(size=(frames, 4, 3)) * rng.choice([0.002, 0.03], size=(frames, 1, 1))
    joints[:, ANKLES_AND_TOES] += np.cumsum(steps, axis=0)
    joints[:, ANKLES_AND_TOES, 1] = rng.uniform(-0.02, 0.12, size=(frames, 4))
    return joints


def slow_gmd(joints: np.ndarray) -> float:
    feet = joints[:, [10, 11]]
    speed = np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1) * 20.0
    mean = uniform_filter1d(speed, axis=0, size=5, mode="constant", origin=0)
    skates = 0
    for t in range(len(joints) - 1):
        skates += any(
            feet[t, k, 1] < 0.05 and feet[t + 1, k, 1] < 0.05 and speed[t, k] > 0.5 and mean[t, k] > 0.5
            for k in range(2)
        )
    return skates / (len(joints) - 1)


def slow_kimodo(joints: np.ndarray, fps: float) -> float:
    feet = joints[:, [10, 11]]
    skating = contacts = 0
    for t in range(len(joints) - 1):
        for k in range(2):
            if feet[t, k, 1] < 0.05 and feet[t + 1, k, 1] < 0.05:
                contacts += 1
                skating += np.linalg.norm(feet[t + 1, k] - feet[t, k]) * fps > 0.2
    return skating / contacts


def slow_mbench(joints: np.ndarray) -> float:
    feet = joints[:, [10, 11]]
    steps = np.diff(feet, axis=0)
    steps = np.concatenate([steps, steps[-1:]])
    means = []
    for k in range(2):
        slips = [
            np.hypot(step[k, 0], step[k, 2])
            for step, foot in zip(steps, feet, strict=True)
            if np.linalg.norm(step[k]) < 0.01 or foot[k, 1] < 0.02
        ]
        means.append(np.mean(slips))
    return 100.0 * float(np.mean(means))


def slow_pfc(joints: np.ndarray) -> float:
    """EDGE's, whose up is z, with y for it."""
    acceleration = np.diff(joints[:, 0], n=2, axis=0) * 30.0**2
    acceleration[:, 1] = np.maximum(acceleration[:, 1], 0.0)
    strength = np.linalg.norm(acceleration, axis=-1)
    strength /= strength.max()
    feet = joints[:, ANKLES_AND_TOES]
    slips = np.linalg.norm((feet[2:] - feet[1:-1])[..., [0, 2]], axis=-1)
    left, right = slips[:, :2].min(1), slips[:, 2:].min(1)
    return float((left * right * strength).mean() * 1e4)


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_their_sources(seed: int) -> None:
    joints = shuffling(seed=seed)
    at_20, at_30 = foot_tracks(joints, 20.0), foot_tracks(joints, 30.0)
    assert 0.0 < gmd_skating_ratio(at_20) == pytest.approx(slow_gmd(joints))
    assert 0.0 < kimodo_skating_ratio(at_30) == pytest.approx(slow_kimodo(joints, 30.0))
    assert mbench_sliding(at_20) == pytest.approx(slow_mbench(joints))
    assert physical_foot_contact(at_30, np.diff(joints[:, 0], n=2, axis=0)) == pytest.approx(slow_pfc(joints))
    deep = -joints[:, [10, 11], 1]
    assert mbench_penetration(at_20) == pytest.approx(100.0 * deep[deep > 0.005].mean())


def test_a_slide_is_the_same_at_any_rate() -> None:
    """Two seconds of sliding at 1 m/s, and two of standing."""

    def clip(fps: float) -> np.ndarray:
        joints = np.zeros((round(4 * fps) + 1, 22, 3))
        joints[..., 1] = 0.01
        joints[..., 0] = np.minimum(np.arange(len(joints)) / fps, 2.0)[:, None]
        return joints

    for fps in (20.0, 60.0):
        figures = physical_quality(clip(fps), fps).figures()
        assert figures[GMD_SKATING] == pytest.approx(0.5, abs=0.02)
        assert figures[KIMODO_SKATING] == pytest.approx(0.5, abs=0.02)
        assert figures[MBENCH_SLIDING] == pytest.approx(100 / 20 / 2, abs=0.1)
        assert figures[MBENCH_PENETRATION] == 0.0
        assert figures[PFC] == pytest.approx(0.0, abs=1e-9)


def test_contacts_are_compared_with_the_joints() -> None:
    heights = np.full((5, 4), 0.05)
    heights[:, 3] = 0.2
    steps = np.zeros((4, 4, 3))
    steps[:, 1, 0] = 0.1
    feet = FootTracks(heights, steps, 20.0)
    # The first and third foot joints stand: the second slides, the fourth is in the air.
    truth = np.tile([True, False, True, False], (4, 1))
    assert contact_consistency(feet, truth) == 1.0
    assert contact_consistency(feet, ~truth) == 0.0
    truth[0, 0] = False
    assert contact_consistency(feet, truth.astype(np.float32)) == 15 / 16
    with pytest.raises(ValueError, match=r"expected contacts \(4, 4\), found \(5, 4\)"):
        contact_consistency(feet, np.ones((5, 4)))
    quality = physical_quality(shuffling(), 20.0, contacts=np.zeros((79, 4)))
    assert 0.0 < quality.figures()[CONTACT_CONSISTENCY] < 1.0


def test_feet_in_the_air_have_no_ratio_of_contacts() -> None:
    joints = shuffling()
    joints[:, ANKLES_AND_TOES, 1] += 1.0
    figures = physical_quality(joints, 20.0).figures()
    assert KIMODO_SKATING not in figures and figures[GMD_SKATING] == 0.0


def test_root_relative_jitter_leaves_out_how_the_body_is_carried() -> None:
    joints = wandering(HUMANML3D, 60).astype(np.float64)
    shaken = joints + np.random.default_rng(0).normal(size=(60, 1, 3)) / 100
    still, moved = (physical_quality(clip, 20.0) for clip in (joints, shaken))
    assert moved.root_relative_jitter == pytest.approx(still.root_relative_jitter)
    assert moved.jitter > 2 * still.jitter
    assert still.root_relative_jitter == pytest.approx(jitter(joints - joints[:, :1], 20.0))


def test_kits_feet_are_its_heels_and_toes() -> None:
    joints = wandering(KIT, 30).astype(np.float64)
    tracks = foot_tracks(joints, KIT.fps)
    np.testing.assert_array_equal(tracks.heights[:, [1, 3]], joints[:, [20, 15], 1])
