"""ASF/AMC files, as CMU's and HDM05's motion capture have them, become the 22 joints of the corpus.

Source: Acclaim's skeleton format (Lander, "Working with Motion Capture File Formats", 1998): an ``.asf`` file
holds the bones and their axes, an ``.amc`` file the angles of every frame. A joint is the end of a bone. No
file carries a rate: CMU's true ones lie in ``cmu_rates.txt``, HDM05's stand in its file names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from ..motion import rotation
from ..motion.motion import Motion
from ..motion.plausibility import ImplausibleMotionError, plausible_body
from ..motion.skeleton import HUMANML3D
from ..storage import read_text_file
from .joint_names import UnknownSkeletonError, unknown_skeleton
from .reading import AS_STORED, Reading, is_of_this_world

ROOT = "root"
# The bone (or the root) at whose end each joint lies; what is not here is put between its neighbours.
BONE_OF_JOINT = {"pelvis": ROOT, "spine2": "lowerback", "spine3": "upperback", "neck": "thorax"} | {
    "head": "upperneck"
}
BONE_OF_LIMB = {
    "hip": "hipjoint",
    "knee": "femur",
    "ankle": "tibia",
    "foot": "foot",
    "shoulder": "clavicle",
    "elbow": "humerus",
    "wrist": "radius",
}
PUT_BETWEEN = {
    "spine1": ("pelvis", "spine2"),
    "left_collar": ("neck", "left_shoulder"),
    "right_collar": ("neck", "right_shoulder"),
}
INCH = 0.0254
USUAL_RATE = 120.0
MOST_BONES = 1000
DEGREES_OF_FREEDOM = ("rx", "ry", "rz", "tx", "ty", "tz", "l")


@dataclass(frozen=True)
class AsfBone:
    """A bone of an ASF file.

    name: of the bone.
    parent: name of the bone it begins at, ``root`` for the root.
    offset: from its beginning to its end in the rest pose (3,), the file's unit.
    axes: the frame that its angles turn about, (3, 3).
    order: of the turns, the first one first, such as ``xyz``.
    freedom: what its numbers in a frame are, such as ``rx``.
    """

    name: str
    parent: str
    offset: np.ndarray
    axes: np.ndarray
    order: str
    freedom: tuple[str, ...]


@dataclass(frozen=True)
class AsfSkeleton:
    """What an ASF file says: bones, each after its parent and the root first, and its units.

    bones: the root, with no offset, and the bones.
    unit: metres of one unit of length; None where the file does not scale lengths as Acclaim did.
    in_degrees: whether its angles are.
    """

    bones: tuple[AsfBone, ...]
    unit: float | None
    in_degrees: bool


@dataclass
class _Sections:
    """Lines of an ASF file, as words, by section; and the pairs of ``units``."""

    lines: dict[str, list[list[str]]] = field(default_factory=dict)

    def value(self, section: str, key: str, otherwise: Sequence[str]) -> list[str]:
        """The words after a key of a section."""
        found = (words[1:] for words in self.lines.get(section, []) if words[0].lower() == key)
        return next(found, list(otherwise))


def is_amc(path: Path) -> bool:
    """Whether a file is an AMC file: by its name, for its beginning is free."""
    return path.suffix.lower() == ".amc" and path.is_file()


def load_amc(path: Path, reading: Reading = AS_STORED) -> Motion:
    """The motion of an AMC file, with the ASF file beside it, on the corpus's 22 joints.

    That is ``02.asf`` for ``02_01.amc``, or the only one in the folder. ``Motion.notes`` says what was
    assumed. Raises ``ValueError`` that names the file for what is no ASF or AMC, no body, or has other bones;
    ``OSError`` when a file cannot be read.
    """
    asf = skeleton_file(path)
    skeleton = read_asf(asf)
    ends = bone_ends(skeleton, read_amc(path, skeleton))
    try:
        joints, added = _joints_of_bones(ends, reading.joint_map)
        body = plausible_body(joints * (skeleton.unit or 1.0), HUMANML3D, any_unit=True)
    except (UnknownSkeletonError, ImplausibleMotionError) as error:
        raise ValueError(f"{path}: {error}") from None
    notes = [f"the skeleton has no {', no '.join(added)}; put between its neighbours"] if added else []
    rate = reading.fps or _rate_of_name(path.stem)
    if rate is None:
        notes.append(f"no frame rate given, {USUAL_RATE:g} frames per second assumed (--fps)")
    return Motion(body.joints, HUMANML3D, rate or USUAL_RATE, str(path), notes=(*notes, *body.notes))


def skeleton_file(amc: Path) -> Path:
    """The ASF file that an AMC file belongs to; raises ``ValueError`` when none is beside it.

    The one whose name the file's own begins with, the longest of them; else the only one in the folder.
    """
    found = sorted(path for path in amc.parent.iterdir() if path.suffix.lower() == ".asf")
    stem = amc.stem.lower()
    named = [path for path in found if re.match(rf"{re.escape(path.stem.lower())}(?![a-z0-9])", stem)]
    if named:
        return max(named, key=lambda path: len(path.stem))
    if len(found) == 1:
        return found[0]
    subject = amc.stem.rpartition("_")[0] or amc.stem
    beside = f"{len(found)} of other names" if found else "none"
    raise ValueError(f"{amc}: its skeleton is missing; expected {subject}.asf beside it, found {beside}")


def read_asf(path: Path) -> AsfSkeleton:
    """The skeleton of an ASF file; raises ``ValueError`` that names the file for anything else."""
    sections = _sections(path)
    if not {"root", "bonedata", "hierarchy"} <= sections.lines.keys():
        raise ValueError(f"{path}: no ASF file; expected the sections :root, :bonedata and :hierarchy")
    in_degrees = not sections.value("units", "angle", ["deg"])[0].lower().startswith("rad")
    scale = _numbers(sections.value("units", "length", ["1"])[:1], path, "length")[0]
    if scale <= 0:
        raise ValueError(f"{path}: a length of {scale:g} in :units; expected a number above 0")
    bones = {ROOT: _root(sections, path, in_degrees)}
    loose = {bone.name: bone for bone in _loose_bones(sections.lines["bonedata"], path, in_degrees)}
    for words in sections.lines["hierarchy"]:
        if words[0].lower() in ("begin", "end"):
            continue
        for name in words[1:]:
            if words[0] not in bones or name not in loose:
                raise ValueError(f"{path}: the hierarchy is broken at {' '.join(words)!r}")
            bone = loose.pop(name)
            bones[name] = AsfBone(name, words[0], bone.offset, bone.axes, bone.order, bone.freedom)
    return AsfSkeleton(tuple(bones.values()), None if scale == 1 else INCH / scale, in_degrees)


def read_amc(path: Path, skeleton: AsfSkeleton) -> dict[str, np.ndarray]:
    """Numbers (T, D) of every bone that moves, angles in radians.

    Raises ``ValueError`` that names the file and the frame for what does not fit the skeleton.
    """
    freedom = {bone.name: bone.freedom for bone in skeleton.bones if bone.freedom}
    in_degrees = skeleton.in_degrees
    rows: dict[str, list[list[str]]] = {name: [] for name in freedom}
    frames = 0
    for line in read_text_file(path).split("\n"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            in_degrees = {":DEGREES": True, ":RADIANS": False}.get(words[0].upper(), in_degrees)
        elif len(words) == 1 and words[0].isdigit():
            frames += 1
        elif words[0] in rows:
            if len(rows[words[0]]) != frames - 1 or len(words) != 1 + len(freedom[words[0]]):
                expected = f"one line of {len(freedom[words[0]])} numbers"
                raise ValueError(f"{path}: frame {frames}: expected {expected} for {words[0]}")
            rows[words[0]].append(words[1:])
        elif frames == 0 or words[0] not in {bone.name for bone in skeleton.bones}:
            raise ValueError(f"{path}: no AMC file of this skeleton; it has no bone {words[0][:40]!r}")
    if frames == 0:
        raise ValueError(f"{path}: holds no frames")
    return {name: _frames_of_bone(rows[name], freedom[name], frames, in_degrees, path) for name in rows}


def bone_ends(skeleton: AsfSkeleton, numbers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where every bone ends, and the root is, (T, 3) in the file's unit, by forward kinematics."""
    frames = len(next(iter(numbers.values())))
    ends: dict[str, np.ndarray] = {}
    turns: dict[str, np.ndarray] = {}
    for bone in skeleton.bones:
        given = dict(zip(bone.freedom, numbers.get(bone.name, np.zeros((frames, 0))).T, strict=False))
        turn = np.repeat(np.eye(3)[None], frames, axis=0)
        for axis in bone.order:
            if f"r{axis}" in given:
                turn = rotation.matrices_about(axis, given[f"r{axis}"]) @ turn
        turn = bone.axes @ turn @ bone.axes.T
        moved = np.stack([given.get(f"t{axis}", np.zeros(frames)) for axis in "xyz"], axis=1)
        if bone.name == ROOT:
            ends[ROOT], turns[ROOT] = bone.offset + moved, turn
            continue
        turns[bone.name] = turns[bone.parent] @ turn
        length = np.linalg.norm(bone.offset)
        stretched = 1 + given.get("l", np.zeros(frames)) / max(length, 1e-9)
        along = bone.offset * stretched[:, None] + moved
        ends[bone.name] = ends[bone.parent] + np.einsum("tij,tj->ti", turns[bone.name], along)
    return ends


