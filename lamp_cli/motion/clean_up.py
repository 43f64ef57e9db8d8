"""Clean-up of joints: bones keep their lengths, planted feet stay, others step, nothing is under the floor.

A network's frames are right to a few centimetres each, which the eye forgives everywhere but at the feet.
Source: Kovar, Schreiner and Gleicher, "Footskate Cleanup for Motion Capture Editing", SCA 2002. Contacts
begin where the frame features say so, or a foot is slow, and last until it is fast. Knows no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .inverse_kinematics import two_bones
from .leg_reach import knee_direction, smooth_reach
from .plausibility import bone_lengths
from .representation import joints_to_features
from .skeleton import Skeleton
from .transform import resample

# A foot joint above this bears nothing, whatever its contact says, metres.
CONTACT_HEIGHT = 0.12
# A low foot joint slower than this rests; it goes on resting up to the other, metres per second, unless it is
# raised so far (metres) above where it mostly rests.
SLOW, STILL_RESTING, RAISED = 0.35, 0.7, 0.02
LEAST_CONTACT_FRAMES = 3
# Metres; HuMoR's heights of a foot in contact (Rempe et al., ICCV 2021).
DOWN_ANKLE, DOWN_TOE = 0.08, 0.04
# A contact that drifts further (metres) is several contacts, or a foot that is meant to slide.
MOST_DRIFT = 0.15
BLEND_FRAMES = 4
SLIDE_FRAMES = 1
# A contact begins and ends no farther (metres) from where it mostly is: before that the foot lands.
SETTLED = 0.05
# A foot takes so many frames to step, and one more for each so many metres of its way.
STEP_FRAMES, MOST_STEP = 2, 0.05
# A foot that goes this far from contact to contact steps: toe and ankle rise by half of its way, up to the
# heights at which neither counts as in contact.
LEAST_STEP, STEP_HEIGHT, ANKLE_STEP_HEIGHT = 0.03, 0.06, 0.09
# A body whose hips are lower than this share of their usual height over its feet sits, lies or crawls: it may
# slide its feet.
UPRIGHT_SHARE = 0.6
SWEEPS = 30
# Straight to this share of its length a leg still shows which way its knee bends.
LEAST_REACH = 0.3
# Metres by which a frame must give way to its neighbours' moved feet to be changed.
GIVES_WAY = 1e-4


def clean_up(joints: np.ndarray, contacts: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) in metres with reference bone lengths, feet that stay or step, and a floor.

    ``contacts`` (T, 4) are those of the frame features, above 0.5 where a foot joint rests; joints are at
    the skeleton's own rate. Skeletons whose reference bones or ankles are not known (KIT-ML) are returned as
    they are.
    """
    if not skeleton.bone_lengths or not _has_ankles(skeleton):
        return joints
    result = with_reference_bones(joints, skeleton)
    feet = list(skeleton.feet)
    resting = _resting(result, contacts > 0.5, feet, skeleton.fps)
    result[..., 1] -= _floor(result, resting, feet)
    return above_floor(hold_feet(result, resting, skeleton), skeleton).astype(joints.dtype)


