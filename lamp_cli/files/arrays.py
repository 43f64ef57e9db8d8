"""Arrays of motions in ``.npy`` and ``.npz`` files: recognised by content, else refused with one sentence.

Reads joints and features in the shapes that the field writes. Never unpickles. Knows nothing of captions or
models.
"""

from __future__ import annotations

import errno
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..motion.motion import Motion
from ..motion.plausibility import (
    ImplausibleMotionError,
    plausible_body,
    rate_doubt,
    require_plausible_features,
)
from ..motion.representation import features_to_joints
from ..motion.skeleton import HUMANML3D, KIT, Skeleton, skeleton_of_features
from ..storage import DAMAGE, array_archive, load_array, write_array
from .soma import KIMODO_RATE, SOMA_JOINTS, joints_of_soma

EXPECTED = "joints (T, 22, 3) or (T, 21, 3) or features (T, 263) or (T, 251)"
# SMPL has 24 joints, SMPL-H 52 and SMPL-X 55; the first 22 are those of HumanML3D.
SKELETON_OF_JOINTS = {21: KIT, 22: HUMANML3D, 24: HUMANML3D, 52: HUMANML3D, 55: HUMANML3D}
SKELETON_OF_JOINTS |= dict.fromkeys(SOMA_JOINTS, HUMANML3D)
SKELETON_OF_FLAT_JOINTS = {63: KIT, 66: HUMANML3D}
# Entries of an archive that holds one motion with what belongs to it (kimodo and others).
JOINT_ENTRIES = ("posed_joints", "joints")
RATE_ENTRIES = ("fps", "mocap_framerate", "mocap_frame_rate", "framerate")
OTHER_FORMATS = {
    ".fbx": "an FBX file",
    ".c3d": "a C3D file",
    ".asf": "an ASF file, a skeleton alone",
    ".csv": "a CSV table",
    ".json": "a JSON file",
    ".jsonl": "a JSON lines file",
    ".txt": "a text file",
    ".pkl": "a pickle",
    ".pickle": "a pickle",
    ".pt": "a PyTorch file",
    ".pth": "a PyTorch file",
    ".gltf": "a glTF file whose numbers are elsewhere",
}
# How a file of another format becomes one that is read.
WAYS_OUT = {
    ".fbx": (
        '; Blender makes it a BVH file, which is read: blender -b --python-expr "import bpy; '
        "bpy.ops.import_scene.fbx(filepath='IN.fbx'); bpy.ops.export_anim.bvh(filepath='OUT.bvh', "
        'frame_end=int(bpy.data.actions[0].frame_range[1]))"'
    ),
    ".gltf": "; export it as one .glb file, which is read",
    ".asf": "; its motions are the .amc files beside it",
    ".c3d": "; its markers are no joints: export the skeleton that was solved from them as BVH",
}
FORMAT_OF_FIRST_BYTES = (
    (b"Kaydar", ".fbx"),
    (b"\x80\x02", ".pkl"),
    (b"\x80\x03", ".pkl"),
    (b"\x80\x04", ".pkl"),
    (b"\x80\x05", ".pkl"),
)


class MotionFileError(ValueError):
    """A file that does not hold a motion; the message names the file and what was found."""


@dataclass(frozen=True)
class ArrayShape:
    """How an array holds motions.

    ``count`` motions of ``frames`` frames of ``skeleton``; ``order`` names the axes: ``tf`` features,
    ``tc`` joints in one row, ``tjc``, ``tcj``, ``jct``; a leading ``n`` is a batch.
    """

    skeleton: Skeleton
    frames: int
    count: int
    order: str

    @property
    def holds_features(self) -> bool:
        """True for features, False for joint positions."""
        return self.order.endswith("f")


def motion_of_array(array: np.ndarray, source: str, fps: float | None = None) -> Motion:
    """The motion that an array (of one motion) holds; raises :class:`MotionFileError` when it holds none.

    Unit, up axis, floor and mirrored handedness of joints are told from the body; what was repaired or
    assumed is in ``Motion.notes``.
    """
    if fps is not None and not 0 < fps < math.inf:
        raise ValueError(f"{source}: a frame rate must be a positive number, found {fps}")
    shape = _require_motion(array, source)
    if shape.count > 1:
        raise MotionFileError(f"{source}: holds {shape.count} motions (shape {array.shape}), expected one")
    array = _motions_of(array, shape)[0]
    if not np.isfinite(array).all():
        frame = int(np.argwhere(~np.isfinite(array))[0][0])
        raise MotionFileError(f"{source}: NaN or infinite numbers, first in frame {frame}")
    try:
        return _features(array, shape, source) if shape.holds_features else _joints(array, shape, source, fps)
    except ImplausibleMotionError as error:
        raise MotionFileError(f"{source}: {error}") from None


