"""SMPL bodies: the poses of AMASS and SMPL, SMPL-H, SMPL-X archives become joints, and joints such poses.

Sources: Loper et al. 2015 (SMPL), Mahmood et al. 2019 (AMASS). All three bodies share their first 22 joints,
which are HumanML3D's. With a body model (``smplx`` computes the joints of its shape) they are exact; without
one the rotations drive a neutral body of the corpus's bone lengths.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..motion import rotation
from ..motion.body_poses import BodyPoses
from ..motion.joint_rotations import forward, joint_rotations, t_pose
from ..motion.motion import Motion
from ..motion.plausibility import bone_lengths
from ..motion.skeleton import HUMANML3D
from ..storage import replacing
from .body_model import (
    KINDS,
    Y_UP,
    FittedBody,
    find_body_model,
    fitted_body,
    posed_joints,
    require_body_joints,
)
from .reading import is_of_this_world

BODY_JOINTS = HUMANML3D.joints
# Poses as smplx names them, the root's and the others'.
ESTIMATED = ("global_orient", "body_pose")
RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
# Beside the poses stand the joints that they were made from, y up, and the CRC-32 of poses and places. Other
# programs read past both; here a motion comes back with its own bones.
JOINTS, JOINTS_OF = "lamp_joints", "lamp_joints_of"
_SMPL_X_JOINTS = 55
# The pelvis of the neutral body lies here from the origin that ``trans`` moves, metres.
_PELVIS = np.array([0.0, -0.22, 0.03])


def holds_poses(names: Iterable[str]) -> bool:
    """Whether an archive with entries of these names holds SMPL poses."""
    found = set(names)
    amass = "trans" in found and ("poses" in found or {"root_orient", "pose_body"} <= found)
    return amass or set(ESTIMATED) <= found


def read_poses(archive: Mapping[str, np.ndarray], source: str) -> BodyPoses:
    """The poses of an AMASS archive, of either generation of its names, or of what is estimated from video.

    The latter call them ``global_orient`` and ``body_pose``, as ``smplx`` does, axis-angle vectors or
    rotation matrices, and the place ``transl``; where it is missing the body stays in its place. Raises
    ``ValueError`` for shapes that are no poses, and for numbers that are not finite.
    """
    if "trans" not in archive:
        return _estimated_poses(archive, source)
    names = ("poses",) if "poses" in archive else ("root_orient", "pose_body")
    parts = [_numbers_of(archive, name, source) for name in names]
    translation = _numbers_of(archive, "trans", source)
    frames = len(parts[0])
    if any(len(part) != frames for part in parts):
        raise ValueError(f"{source}: {' and '.join(names)} have different numbers of frames")
    poses = np.concatenate([part.reshape(frames, -1) for part in parts], axis=1) if frames else parts[0]
    width = poses.reshape(frames, -1).shape[1] if frames else 0
    if frames == 0 or width % 3 or width < 3 * BODY_JOINTS or translation.shape != (frames, 3):
        found = f"poses {poses.shape} and trans {translation.shape}"
        raise ValueError(f"{source}: expected SMPL poses (T, 66 or more) and trans (T, 3), found {found}")
    betas = _numbers_of(archive, "betas", source).reshape(-1) if "betas" in archive else np.zeros(0)
    return BodyPoses(
        poses.reshape(frames, -1, 3), translation, betas, _gender(archive), _rate(archive, source)
    )


def _numbers_of(archive: Mapping[str, np.ndarray], name: str, source: str) -> np.ndarray:
    """An entry as float64, of one axis or more; raises ``ValueError`` for what is no array of numbers."""
    array = archive[name]
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise ValueError(f"{source}: {name}: expected an array of numbers")
    with np.errstate(invalid="ignore"):
        values = np.atleast_1d(array.astype(np.float64))
    if not is_of_this_world(values):
        raise ValueError(f"{source}: {name}: NaN, infinite or enormous numbers")
    return np.asarray(values)


def _estimated_poses(archive: Mapping[str, np.ndarray], source: str) -> BodyPoses:
    parts = [_numbers_of(archive, name, source) for name in ESTIMATED]
    frames = len(parts[0])
    as_matrices = [part.ndim >= 3 and part.shape[-2:] == (3, 3) for part in parts]
    vectors = [
        rotation.axis_angle_of_matrices(part.reshape(frames, -1, 3, 3)) if matrices else part
        for part, matrices in zip(parts, as_matrices, strict=True)
    ]
    if frames == 0 or any(len(part) != frames for part in parts):
        found = " and ".join(f"{name} {archive[name].shape}" for name in ESTIMATED)
        raise ValueError(f"{source}: expected one of each per frame, found {found}")
    given = {
        "poses": np.concatenate([part.reshape(frames, -1) for part in vectors], axis=1),
        "trans": archive["transl"] if "transl" in archive else np.zeros((frames, 3)),
        **{name: archive[name] for name in ("betas", "gender", *RATES) if name in archive},
    }
    return replace(read_poses(given, source), up="y")


def stored_joints(archive: Mapping[str, np.ndarray], source: str) -> np.ndarray | None:
    """The joints (T, 22, 3) float32, metres, y up, that an archive's poses were made from.

    None where there are none, or the poses were changed since. Raises ``ValueError`` for what are no joints.
    """
    if not {JOINTS, JOINTS_OF, "poses", "trans"} <= set(archive):
        return None
    if not np.array_equal(archive[JOINTS_OF], _checksum(archive["poses"], archive["trans"])):
        return None
    joints = _numbers_of(archive, JOINTS, source)
    expected = (len(archive["poses"]), BODY_JOINTS, 3)
    if joints.shape != expected:
        raise ValueError(f"{source}: {JOINTS}: expected joints {expected}, found shape {joints.shape}")
    return joints.astype(np.float32)


def _checksum(poses: np.ndarray, trans: np.ndarray) -> np.uint32:
    return np.uint32(zlib.crc32(trans.tobytes(), zlib.crc32(poses.tobytes())))


def neutral_joints(poses: BodyPoses) -> np.ndarray:
    """Joints (T, 22, 3) float32, metres, y up, of a neutral body of the corpus's bone lengths.

    The body's own shape is lost: limbs are as long as those of HumanML3D's reference clip.
    """
    turns = rotation.of_axis_angle(poses.rotations[:, :BODY_JOINTS])
    joints = forward(turns, poses.translation + _PELVIS, _neutral_body(), HUMANML3D)
    return _with_y_up(joints, poses)


def save_poses(path: Path, motion: Motion, body_models: Path | None = None) -> FittedBody | None:
    """Write a motion as AMASS stores SMPL poses (``.npz``), whole or not at all; z up.

    body_models: folder of SMPL body models, one of which is fitted to the joints, and returned with how near
        it comes. Without one the body is the neutral SMPL-X one: bones keep their directions, not their
        lengths, and the path is scaled to its legs. Hands, face and the twist of feet, wrists and head are
        at rest.

    The joints themselves stand beside the poses, for :func:`stored_joints`.

    Raises ``ValueError`` for a skeleton other than HumanML3D's, ``BodyModelError`` where no model fits.
    """
    require_body_joints(motion, motion.source or str(path))
    if body_models is None:
        _write_poses(path, motion, *_neutral_poses(motion), np.zeros(16), _SMPL_X_JOINTS)
        return None
    model = find_body_model(body_models)
    fit = fitted_body(motion, model)
    trans = (fit.translation + fit.pelvis) @ Y_UP - fit.pelvis
    _write_poses(path, motion, rotation.of_axis_angle(fit.rotations), trans, fit.betas, model.joints)
    return fit


def _neutral_poses(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (T, 22, 4), y up, and the root's path (T, 3), z up, of the neutral body."""
    body = _neutral_body()
    leg = [joint - 1 for joint in HUMANML3D.leg]
    own_leg = float(np.median(bone_lengths(motion.joints, HUMANML3D)[:, leg].sum(1)))
    size = sum(HUMANML3D.bone_lengths[joint] for joint in HUMANML3D.leg) / own_leg
    turns = joint_rotations(motion.joints, HUMANML3D, motion.fps, body).rotations
    return turns, motion.joints[:, 0] * size @ Y_UP - _PELVIS


