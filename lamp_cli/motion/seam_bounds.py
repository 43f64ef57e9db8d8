"""Where frames meet no joint jumps or is pushed too hard: frames that may change do so as little as they can.

Of all changes of these frames that is wanted which is small and smooth, keeps bones and resting feet, and
brings what meets within the bounds. It is found by the alternating direction method of multipliers (Boyd et
al., Foundations and Trends in Machine Learning 2011) with bones as in Bouaziz et al., "Projective Dynamics",
SIGGRAPH 2014: every demand puts its own numbers right, and the frames come as near to all as may be. Knows
joints in metres, no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from .limbs import Limbs
from .skeleton import Skeleton

# A jump is told in frames of this rate. Metres, and times the 95th percentile of a motion's own acceleration.
RATE, JUMP, PUSH_SHARE = 20.0, 0.02, 1.5
# Frames this near to a seam may change: with more of them the matrices become large.
REACH = 200
# Of the bounds so much is used: feet and bones are put right at the end.
MARGIN = 0.93
# Metres by which bones may be longer or shorter than they should.
SAME_LENGTH = 0.001
# What changes spreads over about so many seconds.
SPREAD = 0.2
# How much dearer than another's a change of a resting foot is.
FOOT_WEIGHT = 300.0
# The method's own weights of places, bones, and jumps; that of accelerations is the spread's.
PLACE_PENALTY, BONE_PENALTY, JUMP_PENALTY = 30.0, 3000.0, 300.0
# Rounds after which is asked whether all is well, and how often at most.
ROUNDS, TRIES = 120, 5


@dataclass(frozen=True)
class SeamBounds:
    """The most at a seam: ``jump`` in metres, as :func:`joint_jumps` has it, and ``push`` in m / s^2.

    calm: m / s^2, of frames through which the speed should go on all but unchanged.
    """

    push: float
    jump: float = JUMP
    calm: float = inf

    @classmethod
    def of(cls, joints: np.ndarray, fps: float) -> SeamBounds:
        """Those of a motion (T, J, 3); of fewer than three frames no acceleration is too much."""
        if len(joints) < 3:
            return cls(inf)
        return cls(PUSH_SHARE * float(np.percentile(joint_accelerations(joints, fps).max(1), 95)))


@dataclass(frozen=True)
class SeamFigures:
    """Of the worst joint at every seam (S,): ``jumps`` in metres, ``pushes`` in m / s^2."""

    jumps: np.ndarray
    pushes: np.ndarray
    bounds: SeamBounds

    @property
    def within(self) -> np.ndarray:
        """Which (S,) are within both bounds."""
        return (self.jumps < self.bounds.jump) & (self.pushes < self.bounds.push)

    @property
    def worst(self) -> float:
        """The greatest of all as a share of its bound."""
        shares = [self.jumps / self.bounds.jump, self.pushes / max(self.bounds.push, 1e-9)]
        return float(np.concatenate(shares).max(initial=0.0))


def joint_accelerations(joints: np.ndarray, fps: float) -> np.ndarray:
    """Of every joint (T-2, J), m / s^2, of joints (T, J, 3)."""
    second = np.diff(np.asarray(joints, dtype=np.float64), n=2, axis=0)
    return np.asarray(np.linalg.norm(second, axis=-1) * fps**2)


def joint_jumps(joints: np.ndarray, fps: float) -> np.ndarray:
    """How far every joint goes beyond the mean of the ways beside (T-3k, J), metres, at 20 frames a second.

    The ways last ``k`` frames, which are 1/20 s or, of rates that are no multiple of 20, a little more. It
    is half of the third difference: none where a speed or an acceleration goes on.
    """
    joints, stride = np.asarray(joints, dtype=np.float64), _stride(fps)
    steps = joints[stride:] - joints[:-stride] if len(joints) > stride else joints[:0]
    for _ in range(2):
        steps = steps[stride:] - steps[:-stride] if len(steps) > stride else steps[:0]
    return np.asarray(np.linalg.norm(steps, axis=-1) * 0.5 * (fps / (RATE * stride)) ** 3)


def seam_figures(joints: np.ndarray, seams: Sequence[int], bounds: SeamBounds, fps: float) -> SeamFigures:
    """Of joints (T, J, 3) at ``seams``: the first frames of what meets something before it.

    A joint's jump is the least of the ways over which the seam is: one that is not there before and after it
    is in all of them. Pushes are those of the frames on both sides. What lies too near to an end has none.
    """
    jumped, pushed = joint_jumps(joints, fps), joint_accelerations(joints, fps)
    stride = _stride(fps)
    ways = [jumped[max(s - 2 * stride, 0) : max(s - stride, 0)] for s in seams]
    over = [way.min(0).max() if len(way) else 0.0 for way in ways]
    beside = [pushed[max(s - 2, 0) : s].max(initial=0.0) for s in seams]
    return SeamFigures(np.array(over), np.array(beside), bounds)


def within_bounds(
    joints: np.ndarray,
    free: np.ndarray,
    seams: Sequence[int],
    bounds: SeamBounds,
    skeleton: Skeleton,
    fps: float,
    resting: np.ndarray | None = None,
    floor: float | np.ndarray = -inf,
    lengths: np.ndarray | None = None,
    calm: Sequence[int] = (),
) -> np.ndarray:
    """Joints (T, J, 3) float64 whose ``free`` (T,) frames are changed near ``seams`` to bring the bounds.

    resting: foot joints (T, 4) that should stay where they are.
    floor: height below which no foot is moved; or one for every foot joint (T, 4).
    lengths: of the bones (T, J-1, 1) in the free frames; None: those that they have.
    calm: frames of the ``bounds``' calm.

    Where the bounds cannot be met it comes as near as it finds; what needs no change has none.
    """
    joints, free = np.asarray(joints, dtype=np.float64), np.asarray(free, dtype=bool)
    own = Limbs.of(joints, skeleton).lengths
    lengths = own if lengths is None else lengths

    def worst_of(joints: np.ndarray) -> float:
        pushes = joint_accelerations(joints, fps)[np.array(calm, dtype=int) - 1].max(initial=0.0)
        return max(seam_figures(joints, seams, bounds, fps).worst, float(pushes / bounds.calm))

    best = _with_bones(joints, free, lengths, skeleton)
    least = worst_of(best)
    to_seam = np.abs(np.arange(len(joints))[:, None] + 0.5 - np.array(seams)).min(1, initial=inf)
    near = free & (to_seam < REACH)
    if not near.any() or (least < 1.0 and np.abs(own - lengths)[free].max() < SAME_LENGTH):
        return best
    around = 3 * _stride(fps)
    part = slice(max(0, int(near.argmax()) - around), len(near) - int(near[::-1].argmax()) + around)
    held = np.zeros((len(joints), 4), dtype=bool) if resting is None else resting
    low = np.broadcast_to(np.asarray(floor), (len(joints), 4))
    aimed = SeamBounds(MARGIN * bounds.push, MARGIN * bounds.jump, MARGIN * bounds.calm)
    here = np.array(seams) - part.start
    here = here[(here > 0) & (here < len(joints[part]))]
    problem = _Problem(
        joints[part],
        near[part],
        here,
        aimed,
        skeleton,
        fps,
        held[part],
        low[part],
        lengths[part][near[part]],
        np.array(calm, dtype=int) - part.start,
    )
    least = inf
    for change in problem.changes():
        found = joints.copy()
        found[part] += change
        found = _with_bones(found, free, lengths, skeleton)
        worst = worst_of(found)
        if worst < least:
            best, least = found, worst
        if worst < 1.0:
            break
    return best


def _stride(fps: float) -> int:
    """Frames of the ways that a jump is told by."""
    return max(1, int(fps / RATE + 1e-6))


def _with_bones(joints: np.ndarray, free: np.ndarray, lengths: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) with bones of these lengths (T, J-1, 1) in ``free`` frames (T,); directions stay."""
    result = joints.copy()
    limbs = Limbs.of(joints[free], skeleton)
    result[free] = replace(limbs, lengths=lengths[free]).joints(skeleton)
    return result


