"""SMPL bodies: the poses of AMASS and SMPL, SMPL-H, SMPL-X archives become joints, and joints such poses.

Sources: Loper et al. 2015 (SMPL), Mahmood et al. 2019 (AMASS). All three bodies share their first 22 joints,
which are HumanML3D's. With a body model (``smplx`` computes the joints of its shape) they are exact; without
one the rotations drive a neutral body of the corpus's bone lengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..motion import rotation
from ..motion.joint_rotations import forward, joint_rotations, t_pose
from ..motion.motion import Motion
from ..motion.plausibility import bone_lengths
from ..motion.skeleton import HUMANML3D
from ..storage import replacing

BODY_JOINTS = HUMANML3D.joints
# Poses as smplx names them, the root's and the others'.
ESTIMATED = ("global_orient", "body_pose")
RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
# A body model's rows of the pose, and what its file is called.
_SMPL_X_JOINTS = 55
_KINDS = {24: "SMPL", 52: "SMPL-H", _SMPL_X_JOINTS: "SMPL-X"}
_MODEL_ARRAYS = ("v_template", "shapedirs", "J_regressor")
# The pelvis of the neutral body lies here from the origin that ``trans`` moves, metres.
_PELVIS = np.array([0.0, -0.22, 0.03])
# AMASS is z up; the corpus is y up.
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


class BodyModelError(ValueError):
    """A body model that is not there or cannot be read; the message names the folder or file."""


@dataclass(frozen=True)
class BodyPoses:
    """What an archive says of a body.

    Attributes:
        rotations: axis-angle vectors (T, K, 3) in radians, root first; K is 24 (SMPL), 52 (SMPL-H),
            55 (SMPL-X), or 22 where the hands are left out.
        translation: place of the root (T, 3), metres.
        betas: shape (S,), empty when unknown.
        gender: ``neutral``, ``male`` or ``female``.
        fps: frames per second, None when the file does not say it.
        up: the axis that points up, ``z`` in AMASS, ``y`` in what is estimated from video.

    """

    rotations: np.ndarray
    translation: np.ndarray
    betas: np.ndarray
    gender: str
    fps: float | None
    up: str = "z"


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
    if "poses" in archive:
        poses = np.asarray(archive["poses"], dtype=np.float64)
    else:
        parts = [np.asarray(archive[name], dtype=np.float64) for name in ("root_orient", "pose_body")]
        poses = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    translation = np.asarray(archive["trans"], dtype=np.float64)
    frames = len(poses)
    width = poses.reshape(frames, -1).shape[1] if frames else 0
    if frames == 0 or width % 3 or width < 3 * BODY_JOINTS or translation.shape != (frames, 3):
        found = f"poses {poses.shape} and trans {translation.shape}"
        raise ValueError(f"{source}: expected SMPL poses (T, 66 or more) and trans (T, 3), found {found}")
    if not (np.isfinite(poses).all() and np.isfinite(translation).all()):
        raise ValueError(f"{source}: NaN or infinite numbers among the poses")
    betas = np.asarray(archive["betas"], dtype=np.float64).reshape(-1) if "betas" in archive else np.zeros(0)
    return BodyPoses(
        poses.reshape(frames, -1, 3), translation, betas, _gender(archive), _rate(archive, source)
    )


def _estimated_poses(archive: Mapping[str, np.ndarray], source: str) -> BodyPoses:
    parts = [np.asarray(archive[name], dtype=np.float64) for name in ESTIMATED]
    frames = len(parts[0]) if parts[0].ndim else 0
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
        "trans": np.asarray(archive.get("transl", np.zeros((frames, 3)))).reshape(-1, 3),
        **{name: archive[name] for name in ("betas", "gender", *RATES) if name in archive},
    }
    return replace(read_poses(given, source), up="y")


def neutral_joints(poses: BodyPoses) -> np.ndarray:
    """Joints (T, 22, 3) float32, metres, y up, of a neutral body of the corpus's bone lengths.

    The body's own shape is lost: limbs are as long as those of HumanML3D's reference clip.
    """
    turns = _quaternions(poses.rotations[:, :BODY_JOINTS])
    joints = forward(turns, poses.translation + _PELVIS, _neutral_body(), HUMANML3D)
    return _with_y_up(joints, poses)


def save_poses(path: Path, motion: Motion) -> None:
    """Write a motion as AMASS stores SMPL-X poses (``.npz``), whole or not at all; z up.

    The body is the neutral one: bones keep their directions, not their lengths, and the path is scaled to its
    legs. Hands, face and the twist of feet, wrists and head are at rest. Raises ``ValueError`` for a skeleton
    other than HumanML3D's.
    """
    if motion.skeleton is not HUMANML3D:
        raise ValueError(
            f"{path}: SMPL poses need HumanML3D's joints, this motion has {motion.skeleton.name}'s"
        )
    body = _neutral_body()
    leg = [joint - 1 for joint in HUMANML3D.leg]
    own_leg = float(np.median(bone_lengths(motion.joints, HUMANML3D)[:, leg].sum(1)))
    size = sum(HUMANML3D.bone_lengths[joint] for joint in HUMANML3D.leg) / own_leg
    turns = joint_rotations(motion.joints, HUMANML3D, motion.fps, body).rotations
    quarter_turn_about_x = np.array([1.0, 1.0, 0.0, 0.0]) / np.sqrt(2.0)
    turns[:, 0] = rotation.multiply(quarter_turn_about_x, turns[:, 0])
    poses = np.zeros((len(turns), _SMPL_X_JOINTS, 3), dtype=np.float32)
    poses[:, :BODY_JOINTS] = rotation.to_axis_angle(turns)
    flat = poses.reshape(len(poses), -1)
    trans = motion.joints[:, 0] * size @ _Y_UP - _PELVIS
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            surface_model_type="smplx",
            gender="neutral",
            betas=np.zeros(16, dtype=np.float32),
            mocap_frame_rate=float(motion.fps),
            trans=trans.astype(np.float32),
            poses=flat,
            root_orient=flat[:, :3],
            pose_body=flat[:, 3 : 3 * BODY_JOINTS],
        )


def model_joints(poses: BodyPoses, folder: Path) -> np.ndarray:
    """Joints (T, 22, 3) float32, metres, y up, of the body of this shape and gender, by ``smplx``.

    ``folder`` holds the body models as they are downloaded, ``.npz`` files anywhere below it. Raises
    :class:`BodyModelError` when none fits. Pickled models (``.pkl``) are never opened.
    """
    import torch
    from smplx.lbs import batch_rigid_transform, batch_rodrigues, blend_shapes, vertices2joints

    template, shapes, regressor = _body_model(folder, poses)
    count = min(len(poses.betas), shapes.shape[-1])
    betas = torch.from_numpy(poses.betas[None, :count])
    vertices = torch.from_numpy(template)[None] + blend_shapes(betas, torch.from_numpy(shapes[..., :count]))
    rest = vertices2joints(torch.from_numpy(regressor[:BODY_JOINTS]), vertices)
    vectors = torch.from_numpy(poses.rotations[:, :BODY_JOINTS])
    turns = batch_rodrigues(vectors.reshape(-1, 3)).reshape(len(vectors), BODY_JOINTS, 3, 3)
    parents = torch.tensor(HUMANML3D.parents)
    joints, _ = batch_rigid_transform(turns, rest.expand(len(vectors), -1, -1), parents, dtype=torch.float64)
    placed = joints.numpy() + poses.translation[:, None]
    return _with_y_up(placed, poses)


def _with_y_up(joints: np.ndarray, poses: BodyPoses) -> np.ndarray:
    return (joints @ _Y_UP.T if poses.up == "z" else joints).astype(np.float32)


def _body_model(folder: Path, poses: BodyPoses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Template (V, 3), shape directions (V, 3, S) and joint regressor (K, V), float64, of the body that fits.

    Of the files with as many joints as the poses, the one whose path names the gender; else a neutral one.
    """
    if not folder.is_dir():
        raise BodyModelError(f"{folder}: no such folder; expected one with SMPL body models (.npz)")
    wanted = poses.rotations.shape[1]
    fitting = []
    for path in sorted(folder.rglob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as archive:
                if not set(_MODEL_ARRAYS) <= set(archive.files):
                    continue
                arrays = [
                    archive[name].astype(np.float64) for name in ("v_template", "shapedirs", "J_regressor")
                ]
        except (ValueError, OSError) as error:
            raise BodyModelError(f"{path}: cannot be read as a body model ({error})") from None
        if wanted in (BODY_JOINTS, len(arrays[2])):
            fitting.append((_gender_of(path), arrays))
    for gender in (poses.gender, "neutral"):
        for found, arrays in fitting:
            if found == gender:
                return arrays[0], arrays[1], arrays[2]
    kind = _KINDS.get(wanted, "SMPL, SMPL-H or SMPL-X")
    raise BodyModelError(f"{folder}: holds no {kind} body model, {poses.gender} or neutral, as an .npz file")


def _neutral_body() -> np.ndarray:
    """Offsets (22, 3) of the T-pose with the corpus's bone lengths, metres."""
    offsets = t_pose(HUMANML3D)
    lengths = np.linalg.norm(offsets, axis=-1)
    return offsets * (np.array(HUMANML3D.bone_lengths) / np.maximum(lengths, 1e-9))[:, None]


def _gender_of(path: Path) -> str:
    words = f"{path.parent.name} {path.stem}".lower()
    return next((gender for gender in ("female", "male", "neutral") if gender in words), "neutral")


def _gender(archive: Mapping[str, np.ndarray]) -> str:
    if "gender" not in archive:
        return "neutral"
    value = np.asarray(archive["gender"]).reshape(-1)[:1].tolist()
    name = (
        value[0].decode(errors="replace")
        if value and isinstance(value[0], bytes)
        else "".join(map(str, value))
    )
    return name.lower() if name.lower() in ("male", "female") else "neutral"


def _rate(archive: Mapping[str, np.ndarray], source: str) -> float | None:
    for name in RATES:
        if name in archive:
            rate = float(np.asarray(archive[name]).reshape(-1)[0])
            if not 0 < rate < 10000:
                raise ValueError(f"{source}: {name} {rate:g}; expected frames per second")
            return rate
    return None


def _quaternions(vectors: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4), w first, of axis-angle vectors (..., 3) in radians."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    # sin(a/2)/a, which is 1/2 where the angle vanishes.
    scale = 0.5 * np.sinc(angle / (2.0 * np.pi))
    return np.concatenate([np.cos(angle / 2.0), vectors * scale], axis=-1)