def _write_poses(
    path: Path, motion: Motion, turns: np.ndarray, trans: np.ndarray, betas: np.ndarray, joints: int
) -> None:
    """Write local rotations (T, 22, 4), y up, and the root's path (T, 3), z up, for a model of ``joints``."""
    quarter_turn_about_x = np.array([1.0, 1.0, 0.0, 0.0]) / np.sqrt(2.0)
    turns = turns.copy()
    turns[:, 0] = rotation.multiply(quarter_turn_about_x, turns[:, 0])
    poses = np.zeros((len(turns), joints, 3), dtype=np.float32)
    poses[:, :BODY_JOINTS] = rotation.to_axis_angle(turns)
    flat, trans = poses.reshape(len(poses), -1), trans.astype(np.float32)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            surface_model_type=KINDS[joints].lower().replace("-", "") if joints in KINDS else "smplx",
            gender="neutral",
            betas=betas.astype(np.float32),
            mocap_frame_rate=float(motion.fps),
            trans=trans,
            poses=flat,
            root_orient=flat[:, :3],
            pose_body=flat[:, 3 : 3 * BODY_JOINTS],
            lamp_joints=motion.joints.astype(np.float32),
            lamp_joints_of=_checksum(flat, trans),
        )


def model_joints(poses: BodyPoses, folder: Path) -> np.ndarray:
    """Joints (T, 22, 3) float32, metres, y up, of the body of this shape and gender, by ``smplx``.

    ``folder`` holds the body models as they are downloaded, ``.npz`` files anywhere below it. Raises
    :class:`BodyModelError` when none fits. Pickled models (``.pkl``) are never opened.
    """
    model = find_body_model(folder, poses.rotations.shape[1], poses.gender)
    placed = posed_joints(model, poses.rotations[:, :BODY_JOINTS], poses.betas) + poses.translation[:, None]
    return _with_y_up(placed, poses)


