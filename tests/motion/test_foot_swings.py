"""Feet between rests: what would slide is lifted, sets out and lands slowly; all else stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.metrics.physics import ANKLE_HEIGHT, TOE_HEIGHT, foot_skate
from lamp_cli.motion.clean_up import resting_feet
from lamp_cli.motion.foot_swings import lifted_swings, resting_between_steps, with_feet_lifted
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from lamp_cli.synthetic.corpus import synthetic_clip_of

LOW = np.array([ANKLE_HEIGHT, TOE_HEIGHT, ANKLE_HEIGHT, TOE_HEIGHT])


def sliding(fps: float = 20.0, way: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Tracks (T, 4, 3) of feet that rest for a second, slide for one, and rest; which (T, 4) rest."""
    frames = round(fps)
    tracks = np.zeros((3 * frames, 4, 3))
    tracks[:, :, 1] = 0.9 * LOW
    tracks[:, :, 2] = np.concatenate([np.zeros(frames), np.linspace(0, way, frames), np.full(frames, way)])[
        :, None
    ]
    still = np.ones((3 * frames, 4), dtype=bool)
    still[frames : 2 * frames] = False
    return tracks, still


def slip(tracks: np.ndarray, fps: float) -> float:
    """Of what is low before and after a step the mean way of it, metres at 20 frames a second."""
    low = tracks[..., 1] <= LOW
    contact = low[1:] & low[:-1]
    steps = np.linalg.norm(np.diff(tracks[..., ::2], axis=0), axis=-1)[contact]
    return float(steps.mean() * fps / 20.0) if len(steps) else 0.0


@pytest.mark.parametrize("fps", [20.0, 30.0, 60.0, 120.0])
def test_a_slide_becomes_a_step(fps: float) -> None:
    tracks, still = sliding(fps)
    kept = np.zeros(len(tracks), dtype=bool)
    made = tracks + lifted_swings(tracks, still, kept, 0.0, HUMANML3D, fps)
    assert slip(made, fps) < 0.1 * slip(tracks, fps)
    np.testing.assert_array_equal(made[still], tracks[still])
    # It goes the same way, no further and hardly back.
    assert (np.diff(made[..., 2], axis=0) > -0.005).all() and made[..., 2].max() <= 0.605
    speed = np.diff(made[:, 1], axis=0) * fps
    assert np.linalg.norm(speed, axis=1).max() < 2.0
    # As high as need be.
    assert made[..., 1].max() < ANKLE_HEIGHT + 0.03


def test_a_foot_whose_toe_steps_does_not_rest_on_its_ankle() -> None:
    tracks, still = np.zeros((40, 4, 3)), np.ones((40, 4), dtype=bool)
    still[20:24, 1] = still[20:24, 3] = still[30:, 2] = False
    tracks[20:, 1, 2], tracks[20:, 3, 2] = 0.2, 0.01
    found = resting_between_steps(tracks, still, 20.0)
    assert not found[20:24, :2].any() and found[:20, :2].all() and found[24:, :2].all()
    # A toe that is raised and set down again, and one that rests on as its heel rises, leave all as it was.
    np.testing.assert_array_equal(found[:, 2:], still[:, 2:])


def test_what_is_high_or_hardly_moves_stays_as_it_is() -> None:
    kept = np.zeros(60, dtype=bool)
    for raised, way in ((0.2, 0.6), (0.0, 0.05)):
        tracks, still = sliding(way=way)
        tracks[..., 1] += raised
        np.testing.assert_array_equal(lifted_swings(tracks, still, kept, 0.0, HUMANML3D, 20.0), 0.0)


def test_from_a_frame_that_stays_a_step_goes_on_as_it_comes() -> None:
    tracks, still = sliding()
    kept = np.zeros(60, dtype=bool)
    still[20:30], kept[20:30] = False, True
    made = tracks + lifted_swings(tracks, still, kept, 0.0, HUMANML3D, 20.0)
    np.testing.assert_array_equal(made[:30], tracks[:30])
    bend = np.linalg.norm(np.diff(made, n=2, axis=0), axis=-1)
    # Where it comes in the middle of a step it takes its time; to its rest it comes slowly.
    assert bend[27:30].max() < 0.012 and made[39, 0, 2] - made[38, 0, 2] < 0.02


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT])
def test_motions_that_begin_or_end_within_a_step_are_served(skeleton: Skeleton) -> None:
    tracks, still = sliding()
    for part in (slice(25, 35), slice(25, 60), slice(0, 35), slice(20, 22), slice(25, 26)):
        kept = np.zeros(len(tracks[part]), dtype=bool)
        if len(kept) > 1:
            assert np.isfinite(lifted_swings(tracks[part], still[part], kept, 0.0, skeleton, 20.0)).all()


def test_a_body_whose_feet_drag_lifts_them() -> None:
    walk = synthetic_clip_of("walk", np.random.default_rng(6)).joints.astype(np.float64)
    feet, floor = list(HUMANML3D.feet), walk[..., 1].min()
    resting = resting_feet(walk, HUMANML3D)
    dragging = walk.copy()
    dragging[:, feet, 1] = floor + 0.5 * (walk[:, feet, 1] - floor)
    found = with_feet_lifted(dragging, resting, HUMANML3D, 20.0)
    skates = [foot_skate(joints, 20.0) or 0.0 for joints in (dragging, found)]
    assert skates[0] > 1.0 and skates[1] < 0.3 * skates[0]
    lifted = np.abs(found - dragging).max((1, 2)) > 1e-6
    assert lifted.any() and not lifted[resting.all(1)].any()
