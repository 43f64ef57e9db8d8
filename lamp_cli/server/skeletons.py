"""Skeletons on the wire: the one we offer, and which joint of a posted one is which of ours.

Source: MMCP 1.4 (package ``motionmcp-sdk``). Metres, y up; quaternions are (x, y, z, w) there, w first here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from motionmcp.errors import ProtocolError
from motionmcp.schemas import Joint, Skeleton

from ..files.bvh import written_name
from ..files.joint_names import END, JointPlaces, UnknownSkeletonError
from ..motion import rotation
from ..motion.retarget import Rig, reference_offsets, rest_places
from ..motion.skeleton import HUMANML3D

# A person's skeleton with all fingers and helper bones has some hundreds of joints.
MOST_RIG_JOINTS = 1000
# Metres, of any bone, and of the root's place.
LONGEST_BONE = 1000.0
# Where nothing says how long a bone at the tip of a limb is, this share of the one before it.
TIP_SHARE = 0.5
# Where toes lie from the ankle, in lengths of the shin, as in the reference body.
TOES_AHEAD, TOES_BELOW = 0.3, 0.12


def offered_skeleton() -> Skeleton:
    """Our 22 joints in the T-pose, the reference body's bones, feet on the floor, Mixamo's names."""
    offsets = reference_offsets()
    parents = HUMANML3D.parents
    places = rest_places(parents, offsets, _no_turns(len(parents)))
    offsets[0, 1] = -places[:, 1].min()
    names = [written_name(name) for name in HUMANML3D.joint_names]
    return Skeleton(
        joints=[
            Joint(
                name=name,
                parent=None if parent < 0 else names[parent],
                rest_translation=tuple(np.round(offset, 6).tolist()),
                rest_rotation=(0.0, 0.0, 0.0, 1.0),
            )
            for name, parent, offset in zip(names, parents, offsets, strict=True)
        ]
    )


def rig_of(skeleton: Skeleton) -> Rig:
    """A posted skeleton as a rig; raises ``ProtocolError`` (invalid_skeleton) in a sentence for no body."""
    if len(skeleton.joints) > MOST_RIG_JOINTS:
        raise _refused(f"{len(skeleton.joints)} joints; expected at most {MOST_RIG_JOINTS}")
    numbers = {joint.name: number for number, joint in enumerate(skeleton.joints)}
    parents = tuple(-1 if joint.parent is None else numbers[joint.parent] for joint in skeleton.joints)
    offsets = np.array([joint.rest_translation for joint in skeleton.joints], dtype=np.float64)
    # The protocol puts w last.
    turns = np.roll(
        np.array([joint.rest_rotation for joint in skeleton.joints], dtype=np.float64), 1, axis=-1
    )
    lengths = np.linalg.norm(turns, axis=-1, keepdims=True)
    if not ((np.abs(offsets) < LONGEST_BONE).all() and np.isfinite(lengths).all() and (lengths > 1e-6).all()):
        raise _refused(
            f"a rest translation or rotation that is no number, one of {LONGEST_BONE:g} m or more, "
            "or a rotation of length 0"
        )
    try:
        return _rig(tuple(numbers), parents, offsets, turns / lengths)
    except UnknownSkeletonError as error:
        # What follows there is about an option of the command line.
        raise _refused(str(error).partition("; name them")[0]) from None
    except ValueError as error:
        raise _refused(str(error)) from None


def joint_by_our_name(rig: Rig, skeleton: Skeleton) -> dict[str, str]:
    """Names of the offered skeleton's joints and of those of a posted one that stand for them."""
    return {written_name(ours): skeleton.joints[theirs].name for ours, theirs in rig.known.items()}


def _rig(names: tuple[str, ...], parents: tuple[int, ...], offsets: np.ndarray, turns: np.ndarray) -> Rig:
    places = rest_places(parents, offsets, turns)
    # Feet and hands may end without a joint at their tip; the reader of files calls such ends by their name.
    leaves = [joint for joint in range(len(names)) if joint not in parents]
    tips = [places[joint] + TIP_SHARE * (places[joint] - places[max(parents[joint], 0)]) for joint in leaves]
    found = JointPlaces(
        [*names, *(names[joint] + END for joint in leaves)],
        [*parents, *leaves],
        np.stack([*places, *tips])[None],
    )
    known = {ours: joint for ours, joint in found.indices.items() if joint < len(names)}
    return Rig(parents, offsets, turns, known, _with_toes(found.joints[0], known))


def _with_toes(places: np.ndarray, known: Mapping[str, int]) -> np.ndarray:
    """Our joints at rest (22, 3) where a foot without toes, whose bone points down, has them ahead."""
    places = places.copy()
    left = places[HUMANML3D.hips[0]] - places[HUMANML3D.hips[1]]
    ahead = rotation.unit(np.cross(left, [0.0, 1.0, 0.0]))
    for ankle, toe in (HUMANML3D.left_foot, HUMANML3D.right_foot):
        if HUMANML3D.joint_names[toe] not in known:
            shin = np.linalg.norm(places[ankle] - places[HUMANML3D.parents[ankle]])
            places[toe] = places[ankle] + shin * (TOES_AHEAD * ahead - np.array([0.0, TOES_BELOW, 0.0]))
    return places


def _no_turns(joints: int) -> np.ndarray:
    return np.tile([1.0, 0.0, 0.0, 0.0], (joints, 1))


def _refused(reason: str) -> ProtocolError:
    return ProtocolError("invalid_skeleton", f"skeleton: {reason}")
