"""Motion files of every format, recognised by content: the one way in for the commands and for Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..motion.motion import Motion
from ..motion.plausibility import ImplausibleMotionError, plausible_body
from ..motion.skeleton import HUMANML3D
from ..storage import array_archive, declared_shape
from .arrays import (
    DAMAGE,
    EXPECTED,
    MotionFileError,
    motion_of_array,
    notes_of_assumed_rate,
    read_arrays,
    shape_of_motions,
    stored_rate,
)
from .asf_amc import is_amc, load_amc
from .body_model import BodyModelError
from .bvh import load_bvh
from .joint_names import read_joint_map
from .read_gltf import load_gltf
from .reading import AS_STORED, Reading
from .smpl import (
    ESTIMATED,
    JOINTS,
    JOINTS_OF,
    RATES,
    holds_poses,
    model_joints,
    neutral_joints,
    read_poses,
    stored_joints,
)

# Files of these endings are looked for in folders; a file that is named is recognised by its content.
MOTION_SUFFIXES = (".npy", ".npz", ".bvh", ".amc", ".glb")
# Joints as they are, rotations of the bones of this body, and rotations of the neutral body.
NEAREST_TO_THE_MOTION = (".npy", ".bvh", ".amc", ".glb", ".npz")
# Those that hold motions in formats that are not read here.
FOREIGN_SUFFIXES = (".fbx", ".c3d", ".gltf", ".csv", ".pkl")


def load_motion(
    path: str | Path,
    fps: float | None = None,
    body_models: str | Path | None = None,
    joint_map: str | Path | None = None,
) -> Motion:
    """The one motion in a file.

    path: arrays of joints or features (``.npy``, ``.npz``), BVH, AMC (with the ASF file beside it),
        binary glTF, or SMPL poses as AMASS stores them.
    fps: frames per second, where the file does not say it, or in its place; else the corpus's are assumed.
    body_models: folder of SMPL body models (``.npz``), for SMPL poses; when not given, the joints that the
        poses were made from, where :meth:`Motion.save` wrote the file, else a neutral body.
    joint_map: file that names the joints of a skeleton whose own names do not tell, a line each:
        ``left_hip = LeftThigh``.

    Raises :class:`MotionFileError` when there is none or more than one, ``ValueError`` for a map that is
    none, ``OSError`` when a file cannot be read.
    """
    bodies = None if body_models is None else Path(body_models)
    joints = () if joint_map is None else read_joint_map(Path(joint_map))
    return motion_of_file(path, Reading(fps, bodies, joints))


def motion_or_its_file(motion: Motion | str | Path) -> Motion:
    """The motion itself, or that of a file.

    Raises ``ValueError`` for words that name no file, as a sentence in a motion's place, ``TypeError`` for
    anything else; of a file as :func:`load_motion`.
    """
    if isinstance(motion, Motion):
        return motion
    if not isinstance(motion, str | Path):
        raise TypeError(f"expected a motion or the name of its file, found {type(motion).__name__}")
    path = Path(motion)
    if isinstance(motion, str) and path.suffix.lower() not in MOTION_SUFFIXES and not os.path.lexists(path):
        raise ValueError(f"{motion!r}: no such file; expected a motion or the name of its file")
    return load_motion(path)


def motion_of_file(path: str | Path, reading: Reading = AS_STORED) -> Motion:
    """The one motion in a file, as :func:`load_motion`."""
    motions = load_motions(path, reading)
    first = next(motions, None)
    if first is None:
        raise MotionFileError(f"{path}: the archive is empty, expected {EXPECTED}")
    if next(motions, None) is not None:
        raise MotionFileError(f"{path}: holds several motions, expected one")
    return first


def load_motions(path: str | Path, reading: Reading = AS_STORED) -> Iterator[Motion]:
    """Every motion of a file, one at a time, as :func:`load_motion`.

    Raises :class:`MotionFileError` at the first entry that is no motion.
    """
    for _, motion in load_takes(path, reading):
        if isinstance(motion, MotionFileError):
            raise motion
        yield motion


def load_takes(
    path: str | Path, reading: Reading = AS_STORED
) -> Iterator[tuple[str, Motion | MotionFileError]]:
    """Name within the file ("" where there is one take alone) and motion of every take, or why it is none.

    Raises :class:`MotionFileError` for a file that cannot be read at all.
    """
    path = Path(path)
    begin = b""
    if not path.is_dir():
        with path.open("rb") as file:
            begin = file.read(64)
    is_bvh = begin.removeprefix(b"\xef\xbb\xbf").lstrip().upper().startswith(b"HIERARCHY")
    if begin.startswith(b"glTF") or is_bvh or is_amc(path):
        try:
            if begin.startswith(b"glTF"):
                yield from load_gltf(path, reading)
            else:
                yield "", load_bvh(path, reading) if is_bvh else load_amc(path, reading)
        except ValueError as error:
            raise MotionFileError(str(error)) from None
        return
    poses = _smpl_archive(path) if begin.startswith(b"PK") else None
    if poses is not None:
        yield "", _smpl_motion(poses, path, reading)
        return
    rate = reading.fps or stored_rate(path)
    for name, array in read_arrays(path):
        source = f"{path}:{name}" if name else str(path)
        try:
            yield name, motion_of_array(array, source, rate)
        except MotionFileError as error:
            yield name, error


def one_of_each_name(files: Iterable[Path]) -> list[Path]:
    """The files but those that hold the motion of another one again, in another format.

    ``lamp generate`` and ``lamp convert`` give a motion's files one name. Of these the one stays that comes
    first in ``NEAREST_TO_THE_MOTION``; archives of several motions, and arrays of something else, all stay.
    """
    of_name: dict[Path, list[Path]] = {}
    every = list(files)
    for path in every:
        of_name.setdefault(path.with_suffix(""), []).append(path)
    again: set[Path] = set()
    for paths in of_name.values():
        same = [path for path in paths if len(paths) > 1 and _is_one_motion(path)]
        again |= set(sorted(same, key=lambda path: NEAREST_TO_THE_MOTION.index(path.suffix.lower()))[1:])
    return [path for path in every if path not in again]


def _is_one_motion(path: Path) -> bool:
    """Whether a file is of one motion, as far as its name and its header tell."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            with path.open("rb") as file:
                shape = shape_of_motions(declared_shape(file, path.stat().st_size))
            return shape is not None and shape.count == 1
        if suffix == ".npz":
            with array_archive(path) as archive:
                return holds_poses(archive.files)
    except DAMAGE:
        return False
    return suffix in NEAREST_TO_THE_MOTION


