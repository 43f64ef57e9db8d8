"""BVH files: a hierarchy of joints and their channels over time become the 22 joints of the corpus, and back.

Source: Meredith and Maddock 2001 (offsets, and Euler angles in degrees in the order of the channels). Any
hierarchy, channel order and rate; position channels of joints below the root too. Which joint is which
is told from its name; unit, up axis and floor from the body, by ``motion.plausibility``, as for arrays.
Written are a T-pose, y up, and local rotations, under the names that Mixamo and MotionBuilder use.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..motion import rotation
from ..motion.joint_rotations import JointRotations, joint_rotations
from ..motion.motion import Motion
from ..motion.plausibility import ImplausibleMotionError, plausible_body
from ..motion.skeleton import HUMANML3D, ancestors
from ..storage import write_text
from .joint_names import END, JointPlaces, UnknownSkeletonError
from .reading import AS_STORED, Reading, is_of_this_world

AXES = {"x": 0, "y": 1, "z": 2}
# A longer hierarchy or motion than any person's is no file of a person.
MOST_JOINTS = 1000
MOST_FRAMES = 10_000_000
# CMU's skeletons have these joints, and units of 1/0.45 inch.
CMU_NAMES = ("LHipJoint", "lhipjoint")
CMU_METRES = 0.0254 / 0.45
# The figures of Daz have these. CMU's takes were retargeted to one of them (Hahne 2010) by a solver for whole
# bodies, and hips put in afterwards: the person's own bones and exact poses cannot be had back.
DAZ_NAMES = {"abdomen", "lButtock", "rButtock"}
# Seconds from a T-pose to the motion.
ON_THE_WAY = 0.1
# Units of a written file in a metre. Centimetres are what most files and retargeters have, and Unreal.
UNITS_IN_A_METRE = {"cm": 100.0, "m": 1.0}
WRITTEN_NAMES = {
    "pelvis": "Hips",
    "spine1": "Spine",
    "spine2": "Spine1",
    "spine3": "Spine2",
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
    "toe": "ToeBase",
    "collar": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
}


@dataclass(frozen=True)
class BvhClip:
    """A BVH file as it stands.

    Attributes:
        names: joints in the order of the file; an end site is called "PARENT end".
        parents: index of each joint's parent, -1 for the root.
        offsets: place of each joint from its parent in the rest pose (N, 3), the file's unit.
        channels: of each joint, the channels in order, as ``xposition`` or ``zrotation``.
        values: one row per frame (T, C), angles in degrees.
        frame_time: seconds per frame.

    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    values: np.ndarray
    frame_time: float


def load_bvh(path: Path, reading: Reading = AS_STORED) -> Motion:
    """The motion of a BVH file on the corpus's 22 joints.

    ``Motion.notes`` says what was assumed or put in. Raises ``ValueError`` that names the file for what is no
    BVH, no body, or a skeleton whose joints cannot be told.
    """
    clip = read_bvh(path)
    notes = []
    try:
        found, before = joints_of_clip(clip, reading.joint_map)
        rest = JointPlaces(clip.names, clip.parents, _rest(clip)[None], reading.joint_map).joints[0]
        unit = CMU_METRES if any(name in clip.names for name in CMU_NAMES) else 1.0
        body = plausible_body(unit * found.joints, HUMANML3D, rest, any_unit=True)
    except (UnknownSkeletonError, ImplausibleMotionError) as error:
        raise ValueError(f"{path}: {error}") from None
    if before:
        first = "the first frame" if before == 1 else f"the first {before} frames"
        notes.append(f"{first}, a pose apart from the motion, {'is' if before == 1 else 'are'} left out")
    if missing_thorax(clip) is not None:
        notes.append("the skeleton has no thorax; one as long as the bone below it is put in")
    if set(clip.names) >= DAZ_NAMES:
        notes.append("a Daz figure: a take retargeted to it has the figure's bones, not the person's")
    if found.added:
        notes.append(f"the skeleton has no {', no '.join(found.added)}; put between its neighbours")
    rate = reading.fps or nearly_whole_rate(clip.frame_time)
    return Motion(body.joints, HUMANML3D, rate, str(path), notes=(*notes, *body.notes))


