"""The 263/251-number representation: round trips, invariances, closed forms."""

from __future__ import annotations

from pathlib import Path

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
from lamp_cli.motion.skeleton import HUMANML3D, KIT, SKELETONS, Skeleton
from tests.conftest import standing, wandering

GOLDEN = Path(__file__).parent / "golden" / "representation.npz"
GOLDEN_CLIPS = {
    "humanml3d": ("walk", "kick", "turn", "crawl", "jog_in_a_circle", "side_kick"),
    "kit": ("walk", "kick", "turn"),
}
# Largest difference allowed to the field's own code, which computes in float32: metres and millimetres.
TOLERANCE = {"humanml3d": 5e-5, "kit": 5e-3}


def column_groups(skeleton: Skeleton) -> dict[str, slice]:
    """The columns of each kind of number."""
    others = skeleton.joints - 1
    sizes = {
        "root rotation": 1,
        "root displacement": 2,
        "root height": 1,
        "positions": 3 * others,
        "rotations": 6 * others,
        "displacements": 3 * skeleton.joints,
        "contacts": 4,
    }
    ends = np.cumsum(list(sizes.values())).tolist()
    return {name: slice(end - sizes[name], end) for name, end in zip(sizes, ends, strict=True)}


@pytest.mark.parametrize(
    ("skeleton", "clip"),
    [(skeleton, clip) for skeleton in SKELETONS for clip in GOLDEN_CLIPS[skeleton.name]],
    ids=lambda value: getattr(value, "name", value),
)
def test_features_are_those_of_the_code_that_made_the_published_data(skeleton, clip):
    """Golden values: what the notebooks of HumanML3D, run unchanged, make of the same joints."""
    with np.load(GOLDEN) as golden:
        joints = golden[f"{skeleton.name}/{clip}/joints"]
        expected = golden[f"{skeleton.name}/{clip}/features"]
    features = joints_to_features(joints, skeleton)
    assert features.shape == expected.shape == (len(joints) - 1, skeleton.feature_size)
    for group, columns in column_groups(skeleton).items():
        worst = np.abs(features[:, columns] - expected[:, columns]).max()
        assert worst <= TOLERANCE[skeleton.name], group


def test_golden_clips_hold_feet_on_and_off_the_floor():
    """Without both, contacts that are always 1 would pass."""
    with np.load(GOLDEN) as golden:
        for skeleton in SKELETONS:
            clips = [golden[f"{skeleton.name}/{clip}/features"] for clip in GOLDEN_CLIPS[skeleton.name]]
            contacts = np.concatenate(clips)[:, column_groups(skeleton)["contacts"]]
            assert set(np.unique(contacts)) == {0.0, 1.0}


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


@pytest.mark.parametrize(("seed", "frames"), [(1548, 39), (4884, 20)])
def test_a_body_turning_slowly_past_its_back_is_recovered(seed, frames):
    joints = wandering(KIT, frames, seed)
    back = features_to_joints(joints_to_features(joints, KIT), KIT)
    np.testing.assert_allclose(back, canonical_joints(joints, KIT)[:-1], atol=1e-5)


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_contacts_are_those_of_feet_slower_than_the_threshold(skeleton):
    threshold = np.sqrt(skeleton.contact_threshold) / skeleton.feature_units_per_metre
    gliding = np.repeat(standing(skeleton)[None], 4, axis=0)
    # The whole body glides: first a little less than the threshold, then a little more, then not at all.
    gliding[1:, :, 0] += 0.95 * threshold
    gliding[2:, :, 0] += 1.05 * threshold
    contacts = joints_to_features(gliding, skeleton)[:, -4:]
    assert contacts.tolist() == [[1.0] * 4, [0.0] * 4, [1.0] * 4]


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
