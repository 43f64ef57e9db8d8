"""What is no body on a floor is repaired and said, or refused with the likely reason."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.motion.plausibility import ImplausibleMotionError, plausible_body, rate_doubt
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from tests.conftest import standing, stepping, wandering


@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT])
@pytest.mark.parametrize("seed", range(3))
def test_a_body_on_the_floor_stays_as_it_is(skeleton, seed):
    joints = wandering(skeleton, 60, seed)
    body = plausible_body(joints, skeleton)
    assert body.notes == ()
    np.testing.assert_array_equal(body.joints, joints.astype(np.float32))


@pytest.mark.parametrize(
    ("unit", "metres"),
    [("feet", 0.3048), ("inches", 0.0254), ("centimetres", 0.01), ("millimetres", 0.001)],
)
def test_units_are_told_by_the_size_of_the_body(walk, unit, metres):
    body = plausible_body(walk / metres, HUMANML3D)
    assert body.notes == (f"taken for {unit}, converted to metres",)
    np.testing.assert_allclose(body.joints, walk, atol=1e-5)


def test_whole_centimetres_are_no_millimetres(walk):
    body = plausible_body(np.round(walk * 100).astype(np.int16), HUMANML3D)
    assert body.notes == ("taken for centimetres, converted to metres",)
    np.testing.assert_allclose(body.joints, walk, atol=0.006)


TURNED = {
    "z": lambda x, y, z: (x, -z, y),
    "-z": lambda x, y, z: (x, z, -y),
    "-y": lambda x, y, z: (x, -y, -z),
    "x": lambda x, y, z: (y, -x, z),
    "-x": lambda x, y, z: (-y, x, z),
}


@pytest.mark.parametrize("axis", TURNED)
def test_other_up_axes_are_turned_to_y(walk, axis):
    turned = np.stack(TURNED[axis](*np.moveaxis(walk, -1, 0)), axis=-1)
    body = plausible_body(turned, HUMANML3D)
    assert body.notes == (f"{axis} taken for up, turned to y up",)
    np.testing.assert_allclose(body.joints, walk, atol=1e-6)


def test_who_lies_or_stands_on_the_hands_is_left_alone():
    pose = standing(HUMANML3D)
    lying = np.stack([pose[:, 0], pose[:, 2] - pose[:, 2].min(), pose[:, 1]], axis=-1)
    lying[:, 0] *= -1.0
    upside_down = pose * [1.0, -1.0, -1.0]
    for name in ("left_elbow", "right_elbow", "left_wrist", "right_wrist"):
        joint = HUMANML3D.joint_names.index(name)
        upside_down[joint, 1] = upside_down[HUMANML3D.parents[joint], 1] - 0.26
    upside_down[:, 1] -= upside_down[:, 1].min()
    for still in (lying, upside_down):
        assert plausible_body(np.repeat(still[None], 40, axis=0), HUMANML3D).notes == ()


@pytest.mark.parametrize(("height", "note"), [(1.0, "above"), (-0.9, "below")])
def test_a_floor_that_is_off_is_moved(walk, height, note):
    body = plausible_body(walk + np.array([0.0, height, 0.0]), HUMANML3D)
    assert len(body.notes) == 1 and f"{note} the floor, moved onto it" in body.notes[0]
    assert abs(np.percentile(body.joints[..., 1].min(axis=1), 5)) < 1e-5


@pytest.mark.parametrize("axis", [0, 2])
def test_a_left_handed_body_is_mirrored_back(walk, axis):
    mirrored = walk.copy()
    mirrored[..., axis] *= -1.0
    body = plausible_body(mirrored, HUMANML3D)
    assert body.notes == ("left and right mirrored (toes point backward), x negated",)
    if axis == 0:
        np.testing.assert_allclose(body.joints, walk, atol=1e-6)


def test_rotations_and_normalised_positions_are_refused(walk):
    rng = np.random.default_rng(0)
    rotations = 0.6 * np.sin(np.arange(120)[:, None, None] / 9 + rng.uniform(0, 6, (1, 22, 3)))
    normalised = (walk - walk.mean(axis=0)) / walk.std(axis=0)
    for numbers in (rotations, normalised):
        with pytest.raises(ImplausibleMotionError, match="are these rotations or normalised numbers"):
            plausible_body(numbers, HUMANML3D)


def test_gaps_and_spikes_are_refused_with_their_frame(walk):
    gap = walk + np.array([0.0, 0.0, 2.0])
    gap[40:44] = 0.0
    with pytest.raises(ImplausibleMotionError, match="frame 40 holds only zeros: is it a gap"):
        plausible_body(gap, HUMANML3D)
    lost = walk + np.array([0.0, 0.0, 2.0])
    lost[17, 20] = 0.0
    with pytest.raises(ImplausibleMotionError, match="frame 17: the bone to left_wrist"):
        plausible_body(lost, HUMANML3D)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_is_no_body(value):
    with pytest.raises(ImplausibleMotionError, match="all joints lie in one point"):
        plausible_body(np.full((30, 22, 3), value), HUMANML3D)


def test_joints_in_another_order_are_refused():
    pose = np.repeat(standing(HUMANML3D)[None], 30, axis=0)
    with pytest.raises(ImplausibleMotionError, match="no human proportions"):
        plausible_body(pose[:, np.random.default_rng(1).permutation(22)], HUMANML3D)


@pytest.mark.parametrize(("fps", "said"), [(20, ""), (60, "about 60"), (120, "about 120")])
def test_a_rate_that_makes_steps_too_slow_is_doubted(fps, said):
    doubt = rate_doubt(stepping(0.5, fps), HUMANML3D, 20)
    assert said in doubt and bool(doubt) == bool(said)
    assert rate_doubt(stepping(0.5, fps), HUMANML3D, fps) == ""


@pytest.mark.parametrize("frames", [1, 2, 40])
def test_who_stands_gives_no_doubt_of_the_rate(frames):
    assert rate_doubt(np.repeat(standing(HUMANML3D)[None], frames, axis=0), HUMANML3D, 20) == ""