def notes_of_assumed_rate(joints: np.ndarray, skeleton: Skeleton) -> tuple[str, ...]:
    """What to say when joints (T, J, 3) come without a rate and are given the skeleton's."""
    assumed = f"no frame rate given, {skeleton.fps:g} frames per second assumed (--fps)"
    doubt = rate_doubt(joints, skeleton, skeleton.fps)
    return (assumed, doubt) if doubt else (assumed,)


def save_joints(path: Path, joints: np.ndarray) -> None:
    """Write joints (T, J, 3) as float32 metres, whole or not at all."""
    write_array(path, np.ascontiguousarray(joints, dtype=np.float32))


def shape_of_motions(shape: tuple[int, ...]) -> ArrayShape | None:
    """How an array of that shape holds motions, None when it does not.

    Joints (T, J, 3), (T, 3J), (T, 3, J) or (J, 3, T), with SMPL's 24, 52 or 55 and SOMA's 30 or 77 too;
    features (T, 263) or (T, 251); batches (N, T, J, 3), (N, J, 3, T) and (N, T, 263 or 251).
    """
    if len(shape) == 2:
        features, flat = skeleton_of_features(shape[1]), SKELETON_OF_FLAT_JOINTS.get(shape[1])
        if features is not None:
            return ArrayShape(features, shape[0], 1, "tf")
        return ArrayShape(flat, shape[0], 1, "tc") if flat is not None else None
    found = _shape_of_joints(shape[-3:]) if len(shape) in (3, 4) else None
    if found is not None:
        skeleton, frames, order = found
        return ArrayShape(skeleton, frames, *((1, order) if len(shape) == 3 else (shape[0], "n" + order)))
    batch = skeleton_of_features(shape[2]) if len(shape) == 3 else None
    return ArrayShape(batch, shape[1], shape[0], "ntf") if batch is not None else None


def read_arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name (empty for .npy) and array of every motion; raises :class:`MotionFileError`.

    The motions of a batch are numbered: ``0``, ``1``, ... or ``entry/0``, ``entry/1``, ...
    """
    for name, array in _read_entries(path):
        shape = shape_of_motions(array.shape) if isinstance(array, np.ndarray) else None
        if shape is None or shape.count == 1:
            yield name, array
            continue
        for number, motion in enumerate(_motions_of(array, shape)):
            yield (f"{name}/{number}" if name else str(number)), motion


def stored_rate(path: Path) -> float | None:
    """Frames per second that an archive names beside its joints, or Kimodo's; None when it names none."""
    if path.is_dir() or not zipfile.is_zipfile(path):
        return None
    try:
        with array_archive(path) as archive:
            for name in RATE_ENTRIES:
                rate = float(archive[name]) if name in archive.files and archive[name].size == 1 else 0.0
                if 0 < rate < math.inf:
                    return rate
            if {"posed_joints", "local_rot_mats"} <= set(archive.files):
                return KIMODO_RATE
    except DAMAGE:
        return None
    return None


def motion_entries(names: list[str], path: Path) -> list[str]:
    """Those entries of an archive that hold motions; raises :class:`MotionFileError` for body parameters."""
    if {"poses", "trans"} <= set(names):
        raise MotionFileError(f"{path}: SMPL poses, not arrays of joints")
    joints = [name for name in JOINT_ENTRIES if name in names]
    return joints[:1] or [name for name in names if name not in RATE_ENTRIES]


