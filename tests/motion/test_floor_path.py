"""Motions bent along paths: the root on the path, the feet planted, everything else as it was."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lamp_cli.metrics.physics import bone_drift, foot_skate
from lamp_cli.motion.floor_path import FloorPath, bent_along, floor_path, travelled
from lamp_cli.motion.foot_swings import height_of_floor
from lamp_cli.motion.placement import headings, wrapped
from lamp_cli.motion.representation import gaussian_smooth
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.synthetic.corpus import synthetic_clip_of
from tests.conftest import wandering

ANGLE = np.linspace(0.0, 2 * np.pi, 60)
PATHS = {
    "circle": np.stack([1.5 * np.sin(ANGLE), 1.5 - 1.5 * np.cos(ANGLE)], axis=1),
    "corner": np.array([[2.0, 0.0], [2.0, 3.0], [5.0, 3.0]]),
    "wave": np.stack([np.linspace(0, -6, 50), np.sin(np.linspace(0, 6, 50))], axis=1),
    "far": np.array([[0.0, 0.0], [14.0, 0.0]]),
}


@cache
def clip(action: str) -> np.ndarray:
    return synthetic_clip_of(action, np.random.default_rng(6)).joints.astype(np.float64)


def path(name: str) -> FloorPath:
    return floor_path(PATHS[name])


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("action", ["walk", "run", "walk backward", "sidestep"])
def test_the_root_goes_along_the_path_and_feet_stay_planted(name: str, action: str) -> None:
    bent = bent_along(clip(action), path(name), HUMANML3D)
    roots = bent.joints[:, 0, ::2]
    assert path(name).distance(roots).max() == pytest.approx(bent.error) and bent.error < 0.1
    assert np.linalg.norm(roots[0] - PATHS[name][0]) < 0.1
    assert bent.covered > 0.85 * path(name).length
    assert np.linalg.norm(roots[-1] - path(name).at(np.array([bent.covered]))[0]) < 0.1
    assert (foot_skate(bent.joints, 20.0) or 0.0) < 0.5
    assert bone_drift(bent.joints) < bone_drift(clip(action)) + 0.2
    assert 1 / 1.15 <= bent.stretch <= 1.15 and len(bent.frames) == len(bent.joints)


def test_feet_that_slide_as_they_bear_step_along_a_path() -> None:
    feet, walk = list(HUMANML3D.feet), clip("walk").copy()
    walk[:, feet] = gaussian_smooth(walk[:, feet].reshape(len(walk), -1), 3.0).reshape(len(walk), 4, 3)
    bent = bent_along(walk, path("far"), HUMANML3D).joints
    assert (foot_skate(bent, 20.0, height_of_floor(bent, HUMANML3D)) or 0.0) < 0.45


def test_rounds_come_again_until_the_path_ends() -> None:
    bent = bent_along(clip("walk"), path("far"), HUMANML3D)
    assert bent.rounds > 0 and bent.covered == pytest.approx(14.0, abs=0.05)
    assert len(bent.joints) > 2 * len(clip("walk"))
    steps = np.linalg.norm(np.diff(bent.joints, n=2, axis=0), axis=-1)
    assert steps.max() < 2.0 * np.linalg.norm(np.diff(clip("walk"), n=2, axis=0), axis=-1).max()


def test_the_body_faces_about_its_way_as_it_did() -> None:
    for action, about in (("walk", 0.0), ("walk backward", np.pi)):
        bent = bent_along(clip(action), path("far"), HUMANML3D)
        middle = slice(len(bent.joints) // 4, -len(bent.joints) // 4)
        off = wrapped(headings(bent.joints[middle], HUMANML3D) - np.pi / 2 - about)
        assert np.abs(off).max() < 0.5, action


def test_a_straight_path_leaves_a_straight_walk_as_it_is() -> None:
    walk = clip("walk")
    length = travelled(walk, HUMANML3D)[-1]
    start, end = walk[0, 0, ::2], walk[-1, 0, ::2]
    along = floor_path(np.stack([start, start + (end - start) / np.linalg.norm(end - start) * length]))
    bent = bent_along(walk, along, HUMANML3D)
    assert (bent.rounds, len(bent.joints)) == (0, len(walk))
    assert np.linalg.norm(bent.joints - walk, axis=-1).mean() < 0.03


def test_what_does_not_travel_has_no_way_to_bend() -> None:
    for joints in (clip("wave"), clip("walk")[:1], clip("walk")[:2]):
        with pytest.raises(ValueError, match="the motion travels 0"):
            bent_along(joints, path("corner"), HUMANML3D)


def test_kits_joints_go_along_too() -> None:
    bent = bent_along(wandering(KIT, 80), path("corner"), KIT)
    assert bent.error < 0.1 and bent.joints.shape[1:] == (21, 3)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (np.zeros((1, 2)), r"a path of 0 m \(1 point\)"),
        (np.zeros((5, 2)), r"a path of 0 m \(5 points\)"),
        (np.zeros((0, 2)), "a path of 0 m"),
        (np.zeros((5, 3)), r"shape \(5, 3\)"),
        (np.array([[0, 0], [np.nan, 1]]), "no finite number"),
        (np.array([[0, 0], [np.inf, 1]]), "no finite number"),
        (np.array([[0, 0], [1e9, 1]]), "expected 0.1 to 1000 m"),
    ],
)
def test_what_is_no_path_is_refused(points: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        floor_path(points)


def test_a_path_passes_its_points_and_rounds_its_corners() -> None:
    corner = path("corner")
    assert corner.length == pytest.approx(6.0, abs=0.1)
    np.testing.assert_allclose(corner.at(np.array([0.0, 1e9])), PATHS["corner"][[0, -1]], atol=1e-9)
    assert corner.distance(PATHS["corner"]).max() < 0.1
    turn = np.diff(corner.heading(np.linspace(0, corner.length, 200)))
    assert turn.sum() == pytest.approx(np.pi / 2, abs=0.01) and turn.max() < 0.5