@dataclass
class _Demand:
    """Numbers (N, B, 3) that follow from the change (F, J, 3) of the free frames, and what is asked of them.

    frames: (N, F), how they follow from the frames; None: as these are.
    joints: (B, J), how they follow from the joints; None: as these are.
    values: (N, B, 3) without a change.
    penalty: the method's weight.
    nearest: the numbers that do what is asked, nearest to those given.
    """

    frames: np.ndarray | None
    joints: np.ndarray | None
    values: np.ndarray
    penalty: float
    nearest: Callable[[np.ndarray], np.ndarray]

    def __post_init__(self) -> None:
        self._missed = np.zeros_like(self.values)

    def pull(self, change: np.ndarray) -> np.ndarray:
        """What it would have instead of this change, weighed (F, J, 3); it remembers what it did not get."""
        found = self.values + _of(self.frames, self.joints, change) + self._missed
        nearest = self.nearest(found)
        self._missed = found - nearest
        frames, joints = (None if matrix is None else matrix.T for matrix in (self.frames, self.joints))
        return self.penalty * _of(frames, joints, nearest - self._missed - self.values)

    def weights(self, over_frames: bool) -> np.ndarray | float:
        """Its share of the matrix over frames, or joints, by which all demands together are met."""
        matrix = self.frames if over_frames else self.joints
        return 0.0 if matrix is None else self.penalty * matrix.T @ matrix


