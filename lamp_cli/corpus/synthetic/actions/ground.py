"""On the floor: kneeling, sitting, lying, getting up, crawling, push-ups.

A way down is a chain of poses; the body passes through them while hands, knees and feet that bear it stay
where they are. Getting up is the same chain from its end. Every pose faces +z from the origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..body import ANKLE_HEIGHT, FOOT, LEG, SHIN, SIDES, THIGH, TOE_HEIGHT, Tracks, euler, solve, turned
from ..curves import FPS, bump, keys, smooth, snap, through
from ..movement import SIDE_NAMES, Movement, manners_of, pick_side, times_words
from ..style import Style

# Heights in metres of joints over the floor that their flesh lies on.
KNEE_HEIGHT, SEAT_HEIGHT, WRIST_HEIGHT, INSTEP_HEIGHT = 0.05, 0.095, 0.06, 0.05
# Pitch of a foot that lies on its instep behind the knee, of one on its toes there, and of one on its heel.
INSTEP, TUCKED, HEEL = 2.6, 1.65, -1.05
# The ankle's height over the floor on tucked toes.
TUCKED_HEIGHT = 0.15


def _pair(left: tuple[float, float, float], right: tuple[float, float, float] | None = None) -> np.ndarray:
    """(2, 3) of the left side's point and the right one's, its mirror image unless given."""
    return np.array([left, (-left[0], left[1], left[2]) if right is None else right], dtype=np.float64)


@dataclass(frozen=True)
class _Pose:
    """One frame of ``Tracks``, in its units; ``bearing`` says which knees are on the floor."""

    root: tuple[float, float, float]
    ankle: np.ndarray
    foot: np.ndarray
    pitch: float = 0.0
    spine: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    knee: float = 0.06
    planted: tuple[bool, bool] = (False, False)
    kneel: np.ndarray = field(default_factory=lambda: np.zeros((2, 3)))
    bearing: tuple[bool, bool] = (False, False)
    guided: tuple[bool, bool] = (False, False)
    grip: np.ndarray | None = None
    hold: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class _Stop:
    """A pose of a chain, the seconds to come to it from the one before, and the seconds of rest in it."""

    pose: _Pose
    move: float
    rest: float = 0.0


def _standing(style: Style) -> _Pose:
    feet = style.feet()
    ankle = np.array([[x, ANKLE_HEIGHT, z] for x, z, _ in feet])
    foot = np.array([[yaw, 0.0] for _, _, yaw in feet])
    return _Pose(
        (0.0, style.height, 0.0),
        ankle,
        foot,
        spine=(0.0, style.bend, style.lean),
        head=(0.0, style.chin, -style.lean),
        planted=(True, True),
    )


def _shin_behind(kneel: np.ndarray, side: int, tucked: bool) -> np.ndarray:
    """The ankle (3,) of a shin that lies behind a knee on the floor."""
    rise = (TUCKED_HEIGHT if tucked else INSTEP_HEIGHT) - KNEE_HEIGHT
    return kneel[side] + [0.0, rise, -np.sqrt(SHIN[side] ** 2 - rise**2)]


def _one_knee(style: Style, side: int, hand: bool) -> _Pose:
    """The knee of ``side`` is on the floor behind the other foot, which stands."""
    stand = _standing(style)
    other = 1 - side
    kneel = stand.ankle * [1.0, 0.0, 0.0] + [0.0, KNEE_HEIGHT, -0.42]
    ankle, foot = stand.ankle.copy(), stand.foot.copy()
    ankle[side] = _shin_behind(kneel, side, tucked=True)
    foot[side] = (0.0, TUCKED)
    bearing = (side == 0, side == 1)
    grip = _pair((0.1, 0.56, -0.02))
    hold = (float(hand and other == 0), float(hand and other == 1))
    return _Pose(
        (0.0, KNEE_HEIGHT + 0.47, -0.4),
        ankle,
        foot,
        pitch=0.08,
        spine=(0.0, style.bend + 0.08, 0.0),
        head=(0.0, 0.05, 0.0),
        planted=(not bearing[0], not bearing[1]),
        kneel=kneel,
        bearing=bearing,
        guided=bearing,
        grip=grip,
        hold=hold,
    )


def _both_knees(style: Style, back: float, hands: bool = False) -> _Pose:
    """On both knees; ``back`` from 0 to 1 sits back towards the heels."""
    stand = _standing(style)
    kneel = stand.ankle * [1.0, 0.0, 0.0] + [0.0, KNEE_HEIGHT, -0.42]
    ankle = np.array([_shin_behind(kneel, s, tucked=False) for s in (0, 1)])
    angle = 1.18 * back
    height, behind = float(THIGH.mean() * np.cos(angle)), float(THIGH.mean() * np.sin(angle))
    return _Pose(
        (0.0, KNEE_HEIGHT + height + 0.08, kneel[0, 2] - behind),
        ankle,
        np.array([[0.0, INSTEP], [0.0, INSTEP]]),
        pitch=0.05 + 0.12 * back,
        spine=(0.0, style.bend + 0.1 * back, style.lean),
        head=(0.0, style.chin, -style.lean),
        kneel=kneel,
        bearing=(True, True),
        guided=(True, True),
        grip=_pair((0.12, 0.22 + 0.05 * back, kneel[0, 2] - 0.1)),
        hold=(float(hands), float(hands)),
    )


def _all_fours(style: Style, kneel: np.ndarray) -> _Pose:
    """On hands and knees, the knees at ``kneel`` (2, 3)."""
    z = float(kneel[0, 2])
    return _Pose(
        (0.0, KNEE_HEIGHT + 0.385, z + 0.09),
        np.array([_shin_behind(kneel, s, tucked=False) for s in (0, 1)]),
        np.array([[0.0, INSTEP], [0.0, INSTEP]]),
        pitch=1.25,
        spine=(0.0, 0.12, 0.0),
        head=(0.0, -0.55, 0.0),
        kneel=kneel,
        bearing=(True, True),
        guided=(True, True),
        grip=_pair((0.19, WRIST_HEIGHT, z + 0.62)),
        hold=(1.0, 1.0),
    )


def _prone(style: Style, kneel: np.ndarray, face: float, hands: np.ndarray) -> _Pose:
    """On the stomach, the knees at ``kneel``; the head is turned by ``face``, wrists at ``hands`` (2, 3)."""
    z = float(kneel[0, 2]) + 0.47
    return _Pose(
        (0.0, 0.115, z),
        np.array([_shin_behind(kneel, s, tucked=False) for s in (0, 1)]),
        np.array([[0.0, INSTEP], [0.0, INSTEP]]),
        pitch=1.5,
        spine=(0.0, -0.06, 0.0),
        head=(face, -0.15, 0.0),
        kneel=kneel,
        bearing=(True, True),
        guided=(True, True),
        grip=hands + np.array([0.0, 0.0, z]),
        hold=(1.0, 1.0),
    )


def _crouch(style: Style, hand: int) -> _Pose:
    """Deep over both feet, the trunk forward, one hand on the floor behind."""
    stand = _standing(style)
    return replace(
        stand,
        root=(0.0, 0.36, -0.3),
        pitch=0.35,
        spine=(0.0, 0.5, 0.0),
        head=(0.0, -0.3, 0.0),
        knee=0.22,
        grip=_pair((0.3, 0.1, -0.5)),
        hold=(1.0 if hand == 0 else 0.3, 1.0 if hand == 1 else 0.3),
    )


def _seated(style: Style) -> _Pose:
    """On the floor, knees up, the hands behind."""
    stand = _standing(style)
    return replace(
        stand,
        root=(0.0, SEAT_HEIGHT + 0.07, -0.5),
        pitch=-0.42,
        spine=(0.0, 0.12, 0.0),
        head=(0.0, 0.25, 0.0),
        knee=0.18,
        grip=_pair((0.27, WRIST_HEIGHT + 0.03, -0.76)),
        hold=(1.0, 1.0),
    )


def _cross_legged(style: Style, front: int) -> _Pose:
    """Seated with the legs crossed, the shin of ``front`` before the other, hands on the knees."""
    z = -0.5
    far = (0.33, 0.21) if front == 0 else (0.21, 0.33)
    ankle = np.array([[-0.09 * SIDES[s], 0.075, z + far[s]] for s in (0, 1)])
    return _Pose(
        (0.0, SEAT_HEIGHT + 0.08, z),
        ankle,
        np.array([[-1.25, 0.35], [1.25, 0.35]]),
        pitch=-0.15,
        spine=(0.0, 0.3, 0.0),
        head=(0.0, -0.05, 0.0),
        knee=1.1,
        kneel=_pair((0.4, 0.16, z + 0.24)),
        guided=(True, True),
        grip=_pair((0.29, 0.24, z + 0.2)),
        hold=(1.0, 1.0),
    )


def _legs_out(style: Style, hands_behind: bool) -> _Pose:
    """Seated with the legs straight ahead, hands behind or on the thighs."""
    z = -0.5
    behind, ahead = _pair((0.27, WRIST_HEIGHT + 0.03, z - 0.26)), _pair((0.12, 0.21, z + 0.24))
    return _Pose(
        (0.0, SEAT_HEIGHT + 0.075, z),
        _pair((0.1, 0.06, z + 0.77)),
        np.array([[0.15, HEEL], [-0.15, HEEL]]),
        pitch=-0.42 if hands_behind else -0.2,
        spine=(0.0, 0.12 if hands_behind else 0.3, 0.0),
        head=(0.0, 0.15, 0.0),
        grip=behind if hands_behind else ahead,
        hold=(1.0, 1.0),
    )


def _reclined(style: Style) -> _Pose:
    """Half way to the back, on the forearms."""
    return replace(
        _seated(style),
        root=(0.0, SEAT_HEIGHT + 0.045, -0.52),
        pitch=-1.0,
        spine=(0.0, 0.45, 0.0),
        head=(0.0, 0.45, 0.0),
        grip=_pair((0.3, WRIST_HEIGHT, -0.72)),
    )


def _supine(style: Style, bent: bool, spread: float) -> _Pose:
    """On the back, the legs straight or the knees up."""
    z = -0.54
    lying = replace(
        _seated(style),
        root=(0.0, SEAT_HEIGHT + 0.01, z),
        pitch=-1.53,
        spine=(0.0, 0.02, 0.0),
        head=(0.0, 0.05, 0.0),
        grip=_pair((0.24 + 0.3 * spread, 0.05, z - 0.02 - 0.15 * spread)),
    )
    if bent:
        return lying
    return replace(
        lying,
        ankle=_pair((0.1 + 0.1 * spread, 0.055, z + 0.885)),
        foot=np.array([[0.2, HEEL], [-0.2, HEEL]]),
        planted=(False, False),
        knee=0.1,
    )


def _through_poses(style: Style, rng: np.random.Generator, stops: list[_Stop]) -> Tracks:
    """Tracks of a chain of poses."""
    stops = _with_grips(stops)
    arrive, leave, clock = [], [], 0.0
    for k, stop in enumerate(stops):
        clock += snap(stop.move) if k else 0.0
        arrive.append(clock)
        clock += snap(stop.rest)
        leave.append(clock)
    tracks = style.stand(clock, rng)
    t = np.arange(len(tracks)) / FPS
    poses = [s.pose for s in stops]
    knots = [(time, k) for k in range(len(stops)) for time in sorted({arrive[k], leave[k]})]

    def passing(values: list) -> np.ndarray:
        return through(t, *((time, values[k]) for time, k in knots))

    def stopping(values: list) -> np.ndarray:
        return keys(t, *((time, values[k]) for time, k in knots))

    standing = stopping([float(all(p.planted) and p.pitch == 0.0) for p in poses])[:, None]
    tracks.root[:] = passing([p.root for p in poses]) + standing * (tracks.root - [0.0, style.height, 0.0])
    tracks.pelvis[:, 1] = passing([p.pitch for p in poses])
    still = [np.array([0.0, style.bend, style.lean]), np.array([0.0, style.chin, -style.lean])]
    tracks.spine[:] = passing([p.spine for p in poses]) + (tracks.spine - still[0]) * (0.3 + 0.7 * standing)
    tracks.head[:] = passing([p.head for p in poses]) + (tracks.head - still[1]) * (0.3 + 0.7 * standing)
    tracks.knee[:] = stopping([p.knee for p in poses])[:, None]
    tracks.hold[:] = stopping([p.hold for p in poses])
    bears = np.zeros((len(t), 2))
    for side in (0, 1):
        tracks.ankle[:, side] = stopping([p.ankle[side] for p in poses])
        tracks.foot[:, side] = stopping([p.foot[side] for p in poses])
        tracks.kneel[:, side] = poses[-1].kneel[side]
        tracks.kneeling[:, side] = stopping([float(p.guided[side]) for p in poses])
        grips = [p.grip[side] for p in poses if p.grip is not None]
        tracks.grip[:, side] = stopping(grips)
        tracks.kneel[:, side] = stopping(_nearest([p.kneel[side] for p in poses]))
        _between(tracks, t, stops, (arrive, leave), side, bears)
    _over_knees(tracks, style, bears)
    return tracks


def _with_grips(stops: list[_Stop]) -> list[_Stop]:
    """Stops whose grips are those of the nearest pose that has one: where a free hand will go."""
    grips = [s.pose.grip for s in stops]
    known = [k for k, g in enumerate(grips) if g is not None]
    if not known:
        return [_Stop(replace(s.pose, grip=np.zeros((2, 3))), s.move, s.rest) for s in stops]
    near = [_nearest_of(known, n) for n in range(len(stops))]
    return [_Stop(replace(s.pose, grip=grips[near[n]]), s.move, s.rest) for n, s in enumerate(stops)]


def _nearest(points: list[np.ndarray]) -> list[np.ndarray]:
    """Points (3,) with zeros, which stand for none, replaced by the nearest in the list that is one."""
    known = [k for k, p in enumerate(points) if p.any()]
    return [points[_nearest_of(known, n)] if known else p for n, p in enumerate(points)]


def _nearest_of(known: list[int], number: int) -> int:
    return min(known, key=lambda other: abs(other - number))


def _between(
    tracks: Tracks,
    t: np.ndarray,
    stops: list[_Stop],
    times: tuple[list[float], list[float]],
    side: int,
    bears: np.ndarray,
) -> None:
    """Lift the foot and the hand of ``side`` where they move between poses; say what bears the body."""
    arrive, leave = times
    tracks.planted[:, side] = False
    for k, stop in enumerate(stops):
        rest = (t > arrive[k] - 1e-6) & (t < leave[k] + 1e-6)
        tracks.planted[rest, side] = stop.pose.planted[side]
        bears[rest, side] = stop.pose.bearing[side]
        if k + 1 == len(stops):
            break
        after = stops[k + 1].pose
        moving = (t > leave[k] - 1e-6) & (t < arrive[k + 1] + 1e-6)
        u = (t - leave[k]) / (arrive[k + 1] - leave[k])
        way = float(np.linalg.norm(after.ankle[side] - stop.pose.ankle[side]))
        if way > 0.03:
            tracks.ankle[:, side, 1] += min(0.09, 0.12 * way) * bump(u) * moving
        if after.grip is not None and stop.pose.grip is not None:
            reach = float(np.linalg.norm(after.grip[side] - stop.pose.grip[side]))
            tracks.grip[:, side, 1] += min(0.1, 0.2 * reach) * bump(u) * moving
        tracks.planted[moving, side] = stop.pose.planted[side] and after.planted[side]
        bears[moving, side] = stop.pose.bearing[side] and after.bearing[side]


def _over_knees(tracks: Tracks, style: Style, bears: np.ndarray) -> None:
    """Move the pelvis so that the thighs reach exactly to the knees that bear (T, 2) the body."""
    share = smooth(bears, 1.5) * (bears > 0)
    share = np.where(bears > 0, np.maximum(share, bears), smooth(bears, 1.5))
    hips = euler(tracks.yaw + tracks.pelvis[:, 0], tracks.pelvis[:, 1], tracks.pelvis[:, 2])
    for _ in range(6):
        push = np.zeros_like(tracks.root)
        for side in (0, 1):
            thigh = tracks.root + turned(hips, style.offsets[1 + side]) - tracks.kneel[:, side]
            length = np.maximum(np.linalg.norm(thigh, axis=-1, keepdims=True), 1e-6)
            push += share[:, side, None] * thigh * (THIGH[side] / length - 1)
        tracks.root += push / np.maximum(share.sum(1, keepdims=True), 1.0)


def _chain(style: Style, poses: list[_Pose], seconds: list[float], rests: tuple[float, float]) -> list[_Stop]:
    """Stops for poses in a row: the first and the last are rested in, the others passed."""
    stops = [_Stop(poses[0], 0.0, rests[0])]
    stops += [_Stop(p, s * style.tempo) for p, s in zip(poses[1:], seconds, strict=True)]
    stops[-1] = replace(stops[-1], rest=rests[1])
    return stops


def _backward(stops: list[_Stop]) -> list[_Stop]:
    """The same chain from its end to its beginning."""
    moves = [0.0] + [s.move for s in stops[:0:-1]]
    return [_Stop(s.pose, m, s.rest) for s, m in zip(stops[::-1], moves, strict=True)]


def kneel(style: Style, rng: np.random.Generator) -> Movement:
    """Kneels down on one knee or on both, and often stands back up."""
    choice, again = int(rng.integers(3)), bool(rng.random() < 0.5)
    side = choice if choice < 2 else pick_side(rng)
    poses = [_standing(style), _one_knee(style, side, hand=bool(rng.random() < 0.5) and choice < 2)]
    seconds = [1.15]
    if choice == 2:
        poses.append(_both_knees(style, float(rng.choice([0.0, 0.15, 0.8]))))
        seconds.append(0.9)
    rest = float(rng.uniform(0.7, 2.2))
    stops = _chain(style, poses, seconds, (float(rng.uniform(0.2, 0.5)), rest))
    if again:
        stops += _backward(stops)[1:]
    tracks = _through_poses(style, rng, stops)
    name = "both" if choice == 2 else SIDE_NAMES[side]
    on = (
        ("on both knees", "on the knees") if choice == 2 else (f"on the {name} knee", f"on their {name} knee")
    )
    ways = [
        ("kneels", f"down {on[0]}"),
        ("kneels", on[1]),
        ("gets", f"down {on[0]}"),
        ("drops", f"down {on[1]}"),
        ("lowers", f"down {on[0].replace('on', 'onto', 1)}"),
        ("goes", f"down {on[1]}"),
        ("kneels", "on the floor"),
    ]
    if choice < 2:
        ways += [
            ("takes", f"a knee with the {name} leg"),
            ("kneels", "as if to propose"),
            ("kneels", "down on one knee"),
        ]
    if again:
        ways = [(v, f"{r} and {up}") for v, r in ways for up in ("stands back up", "gets up again", "rises")]
    truth = {"action": "kneel", "side": name, "stands up": again}
    return Movement(tracks, truth, tuple(ways), manners_of(style.tempo))


def _to_the_back(style: Style, rng: np.random.Generator) -> tuple[list[_Pose], list[float]]:
    lying = _supine(style, bent=bool(rng.random() < 0.25), spread=float(rng.uniform(0, 0.6)))
    poses = [_standing(style), _crouch(style, pick_side(rng)), _seated(style), _reclined(style), lying]
    return poses, [0.95, 0.75, 0.8, 0.85]


def _to_the_stomach(style: Style, rng: np.random.Generator) -> tuple[list[_Pose], list[float]]:
    one, both = _one_knee(style, pick_side(rng), hand=False), _both_knees(style, 0.1)
    hands = _pair((0.27, WRIST_HEIGHT, 0.33))
    face = float(SIDES[pick_side(rng)] * rng.uniform(0.2, 0.9))
    fours = _all_fours(style, both.kneel)
    return [_standing(style), one, both, fours, _prone(style, both.kneel, face, hands)], [1.0, 0.75, 0.9, 0.9]


def lie_down(style: Style, rng: np.random.Generator) -> Movement:
    """Lies down from standing: over a seat to the back, or over the knees to the stomach."""
    back = bool(rng.random() < 0.6)
    poses, seconds = (_to_the_back if back else _to_the_stomach)(style, rng)
    rests = (float(rng.uniform(0.2, 0.5)), float(rng.uniform(0.6, 2.2)))
    tracks = _through_poses(style, rng, _chain(style, poses, seconds, rests))
    ways = [
        ("lies", "down"),
        ("lies", "down on the floor"),
        ("lays", "down on the ground"),
        ("gets", "down and lies on the floor"),
        ("lowers", "to the ground and lies down"),
        ("goes", "from standing to lying"),
    ]
    ways += (
        [
            ("lies", "down on their back"),
            ("lays", "flat on the back"),
            ("sits", "down and lies back"),
            ("sits", "on the floor, then lies down on the back"),
            ("lies", "down facing up"),
        ]
        if back
        else [
            ("lies", "down on their stomach"),
            ("lays", "face down"),
            ("kneels", "and lies down on the belly"),
            ("gets", "on the knees, then lies down on the stomach"),
            ("lies", "flat on the front"),
        ]
    )
    truth = {"action": "lie down", "direction": "down", "on": "back" if back else "stomach"}
    return Movement(tracks, truth, tuple(ways), manners_of(style.tempo))


def get_up(style: Style, rng: np.random.Generator) -> Movement:
    """Gets up from lying on the back or the stomach, or from sitting on the floor."""
    start = ("back", "stomach", "seat")[int(rng.choice(3, p=[0.45, 0.3, 0.25]))]
    if start == "seat":
        poses, seconds = _to_a_seat(style, rng)
    else:
        poses, seconds = (_to_the_back if start == "back" else _to_the_stomach)(style, rng)
    rests = (float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.2, 1.0)))
    tracks = _through_poses(style, rng, _backward(_chain(style, poses, seconds, rests)))
    ways = [
        ("gets", "up"),
        ("gets", "up from the floor"),
        ("stands", "up from the ground"),
        ("gets", "to their feet"),
    ]
    ways += {
        "back": [
            ("gets", "up from lying on the back"),
            ("sits", "up and then stands up"),
            ("rises", "from lying down"),
            ("stands", "up from a lying position"),
        ],
        "stomach": [
            ("gets", "up from lying on the stomach"),
            ("pushes", "up off the floor and stands"),
            ("rises", "from lying face down"),
            ("gets", "up onto the knees, then stands up"),
        ],
        "seat": [
            ("gets", "up from sitting on the floor"),
            ("stands", "up from sitting on the ground"),
            ("rises", "from the floor where they sat"),
        ],
    }[start]
    return Movement(
        tracks, {"action": "get up", "direction": "up", "from": start}, tuple(ways), manners_of(style.tempo)
    )


def _to_a_seat(style: Style, rng: np.random.Generator) -> tuple[list[_Pose], list[float]]:
    poses = [_standing(style), _crouch(style, pick_side(rng)), _seated(style)]
    if rng.random() < 0.5:
        return [*poses, _cross_legged(style, pick_side(rng))], [0.95, 0.75, 0.9]
    return [*poses, _legs_out(style, bool(rng.random() < 0.5))], [0.95, 0.75, 0.9]


def sit_on_floor(style: Style, rng: np.random.Generator) -> Movement:
    """Sits down on the floor, cross-legged or with the legs out."""
    poses, seconds = _to_a_seat(style, rng)
    crossed = bool(poses[-1].guided[0])
    rests = (float(rng.uniform(0.2, 0.5)), float(rng.uniform(0.7, 2.5)))
    tracks = _through_poses(style, rng, _chain(style, poses, seconds, rests))
    ways = [
        ("sits", "down on the floor"),
        ("sits", "on the ground"),
        ("lowers", "to the floor and sits"),
        ("takes", "a seat on the floor"),
        ("gets", "down and sits on the ground"),
    ]
    ways += (
        [
            ("sits", "cross-legged"),
            ("sits", "down with crossed legs"),
            ("sits", "on the floor indian style"),
            ("crosses", "the legs after sitting down on the floor"),
        ]
        if crossed
        else [
            ("sits", "down with the legs stretched out"),
            ("sits", "on the floor with straight legs"),
            ("sits", "on the ground and extends both legs"),
        ]
    )
    truth = {"action": "sit on the floor", "legs": "crossed" if crossed else "out"}
    return Movement(tracks, truth, tuple(ways), manners_of(style.tempo))


def crawl(style: Style, rng: np.random.Generator) -> Movement:
    """Crawls ahead on hands and knees: a hand moves with the knee of the other side."""
    cycle, stride = float(rng.uniform(1.0, 1.5)) * style.tempo, float(rng.uniform(0.36, 0.5))
    seconds = snap(float(rng.uniform(3.5, 8.5)))
    first, duty = pick_side(rng), 0.62
    tracks = style.stand(seconds, rng)
    t = np.arange(len(tracks)) / FPS
    pose = _all_fours(style, _pair((0.11, KNEE_HEIGHT, 0.0)))
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
            assert place is not None
            limb[:, side] = place[side]
            limb[:, side, 2] += forward
            high = 0.025 if lead == 0.0 else 0.08
            limb[:, side, 1] += high * bump(u, 0.45) * lifted
            if lead == 0.0:
                bears[:, side] = ~lifted
        rise = np.array([0.0, INSTEP_HEIGHT - KNEE_HEIGHT, -SHIN[side]])
        tracks.ankle[:, side] = tracks.kneel[:, side] + rise
        tracks.foot[:, side] = (0.0, INSTEP)
    _over_knees(tracks, style, bears)
    far = float(np.linalg.norm(tracks.root[-1] - tracks.root[0]))
    truth = {"action": "crawl", "direction": "forward", "distance": round(far, 2)}
    ways = (
        ("crawls", "forward"),
        ("crawls", "on hands and knees"),
        ("crawls", "on all fours"),
        ("crawls", "ahead across the floor"),
        ("crawls", "along the ground"),
        ("moves", "forward on hands and knees"),
        ("crawls", "like a baby"),
        ("goes", "forward on all fours"),
    )
    return Movement(tracks, truth, ways, manners_of(cycle / 1.25))


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


def push_ups(style: Style, rng: np.random.Generator) -> Movement:
    """Push-ups, from straight arms to straight arms."""
    count, period = int(rng.integers(2, 6)), float(rng.uniform(1.1, 1.9)) * style.tempo
    start, after = snap(float(rng.uniform(0.3, 0.7))), 0.4
    tracks = style.stand(max(2.1, start + count * period + after), rng)
    t = np.arange(len(tracks)) / FPS
    deep = 0.5 * (1 - np.cos(2 * np.pi * np.clip((t - start) / period, 0, count)))
    up, low = 1.235, float(rng.uniform(1.42, 1.46))
    pitch = up + (low - up) * deep
    zero = np.zeros(len(t))
    hips = euler(zero, pitch, zero)
    tracks.pelvis[:] = np.stack([zero, pitch, zero], -1)
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
    wide = float(rng.uniform(0.24, 0.32))
    z = float(joints[0, 16:18, 2].mean()) - 0.03
    tracks.grip[:] = _pair((wide, WRIST_HEIGHT, z))
    tracks.hold[:] = 1.0
    tracks.arm[..., 3] += 0.3
    many = times_words(count)[-1].split()[0]
    words = times_words(count)[0].split()[0]
    ways = (
        ("does", "push-ups"),
        ("does", f"{many} pushups"),
        ("does", f"{many} push ups"),
        ("performs", "push-ups on the floor"),
        ("pushes", f"up from the floor {many} times"),
        ("exercises", "with push-ups"),
        ("does", "press-ups"),
        ("lowers", "and raises the body with the arms in a plank"),
        ("does", f"{words if words != 'twice' else 'two'} push-ups"),
    )
    return Movement(tracks, {"action": "push-ups", "count": count}, ways, manners_of(period / 1.5))
