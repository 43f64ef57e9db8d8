"""Motion files: recognised by content, refused with one sentence otherwise.

Reads ``.npy`` and ``.npz`` arrays of joints (T, 22, 3) or (T, 21, 3) or of features (T, 263) or
(T, 251). Never unpickles. Knows nothing of captions or models.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..motion.motion import Motion
from ..motion.representation import features_to_joints
from ..motion.skeleton import skeleton_of_features, skeleton_of_joints
from ..storage import write_array

EXPECTED = "joints (T, 22, 3) or (T, 21, 3) or features (T, 263) or (T, 251)"


class MotionFileError(ValueError):
    """A file that does not hold a motion; the message names the file and what was found."""


def load_motion(path: Path, fps: float | None = None) -> Motion:
    """The one motion in a file; ``fps`` overrides the corpus's rate for joint files.

    Raises :class:`MotionFileError` when there is none or more than one, ``OSError`` when the file
    cannot be read.
    """
    motions = load_motions(path, fps)
    first = next(motions, None)
    if first is None:
        raise MotionFileError(f"{path}: the archive is empty, expected {EXPECTED}")
    if next(motions, None) is not None:
        raise MotionFileError(f"{path}: holds several motions, expected one")
    return first


def load_motions(path: Path, fps: float | None = None) -> Iterator[Motion]:
    """Every motion of a ``.npy`` file or a ``.npz`` archive, one at a time.

    Raises :class:`MotionFileError` at the first entry that is no motion.
    """
    for name, array in read_arrays(Path(path)):
        yield motion_of_array(array, f"{path}:{name}" if name else str(path), fps)


def motion_of_array(array: np.ndarray, source: str, fps: float | None = None) -> Motion:
    """The motion that an array holds; raises :class:`MotionFileError` when it holds none.

    Integer joints are millimetres; for others the unit is told from the size of the body.
    """
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise MotionFileError(f"{source}: expected {EXPECTED}, found {array.dtype} values")
    if 0 in array.shape:
        raise MotionFileError(f"{source}: expected {EXPECTED}, found no frames (shape {array.shape})")
    if not np.isfinite(array).all():
        frame = int(np.argwhere(~np.isfinite(array))[0][0])
        raise MotionFileError(f"{source}: NaN or infinite numbers, first in frame {frame}")
    skeleton = skeleton_of_features(array.shape[1]) if array.ndim == 2 else None
    if skeleton is not None:
        features = array.astype(np.float32)
        return Motion(features_to_joints(array, skeleton), skeleton, skeleton.fps, source, features)
    if array.ndim == 3 and array.shape[2] == 3:
        skeleton = skeleton_of_joints(array.shape[1])
    if skeleton is None:
        raise MotionFileError(f"{source}: expected {EXPECTED}, found shape {array.shape}")
    return Motion(_metres(array, source), skeleton, fps or skeleton.fps, source)


def save_joints(path: Path, joints: np.ndarray) -> None:
    """Write joints (T, J, 3) as float32 metres, whole or not at all."""
    write_array(path, np.ascontiguousarray(joints, dtype=np.float32))


def read_arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name (empty for .npy) and array of every entry; raises :class:`MotionFileError`."""
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
        raise MotionFileError(f"{path}: not a .npy or .npz file, expected {EXPECTED}")
    try:
        yield "", np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise MotionFileError(f"{path}: cannot be read as an array ({_first_line(error)})") from None


def _archive(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                yield name, archive[name]
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, MotionFileError):
            raise
        raise MotionFileError(f"{path}: cannot be read as an archive ({_first_line(error)})") from None


def _metres(array: np.ndarray, source: str) -> np.ndarray:
    """Joints in metres: a body reaches 0.2 to 5 m from its root, which tells the unit."""
    reach = float(np.median(np.abs(array - array[:, :1].astype(np.float64)).max(axis=(1, 2))))
    if np.issubdtype(array.dtype, np.integer) or 200.0 <= reach < 5000.0:
        return (array / 1000.0).astype(np.float32)
    if 0.2 <= reach < 5.0:
        return array.astype(np.float32)
    raise MotionFileError(f"{source}: a body that reaches {reach:.3g} from its root is in neither m nor mm")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
