"""Gestures of the hands and handling of things: push, lift, point, salute and their like.

Feet stay where they are, but for a step into a push or a pull. Knows no object: what is pushed or lifted is
known only from how the hands go.
"""

from __future__ import annotations

import numpy as np

from ..body import SIDES, Tracks, reach
from ..hand_goals import (
    BOTH,
    at_chest,
    at_head,
    at_hips,
    begin,
    follow,
    hesitating,
    in_room,
    lead_hand,
    path,
    shift_weight,
    sides,
    step_out,
)
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side
from ..style import BodyStyle
from ..time_curves import bump, ease, keys, lagged, window, windows


def push(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Pushes something ahead, with both hands as a rule, leaning into it."""
    arms, name, words = sides(rng, 0.7)
    count, heavy = int(rng.choice([1, 1, 2, 3])), rng.random() < 0.4
    period = (rng.uniform(1.6, 2.4) if heavy else rng.uniform(0.8, 1.3)) * style.tempo
    scene = begin(style, rng, count * period + 1.6)
    tracks, t = scene.tracks, scene.t
    share = scene.share(0.7, 0.7)
    first = scene.start + 0.7
    thrust = windows(t, first, period, count, 0.4, 0.4)
    lean = (0.25 if heavy else 0.13) * style.energy
    if rng.random() < 0.5:
        step_out(scene, pick_side(rng), rng.uniform(0.22, 0.36), scene.start, scene.end - 0.6, share)
    _lean(tracks, lean * (0.4 * share + thrust), 0.1 * thrust + 0.02 * share)
    if len(arms) == 1:
        tracks.spine[:, 0] -= SIDES[arms[0]] * 0.3 * (thrust - 0.3 * share)
        tracks.arm[:, 1 - arms[0], 0] += 0.25 * thrust
    out, high = rng.uniform(0.12, 0.2), rng.uniform(-0.05, 0.15)
    for side in arms:
        goal = at_chest(
            scene, side, path(out + 0.05 * (1 - thrust), high - 0.03 * (1 - thrust), 0.22 + 0.3 * thrust)
        )
        lead_hand(scene, side, share, goal, 0.35)
    truth = {"action": "push", "side": name, "count": count, "direction": "forward"}
    return Movement(tracks, truth, manners_of(period / 1.5), {"with": words, "heavy": heavy})


def _lean(tracks: Tracks, forward: np.ndarray, low: np.ndarray) -> None:
    """Lean the whole body by ``forward`` (T,) radians, knees giving ``low`` (T,) metres."""
    tracks.root[:, 1] -= low
    tracks.bend(forward, back=-0.22, hips=0.7, spine=0.6, head=-0.9)


def pull(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Reaches out and pulls something to the body, leaning back."""
    arms, name, words = sides(rng, 0.6)
    count = int(rng.choice([1, 1, 2, 3]))
    period = rng.uniform(1.1, 1.9) * style.tempo
    scene = begin(style, rng, count * period + 1.6)
    tracks, t = scene.tracks, scene.t
    share = scene.share(0.8, 0.7)
    first = scene.start + 0.8
    drawn = windows(t, first, period, count, 0.5, 0.4)
    if rng.random() < 0.4:
        step_out(scene, pick_side(rng), -rng.uniform(0.2, 0.32), scene.start, scene.end - 0.6, share)
    lean = rng.uniform(0.12, 0.24) * style.energy
    _lean(tracks, lean * (0.7 * share - 1.3 * drawn), 0.05 * share + 0.03 * drawn)
    if len(arms) == 1:
        tracks.spine[:, 0] += SIDES[arms[0]] * (0.4 * drawn - 0.2 * share)
    high, low = rng.uniform(-0.05, 0.16), rng.uniform(-0.2, -0.08)
    for side in arms:
        goal = path(0.1 + 0.1 * drawn, high + (low - high) * drawn, 0.5 - 0.29 * drawn)
        lead_hand(scene, side, share, at_chest(scene, side, goal), 0.3)
    truth = {"action": "pull", "side": name, "count": count, "direction": "backward"}
    return Movement(tracks, truth, manners_of(period / 1.45), {"with": words})


def lift_overhead(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Lifts something with both hands from the floor or the waist to above the head, and lowers it."""
    floor, hold = rng.random() < 0.45, rng.uniform(0.3, 1.2)
    move = rng.uniform(0.9, 1.3) * style.tempo
    scene = begin(style, rng, 4 * move + hold + 0.2)
    tracks, t = scene.tracks, scene.t
    grab, up = scene.start + move, scene.start + 2.1 * move
    down = up + hold
    bent = window(t, scene.start, grab + 0.7 * move, 0.95 * move, 0.65 * move) * float(floor)
    bent += window(t, down + 0.5 * move, scene.end, 0.8 * move, 0.8 * move) * float(floor)
    high = keys(t, (0.0, 0.0), (grab + 0.2 * move, 0.0), (up, 1.0), (down, 1.0), (down + move, 0.0))
    _stoop(tracks, bent)
    tracks.bend(high, back=-0.03, spine=-0.14, head=-rng.uniform(0.0, 0.35))
    width = rng.uniform(0.11, 0.19)
    start_height = 0.3 if floor else rng.uniform(0.95, 1.1)
    top = style.height + 0.33 + rng.uniform(0.52, 0.62)
    rise = keys(t, (grab, 0.0), (up, 1.0), (down, 1.0), (down + move, 0.0))
    height = start_height + (top - start_height) * rise
    # On its way past the chest and the face the load is carried around them.
    ahead = 0.1 + 0.26 * (1 - rise) + 0.16 * bump(rise, 0.6) + (0.06 if floor else 0.0) * (1 - rise)
    share = window(t, scene.start, scene.end, 0.95 * move, 0.9 * move)
    for side in BOTH:
        lead_hand(scene, side, share, in_room(scene, side, path(width, height, ahead)), 0.2)
    truth = {"action": "lift overhead", "side": "both", "from": "floor" if floor else "waist"}
    return Movement(tracks, truth, manners_of(move / 1.1))


def _stoop(tracks: Tracks, share: np.ndarray) -> None:
    """Bend down towards the floor in front, knees and back sharing the way."""
    tracks.bend(share, low=0.3, back=0.12, hips=0.75, spine=0.6, head=-0.35, knees=0.12)


def put_down(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Holds something at first, puts it down on the floor or on a table, and stands free."""
    arms, name, how = sides(rng, 0.65)
    floor, over = rng.random() < 0.5, rng.random() < 0.3 and len(arms) == 2
    move, held = rng.uniform(1.0, 1.5) * style.tempo, rng.uniform(0.4, 1.2)
    scene = begin(style, rng, held + 2.2 * move + 0.3)
    tracks, t = scene.tracks, scene.t
    lower, rest = scene.start + held, scene.start + held + move
    down = keys(t, (lower, 0.0), (rest, 1.0))
    bent = window(t, lower, scene.end, move, 0.9 * move)
    if floor:
        _stoop(tracks, bent)
    else:
        _lean(tracks, 0.28 * bent, 0.02 * bent)
        tracks.head[:, 1] += 0.45 * bent
    width = rng.uniform(0.11, 0.18) if len(arms) == 2 else 0.1
    top = style.height + (0.9 if over else rng.uniform(0.1, 0.25))
    bottom = rng.uniform(0.12, 0.3) if floor else rng.uniform(0.85, 1.0)
    ahead = keys(t, (lower, 0.12 if over else 0.32), (lower + 0.45 * move, 0.38), (rest, 0.42))
    # Held from the first frame; the hands let go when the thing stands, and come home.
    share = 1 - ease((t - rest - 0.25) / (0.9 * move))
    for side in arms:
        goal = path(width + 0.05 * ease((t - rest - 0.1) / 0.3), top + (bottom - top) * down, ahead)
        lead_hand(scene, side, share, in_room(scene, side, goal), 0.2)
    truth = {"action": "put down", "side": name, "direction": "down", "onto": "floor" if floor else "table"}
    words = {"with": how, "where": "on the floor" if floor else "on a table", "over": over}
    return Movement(tracks, truth, manners_of(move / 1.25), words)


def point(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Points forward, to the arm's side, or up."""
    side, where = pick_side(rng), str(rng.choice(["forward", "side", "up"]))
    name, sign, hold = SIDE_NAMES[side], SIDES[side], rng.uniform(0.5, 2.0)
    rise = rng.uniform(0.45, 0.85) * style.tempo
    scene = begin(style, rng, hold + 2.2 * rise)
    tracks = scene.tracks
    share = hesitating(scene, rng, rise, 1.1 * rise)
    looks = lagged(share, -2.0)
    high = rng.uniform(-0.08, 0.18)
    goals = {"forward": (-0.1, high, 0.96), "side": (0.95, high, 0.18), "up": (0.2, 0.9, 0.3)}
    tracks.head[:, 0] += looks * {"forward": 0.05, "side": 0.75, "up": 0.1}[where] * sign
    tracks.head[:, 1] -= looks * {"forward": 0.0, "side": 0.0, "up": 0.4}[where]
    tracks.spine[:, 0] += share * {"forward": -0.15, "side": 0.22, "up": -0.05}[where] * sign
    follow(tracks, share, side, 1.0)
    reach(tracks, side, share, goals[where], 0.15)
    tracks.arm[:, side, 0] += 0.03 * share * np.sin(2 * np.pi * scene.t / 1.3) * style.energy
    direction = name if where == "side" else where
    truth = {"action": "point", "side": name, "direction": direction}
    to, toward, at = {
        "forward": ("forward", "straight ahead", "ahead"),
        "side": (f"to the {name}", f"to their {name} side", f"on the {name}"),
        "up": ("up", "up at the sky", "above"),
    }[where]
    words = {"to": to, "toward": toward, "at": at}
    return Movement(tracks, truth, manners_of(rise / 0.65), words)


def cross_arms(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Folds the arms in front of the chest."""
    hold, rise = rng.uniform(1.0, 3.0), rng.uniform(0.8, 1.2) * style.tempo
    scene = begin(style, rng, hold + 2 * rise + 0.2)
    tracks, t, upper = scene.tracks, scene.t, pick_side(rng)
    shift_weight(tracks, scene.share(1.0, 1.0), float(rng.choice([-0.04, 0.0, 0.04])))
    tracks.spine[:, 1] -= 0.05 * scene.share(rise, rise)
    for side in BOTH:
        late = 0.0 if side == upper else 0.15
        share = window(t, scene.start + late, scene.end - 0.15 + late, rise, rise)
        goal = (-0.07, -0.015, 0.235) if side == upper else (-0.06, -0.08, 0.185)
        lead_hand(scene, side, share, at_chest(scene, side, np.array(goal)), -0.15)
    return Movement(tracks, {"action": "cross arms", "side": "both"}, manners_of(rise))


def hands_on_hips(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Puts both hands on the hips."""
    hold, rise = rng.uniform(0.9, 3.0), rng.uniform(0.6, 1.0) * style.tempo
    scene = begin(style, rng, hold + 2 * rise + 0.15)
    tracks, t, first = scene.tracks, scene.t, pick_side(rng)
    settled = scene.share(rise + 0.3, rise)
    shift_weight(tracks, settled, float(rng.choice([-0.05, 0.0, 0.05])))
    tracks.spine[:, 0] += 0.25 * settled * rng.normal(0, 0.5)
    tracks.head[:, 0] += 0.3 * settled * rng.normal(0, 0.6)
    back = rng.uniform(-0.05, 0.04)
    for side in BOTH:
        late = 0.0 if side == first else rng.uniform(0.0, 0.15)
        share = window(t, scene.start + late, scene.end - 0.15 + late, rise, rise)
        goal = at_hips(scene, side, np.array([0.215, 0.11, back]))
        lead_hand(scene, side, share, goal, 0.65)
    return Movement(tracks, {"action": "hands on hips", "side": "both"}, manners_of(rise / 0.8))


def shrug(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Shrugs the shoulders, the forearms opening to the sides or not."""
    count, open_ = int(rng.choice([1, 1, 2, 3])), rng.random() < 0.65
    period = rng.uniform(0.9, 1.5) * style.tempo
    scene = begin(style, rng, count * period + 0.6)
    tracks, t = scene.tracks, scene.t
    first = scene.start + 0.2
    raised = windows(t, first, period, count, 0.35, 0.4, 0.95)
    tracks.shrug += (rng.uniform(0.3, 0.45) * style.energy * raised)[:, None]
    tilt = float(rng.choice([-1.0, 0.0, 1.0])) * 0.2
    tracks.head[:, 2] += tilt * raised
    tracks.bend(raised, spine=-0.04, head=0.08)
    share = scene.share(0.55, 0.6)
    for side in BOTH:
        if open_:
            goal = at_chest(scene, side, path(0.3 + 0.1 * raised, -0.16 + 0.06 * raised, 0.2))
            lead_hand(scene, side, share, goal, -0.1)
        else:
            tracks.arm[:, side, 0] += 0.1 * raised
            tracks.arm[:, side, 2] -= 0.04 * raised
    return Movement(tracks, {"action": "shrug", "count": count}, manners_of(period / 1.2), {"open": open_})


def salute(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Salutes with one hand at the brow."""
    side, hold = pick_side(rng), rng.uniform(0.5, 2.0)
    rise = rng.uniform(0.4, 0.8) * style.tempo
    scene = begin(style, rng, hold + 2 * rise)
    tracks = scene.tracks
    share = scene.share(rise, rise)
    tracks.bend(share, low=-0.005, spine=-(0.06 + style.bend), head=-style.chin)
    tracks.arm[:, 1 - side, 0] -= 0.08 * share
    shift_weight(tracks, share, -0.008 * SIDES[side])
    goal = at_head(scene, side, np.array([0.185, 0.09, 0.11]))
    lead_hand(scene, side, share, goal, rng.uniform(0.5, 0.8))
    return Movement(tracks, {"action": "salute", "side": SIDE_NAMES[side]}, manners_of(rise / 0.6))


def stop_sign(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Holds one hand or both out ahead, palm forward, to stop someone."""
    arms, name, words = sides(rng, 0.3)
    hold, rise = rng.uniform(0.6, 2.2), rng.uniform(0.4, 0.75) * style.tempo
    scene = begin(style, rng, hold + 2.2 * rise)
    tracks = scene.tracks
    share = hesitating(scene, rng, rise, 1.2 * rise)
    _lean(tracks, -0.05 * share, 0.01 * share)
    if len(arms) == 1:
        follow(tracks, share, arms[0], 0.8)
        tracks.spine[:, 0] -= 0.2 * SIDES[arms[0]] * share
    high, far = rng.uniform(0.05, 0.2), rng.uniform(0.42, 0.5)
    pulse = 0.02 * np.sin(2 * np.pi * scene.t / 0.9) * float(rng.random() < 0.4)
    for side in arms:
        goal = at_chest(scene, side, path(0.17, 0.1 + high, far + pulse))
        lead_hand(scene, side, share, goal, 0.25)
    truth = {"action": "stop sign", "side": name, "direction": "forward"}
    return Movement(tracks, truth, manners_of(rise / 0.58), {"with": words})


def scratch_head(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Scratches the head with one hand."""
    side, count, period = pick_side(rng), int(rng.integers(3, 7)), rng.uniform(0.22, 0.4) * style.tempo
    sign, rise = SIDES[side], rng.uniform(0.6, 0.95) * style.tempo
    scene = begin(style, rng, 2 * rise + count * period)
    tracks, t = scene.tracks, scene.t
    share = scene.share(rise, rise)
    tracks.head[:, 2] += rng.uniform(-0.05, 0.22) * sign * share
    tracks.head[:, 1] += rng.uniform(0.0, 0.25) * share
    follow(tracks, share, side, 0.8)
    beat = np.sin(2 * np.pi * np.clip((t - scene.start - rise) / period, 0, count))
    behind = rng.uniform(-0.06, 0.06)
    goal = path(0.15 + 0.012 * beat, 0.13 + 0.028 * style.energy * beat, behind + 0.015 * beat)
    lead_hand(scene, side, share, at_head(scene, side, goal), rng.uniform(0.3, 0.6))
    return Movement(tracks, {"action": "scratch head", "side": SIDE_NAMES[side], "count": count})