def _joints_of_bones(
    ends: dict[str, np.ndarray], joint_map: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, list[str]]:
    """The 22 joints (T, 22, 3), and what was put in; raises :class:`UnknownSkeletonError`."""
    bones = BONE_OF_JOINT | {
        f"{side}_{part}": f"{side[0]}{bone}"
        for side in ("left", "right")
        for part, bone in BONE_OF_LIMB.items()
    }
    bones |= dict(joint_map)
    missing = [joint for joint, bone in bones.items() if bone not in ends]
    if missing:
        raise unknown_skeleton(missing, list(ends))
    found = {joint: ends[bone] for joint, bone in bones.items()}
    added = [joint for joint in PUT_BETWEEN if joint not in found]
    for joint in added:
        first, second = PUT_BETWEEN[joint]
        found[joint] = (found[first] + found[second]) / 2
    joints = np.stack([found[name] for name in HUMANML3D.joint_names], axis=1)
    return joints, [joint.replace("_", " ") for joint in added]


def _sections(path: Path) -> _Sections:
    sections, current = _Sections(), ""
    for line in read_text_file(path).split("\n"):
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            current = words[0][1:].lower()
            sections.lines.setdefault(current, [])
        elif words and current:
            sections.lines[current].append(words)
    return sections


def _root(sections: _Sections, path: Path, in_degrees: bool) -> AsfBone:
    freedom = tuple(
        word.lower() for word in sections.value("root", "order", ["tx", "ty", "tz", "rx", "ry", "rz"])
    )
    order = _order(sections.value("root", "axis", ["XYZ"])[0], path)
    position = _numbers(sections.value("root", "position", ["0"] * 3), path, "position")
    orientation = _numbers(sections.value("root", "orientation", ["0"] * 3), path, "orientation")
    if len(position) != 3 or len(orientation) != 3 or not set(freedom) <= set(DEGREES_OF_FREEDOM):
        raise ValueError(f"{path}: :root is not whole")
    return AsfBone(ROOT, "", np.array(position), _axes(orientation, order, in_degrees), order, freedom)


