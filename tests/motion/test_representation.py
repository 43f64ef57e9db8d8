"""The 263/251-number representation: round trips, invariances, closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from lamp_cli.motion import rotation
from lamp_cli.motion.representation import (
    canonical_joints,
    features_to_joints,
    gaussian_smooth,
    joints_to_features,
)
from lamp_cli.motion.skeleton import HUMANML3D, KIT, SKELETONS
from tests.conftest import wandering


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_joints_survive_the_round_trip_to_a_millimetre(skeleton):
    joints = wandering(skeleton, 150)
    features = joints_to_features(joints, skeleton)
    assert features.shape == (149, skeleton.feature_size)
    recovered = features_to_joints(features, skeleton)
    canonical = canonical_joints(joints, skeleton)[:-1]
    # Frame 0's facing inside the features is forced to the identity (the field's quirk), so the
    # recovered clip may differ from the canonical one by that first step only.
    assert np.abs(recovered - canonical).max() < 1e-3


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_shifting_and_turning_a_clip_leaves_its_features_unchanged(skeleton):
    joints = wandering(skeleton, 80)
    turn = rotation.about_y(np.array(1.3))
    moved = rotation.rotate(turn, joints) + np.array([3.0, 0.7, -5.0])
    difference = joints_to_features(joints, skeleton) - joints_to_features(moved, skeleton)
    assert np.abs(difference).max() < 1e-3 * skeleton.feature_units_per_metre


def test_a_body_turning_past_its_back_is_recovered():
    frames = 200
    joints = np.repeat(wandering(HUMANML3D, 2)[:1], frames, axis=0)
    turn = rotation.about_y(np.linspace(0, 2.5 * np.pi, frames))
    spinning = rotation.rotate(turn[:, None], joints)
    recovered = features_to_joints(joints_to_features(spinning, HUMANML3D), HUMANML3D)
    expected = canonical_joints(spinning, HUMANML3D)[:-1]
    assert np.abs(recovered - expected).max() < 1e-3


def test_contacts_are_those_of_still_feet(walk):
    walk[40:60, list(HUMANML3D.left_foot)] = walk[40, list(HUMANML3D.left_foot)]
    still = np.repeat(walk[:1], 10, axis=0)
    contacts = joints_to_features(still, HUMANML3D)[:, 259:]
    assert (contacts == 1).all()


def test_smoothing_and_rotations_agree_with_scipy():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(130, 3))
    peer = gaussian_filter1d(signal, 20, axis=0, mode="nearest")
    assert np.allclose(gaussian_smooth(signal, 20.0), peer, atol=1e-12)
    a, b = Rotation.random(50, random_state=1), Rotation.random(50, random_state=2)
    quaternion = lambda r: np.roll(r.as_quat(), 1, axis=-1)
    product = rotation.multiply(quaternion(a), quaternion(b))
    matrix = (a * b).as_matrix()
    six = rotation.to_six_numbers(product)
    assert np.allclose(six, np.concatenate([matrix[..., 0], matrix[..., 1]], -1))
    v = rng.normal(size=(50, 3))
    assert np.allclose(rotation.rotate(quaternion(a), v), a.apply(v))
    u = rng.normal(size=(50, 3))
    aligned = rotation.rotate(rotation.between(u, v), u / np.linalg.norm(u, axis=-1)[:, None])
    assert np.allclose(aligned, v / np.linalg.norm(v, axis=-1)[:, None])


def test_opposite_directions_get_a_half_turn():
    u = np.eye(3)
    assert np.allclose(rotation.rotate(rotation.between(u, -u), u), -u)


def test_refusals():
    with pytest.raises(ValueError, match="at least 2 frames"):
        joints_to_features(wandering(HUMANML3D, 1), HUMANML3D)
    with pytest.raises(ValueError, match=r"expected joints \(T, 21, 3\)"):
        joints_to_features(wandering(HUMANML3D, 5), KIT)
    broken = wandering(HUMANML3D, 5)
    broken[2, 3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        joints_to_features(broken, HUMANML3D)