def read_bvh(path: Path) -> BvhClip:
    """The content of a BVH file.

    Raises ``ValueError`` that names the file and what was found for anything that is not one; ``OSError``
    when the file cannot be read.
    """
    text = path.read_bytes().decode("utf-8", errors="replace").lstrip("\ufeff")
    found = re.search(r"^\s*MOTION\s*$", text, flags=re.IGNORECASE | re.MULTILINE)
    if found is None or "HIERARCHY" not in text[: found.start()].upper():
        raise ValueError(f"{path}: no BVH file; expected HIERARCHY and MOTION")
    head, tail = text[: found.start()], text[found.end() :]
    names, parents, offsets, channels = _hierarchy(head, path)
    count = sum(map(len, channels))
    frames = re.match(r"\s*Frames:\s*(\d+)\s+Frame\s+Time:\s*(\S+)", tail, flags=re.IGNORECASE)
    if frames is None:
        raise ValueError(f"{path}: expected 'Frames:' and 'Frame Time:' after MOTION")
    frame_time = _number(frames[2], path)
    if not 0 < frame_time < 100:
        raise ValueError(f"{path}: a frame time of {frames[2]} s; expected a number above 0")
    numbers = tail[frames.end() :].split()
    wanted = int(frames[1])
    if wanted == 0 or wanted > MOST_FRAMES or len(numbers) < count:
        raise ValueError(f"{path}: holds no frames")
    if len(numbers) != wanted * count:
        expected = f"expected {wanted} frames of {count} numbers"
        raise ValueError(f"{path}: {expected}, found {len(numbers)} numbers; is the file whole?")
    try:
        values = np.array(numbers, dtype=np.float64).reshape(wanted, count)
    except ValueError:
        raise ValueError(f"{path}: the frames hold something that is no number") from None
    if not (is_of_this_world(values) and is_of_this_world(offsets)):
        raise ValueError(f"{path}: NaN, infinite or enormous numbers")
    return BvhClip(names, parents, offsets, channels, values, frame_time)


def save_bvh(path: Path, motion: Motion, scale: str = "cm") -> None:
    """Write a motion as BVH, whole or not at all: a T-pose, and rotations about z, y and x.

    The bones get their usual lengths. Raises ``ValueError`` for a ``scale`` that is neither cm nor m.
    """
    if scale not in UNITS_IN_A_METRE:
        raise ValueError(f"scale {scale!r}: expected one of {', '.join(UNITS_IN_A_METRE)}")
    found = joint_rotations(motion.joints, motion.skeleton, motion.fps)
    units = UNITS_IN_A_METRE[scale]
    order = _written_order(0, found)
    angles = np.degrees(_steady_angles(found.rotations[:, order]))
    rows = np.concatenate([found.root * units, angles.reshape(len(angles), -1)], axis=1)
    # Adding 0 makes a rounded -0 a 0.
    rows = np.round(rows, 6) + 0.0
    lines = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in rows.tolist())
    times = f"Frames: {len(rows)}\nFrame Time: {1 / motion.fps:.10f}"
    write_text(path, f"HIERARCHY\n{_written_joint(0, found, units)}MOTION\n{times}\n{lines}\n")


def positions(clip: BvhClip) -> np.ndarray:
    """Every joint's place (T, N, 3) in the file's unit and axes, by forward kinematics."""
    return _kinematics(clip)[0]


