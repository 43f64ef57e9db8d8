"""Standing while the hands are busy: hands led to goals at the chest, the head, the hips or in the room.

The trunk and the other arm follow. Knows no action.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .body import ARM, SIDES, Tracks, place_foot, shoulder_girdle, spine_and_head, turned, with_goal
from .movement import SIDE_NAMES, pick_side
from .style import BodyStyle
from .time_curves import FPS, bump, drift, ease, keys, lagged, window

BOTH = (0, 1)


@dataclass(frozen=True)
class Scene:
    """A body that stands while something is done from ``start`` to ``end`` (seconds); ``t`` (T,) times."""

    style: BodyStyle
    tracks: Tracks
    t: np.ndarray
    start: float
    end: float

    def share(self, rise: float, fall: float) -> np.ndarray:
        """(T,) how far the action has taken over from standing."""
        return window(self.t, self.start, self.end, rise, fall)


def begin(style: BodyStyle, rng: np.random.Generator, busy: float) -> Scene:
    """A scene with ``busy`` seconds of action; the weight may rest on one foot meanwhile."""
    start = rng.uniform(0.15, 0.6)
    tracks = style.stand(max(2.1, start + busy + rng.uniform(0.25, 0.7)), rng)
    scene = Scene(style, tracks, np.arange(len(tracks)) / FPS, start, start + busy)
    rise = min(0.9, busy / 2.2)
    shift_weight(tracks, scene.share(rise, rise), rng.normal(0, 0.02))
    tracks.spine[:] += scene.share(rise, rise)[:, None] * 0.025 * drift(scene.t, rng, 3)
    return scene


def shift_weight(tracks: Tracks, share: np.ndarray, sideways: float) -> None:
    """Carry the pelvis ``sideways`` metres (left positive): that hip rises, the spine leans back over it."""
    tracks.root[:, 0] += sideways * share
    tracks.pelvis[:, 2] -= 1.2 * sideways * share
    tracks.spine[:, 2] += 1.0 * sideways * share


def follow(tracks: Tracks, share: np.ndarray, side: int, strength: float) -> None:
    """Trunk and other arm answer to one raised arm: lean away from it, the other arm a little off."""
    sign = SIDES[side]
    share = lagged(share, 1.0)
    shift_weight(tracks, share, -0.015 * strength * sign)
    tracks.spine[:, 2] -= 0.05 * strength * sign * share
    tracks.arm[:, 1 - side, 0] += 0.07 * strength * share
    tracks.arm[:, 1 - side, 2] -= 0.025 * strength * share


def hesitating(scene: Scene, rng: np.random.Generator, rise: float, fall: float) -> np.ndarray:
    """The share of an action, one time in five with a stop on the way."""
    share = scene.share(rise, fall)
    if rng.random() < 0.8 or scene.end - scene.start < rise + fall + 0.6:
        return share
    at, stop = rng.uniform(0.5, 0.8), scene.start + 0.8 * rise
    halting = keys(
        scene.t, (scene.start, 0.0), (stop, at), (stop + 0.25, at), (scene.start + rise + 0.6, 1.0)
    )
    return halting * (1 - ease((scene.t - scene.end + fall) / fall))


def at_chest(scene: Scene, side: int, point: np.ndarray) -> np.ndarray:
    """World points (T, 3) of points outward, up, forward of spine3 in the chest's frame (metres)."""
    joints, chest, _ = spine_and_head(scene.tracks, scene.tracks.root, scene.style.offsets)
    return joints[:, 2] + turned(chest, in_room(scene, side, point))


def at_head(scene: Scene, side: int, point: np.ndarray) -> np.ndarray:
    """World points (T, 3) of points outward, up, forward of the head joint in the skull's frame."""
    joints, _, skull = spine_and_head(scene.tracks, scene.tracks.root, scene.style.offsets)
    return joints[:, 4] + turned(skull, in_room(scene, side, point))


def at_hips(scene: Scene, side: int, point: np.ndarray) -> np.ndarray:
    """World points (T, 3) of points outward, up, forward of the pelvis in its frame."""
    return scene.tracks.root + turned(scene.tracks.hips(), in_room(scene, side, point))


def in_room(scene: Scene, side: int, point: np.ndarray) -> np.ndarray:
    """World points (T, 3): outward of the middle, above the floor, forward of where the body stands."""
    return np.broadcast_to(np.asarray(point, dtype=np.float64), (len(scene.t), 3)) * (SIDES[side], 1, 1)


def path(*columns: np.ndarray | float) -> np.ndarray:
    """(T, 3) of three columns, numbers or (T,)."""
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def lead_hand(
    scene: Scene, side: int, share: np.ndarray, goal: np.ndarray, swivel: float | np.ndarray = 0.1
) -> None:
    """Lead a wrist by ``share`` (T,) to ``goal`` (T, 3) in the world, as angles of the arm.

    Angles, unlike a grip in the world, may be lent to a walking body. The shoulder gives way to the arm's
    angles, which a few rounds of a fixed point take into account. Call it when the trunk is as it will be.
    """
    tracks, offsets, sign = scene.tracks, scene.style.offsets, SIDES[side]
    joints, chest, _ = spine_and_head(tracks, tracks.root, offsets)
    local = turned(np.swapaxes(chest, -1, -2), goal - joints[:, 2]) - offsets[13 + side]
    wanted = tracks.arm[:, side].copy()
    wanted[:, :2] = (1.2, 0.2)
    for _ in range(6):
        girdle = shoulder_girdle(wanted, tracks.shrug[:, side], side)
        away = (local - turned(girdle, offsets[16 + side])) / ARM[side]
        wanted = with_goal(wanted, away * (sign, 1, 1))
    wanted[:, 3] = swivel
    tracks.arm[:, side] += share[:, None] * (wanted - tracks.arm[:, side])


def sides(rng: np.random.Generator, both: float) -> tuple[tuple[int, ...], str, str]:
    """Hands that take part (both with that chance), their name in the truth, and how people say it."""
    if rng.random() < both:
        return BOTH, "both", str(rng.choice(["with both hands", "using both hands", "with both arms"]))
    name = SIDE_NAMES[pick_side(rng)]
    tails = ("with the {0} hand", "with their {0} hand", "using the {0} hand", "with his {0} arm")
    return (SIDE_NAMES.index(name),), name, str(rng.choice(tails)).format(name)


def step_out(scene: Scene, foot: int, far: float, go: float, back: float, share: np.ndarray) -> None:
    """One foot steps ``far`` metres forward (or back) at ``go`` and home at ``back`` (seconds); half a second
    each. ``share`` (T,) carries the pelvis between the feet.
    """
    tracks, t = scene.tracks, scene.t
    x, z, yaw = scene.style.feet()[foot]
    along = far * (ease((t - go) / 0.5) - ease((t - back) / 0.5))
    lift = 0.07 * (bump((t - go) / 0.5) + bump((t - back) / 0.5))
    place_foot(tracks, foot, x, z + along, yaw, lift)
    tracks.planted[:, foot] &= lift < 1e-6
    tracks.root[:, 2] += 0.5 * far * share
    tracks.root[:, 1] -= 0.03 * share
    over = window(t, go - 0.2, go + 0.6, 0.3, 0.3) + window(t, back - 0.2, back + 0.6, 0.3, 0.3)
    shift_weight(tracks, over, -0.03 * SIDES[foot])
