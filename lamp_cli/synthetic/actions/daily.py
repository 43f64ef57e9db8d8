"""What hands do all day while the body stands: eat, wipe, wash, play instruments, stir, type, comb, steer.

Knows no object: a guitar or a table is known only from how the hands go.
"""

from __future__ import annotations

import numpy as np

from ..body import SIDES
from ..hand_goals import BOTH, Scene, at_chest, at_head, begin, follow, in_room, lead_hand, path, shift_weight
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side
from ..style import BodyStyle
from ..time_curves import drift, keys, smooth, window, windows


def _beats(scene: Scene, first: float, period: float, count: float) -> np.ndarray:
    """Phase (T,) in radians that begins at ``first`` seconds and stops after ``count`` periods."""
    return 2 * np.pi * np.clip((scene.t - first) / period, 0, count)


def _groove(scene: Scene, share: np.ndarray, period: float, size: float) -> None:
    """Sway and nod in time with music."""
    swing = np.sin(np.pi * (scene.t - scene.start) / period) * share * size
    shift_weight(scene.tracks, swing, 0.035)
    scene.tracks.spine[:, 0] += 0.06 * swing
    nod = 0.5 * (1 - np.cos(2 * np.pi * (scene.t - scene.start) / period))
    scene.tracks.head[:, 1] += 0.12 * nod * share * size


def _look_down(scene: Scene, share: np.ndarray, angle: float) -> None:
    """Head, and the upper back a little, turned down to what the hands do."""
    scene.tracks.bend(share, spine=0.2 * angle, head=0.8 * angle)