def resting_feet(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Which of the foot joints (T, 4) of joints (T, J, 3), metres, at the skeleton's own rate, rest.

    One that drifts away rests several times; one that is all but down before or after it rests, rests too.
    """
    feet = list(skeleton.feet)
    found = _resting(joints, np.zeros((len(joints), len(feet)), dtype=bool), feet, skeleton.fps)
    height = _above_floor(joints)[:, feet]
    for number, foot in enumerate(feet):
        contacts = _contacts(joints[:, foot, ::2], found[:, number])
        down = height[:, number] < (DOWN_ANKLE if "ankle" in skeleton.joint_names[foot] else DOWN_TOE)
        found[:, number] = False
        for begin, end in contacts:
            first = begin - 1 if begin and down[begin - 1] and not found[max(begin - 2, 0), number] else begin
            found[first : end + (end < len(down) and down[end]), number] = True
    return found


def rests_at_rate(joints: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """As :func:`resting_feet` of a motion (T, J, 3) at any rate, which may have no frame or one."""
    if len(joints) < 2:
        return np.ones((len(joints), 4), dtype=bool)
    slow = resting_feet(resample(joints, fps, skeleton.fps), skeleton)
    frames = np.round(np.arange(len(joints)) * skeleton.fps / fps).astype(int)
    return np.asarray(slow[np.minimum(frames, len(slow) - 1)])


def hold_feet(
    joints: np.ndarray, resting: np.ndarray, skeleton: Skeleton, most_drift: float = MOST_DRIFT
) -> np.ndarray:
    """Joints (T, J, 3) whose foot joints stay where they are ``resting`` (T, 4) and step in between.

    At the skeleton's own rate; ``skeleton`` has the bone lengths of this body. A joint that drifts by more
    than ``most_drift`` metres while it rests is let go there, and while it lands; infinity: never.
    """
    feet = list(skeleton.feet)
    offsets, height = np.zeros((len(joints), 4, 3)), joints[:, 0, 1] - joints[:, feet, 1].min(1)
    # The hips are about as high over the feet as they usually are.
    upright = height > UPRIGHT_SHARE * np.percentile(height, 90)
    for foot in (slice(0, 2), slice(2, 4)):
        tracks = joints[:, feet[foot]]
        offsets[:, foot, ::2] = _foot_offsets(tracks[..., ::2], resting[:, foot], most_drift)
        held = _is_held(tracks[..., ::2], resting[:, foot], most_drift)
        rise = _rise(tracks + offsets[:, foot], held)
        offsets[:, foot, 1] = (rise * upright)[:, None]
    return with_feet_moved(joints, offsets, skeleton, eased=True)


def with_feet_held(
    joints: np.ndarray, resting: np.ndarray, skeleton: Skeleton, floor: float | None = None
) -> np.ndarray:
    """As :func:`hold_feet` of feet that ``resting_feet`` found: of any body, which keeps its bones.

    It goes no lower than ``floor``; None: than it went before.
    """
    body = of_this_body(skeleton, joints)
    up = np.array([0.0, joints[..., 1].min() if floor is None else floor, 0.0])
    return above_floor(hold_feet(joints - up, resting, body, np.inf), body) + up


def of_this_body(skeleton: Skeleton, joints: np.ndarray) -> Skeleton:
    """The skeleton with the usual bone lengths of a motion (T, J, 3), which need not be the reference's."""
    return replace(skeleton, bone_lengths=(0.0, *np.median(bone_lengths(joints, skeleton), axis=0).tolist()))


def clean_up_recording(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) in metres at the skeleton's own rate, cleaned up as generated ones; the body stays.

    Bones get their usual lengths, and a foot joint rests where the frame features would say so. Raises
    ``ValueError`` for fewer than two frames, and for skeletons whose ankles are not known (KIT-ML).
    """
    if not _has_ankles(skeleton):
        raise ValueError(f"{skeleton.name}'s joints cannot be cleaned up; expected those of humanml3d")
    contacts = joints_to_features(joints, skeleton)[:, -4:]
    body = of_this_body(skeleton, joints)
    return clean_up(joints, np.concatenate([contacts, contacts[-1:]]), body)


def above_floor(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) none of which is below 0: feet are lifted from the hips, then whole frames.

    Those are the frames in which a knee, a hand or a lying body reaches below the floor.
    """
    feet = list(skeleton.feet)
    offsets = np.zeros((len(joints), 4, 3))
    offsets[..., 1] = np.maximum(-joints[:, feet, 1], 0.0)
    result = with_feet_moved(joints, offsets, skeleton)
    result[..., 1] += _smoothly_above(np.maximum(-result[..., 1].min(1), 0.0))[:, None]
    return result


def with_reference_bones(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (T, J, 3) float64 with the reference bone lengths, each as near as may be to where it was.

    Too long or too short bones move both their ends alike, over and over (position-based dynamics, Mueller
    et al., J. Visual Communication 2007): errors stay where they are, instead of adding up from the root
    to the hands. What is left after that, fractions of a millimetre, is put right from the root outwards.
    """
    result = np.array(joints, dtype=np.float64)
    lengths, parents = np.array(skeleton.bone_lengths), skeleton.parents
    for _ in range(SWEEPS):
        for joint in skeleton.order:
            bone = result[:, joint] - result[:, parents[joint]]
            length = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
            move = bone * (0.5 * (lengths[joint] / length - 1))
            result[:, joint] += move
            result[:, parents[joint]] -= move
    for joint in skeleton.order:
        bone = result[:, joint] - result[:, parents[joint]]
        length = np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
        result[:, joint] = result[:, parents[joint]] + bone * (lengths[joint] / length)
    return result


def with_feet_moved(
    joints: np.ndarray, offsets: np.ndarray, skeleton: Skeleton, eased: bool = False
) -> np.ndarray:
    """Joints with the foot joints moved by ``offsets`` (T, 4, 3): knees bend, hips and bone lengths stay.

    Where the offsets of a foot's two joints differ, the toe reaches its place and the ankle gives way. With
    ``eased`` frames follow each other at the skeleton's rate and knees do not snap: the ankle falls short of
    its place by millimetres, and frames beside those that move may give way too.
    """
    result = joints.copy()
    moved = np.abs(offsets).max(axis=(1, 2)) > 1e-6
    if not moved.any():
        return result
    frames = np.ones_like(moved) if eased else moved
    part = joints[frames]
    for number, foot in enumerate((skeleton.left_foot, skeleton.right_foot)):
        _move_foot(part, offsets[frames, 2 * number : 2 * number + 2], foot, skeleton, eased)
    if eased:
        moved |= np.abs(part - joints).max(axis=(1, 2)) > GIVES_WAY
    result[moved] = part[moved[frames]]
    return result


def _move_foot(
    joints: np.ndarray, offsets: np.ndarray, foot: tuple[int, ...], skeleton: Skeleton, eased: bool
) -> None:
    """Moves heel and toe (``foot``) of joints (T, J, 3), in place, by ``offsets`` (T, 2, 3)."""
    heel, toe = foot
    # The heel of some skeletons is the ankle itself.
    hip, knee, ankle = next(chain[1:4] for chain in skeleton.chains if heel in chain)
    thigh, shank = skeleton.bone_lengths[knee], skeleton.bone_lengths[ankle]
    toe_goal = joints[:, toe] + offsets[:, 1]
    sole = toe_goal - (joints[:, heel] + offsets[:, 0])
    sole *= (_length(joints[:, toe] - joints[:, heel]) / np.maximum(_length(sole), 1e-9))[:, None]
    # Of KIT-ML's feet heel and toe are known, whose ankle goes with the heel.
    above = joints[:, ankle] - joints[:, heel]
    goal = toe_goal - sole + above
    if eased:
        before, wanted = (_length(place - joints[:, hip]) for place in (joints[:, ankle], goal))
        reach = smooth_reach(before, wanted, thigh, shank)
        goal = _about_toe(joints[:, hip], reach, toe_goal, goal)
    pole = knee_direction(
        joints[:, [hip, knee, ankle, toe]],
        joints[:, skeleton.hips[1]] - joints[:, skeleton.hips[0]],
        _length(goal - joints[:, hip]),
        thigh,
        shank,
    )
    joints[:, knee], joints[:, ankle] = two_bones(
        joints[:, hip], goal, pole, thigh, shank, LEAST_REACH * (thigh + shank)
    )
    joints[:, heel] = joints[:, ankle] - above
    # Where the leg falls short the heel is raised, and the toe stays where it can.
    to_toe = toe_goal - joints[:, heel]
    joints[:, toe] = joints[:, heel] + to_toe * (_length(sole) / np.maximum(_length(to_toe), 1e-9))[:, None]


def _about_toe(hip: np.ndarray, reach: np.ndarray, toe: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Ankles (T, 3) at ``reach`` (T,) from the hip, and as far from the toe as the ``wanted`` ones."""
    foot, way = _length(toe - wanted), toe - hip
    distance = np.maximum(_length(way), 1e-9)
    axis = way / distance[:, None]
    along = np.minimum((reach**2 + distance**2 - foot**2) / (2 * distance), reach)
    side = wanted - hip
    side = side - np.sum(side * axis, -1, keepdims=True) * axis
    side /= np.maximum(_length(side), 1e-9)[:, None]
    away = np.sqrt(np.maximum(reach**2 - along**2, 0.0))
    return np.asarray(hip + axis * along[:, None] + side * away[:, None])


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def _has_ankles(skeleton: Skeleton) -> bool:
    return all("ankle" in skeleton.joint_names[foot[0]] for foot in (skeleton.left_foot, skeleton.right_foot))


def _above_floor(joints: np.ndarray) -> np.ndarray:
    """Heights (T, J) above the clip's own lowest joint, a few strays apart."""
    return np.asarray(joints[..., 1] - np.percentile(joints[..., 1].min(1), 10))


def _floor(joints: np.ndarray, resting: np.ndarray, feet: list[int]) -> float:
    """The height on which the feet rest: that of the lowest resting foot joint, a few strays apart."""
    heights = np.where(resting, joints[:, feet, 1], np.inf).min(1)
    heights = heights[np.isfinite(heights)]
    return float(np.percentile(heights, 5)) if len(heights) else float(joints[..., 1].min())


def _resting(joints: np.ndarray, contacts: np.ndarray, feet: list[int], fps: float) -> np.ndarray:
    """Which foot joints rest (T, 4): low and slow from where ``contacts`` say so, or they are slow indeed."""
    steps = np.linalg.norm(np.diff(joints[:, feet][..., ::2], axis=0), axis=-1) * fps
    edge = np.full((1, len(feet)), np.inf)
    speed = np.minimum(np.concatenate([edge, steps]), np.concatenate([steps, edge]))
    height = _above_floor(joints)[:, feet]
    low, raised = height < CONTACT_HEIGHT, height > np.percentile(height, 10, axis=0) + RAISED
    begins = low & (contacts | (speed < SLOW))
    lasts = low & (speed < np.where(raised, SLOW, STILL_RESTING))
    resting = np.zeros_like(low)
    for foot in range(len(feet)):
        for begin, end in runs(lasts[:, foot]):
            resting[begin:end, foot] = begins[begin:end, foot].any()
    return resting


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last frame (exclusive) of each run of true ``flags`` (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _is_held(tracks: np.ndarray, resting: np.ndarray, most_drift: float) -> np.ndarray:
    """Whether one of a foot's two joints (T, 2, 2) is held (T,)."""
    held = np.zeros(len(tracks), dtype=bool)
    for k in (0, 1):
        for begin, end in _contacts(tracks[:, k], resting[:, k], most_drift):
            held[begin:end] = True
    return held


def _rise(tracks: np.ndarray, held: np.ndarray) -> np.ndarray:
    """How far a foot (T, 2, 3) must rise (T,) to step where it would slide from contact to contact."""
    toe, rise = tracks[:, 1], np.zeros(len(tracks))
    if not held.any():
        return rise
    for begin, end in runs(~held):
        first, last = max(begin - 1, 0), min(end, len(held) - 1)
        way = np.linalg.norm(toe[first : last + 1, ::2] - toe[first, ::2], axis=-1)
        length = way[-1] if first < begin and last == end else way.max()
        if length < LEAST_STEP:
            continue
        # A clip that begins or ends within a step has the second or first half of it.
        share = np.linspace(0.0 if first < begin else 0.5, 1.0 if last == end else 0.5, last + 1 - first)
        arc = np.minimum(1.0, 6.0 * share * (1.0 - share))
        step = tracks[first : last + 1]
        # The ankle stands at a height of its own, of which it falls short only as far as it steps.
        stands = min(step[0, 0, 1], step[-1, 0, 1])
        short = np.maximum(
            min(STEP_HEIGHT, length / 2) * arc - step[:, 1, 1],
            min(ANKLE_STEP_HEIGHT, stands + length / 2) * arc - step[:, 0, 1],
        )
        rise[first : last + 1] = np.maximum(short, 0.0) * np.minimum(1.0, 8.0 * share * (1.0 - share))
    return rise


def _foot_offsets(tracks: np.ndarray, resting: np.ndarray, most_drift: float) -> np.ndarray:
    """Offsets (T, 2, 2) that hold a foot's two joints (T, 2, 2) where they rest (T, 2).

    Where one joint of the foot is held, the other moves with it: a raised heel goes with its toe.
    """
    held = [_held(tracks[:, k], resting[:, k], most_drift) for k in (0, 1)]
    led = [
        np.where(resting[:, [own]] | np.isfinite(held[own]), held[own], held[other])
        for own, other in ((0, 1), (1, 0))
    ]
    return np.stack([_let_go_between(offsets) for offsets in led], axis=1)


def _held(track: np.ndarray, resting: np.ndarray, most_drift: float) -> np.ndarray:
    """Offsets (T, 2) that hold a point (T, 2) still in every contact; NaN in between."""
    offsets = np.full_like(track, np.nan)
    for begin, end in _contacts(track, resting, most_drift):
        offsets[begin:end] = np.mean(track[begin:end], axis=0) - track[begin:end]
    return offsets


def _let_go_between(offsets: np.ndarray) -> np.ndarray:
    """Offsets (T, 2) known in contacts, NaN in between: there they fade, or go to the next if it is near."""
    known = np.isfinite(offsets[:, 0])
    if not known.any():
        return np.zeros_like(offsets)
    times = np.arange(len(offsets))
    frames, values = times[known].tolist(), offsets[known].tolist()
    for begin, end in runs(~known):
        # A clip that begins or ends free is as if it had gone on so.
        free = [begin - 1 + BLEND_FRAMES] if begin else []
        free += [end - BLEND_FRAMES] if end < len(offsets) else []
        if end - begin > 2 * BLEND_FRAMES or len(free) == 1:
            frames += free
            values += [[0.0, 0.0]] * len(free)
    order = np.argsort(frames)
    ordered, table = np.array(frames)[order], np.array(values)[order]
    return np.stack([np.interp(times, ordered, table[:, k]) for k in (0, 1)], axis=1)


def _contacts(
    track: np.ndarray, resting: np.ndarray, most_drift: float = MOST_DRIFT
) -> list[tuple[int, int]]:
    """First and last frame (exclusive) of each contact of a point; one that drifts is cut.

    It begins where the point is near to where it rests, and ends where it leaves. Two that follow each other
    are shortened until there is time to go from one to the other. None of this where any drift is allowed:
    such contacts are known, not guessed.
    """
    if np.isinf(most_drift):
        return [(begin, end) for run in runs(resting) for begin, end in _long_enough(*run)]
    contacts: list[tuple[int, int]] = []
    for contact in _cut_contacts(track, resting, most_drift):
        contact = _settled(track, *contact)
        if contacts:
            contacts[-1], contact = _with_time_between(track, contacts[-1], contact)
        contacts.append(contact)
    return contacts


def _settled(track: np.ndarray, begin: int, end: int) -> tuple[int, int]:
    """A contact of a point (T, 2) without its first and last frames that are far from where it rests."""
    while end - begin > LEAST_CONTACT_FRAMES:
        away = np.linalg.norm(track[begin:end] - np.mean(track[begin:end], axis=0), axis=-1)
        if max(away[0], away[-1]) <= SETTLED:
            break
        begin, end = (begin + 1, end) if away[0] >= away[-1] else (begin, end - 1)
    return begin, end


def _with_time_between(
    track: np.ndarray, earlier: tuple[int, int], later: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Two contacts of a point (T, 2), shortened by turns until it need not hurry from one to the other."""
    places = [np.mean(track[slice(*contact)], axis=0) for contact in (earlier, later)]
    away = float(np.linalg.norm(places[1] - places[0]))
    if away < LEAST_STEP:
        return earlier, later
    least = min(STEP_FRAMES + round(away / MOST_STEP), 2 * BLEND_FRAMES)
    (first, begins), (ends, last) = earlier, later
    while ends - begins + 1 < least:
        rooms = begins - first, last - ends
        if max(rooms) <= LEAST_CONTACT_FRAMES:
            break
        if rooms[0] >= rooms[1]:
            begins -= 1
        else:
            ends += 1
    return (first, begins), (ends, last)


def _cut_contacts(track: np.ndarray, resting: np.ndarray, most_drift: float) -> Iterator[tuple[int, int]]:
    for first, last in runs(resting):
        begin = first
        for frame in range(first + 1, last):
            if np.linalg.norm(track[frame] - track[begin]) > most_drift:
                yield from _long_enough(begin, frame - SLIDE_FRAMES)
                begin = frame + SLIDE_FRAMES
        yield from _long_enough(begin, last)


def _long_enough(begin: int, end: int) -> Iterator[tuple[int, int]]:
    if end - begin >= LEAST_CONTACT_FRAMES:
        yield begin, end


def _smoothly_above(least: np.ndarray) -> np.ndarray:
    """A smooth curve (T,) nowhere below ``least``."""
    reach = 2 * BLEND_FRAMES + 1
    highest = np.max(
        np.lib.stride_tricks.sliding_window_view(np.pad(least, BLEND_FRAMES, "edge"), reach), axis=1
    )
    window = np.hanning(reach + 2)[1:-1]
    return np.convolve(np.pad(highest, BLEND_FRAMES, "edge"), window / window.sum(), "valid")