def _with_y_up(joints: np.ndarray, poses: BodyPoses) -> np.ndarray:
    return (joints @ Y_UP.T if poses.up == "z" else joints).astype(np.float32)


def _neutral_body() -> np.ndarray:
    """Offsets (22, 3) of the T-pose with the corpus's bone lengths, metres."""
    offsets = t_pose(HUMANML3D)
    lengths = np.linalg.norm(offsets, axis=-1)
    return offsets * (np.array(HUMANML3D.bone_lengths) / np.maximum(lengths, 1e-9))[:, None]


def _gender(archive: Mapping[str, np.ndarray]) -> str:
    """What a text of an archive says, str or bytes; neutral for anything else."""
    value = archive.get("gender")
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "SU":
        return "neutral"
    # Decoded here: NumPy makes no str of damaged text.
    encoding = "ascii" if value.dtype.kind == "S" else "utf-32-le"
    native = value.reshape(-1)[:1].astype(value.dtype.newbyteorder("<"))
    name = native.tobytes().decode(encoding, errors="replace").strip("\0").lower()
    return name if name in ("male", "female") else "neutral"


def _rate(archive: Mapping[str, np.ndarray], source: str) -> float | None:
    for name in RATES:
        if name in archive:
            rate = _numbers_of(archive, name, source).reshape(-1)[:1]
            if not (len(rate) and 0 < rate[0] < 10000):
                raise ValueError(f"{source}: {name} {rate}; expected frames per second")
            return float(rate[0])
    return None
