"""Measurements of a motion from its joints alone: paths, headings, flights, steps, hands, trunk, head.

Joints are (T, 22, 3) metres at 20 fps, y up. Angles are degrees, left positive. Knows no action and no
sentence; what a number means for an action is in ``checks``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..motion.clean_up import runs
from ..motion.representation import require_joints
from ..motion.skeleton import HUMANML3D

FPS = HUMANML3D.fps
_AT = {name: index for index, name in enumerate(HUMANML3D.joint_names)}
_SIDES = ("left", "right")
HIPS, KNEES, ANKLES, TOES, COLLARS, SHOULDERS, ELBOWS, WRISTS = (
    tuple(_AT[f"{side}_{part}"] for side in _SIDES)
    for part in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")
)
PELVIS, NECK, HEAD = _AT["pelvis"], _AT["neck"], _AT["head"]
# The ankle's height over the floor when the foot is flat; leg length of the body the thresholds are for.
ANKLE_REST, LEG = 0.07, 0.82


@dataclass(frozen=True)
class Kinematics:
    """A motion with its floor and the scale of its body; ``of`` makes one from joints."""

    joints: np.ndarray
    floor: float
    leg: float

    @classmethod
    def of(cls, joints: np.ndarray) -> Kinematics:
        """Raises ``ValueError`` for joints that are not (T, 22, 3), finite, or fewer than 8 frames."""
        array = np.asarray(joints, dtype=np.float64)
        if array.ndim != 3 or array.shape[1:] != (22, 3) or len(array) < 8:
            raise ValueError(f"expected joints (T, 22, 3) of at least 8 frames, found shape {array.shape}")
        require_joints(array, HUMANML3D)
        array = smoothed(array, 0.7)
        lowest = array[:, list(TOES), 1].min(1)
        leg = np.mean(
            [_length(array, a, b) for k in (0, 1) for a, b in ((HIPS[k], KNEES[k]), (KNEES[k], ANKLES[k]))]
        )
        return cls(array, float(np.percentile(lowest, 5)), float(2 * leg))

    def cut(self, start: int, end: int) -> Kinematics:
        """Frames ``start`` to ``end`` over the same floor."""
        return Kinematics(self.joints[start:end], self.floor, self.leg)

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def scale(self) -> float:
        """Size of this body in bodies of usual size."""
        return self.leg / LEG

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self) / FPS

    # Heading and path

    @cached_property
    def heading(self) -> np.ndarray:
        """Where the body faces (T,), radians, unwrapped, left positive; hips and shoulders together."""
        across = sum(_unit(self.joints[:, a] - self.joints[:, b]) for a, b in (HIPS, SHOULDERS))
        across = smoothed(np.asarray(across), 1.5)
        return np.unwrap(np.arctan2(-across[:, 2], across[:, 0]))

    @property
    def turned(self) -> float:
        """Net turn of the body, degrees."""
        return float(np.degrees(self.heading[-1] - self.heading[0]))

    @property
    def most_turned(self) -> tuple[float, float]:
        """Farthest heading to the left (>= 0) and to the right (<= 0) of the first one, degrees."""
        turn = np.degrees(self.heading - self.heading[0])
        return float(turn.max()), float(turn.min())

    @cached_property
    def frame(self) -> tuple[np.ndarray, np.ndarray]:
        """Horizontal unit vectors (T, 3) to the body's left and ahead."""
        sin, cos, zero = np.sin(self.heading), np.cos(self.heading), np.zeros(len(self))
        return np.stack([cos, zero, -sin], -1), np.stack([sin, zero, cos], -1)

    @cached_property
    def place(self) -> np.ndarray:
        """Pelvis over the floor (T, 2): x, z; without the sway of steps."""
        return smoothed(self.joints[:, PELVIS][:, [0, 2]], 3.0)

    @cached_property
    def travel(self) -> np.ndarray:
        """Steps of the pelvis in the body's own frame (T-1, 2): to the left, ahead; metres per frame."""
        step = np.diff(self.place, axis=0)
        left, ahead = (axis[:-1][:, [0, 2]] for axis in self.frame)
        return np.stack([(step * left).sum(1), (step * ahead).sum(1)], -1)

    @property
    def net(self) -> np.ndarray:
        """Displacement from first to last frame, in the first frame's body axes: left, ahead; metres."""
        return self.displacement()[-1]

    def displacement(self) -> np.ndarray:
        """Displacement (T, 2) from the first frame, in its body axes: left, ahead."""
        left, ahead = (axis[0][[0, 2]] for axis in self.frame)
        away = self.place - self.place[0]
        return np.stack([away @ left, away @ ahead], -1)

    @property
    def path(self) -> float:
        """Length of the pelvis' path, metres."""
        return float(np.linalg.norm(self.travel, axis=1).sum())

    @cached_property
    def speed(self) -> np.ndarray:
        """Horizontal speed of the pelvis (T-1,), m/s."""
        return np.linalg.norm(self.travel, axis=1) * FPS

    @property
    def pace(self) -> float:
        """Usual speed while under way: the 75th percentile of speed, m/s."""
        return float(np.percentile(self.speed, 75))

    @cached_property
    def course(self) -> np.ndarray:
        """Direction of travel (K,) of frames that move, radians, unwrapped; empty when standing."""
        moving = self.speed > 0.25
        step = smoothed(np.diff(self.place, axis=0), 2.0)[moving]
        return np.unwrap(np.arctan2(step[:, 0], step[:, 1])) if len(step) else np.zeros(0)

    @property
    def bent(self) -> float:
        """Net turn of the direction of travel, degrees; 0 when standing."""
        return float(np.degrees(self.course[-1] - self.course[0])) if len(self.course) > 4 else 0.0

    # Height

    @cached_property
    def upright(self) -> float:
        """Height of the pelvis over the floor when this body stands straight, metres."""
        hips = self.joints[:, list(HIPS)].mean(1) - self.joints[:, PELVIS]
        return float(np.linalg.norm(hips, axis=1).mean() + self.leg + ANKLE_REST * self.scale)

    @cached_property
    def drop(self) -> np.ndarray:
        """How far the pelvis is below standing straight (T,), metres for a body of usual size."""
        return (self.upright - self.joints[:, PELVIS, 1] + self.floor) / self.scale

    def height(self, joint: int) -> np.ndarray:
        """Height of a joint over the floor (T,), metres for a body of usual size."""
        return (self.joints[:, joint, 1] - self.floor) / self.scale

    # Feet

    @cached_property
    def clearance(self) -> np.ndarray:
        """Height of the lower toe over its lowest within half a second (T,): floors may slope."""
        lower = np.minimum(self.height(TOES[0]), self.height(TOES[1]))
        return lower - np.array([lower[max(0, k - 10) : k + 11].min() for k in range(len(self))])

    @cached_property
    def flights(self) -> list[tuple[int, int]]:
        """Stretches of at least three frames in which no foot touches the floor."""
        return [(a, b) for a, b in runs(self.clearance > 0.025) if b - a >= 3]

    @cached_property
    def duty(self) -> float:
        """Share of the time under way that a foot stands (mean of both): above 0.5 in walking."""
        moving = self.speed > 0.5
        if not moving.any():
            return 1.0
        toes = [np.linalg.norm(np.diff(self.joints[:, k][:, [0, 2]], axis=0), axis=1) * FPS for k in TOES]
        return float(np.mean([(toe < 0.35 * self.speed + 0.1)[moving].mean() for toe in toes]))

    @cached_property
    def bounce(self) -> float:
        """Correlation of the pelvis' height with the distance between the feet: -1 to 1.

        A walking body vaults over its stiff leg (highest when the feet pass each other, below 0), a running
        one bounces (lowest then, above 0): Cavagna, Heglund and Taylor, Am. J. Physiology 1977.
        """
        moving = np.append(self.speed > max(0.5, 0.5 * self.pace), False)
        if moving.sum() < 8:
            return 0.0
        apart = np.linalg.norm(self.local(ANKLES[0], ANKLES[1])[:, [0, 2]], axis=1)
        beats = [(values - smoothed(values, 6.0))[moving] for values in (self.joints[:, PELVIS, 1], apart)]
        return float(np.corrcoef(*beats)[0, 1]) if min(map(np.std, beats)) > 1e-4 else 0.0

    @property
    def running(self) -> bool:
        """Whether the gait is a run: too fast to walk, feet mostly in the air, or bouncing."""
        pace = self.pace / np.sqrt(self.scale)
        return bool(pace > 2.2 or (pace > 1.2 and (self.duty < 0.47 or self.bounce > 0.2)))

    def foot_lift(self, side: int) -> np.ndarray:
        """Height of an ankle over where it is when the foot is flat (T,)."""
        return self.height(ANKLES[side]) - ANKLE_REST

    def foot_speed(self, side: int) -> np.ndarray:
        """Horizontal speed of an ankle (T-1,), m/s."""
        return np.linalg.norm(np.diff(self.joints[:, ANKLES[side]][:, [0, 2]], axis=0), axis=1) * FPS

    def steps(self, side: int, least: float = 0.08) -> list[tuple[int, int]]:
        """Swings of a foot: fast movement that carries it at least ``least`` metres, past the other foot."""
        ankle, other = (self.joints[:, ANKLES[k]][:, [0, 2]] for k in (side, 1 - side))
        found = []
        for start, end in runs(self.foot_speed(side) > 0.45):
            last = min(end, len(self) - 1)
            moved = np.linalg.norm(ankle[last] - ankle[start])
            apart = np.linalg.norm(np.ptp((ankle - other)[start : last + 1], axis=0))
            if end - start >= 2 and min(moved, apart) > least * self.scale:
                found.append((start, end))
        return found

    def foot_reach(self, side: int) -> np.ndarray:
        """Ankle from its own hip, in the body's frame (T, 3): left, up, ahead; in leg lengths."""
        return self.local(ANKLES[side], HIPS[side]) / self.leg

    @cached_property
    def thigh(self) -> np.ndarray:
        """Angle of the thighs from hanging straight down (T,), degrees, mean of both."""
        angles = []
        for hip, knee in zip(HIPS, KNEES, strict=True):
            bone = self.joints[:, knee] - self.joints[:, hip]
            angles.append(np.arctan2(np.hypot(bone[:, 0], bone[:, 2]), -bone[:, 1]))
        return np.degrees(np.mean(angles, axis=0))

    # Hands

    def local(self, joint: int, origin: int) -> np.ndarray:
        """Joint from another, in the body's frame (T, 3): left, up, ahead; metres."""
        away = self.joints[:, joint] - self.joints[:, origin]
        left, ahead = self.frame
        return np.stack([(away * left).sum(1), away[:, 1], (away * ahead).sum(1)], -1)

    def arm_length(self, side: int) -> float:
        """Shoulder to elbow to wrist, metres."""
        return _length(self.joints, SHOULDERS[side], ELBOWS[side]) + _length(
            self.joints, ELBOWS[side], WRISTS[side]
        )

    def hand(self, side: int) -> np.ndarray:
        """Wrist from its shoulder (T, 3): outward, up, ahead; in arm lengths."""
        reach = self.local(WRISTS[side], SHOULDERS[side]) / self.arm_length(side)
        return reach * ((1.0, 1.0, 1.0) if side == 0 else (-1.0, 1.0, 1.0))

    def hand_speed(self, side: int) -> np.ndarray:
        """Speed of a wrist relative to the pelvis (T,), m/s."""
        return np.linalg.norm(np.gradient(self.local(WRISTS[side], PELVIS), axis=0), axis=1) * FPS

    @property
    def hands_apart(self) -> np.ndarray:
        """Distance between the wrists (T,), metres for a body of usual size."""
        away = self.joints[:, WRISTS[0]] - self.joints[:, WRISTS[1]]
        return np.linalg.norm(away, axis=1) / self.scale

    def bend(self, side: int) -> np.ndarray:
        """Wrist's distance from its shoulder (T,), in arm lengths: 1 for a straight arm."""
        return np.linalg.norm(self.hand(side), axis=1)

    # Trunk and head

    @cached_property
    def pitch(self) -> np.ndarray:
        """Lean of the trunk ahead (T,), degrees from upright, pelvis to neck."""
        trunk = self.local(NECK, PELVIS)
        return np.degrees(np.arctan2(trunk[:, 2], trunk[:, 1]))

    @cached_property
    def roll(self) -> np.ndarray:
        """Lean of the trunk to the left (T,), degrees from upright."""
        trunk = self.local(NECK, PELVIS)
        return np.degrees(np.arctan2(trunk[:, 0], trunk[:, 1]))

    @cached_property
    def head(self) -> np.ndarray:
        """Head from the neck (T, 3): left, up, ahead; in lengths of that bone."""
        return self.local(HEAD, NECK) / _length(self.joints, NECK, HEAD)

    @property
    def gaze(self) -> np.ndarray:
        """Turn of the head and shoulders to the left of the hips (T,), without the swing of steps."""
        turns = [np.unwrap(np.arctan2(-v[:, 2], v[:, 0])) for v in map(self._across, (HIPS, SHOULDERS))]
        return smoothed(np.sin(turns[1] - turns[0]) + self.head[:, 0], 3.0)

    def _across(self, pair: tuple[int, ...]) -> np.ndarray:
        return self.joints[:, pair[0]] - self.joints[:, pair[1]]


def smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing along axis 0 (sigma in frames); ends are continued by point reflection."""
    radius = min(max(1, int(np.ceil(3 * sigma))), len(values) - 1)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    sides = [(radius, radius), *[(0, 0)] * (values.ndim - 1)]
    padded = np.pad(values, sides, mode="reflect", reflect_type="odd")
    parts = [w * padded[k : k + len(values)] for k, w in enumerate(kernel / kernel.sum())]
    return np.sum(parts, axis=0)


def longest(flags: np.ndarray) -> float:
    """Seconds of the longest run of True."""
    return max((b - a for a, b in runs(flags)), default=0) / FPS


def rises(values: np.ndarray, high: float, low: float) -> list[int]:
    """Frames where ``values`` reach ``high`` after having been at or below ``low`` (or from the start)."""
    found, ready = [], True
    for index, value in enumerate(values.tolist()):
        if ready and value >= high:
            found.append(index)
            ready = False
        elif value <= low:
            ready = True
    return found


def swings(values: np.ndarray, least: float) -> list[int]:
    """Frames of the alternating highs and lows of ``values`` that differ by at least ``least``.

    The first and the last are the extremes before the first and after the last such change, so that
    n entries are n - 1 changes of direction.
    """
    low = high = 0
    found: list[int] = []
    upward: bool | None = None
    for index in range(1, len(values)):
        if upward is not False and values[index] > values[high]:
            high = index
        if upward is not True and values[index] < values[low]:
            low = index
        if upward is None and values[high] - values[low] >= least:
            upward = high > low
            found.append(low if upward else high)
        elif upward is True and values[high] - values[index] >= least:
            found.append(high)
            upward, low = False, index
        elif upward is False and values[index] - values[low] >= least:
            found.append(low)
            upward, high = True, index
    if upward is not None:
        found.append(high if upward else low)
    return found


def _length(joints: np.ndarray, a: int, b: int) -> float:
    return float(np.linalg.norm(joints[:, a] - joints[:, b], axis=1).mean())


def _unit(vectors: np.ndarray) -> np.ndarray:
    flat = vectors * (1.0, 0.0, 1.0)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