def _loose_bones(lines: list[list[str]], path: Path, in_degrees: bool) -> Iterator[AsfBone]:
    """The bones of ``:bonedata``, whose parents are not known there."""
    entries: dict[str, list[str]] = {}
    count = 0
    for words in lines:
        key = words[0].lower()
        if key != "end":
            entries = {} if key == "begin" else {**entries, key: words[1:]}
            continue
        count += 1
        direction = _numbers(entries.get("direction", []), path, "direction")
        length = _numbers(entries.get("length", []), path, "length")
        axis = entries.get("axis", ["0", "0", "0", "XYZ"])
        freedom = tuple(word.lower() for word in entries.get("dof", []))
        order = _order(axis[3] if len(axis) > 3 else "XYZ", path)
        angles = _numbers(axis[:3], path, "axis")
        if not entries.get("name") or len(direction) != 3 or len(length) != 1 or len(angles) != 3:
            raise ValueError(f"{path}: bone {count} needs a name, a direction, a length and an axis")
        if not set(freedom) <= set(DEGREES_OF_FREEDOM) or count > MOST_BONES:
            raise ValueError(f"{path}: bone {count}: expected degrees of freedom such as rx, found {freedom}")
        offset = np.array(direction) * length[0]
        yield AsfBone(entries["name"][0], "", offset, _axes(angles, order, in_degrees), order, freedom)


def _axes(angles: Sequence[float], order: str, in_degrees: bool) -> np.ndarray:
    turn = np.eye(3)
    for axis, angle in zip(order, np.radians(angles) if in_degrees else np.array(angles), strict=True):
        turn = rotation.matrices_about(axis, np.array([angle]))[0] @ turn
    return turn


def _order(word: str, path: Path) -> str:
    if sorted(word.lower()) != ["x", "y", "z"]:
        raise ValueError(f"{path}: expected an order of axes such as XYZ, found {word!r}")
    return word.lower()


def _numbers(words: Sequence[str], path: Path, what: str) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise ValueError(f"{path}: {what}: expected numbers, found {' '.join(words)!r}") from None
    if not is_of_this_world(np.array(values)):
        raise ValueError(f"{path}: {what}: NaN, infinite or enormous numbers")
    return values


def _frames_of_bone(
    rows: list[list[str]], freedom: Sequence[str], frames: int, in_degrees: bool, path: Path
) -> np.ndarray:
    if len(rows) != frames:
        raise ValueError(f"{path}: frame {len(rows) + 1} is not whole")
    try:
        values = np.array(rows, dtype=np.float64)
    except ValueError:
        raise ValueError(f"{path}: the frames hold something that is no number") from None
    if not is_of_this_world(values):
        raise ValueError(f"{path}: NaN, infinite or enormous numbers")
    if in_degrees:
        turns = [column for column, what in enumerate(freedom) if what.startswith("r")]
        values[:, turns] = np.radians(values[:, turns])
    return values


def _rate_of_name(stem: str) -> float | None:
    """The rate of a take of HDM05 (``HDM_bd_01-01_01_120``) or CMU (``02_01``); None of another."""
    if named := re.fullmatch(r"HDM_.*_(\d+)", stem, flags=re.IGNORECASE):
        return float(named[1]) or None
    take = re.search(r"(?:^|[^\d])(\d{2,3})_(\d{2,3})$", stem)
    return None if take is None else cmu_rates().get(f"{take[1]}_{take[2]}")


@cache
def cmu_rates() -> dict[str, float]:
    """True frames per second of CMU's takes, by names such as ``02_01``."""
    text = (resources.files(__package__) / "cmu_rates.txt").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return {f"{subject}_{take}": float(rate) for subject, rate, *takes in lines for take in takes}