def _smpl_archive(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a zip archive of SMPL poses; None for any other archive.

    Raises :class:`MotionFileError` for poses that cannot be read.
    """
    poses = False
    try:
        with array_archive(path) as archive:
            poses = holds_poses(archive.files)
            wanted = {"poses", "root_orient", "pose_body", "trans", "betas", "gender"}
            wanted |= {*ESTIMATED, "transl", *RATES, JOINTS, JOINTS_OF}
            return {name: archive[name] for name in archive.files if name in wanted} if poses else None
    except DAMAGE as error:
        if poses:
            raise MotionFileError(f"{path}: SMPL poses that cannot be read ({error})") from None
        # What is no archive is said by the reader of arrays.
        return None


def _smpl_motion(archive: dict[str, np.ndarray], path: Path, reading: Reading) -> Motion:
    notes = []
    try:
        poses = read_poses(archive, str(path))
        own = stored_joints(archive, str(path)) if reading.body_models is None else None
        if own is not None:
            joints = own
        elif reading.body_models is None:
            joints = neutral_joints(poses)
            notes.append("SMPL poses on a neutral body: the person's own shape is lost without body models")
        else:
            joints = model_joints(poses, reading.body_models)
        body = plausible_body(joints, HUMANML3D)
    except ImplausibleMotionError as error:
        raise MotionFileError(f"{path}: {error}") from None
    except (ValueError, BodyModelError) as error:
        raise MotionFileError(str(error)) from None
    rate = reading.fps or poses.fps
    notes += body.notes
    if rate is None:
        notes += notes_of_assumed_rate(body.joints, HUMANML3D)
    return Motion(body.joints, HUMANML3D, rate or HUMANML3D.fps, str(path), notes=tuple(notes), poses=poses)