def _read_entries(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    if path.is_dir():
        raise MotionFileError(f"{path}: a folder, expected a motion file")
    with path.open("rb") as file:
        magic = file.read(6)
    if not magic:
        raise MotionFileError(f"{path}: the file is empty")
    if magic.startswith(b"PK"):
        yield from _archive(path)
        return
    if magic != b"\x93NUMPY":
        found, way_out = _other_format(path, magic)
        raise MotionFileError(
            f"{path}: {found}, expected {EXPECTED} in .npy or .npz, or a .bvh, .glb or .amc file{way_out}"
        )
    try:
        yield "", load_array(path)
    except DAMAGE as error:
        if _is_the_systems(error):
            raise
        raise MotionFileError(f"{path}: {_why_unreadable(error, 'an array')}") from None


def _archive(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        with array_archive(path) as archive:
            for name in motion_entries(archive.files, path):
                yield name, archive[name]
    except DAMAGE as error:
        if isinstance(error, MotionFileError) or _is_the_systems(error):
            raise
        raise MotionFileError(f"{path}: {_why_unreadable(error, 'an archive')}") from None


def _is_the_systems(error: BaseException) -> bool:
    """Whether the file was not given, which says nothing of what it holds; a damaged archive asks for places
    that no file has (EINVAL).
    """
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _require_motion(array: np.ndarray, source: str) -> ArrayShape:
    if not isinstance(array, np.ndarray):
        raise MotionFileError(f"{source}: expected {EXPECTED}, found something that is no array")
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise MotionFileError(f"{source}: expected {EXPECTED}, found {array.dtype} values")
    if 0 in array.shape:
        raise MotionFileError(f"{source}: expected {EXPECTED}, found no frames (shape {array.shape})")
    shape = shape_of_motions(array.shape)
    if shape is None:
        raise MotionFileError(f"{source}: expected {EXPECTED}, found shape {array.shape}")
    return shape


def _shape_of_joints(shape: tuple[int, ...]) -> tuple[Skeleton, int, str] | None:
    """Skeleton, frames and order of the axes of three axes."""
    for order in ("tjc", "tcj", "jct"):
        sizes = dict(zip(order, shape, strict=True))
        if sizes["c"] == 3 and sizes["j"] in SKELETON_OF_JOINTS:
            return SKELETON_OF_JOINTS[sizes["j"]], sizes["t"], order
    return None


def _motions_of(array: np.ndarray, shape: ArrayShape) -> list[np.ndarray]:
    """Each motion of an array as joints (T, J, 3) or features (T, C)."""
    batch = array if shape.order.startswith("n") else array[None]
    order = shape.order.removeprefix("n")
    if order == "tf":
        return list(batch)
    if order == "tc":
        return [motion.reshape(shape.frames, -1, 3) for motion in batch]
    axes = [order.index(axis) for axis in "tjc"]
    motions = [motion.transpose(axes) for motion in batch]
    if motions[0].shape[1] in SOMA_JOINTS:
        return [joints_of_soma(motion) for motion in motions]
    return [motion[:, : shape.skeleton.joints] for motion in motions]


def _features(array: np.ndarray, shape: ArrayShape, source: str) -> Motion:
    joints = features_to_joints(array, shape.skeleton)
    require_plausible_features(array, joints, shape.skeleton)
    return Motion(joints, shape.skeleton, shape.skeleton.fps, source, array.astype(np.float32))


def _joints(array: np.ndarray, shape: ArrayShape, source: str, fps: float | None) -> Motion:
    body = plausible_body(array, shape.skeleton)
    notes = (
        body.notes if fps is not None else (*body.notes, *notes_of_assumed_rate(body.joints, shape.skeleton))
    )
    return Motion(body.joints, shape.skeleton, fps or shape.skeleton.fps, source, notes=notes)


def _other_format(path: Path, first_bytes: bytes) -> tuple[str, str]:
    """What the file is, and a way out."""
    suffix = next(
        (s for start, s in FORMAT_OF_FIRST_BYTES if first_bytes.startswith(start)), path.suffix.lower()
    )
    return OTHER_FORMATS.get(suffix, "not a .npy or .npz file"), WAYS_OUT.get(suffix, "")


def _why_unreadable(error: BaseException, kind: str) -> str:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if "Object arrays" in reason or "allow_pickle" in reason:
        return (
            "cannot be read: a pickled object (MDM's results.npy is one); save the joints alone, such as "
            "np.save('motions.npy', np.load('results.npy', allow_pickle=True).item()['motion'])"
        )
    return f"cannot be read as {kind} ({reason})"