def eat(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Brings one hand to the mouth some times; the other hand holds a plate or hangs."""
    side, count = pick_side(rng), int(rng.integers(1, 5))
    period = rng.uniform(1.2, 1.9) * style.tempo
    scene = begin(style, rng, 1.5 + count * period)
    first = scene.start + 0.75
    share, plate = scene.share(0.75, 0.75), rng.random() < 0.5
    bite = windows(scene.t, first, period, count, 0.4, 0.35, 0.95)
    _look_down(scene, share * (1 - 0.75 * bite), rng.uniform(0.2, 0.45))
    scene.tracks.head[:, 2] += 0.04 * SIDES[side] * bite
    follow(scene.tracks, share, side, 0.5)
    low = at_chest(scene, side, np.array([0.1, -0.13 + rng.uniform(-0.03, 0.06), 0.31]))
    mouth = at_head(scene, side, np.array([0.06, -0.035, 0.15]))
    goal = low + bite[:, None] * (mouth - low)
    lead_hand(scene, side, share, goal, 0.05 + 0.35 * bite)
    if plate:
        lead_hand(scene, 1 - side, share, at_chest(scene, 1 - side, np.array([0.07, -0.17, 0.27])), 0.05)
    return Movement(
        scene.tracks, {"action": "eat", "side": SIDE_NAMES[side], "count": count}, manners_of(period / 1.55)
    )


def wipe(surface: str, style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Wipes a "table", leaning over it, or an upright "window": in circles, up and down or sideways."""
    side, count, table = pick_side(rng), int(rng.integers(3, 7)), surface == "table"
    period = rng.uniform(0.7, 1.2) * style.tempo
    scene = begin(style, rng, 1.7 + count * period)
    share, phase = scene.share(0.85, 0.85), _beats(scene, scene.start + 0.6, period, count)
    kind = str(rng.choice(["circles", "across", "along"]))
    wide, deep = {"circles": (0.12, 0.1), "across": (0.17, 0.02), "along": (0.02, 0.15)}[kind]
    wide, deep = wide * style.energy, deep * style.energy
    turn = float(rng.choice([-1.0, 1.0]))
    fade = np.minimum(1.0, np.minimum(phase, 2 * np.pi * count - phase) / 1.5 + 0.02)
    right, on = (
        wide * np.sin(phase) * fade,
        turn * deep * np.cos(phase if kind == "circles" else phase + np.pi / 2),
    )
    tracks, sign = scene.tracks, SIDES[side]
    lean = 0.32 if table else 0.06
    tracks.bend(share, back=0.12 * lean, hips=0.5 * lean, spine=0.8 * lean, head=0.3 if table else -0.05)
    tracks.spine[:, 0] += share * (-0.12 * sign + 0.5 * right * sign)
    shift_weight(tracks, share, 0.15 * 0.1 * sign)
    shift_weight(tracks, share * right * sign, 0.12)
    middle = rng.uniform(0.08, 0.2)
    if table:
        top = rng.uniform(0.88, 1.0)
        goal = in_room(scene, side, path(middle + right, top, 0.42 + on))
        if rng.random() < 0.5:
            rest = in_room(scene, 1 - side, np.array([0.24, top, 0.3]))
            lead_hand(scene, 1 - side, share, rest, 0.1)
    else:
        top = style.height + rng.uniform(0.35, 0.62)
        goal = in_room(scene, side, path(middle + right, top + on, 0.42))
        follow(tracks, share, side, 0.7)
    lead_hand(scene, side, share, goal, 0.15)
    truth = {"action": f"wipe {surface}", "side": SIDE_NAMES[side], "count": count}
    return Movement(tracks, truth, manners_of(period / 0.95), {"path": kind})


def wash_hands(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Rubs the hands against each other in front of the waist."""
    period, seconds = rng.uniform(0.35, 0.6) * style.tempo, rng.uniform(2.0, 4.5)
    scene = begin(style, rng, seconds + 1.5)
    share = scene.share(0.75, 0.75)
    beat = np.sin(_beats(scene, scene.start + 0.5, period, round((seconds + 0.5) / period)))
    slow = 0.02 * drift(scene.t, rng, 3)
    _look_down(scene, share, rng.uniform(0.35, 0.6))
    scene.tracks.bend(share, back=0.02, hips=0.12, spine=0.12)
    high, far = rng.uniform(-0.22, -0.1), rng.uniform(0.3, 0.38)
    for side in BOTH:
        rub = 0.035 * style.energy * beat * SIDES[side]
        goal = path(0.075 + SIDES[side] * slow[:, 0], high + slow[:, 1] + 0.4 * rub, far + slow[:, 2] + rub)
        lead_hand(scene, side, share, at_chest(scene, side, goal), 0.15)
    return Movement(scene.tracks, {"action": "wash hands", "side": "both"}, manners_of(period / 0.47))


def wash_face(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Rubs the face with both hands, bent forward a little."""
    period, count = rng.uniform(0.45, 0.75) * style.tempo, int(rng.integers(3, 7))
    scene = begin(style, rng, count * period + 2.0)
    share, bent = scene.share(0.95, 0.95), rng.uniform(0.15, 0.45)
    tracks = scene.tracks
    tracks.bend(share, back=0.12 * bent, hips=0.5 * bent, spine=0.7 * bent, head=0.25)
    phase = _beats(scene, scene.start + 0.8, period, count)
    tracks.head[:, 1] += 0.04 * np.sin(phase) * share
    for side in BOTH:
        goal = path(0.095 + 0.015 * (1 - np.cos(phase)), -0.02 + 0.045 * style.energy * np.sin(phase), 0.125)
        lead_hand(scene, side, share, at_head(scene, side, goal), 0.2)
    return Movement(tracks, {"action": "wash face", "side": "both", "count": count}, manners_of(period / 0.6))


def play_guitar(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Strums with one hand at the belly, the other moves along a neck held out to its side."""
    side = 1 if rng.random() < 0.75 else 0
    period = rng.uniform(0.4, 0.75) * style.tempo
    count = int(rng.integers(5, 10))
    scene = begin(style, rng, count * period + 1.7)
    share = scene.share(0.85, 0.85)
    _groove(scene, share, 2 * period, rng.uniform(0.3, 1.2))
    scene.tracks.head[:, 0] -= 0.3 * SIDES[side] * share * rng.uniform(0, 1)
    _look_down(scene, share, rng.uniform(0.0, 0.4))
    beat = np.sin(_beats(scene, scene.start + 0.7, period, count)) * style.energy
    low = rng.uniform(-0.2, -0.12)
    strum = path(0.03 + 0.02 * beat, low + 0.065 * beat, 0.21)
    lead_hand(scene, side, share, at_chest(scene, side, strum), 0.45)
    fret = smooth(np.round(drift(scene.t, rng, 1, 4.0)[:, 0] * 1.2), 2.0)
    along = 0.05 * np.clip(fret, -1.5, 1.5)
    neck = path(0.36 + along, low + 0.14 + 0.4 * along, 0.27 - 0.3 * along)
    lead_hand(scene, 1 - side, share, at_chest(scene, 1 - side, neck), 0.1)
    return Movement(
        scene.tracks, {"action": "play guitar", "side": SIDE_NAMES[side]}, manners_of(period / 0.57)
    )


def play_violin(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Bows with one hand, the other holds a neck before the shoulder, the chin turned to it."""
    side = 1 if rng.random() < 0.8 else 0
    period = rng.uniform(0.7, 1.5) * style.tempo
    count = int(rng.integers(2, 6))
    scene = begin(style, rng, count * period + 2.2)
    share, other = scene.share(1.0, 1.0), 1 - side
    tracks, sign = scene.tracks, SIDES[1 - side]
    tracks.head[:, 0] += 0.45 * sign * share
    tracks.head[:, 2] += 0.18 * sign * share
    tracks.head[:, 1] += 0.15 * share
    phase = _beats(scene, scene.start + 0.9, period, count)
    stroke = np.sin(phase)
    sway = np.sin(0.5 * phase) * share * rng.uniform(0.3, 1.2)
    shift_weight(tracks, sway, 0.025)
    tracks.spine[:, 0] += 0.06 * sway
    neck = path(0.24 + 0.004 * np.sin(2 * np.pi * 4.5 * scene.t), 0.19, 0.4)
    lead_hand(scene, other, share, at_chest(scene, other, neck), -0.25)
    reach = 0.5 + 0.45 * stroke * min(1.1, style.energy)
    bow = path(-0.02 + 0.3 * reach, 0.23 - 0.14 * reach, 0.3 + 0.05 * reach)
    lead_hand(scene, side, share, at_chest(scene, side, bow), 0.5)
    truth = {"action": "play violin", "side": SIDE_NAMES[side], "count": count}
    words = {"tune": "a slow tune" if period > 1.1 else "a tune"}
    return Movement(tracks, truth, manners_of(period / 1.05), words)


def play_drums(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Beats drums with both hands in turn."""
    period, count = rng.uniform(0.4, 0.7) * style.tempo, int(rng.integers(5, 10))
    scene = begin(style, rng, count * period + 1.5)
    share, first = scene.share(0.75, 0.75), pick_side(rng)
    _groove(scene, share, 2 * period, rng.uniform(0.4, 1.3))
    _look_down(scene, share, rng.uniform(0.1, 0.45))
    scene.tracks.root[:, 1] -= 0.02 * share
    high, out = rng.uniform(-0.16, -0.02), rng.uniform(0.14, 0.26)
    roam = 0.03 * drift(scene.t, rng, 4)
    scene.tracks.spine[:, 0] += 0.08 * roam[:, 0] * share / 0.03
    for side in BOTH:
        phase = _beats(scene, scene.start + 0.6 + 0.5 * period * (side != first), period, count)
        # A stroke is slow on the way up and fast on the way down.
        raised = 0.5 * (1 - np.cos(phase - 0.45 * np.sin(phase)))
        lift = 0.17 * style.energy * raised
        goal = path(out + roam[:, side], high + lift, 0.36 - 0.35 * lift + roam[:, 2 + side])
        lead_hand(scene, side, share, at_chest(scene, side, goal), 0.1)
    return Movement(scene.tracks, {"action": "play drums", "side": "both"}, manners_of(period / 0.55))


def stir(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Stirs in a pot or a bowl with one hand; the other holds the bowl or hangs."""
    side, count, bowl = pick_side(rng), int(rng.integers(3, 8)), rng.random() < 0.6
    period = rng.uniform(0.55, 1.1) * style.tempo
    scene = begin(style, rng, count * period + 1.6)
    share, phase = scene.share(0.8, 0.8), _beats(scene, scene.start + 0.6, period, count)
    _look_down(scene, share, rng.uniform(0.3, 0.55))
    turn, size = float(rng.choice([-1.0, 1.0])), rng.uniform(0.045, 0.085) * style.energy
    shift_weight(scene.tracks, share * np.sin(phase), 0.004)
    scene.tracks.spine[:, 0] += 0.03 * np.sin(phase) * share * turn
    high = rng.uniform(-0.18, -0.05)
    goal = path(0.05 + turn * size * np.sin(phase), high, 0.33 + size * np.cos(phase))
    lead_hand(scene, side, share, at_chest(scene, side, goal), rng.uniform(0.2, 0.45))
    if bowl:
        lead_hand(scene, 1 - side, share, at_chest(scene, 1 - side, np.array([0.15, high - 0.07, 0.27])), 0.1)
    truth = {"action": "stir", "side": SIDE_NAMES[side], "count": count}
    return Movement(scene.tracks, truth, manners_of(period / 0.82))


def type_keys(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Types on a keyboard at belly height, standing."""
    seconds, reach = rng.uniform(2.0, 5.0), rng.uniform(0.75, 0.95)
    scene = begin(style, rng, seconds + 2 * reach)
    share = scene.share(reach, reach)
    _look_down(scene, share, rng.uniform(0.15, 0.6))
    high, far = rng.uniform(-0.2, -0.12), rng.uniform(0.3, 0.37)
    rate = rng.uniform(2.2, 3.6) / style.tempo
    bursts = np.clip(drift(scene.t, rng, 1, 1.6)[:, 0] + 0.9, 0.0, 1.0)
    for side in BOTH:
        taps = np.sin(2 * np.pi * rate * scene.t + rng.uniform(0, 6)) * bursts
        roam = drift(scene.t, rng, 2, 1.0)
        goal = path(0.1 + 0.022 * roam[:, 0], high + 0.011 * taps, far + 0.012 * roam[:, 1])
        lead_hand(scene, side, share, at_chest(scene, side, goal), 0.1)
    return Movement(scene.tracks, {"action": "type", "side": "both"})


def comb_hair(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Combs the hair with one hand in strokes from the front to the back of the head."""
    side, count, period = pick_side(rng), int(rng.integers(2, 6)), rng.uniform(0.8, 1.3) * style.tempo
    sign = SIDES[side]
    scene = begin(style, rng, count * period + 1.8)
    share, first = scene.share(0.9, 0.9), scene.start + 0.7
    tracks = scene.tracks
    tracks.head[:, 2] += sign * rng.uniform(-0.2, 0.1) * share
    tracks.head[:, 0] -= sign * rng.uniform(0.0, 0.25) * share
    follow(tracks, share, side, 0.8)
    # Back along the head in contact, forward again a little away from it.
    phase = _beats(scene, first, period, count)
    back, off = 0.5 * (1 - np.cos(phase)), np.clip(-np.sin(phase), 0, 1) ** 2
    goal = path(0.15 + 0.05 * off, 0.17 - 0.1 * back + 0.02 * off, 0.09 - 0.16 * back)
    tracks.head[:, 1] += 0.06 * np.sin(phase) * share
    lead_hand(scene, side, share, at_head(scene, side, goal), rng.uniform(0.35, 0.6))
    return Movement(
        tracks, {"action": "comb hair", "side": SIDE_NAMES[side], "count": count}, manners_of(period / 1.05)
    )


def steer(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Holds a wheel with both hands and turns it to one side or to both."""
    way, seconds = int(rng.integers(3)), rng.uniform(2.5, 4.5) * style.tempo
    scene = begin(style, rng, seconds + 1.6)
    t, tracks, first = scene.t, scene.tracks, scene.start + 0.8
    share, angle = scene.share(0.8, 0.8), rng.uniform(0.6, 1.15) * style.energy
    lead = SIDES[way if way < 2 else pick_side(rng)]
    # Positive is to the left: the top of the wheel goes left.
    if way < 2:
        wheel = lead * angle * window(t, first, first + seconds, 0.35 * seconds, 0.35 * seconds)
    else:
        a, b, c = first + 0.27 * seconds, first + 0.7 * seconds, first + seconds
        wheel = lead * angle * keys(t, (first, 0.0), (a, 1.0), (b, -1.0), (c, 0.0))
    tracks.spine[:, 2] += 0.1 * wheel * share
    tracks.head[:, 0] += 0.25 * wheel * share
    tracks.root[:, 1] -= 0.015 * share
    radius, high = rng.uniform(0.16, 0.2), rng.uniform(-0.08, 0.04)
    for side in BOTH:
        # Seen from the driver, x is to the left: an angle from the left point towards the top.
        at = (0.25 if side == 0 else np.pi - 0.25) - wheel
        goal = path(SIDES[side] * radius * np.cos(at), high + radius * np.sin(at), 0.4)
        lead_hand(scene, side, share, at_chest(scene, side, goal), 0.15)
    where = SIDE_NAMES[way] if way < 2 else "both"
    words = {"way": "left and right" if way == 2 else f"to the {where}"}
    truth = {"action": "steer", "side": "both", "direction": where}
    return Movement(tracks, truth, manners_of(seconds / 3.5), words)


def check_watch(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Raises one forearm before the chest and looks at the wrist."""
    side, hold = (0 if rng.random() < 0.65 else 1), rng.uniform(0.5, 1.8)
    rise = rng.uniform(0.5, 0.85) * style.tempo
    scene = begin(style, rng, hold + 2 * rise)
    share, tracks, sign = scene.share(rise, rise), scene.tracks, SIDES[side]
    tracks.bend(share, spine=0.05, head=0.42)
    tracks.head[:, 0] += 0.12 * sign * share
    follow(tracks, share, side, 0.4)
    goal = np.array([rng.uniform(0.0, 0.08), rng.uniform(0.0, 0.08), 0.3])
    lead_hand(scene, side, share, at_chest(scene, side, goal), rng.uniform(0.4, 0.6))
    return Movement(tracks, {"action": "check watch", "side": SIDE_NAMES[side]}, manners_of(rise / 0.67))


def look_at_hand(style: BodyStyle, rng: np.random.Generator) -> Movement:
    """Holds one hand up before the face and looks at it, turning it about."""
    side, hold = pick_side(rng), rng.uniform(1.0, 2.5)
    rise = rng.uniform(0.6, 1.0) * style.tempo
    scene = begin(style, rng, hold + 2 * rise)
    share, tracks, sign = scene.share(rise, rise), scene.tracks, SIDES[side]
    tracks.head[:, 1] += 0.28 * share
    tracks.head[:, 0] += 0.18 * sign * share
    follow(tracks, share, side, 0.4)
    turning = np.sin(2 * np.pi * scene.t / rng.uniform(1.1, 1.8))
    high = rng.uniform(0.1, 0.2)
    goal = path(0.12 + 0.02 * turning, high + 0.01 * turning, 0.34 - 0.015 * turning)
    lead_hand(scene, side, share, at_chest(scene, side, goal), 0.15 + 0.25 * turning)
    return Movement(tracks, {"action": "look at hand", "side": SIDE_NAMES[side]}, manners_of(rise / 0.8))
