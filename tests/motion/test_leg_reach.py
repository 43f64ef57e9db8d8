"""How far legs reach, and where knees point, against dense algebra and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.motion.leg_reach import (
    LEAST_FLEXION,
    SMOOTHNESS,
    STIFFNESS,
    knee_direction,
    smooth_reach,
)

THIGH, SHANK = 0.4, 0.43


def flexion(reach: np.ndarray) -> np.ndarray:
    return np.arccos((reach**2 - THIGH**2 - SHANK**2) / (2 * THIGH * SHANK))


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 50])
def test_reach_is_the_solution_of_its_least_squares(frames: int) -> None:
    rng = np.random.default_rng(frames)
    before, wanted = (0.72 + 0.06 * rng.random(frames) for _ in range(2))
    bends = np.diff(np.eye(frames), n=2, axis=0)
    slope = THIGH * SHANK * np.sin(flexion(wanted)) / wanted
    matrix = np.diag(slope**2 + STIFFNESS**2) + SMOOTHNESS * bends.T @ bends
    turned = flexion(wanted) - flexion(before)
    change = np.linalg.solve(matrix, -SMOOTHNESS * bends.T @ (bends @ turned))
    np.testing.assert_allclose(
        flexion(smooth_reach(before, wanted, THIGH, SHANK)), flexion(wanted) + change, atol=1e-9
    )


def test_a_leg_that_is_not_moved_reaches_as_far_as_it_did() -> None:
    reach = 0.76 + 0.06 * np.sin(np.arange(40))
    np.testing.assert_allclose(smooth_reach(reach, reach, THIGH, SHANK), reach, atol=1e-9)


def test_a_leg_that_must_stretch_too_far_comes_near_to_straight() -> None:
    reach = smooth_reach(np.full(40, 0.8), np.linspace(0.8, 0.9, 40), THIGH, SHANK)
    assert 0.824 < reach.max() < 0.83 and flexion(reach).min() > LEAST_FLEXION - 1e-9
    assert np.abs(np.diff(flexion(reach), n=2)).max() < 0.02


def leg(knee: tuple[float, float, float]) -> np.ndarray:
    """Hip, knee, ankle and toe (1, 4, 3) of a leg that stands along y and faces z."""
    return np.array([[(0.0, 0.83, 0.0), (knee[0], 0.43, knee[2]), (0.0, 0.0, 0.0), (0.0, -0.05, 0.13)]])


LEFT_TO_RIGHT = np.array([[-0.2, 0.0, 0.0]])


@pytest.mark.parametrize("knee", [(0.0, 0.0, -0.02), (0.01, 0.0, 0.0), (-0.01, 0.0, -0.01)])
def test_a_straight_leg_that_is_lifted_bends_ahead(knee: tuple[float, float, float]) -> None:
    found = knee_direction(leg(knee), LEFT_TO_RIGHT, np.array([0.7]), THIGH, SHANK)[0]
    assert found[2] > 0.95 * np.linalg.norm(found)


def test_a_bent_knee_points_as_it_did() -> None:
    found = knee_direction(leg((0.15, 0.0, 0.05)), LEFT_TO_RIGHT, np.array([0.6]), THIGH, SHANK)[0]
    np.testing.assert_allclose(found[::2] / np.linalg.norm(found), [3 / 10**0.5, 1 / 10**0.5], atol=1e-4)


def test_a_knee_points_on_without_a_jump_as_its_leg_is_lifted() -> None:
    reaches = np.linspace(0.829, 0.6, 200)
    for away in (0.02, 0.05, 0.08):
        legs = np.repeat(leg((away, 0.0, -0.01)), 200, axis=0)
        found = knee_direction(legs, np.repeat(LEFT_TO_RIGHT, 200, axis=0), reaches, THIGH, SHANK)
        assert np.linalg.norm(np.diff(found, axis=0), axis=-1).max() < 0.06