def _of(frames: np.ndarray | None, joints: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    values = values if frames is None else np.tensordot(frames, values, 1)
    return np.asarray(values if joints is None else joints @ values)


@dataclass(frozen=True)
class _Problem:
    """A stretch of frames (T, J, 3) around seams, as :func:`within_bounds` is asked to change it."""

    joints: np.ndarray
    free: np.ndarray
    seams: np.ndarray
    bounds: SeamBounds
    skeleton: Skeleton
    fps: float
    resting: np.ndarray
    floor: np.ndarray
    lengths: np.ndarray
    calm: np.ndarray

    def changes(self) -> Iterator[np.ndarray]:
        """What changes (T, J, 3), nearer and nearer to all that is asked."""
        places = self._places()
        demands = [places, self._bones(), self._accelerations(), self._jumps()]
        of_frames = sum(each.weights(True) for each in demands) + places.penalty * np.eye(self.free.sum())
        (a, frames), (b, joints) = map(np.linalg.eigh, (of_frames, sum(d.weights(False) for d in demands)))
        share = 1.0 / (a[:, None, None] + b[:, None])
        change = np.zeros_like(self.joints[self.free])
        for _ in range(TRIES):
            for _ in range(ROUNDS):
                pulled = sum(demand.pull(change) for demand in demands)
                change = _of(frames, joints, share * _of(frames.T, joints.T, np.asarray(pulled)))
            found = np.zeros_like(self.joints)
            found[self.free] = change
            yield found

    def _places(self) -> _Demand:
        """Every joint near to where it is, resting feet above all, and no foot below the floor."""
        own, feet = self.joints[self.free], list(self.skeleton.feet)
        weight = np.ones((*own.shape[:2], 1))
        weight[:, feet, 0] += FOOT_WEIGHT * self.resting[self.free]
        share = PLACE_PENALTY / (PLACE_PENALTY + weight)
        lowest = np.minimum(self.floor[self.free] - own[:, feet, 1], 0.0)

        def nearest(found: np.ndarray) -> np.ndarray:
            result = share * found
            result[:, feet, 1] = np.maximum(result[:, feet, 1], lowest)
            return np.asarray(result)

        return _Demand(None, None, np.zeros_like(own), PLACE_PENALTY, nearest)

    def _bones(self) -> _Demand:
        """Every bone as long as it should be."""
        count, children = self.skeleton.joints, np.arange(1, self.skeleton.joints)
        matrix = np.zeros((count - 1, count))
        matrix[children - 1, children] = 1.0
        matrix[children - 1, list(self.skeleton.parents[1:])] = -1.0
        values = matrix @ self.joints[self.free]
        return _Demand(
            None,
            matrix,
            values,
            BONE_PENALTY,
            lambda found: found * (self.lengths / np.maximum(_length(found), 1e-9)),
        )

    def _accelerations(self) -> _Demand:
        """Those at the seams within the bound, none elsewhere beyond it that was not; they change little."""
        begins, matrix = self._differences((1.0, -2.0, 1.0), 1)
        values = np.tensordot(matrix, self.joints, 1)
        at_seam = ((begins < self.seams) & (self.seams <= begins + 2)).any(1)
        most = _most(values, np.asarray(at_seam), self.bounds.push / self.fps**2)
        most[np.isin(begins[:, 0] + 1, self.calm)] = self.bounds.calm / self.fps**2
        weight = (SPREAD * self.fps) ** 4
        # Its own weight is the method's too.
        return _Demand(
            matrix[:, self.free], None, values, weight, lambda found: _at_most(0.5 * (values + found), most)
        )

    def _jumps(self) -> _Demand:
        """Those at the seams within the bound, none elsewhere beyond it that was not."""
        stride = _stride(self.fps)
        begins, matrix = self._differences((-1.0, 3.0, -3.0, 1.0), stride)
        values = np.tensordot(matrix, self.joints, 1)
        # Of the ways over a seam that which is free from there on, or up to there.
        onwards, upto = self.free[self.seams], self.free[self.seams - 1]
        over_seam = ((begins == self.seams - 1 - stride) & onwards) | (
            (begins == self.seams - 2 * stride) & upto
        )
        at_seam = over_seam.any(1)
        most = _most(values, np.asarray(at_seam), 2.0 * self.bounds.jump * (RATE * stride / self.fps) ** 3)
        return _Demand(matrix[:, self.free], None, values, JUMP_PENALTY, lambda found: _at_most(found, most))

    def _differences(self, weights: Sequence[float], stride: int) -> tuple[np.ndarray, np.ndarray]:
        """First frames (N, 1) of differences in which some frame is free, and their matrix (N, T)."""
        count = max(len(self.joints) - (len(weights) - 1) * stride, 0)
        matrix = np.zeros((count, len(self.joints)))
        for number, weight in enumerate(weights):
            matrix[np.arange(count), np.arange(count) + number * stride] = weight
        moves = matrix[:, self.free].any(1)
        return np.flatnonzero(moves)[:, None], matrix[moves]


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(vectors, axis=-1, keepdims=True))


def _at_most(vectors: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Vectors (N, J, 3) as they are up to a length (N, J, 1), else of that length."""
    return np.asarray(vectors * np.minimum(1.0, most / np.maximum(_length(vectors), 1e-12)))


def _most(values: np.ndarray, at_seam: np.ndarray, bound: float) -> np.ndarray:
    """Lengths (N, J, 1) that vectors (N, J, 3) may have: the bound; not ``at_seam`` (N,) their own, too."""
    return np.where(at_seam[:, None, None], bound, np.maximum(bound, _length(values)))
