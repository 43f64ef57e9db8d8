"""On the floor: kneeling, sitting, lying, getting up, crawling, push-ups.

A way down is a chain of poses, and getting up is the same chain from its end.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body import FOOT, LEG, SHIN, SIDES, TOE_HEIGHT, euler, solve, turned
from ..floor_poses import (
    INSTEP,
    INSTEP_HEIGHT,
    KNEE_HEIGHT,
    WRIST_HEIGHT,
    Pose,
    all_fours,
    both_knees,
    cross_legged,
    crouch,
    legs_out,
    one_knee,
    pair,
    prone,
    reclined,
    seated,
    standing,
    supine,
)
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side
from ..pose_chain import backward, chain, over_knees, through_poses
from ..style import BodyStyle
from ..time_curves import FPS, bump, snap


def kneel(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Kneels down on one knee or on both, and often stands back up."""
    choice, again = int(rng.integers(3)), rng.random() < 0.5
    side = choice if choice < 2 else pick_side(rng)
    poses = [standing(style), one_knee(style, side, hand=rng.random() < 0.5 and choice < 2)]
    seconds = [1.15]
    if choice == 2:
        poses.append(both_knees(style, float(rng.choice([0.0, 0.15, 0.8]))))
        seconds.append(0.9)
    rest = rng.uniform(0.7, 2.2)
    stops = chain(style, poses, seconds, (rng.uniform(0.2, 0.5), rest))
    if again:
        stops += backward(stops)[1:]
    tracks = through_poses(style, rng, stops)
    name = "both" if choice == 2 else SIDE_NAMES[side]
    truth = {"action": "kneel", "side": name, "stands up": again}
    return Movement(tracks, truth, manners_of(style.tempo))


def _to_the_back(style: BodyStyle, rng: np.random.Generator) -> tuple[list[Pose], list[float]]:
    lying = supine(style, bent=rng.random() < 0.25, spread=rng.uniform(0, 0.6))
    poses = [standing(style), crouch(style, pick_side(rng)), seated(style), reclined(style), lying]
    return poses, [0.95, 0.75, 0.8, 0.85]


def _to_the_stomach(style: BodyStyle, rng: np.random.Generator) -> tuple[list[Pose], list[float]]:
    one, both = one_knee(style, pick_side(rng), hand=False), both_knees(style, 0.1)
    face = float(SIDES[pick_side(rng)] * rng.uniform(0.2, 0.9))
    return [standing(style), one, both, all_fours(both), prone(both, face)], [1.0, 0.75, 0.9, 0.9]


