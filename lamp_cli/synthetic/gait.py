"""Walking and running: a footstep planner over a path of the pelvis, and the tracks that follow.

Each foot stands still between landing and lifting, rolls from heel to toe, and swings on a smooth arc to
where the body will be in the middle of its next stance. Running has a flight in every step, in which
the pelvis falls freely. Knows a path and a manner of walking, not which action asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .body import SHIN, SIDES, THIGH, Tracks, place_foot, turned, with_goal
from .style import FEET_BACK, BodyStyle
from .time_curves import FPS, GRAVITY, bump, ease, lagged, quintic, smooth, snap, through, window

# Seconds in which the weight goes from one foot to the other.
WEIGHT_SHIFT = 0.08


@dataclass(frozen=True)
class Gait:
    """A manner of walking. ``swing`` is the duration of a foot's swing in steps: above 1 is running.

    Lengths in metres, angles in radians, ``half_width`` is from the path to each foot; ``push`` and
    ``strike`` are the pitch of the foot when it leaves and when it lands; ``tiptoe`` the pitch it keeps;
    ``arms`` scales the arm swing and ``run`` (0 to 1) how far elbows are bent; ``hitch`` delays every second
    step (limping) by a share of a step. Feet land ``behind`` where the body is in the middle of their stance.
    The heel rises in the last share ``roll`` of a stance, ``most_roll`` seconds at most; at the share
    ``flick_at`` of the swing the foot is pitched by ``flick`` times the push, at ``highest`` it is cleared
    most; ``settle`` seconds after it lands it is flat. ``stance_knee`` are shares of a stance and the bends
    (degrees) of the bearing knee there, by which the pelvis is carried; None: it bobs.
    """

    swing: float = 0.8
    half_width: float = 0.035
    clearance: float = 0.06
    push: float = 0.75
    strike: float = -0.25
    tiptoe: float = 0.0
    bob: float = 0.012
    sway: float = 0.022
    twist: float = 0.07
    arms: float = 1.0
    run: float = 0.0
    crouch: float = 0.0
    bend: float = 0.03
    hitch: float = 0.0
    knees: float = 0.06
    behind: float = 0.0
    roll: float = 0.45
    most_roll: float = 0.3
    flick: float = 1.15
    flick_at: float = 0.25
    highest: float = 0.4
    settle: float = 0.1
    stance_knee: tuple[tuple[float, ...], tuple[float, ...]] | None = None


# Fitted to walks of people (CMU, ACCAD): bends of the bearing knee, accelerations of knees and ankles, the
# pelvis' height and bob, and how far feet reach before and behind it.
WALK = Gait(
    clearance=0.068,
    push=1.18,
    strike=-0.45,
    behind=0.09,
    roll=0.4,
    most_roll=0.4,
    flick=1.38,
    flick_at=0.02,
    highest=0.23,
    settle=0.18,
    stance_knee=((0.0, 0.2, 0.6, 0.8, 1.0), (2.0, 28.0, 15.0, 35.0, 29.0)),
)


@dataclass(frozen=True)
class Path:
    """Where the pelvis goes: x, z (N, 2) metres, heading (N,), speed (N,) m/s and steps per second (N,).

    Sampled at 20 fps; after ``end`` (seconds) the body stands.
    """

    place: np.ndarray
    yaw: np.ndarray
    speed: np.ndarray
    cadence: np.ndarray
    end: float

    def at(self, seconds: np.ndarray | float) -> np.ndarray:
        """x, z, yaw at a time, which may lie after the end."""
        index = np.clip(np.asarray(seconds) * FPS, 0, len(self.yaw) - 1)
        low = np.minimum(index.astype(int), len(self.yaw) - 2)
        part = np.asarray(index - low)[..., None]
        samples = np.concatenate([self.place, self.yaw[:, None]], axis=1)
        return samples[low] * (1 - part) + samples[low + 1] * part


def path_of(speed: np.ndarray, yaw: np.ndarray, cadence: np.ndarray, end: float, travel: float = 0.0) -> Path:
    """The path of a body that moves at ``speed`` (N,) in the direction ``yaw`` (N,) + ``travel``."""
    heading = yaw + travel
    step = np.stack([np.sin(heading), np.cos(heading)], axis=1) * (speed / FPS)[:, None]
    place = np.cumsum(step, axis=0) - step
    return Path(place, yaw, speed, cadence, end)


def pace(t: np.ndarray, start: float, end: float, rise: float = 0.6, fall: float = 0.6) -> np.ndarray:
    """Speed profile (N,) from 0 to 1 to 0: sets off at ``start`` and stands at ``end``."""
    return ease((t - start) / rise) * (1 - ease((t - end + fall) / fall))


@dataclass(frozen=True)
class _Step:
    side: int
    lift: float
    land: float
    goal: tuple[float, float, float]
    size: float


def walk(
    style: BodyStyle, path: Path, gait: Gait, rng: np.random.Generator, first: int | None = None
) -> Tracks:
    """Tracks of following a path from standing to standing; ends soon after the last step."""
    start = 0 if first is None else first
    t = np.arange(len(path.yaw)) / FPS
    phase = np.cumsum(path.cadence) / FPS
    phase = phase - path.cadence[0] / FPS - gait.swing
    steps = _plan(style, path, gait, phase, start)
    last = max([s.land for s in steps], default=path.end)
    frames = min(len(t), round((last + 0.35) * FPS) + 1)
    tracks = style.stand((frames - 1) / FPS, rng)
    t, phase = t[:frames], phase[:frames]
    moving = smooth(np.clip(path.speed[:frames] / 0.5, 0, 1), 2.0) if len(steps) else np.zeros(frames)
    moving *= ease(t / 0.4) * (1 - ease((t - last + 0.1) / 0.4))
    _feet(style, tracks, steps, gait, t)
    _pelvis(tracks, path, gait, phase, moving, start)
    _carry(style, tracks, steps, gait, moving)
    _upper(style, tracks, gait, phase, moving, start)
    return tracks


def _plan(style: BodyStyle, path: Path, gait: Gait, phase: np.ndarray, start: int) -> list[_Step]:
    feet = [tuple(f) for f in style.feet()]
    final = path.at(path.end)
    steps: list[_Step] = []
    rate = float(np.median(path.cadence))
    for k in range(400):
        side = (start + k) % 2
        at = k + gait.hitch * (k % 2)
        land = float(np.interp(at, phase, np.arange(len(phase)) / FPS))
        if at > phase[-1] or land > path.end + 2.2 / rate:
            break
        index = min(int(land * FPS), len(path.cadence) - 1)
        beat = 1.0 / max(path.cadence[index], 0.3)
        lift = snap(max(0.0, land - gait.swing * beat))
        land = max(snap(land), lift + 0.15)
        x, z, yaw = path.at(land + (1 - gait.swing / 2) * beat)
        near = np.hypot(x - final[0], z - final[1]) < 0.03
        speed = path.speed[min(int((land + 0.5 * beat) * FPS), len(path.speed) - 1)]
        moving = 0.0 if near else min(1.0, abs(speed) / 0.5 + 0.25)
        half = style.width / 2 + moving * (gait.half_width - style.width / 2)
        toes = style.toe_out[side] * SIDES[side]
        out = np.array([np.cos(yaw), -np.sin(yaw)]) * SIDES[side] * half
        ahead = np.array([np.sin(yaw), np.cos(yaw)]) * -(FEET_BACK + gait.behind * moving)
        goal = (x + out[0] + ahead[0], z + out[1] + ahead[1], yaw + toes)
        old = feet[side]
        size = float(np.hypot(goal[0] - old[0], goal[1] - old[1]) + 0.25 * abs(goal[2] - old[2]))
        if size > 0.02:
            steps.append(_Step(side, lift, land, goal, size))
            feet[side] = goal
    return steps


def _feet(style: BodyStyle, tracks: Tracks, steps: list[_Step], gait: Gait, t: np.ndarray) -> None:
    end = t[-1] + 1.0
    for side in (0, 1):
        of_side = [s for s in steps if s.side == side]
        spot = tuple(style.feet()[side])
        place: list[tuple[float, tuple[float, ...]]] = [(-1.0, spot)]
        pitch: list[tuple[float, float]] = [(-1.0, 0.0)]
        lift = np.zeros(len(t))
        down = 0.0
        for k, step in enumerate(of_side):
            long = step.land - step.lift
            scale = min(1.0, 0.25 + step.size / 0.7)
            roll = min(gait.roll * max(step.lift - down, 0.0), gait.most_roll)
            push, strike = gait.push * scale, gait.strike * scale
            if roll > 0.04:
                pitch.append((step.lift - roll, gait.tiptoe if k else 0.0))
            pitch.append((max(step.lift, pitch[-1][0] + 0.01), gait.tiptoe + push * (roll > 0.04)))
            # A heel that had no time to rise before rises as the foot swings.
            at, flick = (gait.flick_at, gait.flick) if roll > 0.04 else (0.3, 0.6)
            pitch.append((step.lift + at * long, gait.tiptoe + flick * push))
            pitch.append((step.land, gait.tiptoe + strike))
            flat = gait.tiptoe if k < len(of_side) - 1 else 0.0
            pitch.append((step.land + gait.settle, flat))
            place.append((step.lift + (0.06 if gait.stance_knee is None else 0.0) * long, spot))
            spot = step.goal
            place.append((step.land, spot))
            u = (t - step.lift) / long
            lift += gait.clearance * scale * bump(u, gait.highest)
            tracks.planted[:, side] &= (u <= 0.0) | (u >= 1.0)
            down = step.land
        place.append((end, spot))
        pitch.append((end, pitch[-1][1]))
        where = quintic(t, [p[0] for p in place], np.array([p[1] for p in place]))
        angle = through(t, *pitch)
        x, z, yaw = where.T
        place_foot(tracks, side, x, z, yaw, lift, angle)


def _pelvis(
    tracks: Tracks, path: Path, gait: Gait, phase: np.ndarray, moving: np.ndarray, start: int
) -> None:
    frames = len(tracks)
    place = smooth(path.place, 1.0)[:frames]
    yaw = smooth(path.yaw, 1.0)[:frames]
    lead = SIDES[start]
    side = gait.sway * np.sin(np.pi * phase) * lead * moving
    tracks.root[:, 0] += place[:, 0] + np.cos(yaw) * side
    tracks.root[:, 2] += place[:, 1] - np.sin(yaw) * side
    tracks.yaw[:] = yaw
    tracks.root[:, 1] += _height(path.cadence[:frames], gait, phase, moving)
    tracks.pelvis[:, 0] = -lead * gait.twist * np.cos(np.pi * phase) * moving
    tracks.pelvis[:, 2] = -lead * 0.04 * np.sin(np.pi * phase) * moving
    tracks.pelvis[:, 1] = 0.5 * gait.bend * moving
    tracks.knee[:] = gait.knees


def _carry(style: BodyStyle, tracks: Tracks, steps: list[_Step], gait: Gait, moving: np.ndarray) -> None:
    """Carry the pelvis as high as the bearing leg stretches, whose knee bends as the gait's does."""
    if gait.stance_knee is None:
        return
    t = np.arange(len(tracks)) / FPS
    hips = tracks.hips()
    heights, weights = np.zeros((len(t), 2)), np.full((len(t), 2), 1e-3)
    for side in (0, 1):
        of_side = [s for s in steps if s.side == side]
        stances = zip(
            [-1.0, *(s.land for s in of_side)], [*(s.lift for s in of_side), t[-1] + 1.0], strict=True
        )
        bend = np.full(len(t), gait.stance_knee[1][0])
        for land, lift in stances:
            share = (t - land) / max(lift - land, 1e-6)
            bend = np.where((share >= 0) & (share <= 1), np.interp(share, *gait.stance_knee), bend)
            weights[:, side] += window(t, land - 0.05, lift + 0.05, WEIGHT_SHIFT, WEIGHT_SHIFT)
        hip = turned(hips, style.offsets[1 + side])
        away = tracks.ankle[:, side] - tracks.root - hip
        leg = THIGH[side] ** 2 + SHIN[side] ** 2 + 2 * THIGH[side] * SHIN[side] * np.cos(np.radians(bend))
        rise = np.sqrt(np.maximum(leg - away[:, 0] ** 2 - away[:, 2] ** 2, 0.02))
        heights[:, side] = tracks.ankle[:, side, 1] + rise - hip[:, 1]
    height = smooth((heights * weights).sum(1) / weights.sum(1), 0.94) - gait.crouch
    tracks.root[:, 1] += moving * (height - tracks.root[:, 1])


