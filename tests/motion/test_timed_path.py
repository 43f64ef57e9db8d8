"""Motions at places at times: the root where it is asked for, feet planted, the rest as it was."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lamp_cli.metrics.physics import bone_drift, foot_skate
from lamp_cli.motion.placement import headings, placed, wrapped
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.timed_path import TimedPath, at_places
from lamp_cli.synthetic.corpus import synthetic_clip_of

FPS = HUMANML3D.fps


@cache
def clip(action: str) -> np.ndarray:
    return synthetic_clip_of(action, np.random.default_rng(6)).joints.astype(np.float64)


def timed(times: list[float], places: list[list[float]], facing: list[float] | None = None) -> TimedPath:
    return TimedPath(np.array(times), np.array(places), np.array(facing or [np.nan] * len(times)))


def apart(joints: np.ndarray, path: TimedPath) -> np.ndarray:
    at = np.rint(path.times * FPS).astype(int)
    return np.linalg.norm(joints[at, 0, ::2] - path.places, axis=1)


@pytest.mark.parametrize(
    "action, speed", [("walk", 1.0), ("walk", 1.6), ("run", 2.5), ("walk backward", 0.7)]
)
def test_the_root_is_at_the_places_at_their_times(action: str, speed: float) -> None:
    joints = clip(action)[: 3 * 20 + 1]
    times = np.linspace(0.0, (len(joints) - 1) / FPS, 7)
    angle = np.linspace(0.0, 1.5, 7)
    radius = speed * times[-1] / 1.5
    path = timed(times.tolist(), (radius * np.stack([np.sin(angle), 1 - np.cos(angle)], 1)).tolist())
    found = at_places(joints, path, HUMANML3D)
    assert len(found) == len(joints)
    assert apart(found, path).mean() < 0.03 and apart(found, path).max() < 0.08
    assert bone_drift(found) < bone_drift(joints) + 0.3
    assert (foot_skate(found, FPS) or 0.0) < 0.5


def test_one_place_moves_and_turns_the_whole_motion() -> None:
    path = timed([0.5], [[3.0, -2.0]], [2.0])
    found = at_places(clip("walk"), path, HUMANML3D)
    assert apart(found, path).max() < 1e-6
    assert abs(wrapped(headings(found, HUMANML3D)[10] - 2.0)) < 1e-6
    assert np.allclose(found[..., 1], clip("walk")[..., 1])


def test_beyond_the_places_it_goes_on_as_it_does() -> None:
    joints = clip("walk")
    path = timed([1.0, 2.0], [[0.0, 0.0], [1.2, 0.0]])
    found = at_places(joints, path, HUMANML3D)
    assert apart(found, path).max() < 0.05
    speed = np.linalg.norm(np.diff(found[:, 0, ::2], axis=0), axis=1) * FPS
    assert np.median(speed[45:]) == pytest.approx(
        np.median(np.linalg.norm(np.diff(joints[45:, 0, ::2], axis=0), axis=1) * FPS), rel=0.05
    )
    assert speed.max() < 2.5


def test_a_body_faces_where_it_is_told_to() -> None:
    path = timed([0.0, 1.0, 2.0], [[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]], [0.0, 0.5, 1.0])
    found = headings(at_places(clip("walk"), path, HUMANML3D), HUMANML3D)
    assert np.abs(wrapped(found[[20, 40]] - [0.5, 1.0])).max() < 0.25


def test_what_does_not_travel_is_carried_in_its_own_time() -> None:
    joints = clip("wave")
    path = timed([0.0, (len(joints) - 1) / FPS], [[0.0, 0.0], [0.0, 1.0]])
    found = at_places(joints, path, HUMANML3D)
    assert apart(found, path).max() < 0.03
    arm = [found[:, 21] - found[:, 17], joints[:, 21] - joints[:, 17]]
    assert np.allclose(np.linalg.norm(arm[0], axis=1), np.linalg.norm(arm[1], axis=1), atol=0.01)
    stays = timed([0.0, 1.0], [[1.0, 1.0], [1.0, 1.0]])
    assert apart(at_places(clip("walk"), stays, HUMANML3D), stays).max() < 0.05


def test_parts_keep_their_times() -> None:
    walk = clip("walk")[:61]
    sitting = clip("sit down")
    joints = np.concatenate([walk, placed(sitting, sitting[0], walk[-1], HUMANML3D)[1:]])
    end = (len(joints) - 1) / FPS
    path = timed([0.0, 3.0, end], [[0.0, 0.0], [0.0, 2.5], [0.0, 2.7]])
    found = at_places(joints, path, HUMANML3D, [(0, 60), (60, len(joints))])
    low = [int(np.argmax(each[:, 0, 1] < 0.75 * each[:60, 0, 1].mean())) for each in (found, joints)]
    assert abs(low[0] - low[1]) <= 1