def lie_down(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Lies down from standing: over a seat to the back, or over the knees to the stomach."""
    back = rng.random() < 0.6
    poses, seconds = (_to_the_back if back else _to_the_stomach)(style, rng)
    rests = (rng.uniform(0.2, 0.5), rng.uniform(0.6, 2.2))
    tracks = through_poses(style, rng, chain(style, poses, seconds, rests))
    truth = {"action": "lie down", "direction": "down", "on": "back" if back else "stomach"}
    return Movement(tracks, truth, manners_of(style.tempo))


def get_up(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Gets up from lying on the back or the stomach, or from sitting on the floor."""
    start = ("back", "stomach", "seat")[int(rng.choice(3, p=[0.45, 0.3, 0.25]))]
    if start == "seat":
        poses, seconds = _to_a_seat(style, rng)
    else:
        poses, seconds = (_to_the_back if start == "back" else _to_the_stomach)(style, rng)
    rests = (rng.uniform(0.3, 0.7), rng.uniform(0.2, 1.0))
    tracks = through_poses(style, rng, backward(chain(style, poses, seconds, rests)))
    return Movement(tracks, {"action": "get up", "direction": "up", "from": start}, manners_of(style.tempo))


def _to_a_seat(style: BodyStyle, rng: np.random.Generator) -> tuple[list[Pose], list[float]]:
    poses = [standing(style), crouch(style, pick_side(rng)), seated(style)]
    if rng.random() < 0.5:
        return [*poses, cross_legged(pick_side(rng))], [0.95, 0.75, 0.9]
    return [*poses, legs_out(rng.random() < 0.5)], [0.95, 0.75, 0.9]


def sit_on_floor(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Sits down on the floor, cross-legged or with the legs out."""
    poses, seconds = _to_a_seat(style, rng)
    crossed = bool(poses[-1].guided[0])
    rests = (rng.uniform(0.2, 0.5), rng.uniform(0.7, 2.5))
    tracks = through_poses(style, rng, chain(style, poses, seconds, rests))
    truth = {"action": "sit on the floor", "legs": "crossed" if crossed else "out"}
    return Movement(tracks, truth, manners_of(style.tempo))


def crawl(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Crawls ahead on hands and knees: a hand moves with the knee of the other side."""
    cycle, stride = rng.uniform(1.0, 1.5) * style.tempo, rng.uniform(0.36, 0.5)
    seconds = snap(rng.uniform(3.5, 8.5))
    first, duty = pick_side(rng), 0.62
    tracks = style.stand(seconds, rng)
    t = np.arange(len(tracks)) / FPS
    kneel = pair((0.11, KNEE_HEIGHT, 0.0))
    pose = all_fours(replace(both_knees(style, 0.0), kneel=kneel))
    phase = np.cumsum(np.minimum(1.0, 0.2 + t / 0.6) / FPS / cycle)
    bears = np.zeros((len(t), 2))
    tracks.root[:] = np.array(pose.root) + np.stack([0 * t, 0 * t, stride * phase], -1)
    beat = 2 * np.pi * phase + (0.0 if first == 0 else np.pi)
    tracks.root[:, 0] += 0.02 * np.sin(beat)
    tracks.pelvis[:] = np.stack([0.05 * np.sin(beat), np.full(len(t), pose.pitch), 0 * t], -1)
    tracks.spine += np.array([0.0, 0.12, 0.0]) - [0.0, style.bend, style.lean]
    tracks.head += np.array([0.0, pose.head[1], 0.0]) - [0.0, style.chin, -style.lean]
    tracks.planted[:] = False
    tracks.hold[:], tracks.kneeling[:] = 1.0, 1.0
    for side in (0, 1):
        own = phase + (0.0 if side == first else 0.5)
        for limb, place, lead in ((tracks.kneel, pose.kneel, 0.0), (tracks.grip, pose.grip, 0.54)):
            forward, lifted, u = _strides(own + lead, phase, stride, duty)
            limb[:, side] = place[side]
            limb[:, side, 2] += forward
            high = 0.025 if lead == 0.0 else 0.08
            limb[:, side, 1] += high * bump(u, 0.45) * lifted
            if lead == 0.0:
                bears[:, side] = ~lifted
        rise = np.array([0.0, INSTEP_HEIGHT - KNEE_HEIGHT, -SHIN[side]])
        tracks.ankle[:, side] = tracks.kneel[:, side] + rise
        tracks.foot[:, side] = (0.0, INSTEP)
    over_knees(tracks, style, bears)
    far = float(np.linalg.norm(tracks.root[-1] - tracks.root[0]))
    truth = {"action": "crawl", "direction": "forward", "distance": round(far, 2)}
    return Movement(tracks, truth, manners_of(cycle / 1.25))


def _strides(
    own: np.ndarray, phase: np.ndarray, stride: float, duty: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Way (T,) of a limb that bears for ``duty`` of its cycle, whether it is lifted, its swing from 0 to 1.

    It bears where the body is over it in the middle of its stance.
    """
    number, within = np.floor(own), own - np.floor(own)
    spot = number + duty / 2 - (own - phase)
    u = np.clip((within - duty) / (1 - duty), 0, 1)
    return stride * (spot + u * u * (3 - 2 * u)), within > duty, u


def push_ups(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Push-ups, from straight arms to straight arms."""
    count, period = int(rng.integers(2, 6)), rng.uniform(1.1, 1.9) * style.tempo
    start, after = snap(rng.uniform(0.3, 0.7)), 0.4
    tracks = style.stand(max(2.1, start + count * period + after), rng)
    t = np.arange(len(tracks)) / FPS
    deep = 0.5 * (1 - np.cos(2 * np.pi * np.clip((t - start) / period, 0, count)))
    up, low = 1.235, rng.uniform(1.42, 1.46)
    pitch = up + (low - up) * deep
    zero = np.zeros(len(t))
    hips = euler(zero, pitch, zero)
    tracks.pelvis[:, 1] = pitch
    tracks.spine += np.array([0.0, -0.02, 0.0]) - [0.0, style.bend, style.lean]
    tracks.head += np.array([0.0, -0.3, 0.0]) - [0.0, style.chin, -style.lean]
    tracks.planted[:] = False
    middle = np.zeros((len(t), 3))
    for side in (0, 1):
        toe = np.array([0.1 * SIDES[side], TOE_HEIGHT + 0.01, 0.0])
        ball = pitch - 0.05
        tracks.ankle[:, side] = toe - turned(euler(zero, ball, zero), FOOT[side])
        tracks.foot[:, side] = np.stack([zero, ball], -1)
        hip = tracks.ankle[:, side] + turned(hips, np.array([0.0, 0.99 * LEG[side], 0.0]))
        middle += 0.5 * (hip - turned(hips, style.offsets[1 + side]))
    tracks.root[:] = middle * [0, 1, 1]
    joints = solve(tracks, style.offsets)
    wide = rng.uniform(0.24, 0.32)
    z = float(joints[0, 16:18, 2].mean()) - 0.03
    tracks.grip[:] = pair((wide, WRIST_HEIGHT, z))
    tracks.hold[:] = 1.0
    tracks.arm[..., 3] += 0.3
    return Movement(tracks, {"action": "push-ups", "count": count}, manners_of(period / 1.5))