def _height(cadence: np.ndarray, gait: Gait, phase: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """The pelvis' height above standing: an inverted pendulum in walking, bounces in running."""
    within = phase - np.floor(phase)
    beat = 1.0 / np.maximum(cadence, 0.3)
    low = gait.crouch + 0.4 * gait.bob + 0.004
    flight = (gait.swing - 1.0) * beat
    if gait.swing <= 1.0:
        return moving * (
            -low
            + gait.bob * (1 - np.cos(2 * np.pi * (within - 0.08))) * 0.5
            + 0.085 * np.sin(gait.tiptoe) * 1.3
        )
    contact = beat - flight
    time = within * beat
    launch = GRAVITY * flight / 2
    pressed = -launch * contact / np.pi * np.sin(np.pi * np.minimum(time / contact, 1.0))
    flown = np.maximum(time - contact, 0.0)
    return moving * (pressed + launch * flown - 0.5 * GRAVITY * flown**2 - low)


def _upper(
    style: BodyStyle, tracks: Tracks, gait: Gait, phase: np.ndarray, moving: np.ndarray, start: int
) -> None:
    lead = SIDES[start]
    tracks.spine[:, 0] += lead * 1.9 * gait.twist * lagged(np.cos(np.pi * phase) * moving, 0.6)
    tracks.spine[:, 1] += 0.5 * gait.bend * moving + 0.012 * np.cos(2 * np.pi * phase) * moving
    tracks.spine[:, 2] += lead * 0.035 * np.sin(np.pi * phase) * moving
    tracks.head[:, 0] -= 0.8 * tracks.spine[:, 0] + tracks.pelvis[:, 0]
    tracks.head[:, 1] -= 0.7 * gait.bend * moving
    for side in (0, 1):
        angle = -lead * SIDES[side] * np.cos(np.pi * (phase - 0.08)) * moving * gait.arms * style.swing
        tracks.arm[:, side] = swung(tracks.arm[:, side], angle * (0.27 + 0.19 * gait.run), gait.run * moving)


def swung(arm: np.ndarray, angle: np.ndarray, run: np.ndarray | float) -> np.ndarray:
    """Arm tracks (T, 4) swung forward by ``angle`` (T,) rad, with elbows bent as in running by ``run``."""
    run = np.broadcast_to(run, angle.shape)
    forward = np.sin(arm[:, 0]) * np.cos(arm[:, 1])
    out = np.sin(arm[:, 0]) * np.sin(arm[:, 1])
    reach = arm[:, 2] - 0.035 * np.clip(angle * 2.5, 0, 1.5)
    hanging = np.stack([out * reach, -np.cos(arm[:, 0]) * reach, forward * reach], axis=-1)
    hanging = np.stack(
        [
            hanging[:, 0],
            hanging[:, 1] * np.cos(angle),
            hanging[:, 2] + np.sin(angle + 0.12 * np.abs(angle)) * reach,
        ],
        axis=-1,
    )
    size = reach / np.maximum(np.linalg.norm(hanging, axis=-1), 1e-6)
    hanging *= size[:, None]
    swing = angle / 0.46
    bent = np.stack([0.24 - 0.10 * swing, -0.50 + 0.16 * swing, 0.32 + 0.38 * swing], axis=-1)
    goal = hanging + run[:, None] * (bent - hanging)
    return with_goal(arm, goal)