def local_frames(clip: BvhClip, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (T, N, 3) and turns (T, N, 3, 3) of all joints against their parents.

    values: rows (T, C) of the clip's channels, its own or others.
    """
    frames = len(values)
    places = np.zeros((frames, len(clip.names), 3))
    turns = np.tile(np.eye(3), (frames, len(clip.names), 1, 1))
    for joint, channels in enumerate(clip.channels):
        places[:, joint] = place_offset(clip, joint)
        for column, channel in enumerate(channels, first_column(clip, joint)):
            value = values[:, column]
            if channel.endswith("position"):
                places[:, joint, AXES[channel[0]]] += value
            else:
                turns[:, joint] = turns[:, joint] @ rotation.matrices_about(channel[0], np.radians(value))
    return places, turns


def first_column(clip: BvhClip, joint: int) -> int:
    """The column of a joint's first channel."""
    return sum(map(len, clip.channels[:joint]))


def place_offset(clip: BvhClip, joint: int) -> np.ndarray:
    """What a joint's position channels are added to (3,): its offset from its parent, or nothing."""
    moved = [channel for channel in clip.channels[joint] if channel.endswith("position")]
    # Below the root a position channel stands in the offset's place, as Blender writes and reads it.
    replaced = moved and (clip.parents[joint] >= 0 or _root_is_absolute(clip, joint))
    kept = [not (replaced and f"{axis}position" in moved) for axis in AXES]
    return np.where(kept, clip.offsets[joint], 0.0)


def _kinematics(clip: BvhClip) -> tuple[np.ndarray, np.ndarray]:
    """Places (T, N, 3) and rotations (T, N, 3, 3) of all joints in the world."""
    places, turns = local_frames(clip, clip.values)
    for joint, parent in enumerate(clip.parents):
        if parent >= 0:
            above = turns[:, parent]
            places[:, joint] = places[:, parent] + (above @ places[:, joint, :, None])[..., 0]
            turns[:, joint] = above @ turns[:, joint]
    return places, turns


def _root_is_absolute(clip: BvhClip, root: int) -> bool:
    """Whether the root's position channels hold its offset already, as ACCAD's do: they begin near it."""
    begin = np.zeros(3)
    for column, channel in enumerate(clip.channels[root], first_column(clip, root)):
        if channel.endswith("position"):
            begin[AXES[channel[0]]] = clip.values[0, column]
    return bool(np.linalg.norm(begin - clip.offsets[root]) < np.linalg.norm(begin))


def _written_order(joint: int, found: JointRotations) -> list[int]:
    """A joint and all that hang on it, as they stand in the file."""
    children = [child for child in found.skeleton.order if found.skeleton.parents[child] == joint]
    return [joint, *(below for child in children for below in _written_order(child, found))]


def _written_joint(joint: int, found: JointRotations, units: float, indent: str = "") -> str:
    skeleton = found.skeleton
    children = [child for child in skeleton.order if skeleton.parents[child] == joint]
    channels = "3 Zrotation Yrotation Xrotation"
    if joint == 0:
        channels = "6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
    inside = "".join(_written_joint(child, found, units, indent + "  ") for child in children)
    if not children:
        # A tip goes on for half its bone.
        tip = _written_offset(found.offsets[joint] * units / 2)
        inside = f"{indent}  End Site\n{indent}  {{\n{indent}    OFFSET {tip}\n{indent}  }}\n"
    return (
        f"{indent}{'JOINT' if joint else 'ROOT'} {written_name(skeleton.joint_names[joint])}\n{indent}{{\n"
        f"{indent}  OFFSET {_written_offset(found.offsets[joint] * units)}\n"
        f"{indent}  CHANNELS {channels}\n{inside}{indent}}}\n"
    )


def _written_offset(offset: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in (np.round(offset, 6) + 0.0).tolist())


def written_name(name: str) -> str:
    """What a joint is called in files: ``LeftUpLeg`` for ``left_hip``, as Mixamo's skeletons have it."""
    side, _, part = name.rpartition("_")
    return side.capitalize() + WRITTEN_NAMES.get(part, part.capitalize())


def _steady_angles(rotations: np.ndarray) -> np.ndarray:
    """Angles (T, J, 3) about z, y and x of rotations (T, J, 4), each as near as may be to that before it."""
    angles = rotation.to_zyx_angles(rotations)
    for frame in range(1, len(angles)):
        same_turn = angles[frame] * (1.0, -1.0, 1.0) + np.pi
        both = np.stack([angles[frame], same_turn])
        both -= 2 * np.pi * np.round((both - angles[frame - 1]) / (2 * np.pi))
        nearest = np.abs(both - angles[frame - 1]).sum(-1).argmin(0)
        angles[frame] = both[nearest, np.arange(len(nearest))]
    return angles


def _hierarchy(
    text: str, path: Path
) -> tuple[tuple[str, ...], tuple[int, ...], np.ndarray, tuple[tuple[str, ...], ...]]:
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    # The joints whose braces are open.
    open_joints: list[int] = []
    entered = -1
    lines = iter(text.split("\n"))
    for line in lines:
        words = line.split()
        if not words:
            continue
        kind = words[0].upper()
        if kind in ("ROOT", "JOINT", "END"):
            parent = open_joints[-1] if open_joints else -1
            name = " ".join(words[1:]).removesuffix("{").strip()
            if kind == "ROOT" and names:
                raise ValueError(f"{path}: holds several hierarchies, expected one")
            too_many = kind != "END" and (not name or len(names) == MOST_JOINTS)
            if too_many or (kind != "ROOT" and parent < 0):
                raise ValueError(f"{path}: the hierarchy is broken at {line.strip()!r}")
            names.append(f"{names[parent]}{END}" if kind == "END" else name)
            parents.append(parent)
            offsets.append([0.0, 0.0, 0.0])
            channels.append(())
            entered = len(names) - 1
        if words[-1].endswith("{"):
            if entered < 0:
                raise ValueError(f"{path}: the hierarchy is broken at {line.strip()!r}")
            open_joints.append(entered)
        elif kind == "}":
            if not open_joints:
                raise ValueError(f"{path}: the hierarchy closes more braces than it opens")
            open_joints.pop()
        elif kind == "OFFSET" and open_joints:
            offsets[open_joints[-1]] = _offset(words, path)
        elif kind == "CHANNELS" and open_joints:
            channels[open_joints[-1]] = _channels(words, path)
    if not names or open_joints:
        raise ValueError(f"{path}: the hierarchy is not whole")
    return tuple(names), tuple(parents), np.array(offsets), tuple(channels)


def _offset(words: Sequence[str], path: Path) -> list[float]:
    if len(words) != 4:
        raise ValueError(f"{path}: expected three numbers, found {' '.join(words)!r}")
    return [_number(word, path) for word in words[1:]]


def _channels(words: Sequence[str], path: Path) -> tuple[str, ...]:
    found = tuple(word.lower() for word in words[2:])
    known = all(re.fullmatch(r"[xyz](position|rotation)", channel) for channel in found)
    if len(words) < 2 or words[1] != str(len(found)) or not known:
        raise ValueError(
            f"{path}: expected channels such as 3 Zrotation Yrotation Xrotation, found {' '.join(words)!r}"
        )
    return found


def _number(word: str, path: Path) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{path}: expected a number, found {word!r}")
    return value


def nearly_whole_rate(frame_time: float) -> float:
    """Frames per second; files round their frame time, so a rate that is nearly whole is."""
    rate = 1.0 / frame_time
    return float(round(rate)) if abs(rate - round(rate)) < 0.001 * rate else rate


def _frames_before_the_motion(clip: BvhClip, places: np.ndarray) -> int:
    """How many frames pass before the motion (T, N, 3): CMU's conversions begin with a T-pose.

    Frame 0 is apart where it jumps to frame 1 as no body moves; or where it is the hierarchy's rest pose and
    the body leaves it faster than it ever moves: conversions for Daz take a few frames from there.
    """
    if len(places) < 4:
        return 0
    own = places - places[:, :1]
    size = np.ptp(own[0], axis=0).max()
    if _jumps(_steps(places), 0.1 * size) or _jumps(_steps(own), 0.1 * size):
        return 1
    rest = _rest(clip)
    steps = _steps(own)
    is_rest = np.linalg.norm(own[0] - (rest - rest[0]), axis=-1).mean() < 0.02 * size
    if not is_rest or not _jumps(steps, 0.03 * size):
        return 0
    on_the_way = steps[1 : max(1, round(ON_THE_WAY / clip.frame_time))] > 3 * np.median(steps)
    return 1 + int(np.cumprod(on_the_way).sum())


def _rest(clip: BvhClip) -> np.ndarray:
    """Places (N, 3) of all joints where nothing is turned or moved."""
    return positions(replace(clip, values=np.zeros_like(clip.values[:1])))[0]


def _steps(places: np.ndarray) -> np.ndarray:
    """How far joints (T, N, 3) go from frame to frame (T-1,), their mean."""
    return np.asarray(np.linalg.norm(np.diff(places, axis=0), axis=-1).mean(1))


def _jumps(steps: np.ndarray, least: float) -> bool:
    return bool(steps[0] > max(least, 8 * float(np.median(steps[1:]))))


def missing_thorax(clip: BvhClip) -> tuple[int, np.ndarray] | None:
    """CMU's thorax, which MotionBuilder's conversions drop: neck and collars hang on its lower end there.

    Where neck and both collars have no offset from a chest joint: that joint, and the offset (3,) in its axes
    by which all that is above it has to move, as long as the bone below.
    """
    for chest, name in enumerate(clip.names):
        children = [
            j for j, parent in enumerate(clip.parents) if parent == chest and not clip.names[j].endswith(END)
        ]
        apart = np.linalg.norm(clip.offsets[children], axis=-1) if children else np.ones(1)
        if len(children) == 3 and not apart.any() and name.lower() in ("spine1", "chest2", "thorax"):
            return chest, clip.offsets[chest]
    return None


def joints_of_clip(clip: BvhClip, joint_map: Sequence[tuple[str, str]]) -> tuple[JointPlaces, int]:
    """The corpus's joints in the file's unit and axes, and how many frames before the motion are left out.

    Raises ``UnknownSkeletonError`` when the joints cannot be told.
    """
    places, turns = _kinematics(clip)
    before = _frames_before_the_motion(clip, places)
    missing = missing_thorax(clip)
    if missing is not None:
        chest, offset = missing
        above = [j for j in range(len(clip.names)) if chest in ancestors(j, clip.parents)[1:]]
        places[:, above] += (turns[:, chest] @ offset)[:, None]
    places = places[before:]
    return JointPlaces(list(clip.names), clip.parents, places, joint_map), before
