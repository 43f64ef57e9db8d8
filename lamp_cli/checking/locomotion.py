"""Checks of standing, walking, running and turning. Lengths are for a body of usual size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .asked import Check, Expected, Finding, jumps_of, toward
from .kinematics import KNEES, PELVIS, Kinematics, rises, swings


def _stand(m: Kinematics, want: Expected) -> list[Finding]:
    hands = [np.ptp(_steady(m.hand(k)), axis=0).max() for k in (0, 1)]
    return [
        (m.path < 0.4 * max(1.0, m.seconds / 4), f"walks {m.path:.2f} m"),
        (np.ptp(m.drop) < 0.1, f"pelvis moves up and down {np.ptp(m.drop):.2f} m"),
        (np.median(m.drop) < 0.12, "is not upright"),
        (max(hands) < 0.4, f"a hand moves {max(hands):.2f} arm lengths"),
        (max(m.foot_lift(k).max() for k in (0, 1)) < 0.1, "lifts a foot"),
        (np.ptp(np.degrees(m.heading)) < 40, "turns"),
        (np.ptp(m.pitch) < 20 and np.ptp(m.roll) < 15, "bends the trunk"),
    ]


def _steady(values: np.ndarray) -> np.ndarray:
    """A median over three frames: single bad frames do not count."""
    return np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)


def _progress(m: Kinematics) -> tuple[float, float, float]:
    """Way made to the left, ahead, and in all, metres for a body of usual size."""
    left, ahead = m.travel.sum(0) / m.scale
    return float(left), float(ahead), m.path / m.scale


def _on_foot(m: Kinematics, least: float) -> list[Finding]:
    """Steps of both feet that carry the body, without jumping."""
    steps = [len(m.steps(k)) for k in (0, 1)]
    path = m.path / m.scale
    return [
        (path >= least, f"moves only {path:.2f} m"),
        (min(steps) >= 1 and sum(steps) >= 2, f"{steps[0]} left and {steps[1]} right steps"),
    ]


def _ahead(m: Kinematics, least: float) -> list[Finding]:
    left, ahead, path = _progress(m)
    return [
        *_on_foot(m, least),
        (ahead >= 0.75 * path, f"of {path:.2f} m only {ahead:.2f} are ahead ({left:+.2f} to the left)"),
    ]


def _walking(m: Kinematics) -> Finding:
    return not m.running and not jumps_of(m), f"runs or jumps ({m.pace:.1f} m/s)"


def _straight(m: Kinematics, want: Expected) -> Finding:
    if want.get("direction") != "forward":
        return True, ""
    return abs(m.turned) < 75 and abs(m.bent) < 90, f"not straight: turns {m.turned:+.0f} degrees"


def _walk(m: Kinematics, want: Expected) -> list[Finding]:
    return [*_ahead(m, 0.6), _walking(m), _straight(m, want)]


def _walk_backward(m: Kinematics, want: Expected) -> list[Finding]:
    _, ahead, path = _progress(m)
    return [
        *_on_foot(m, 0.35),
        (-ahead >= 0.7 * path, f"of {path:.2f} m only {-ahead:.2f} are backward"),
        (not jumps_of(m), "jumps"),
    ]


def _sidestep(m: Kinematics, want: Expected) -> list[Finding]:
    left, _, path = _progress(m)
    galloped = sum(len(m.steps(k)) for k in (0, 1)) >= 4
    return [
        *_on_foot(m, 0.25),
        (toward(left, want) >= 0.7 * path, f"of {path:.2f} m {left:+.2f} are to the left"),
        (galloped or not jumps_of(m), "jumps"),
    ]


def _running(m: Kinematics, pace: float) -> list[Finding]:
    return [
        (m.pace / np.sqrt(m.scale) >= pace, f"only {m.pace:.2f} m/s"),
        (m.running, f"a foot is always on the floor (duty {m.duty:.2f}, bounce {m.bounce:+.2f})"),
    ]


def _jog(m: Kinematics, want: Expected) -> list[Finding]:
    return [*_ahead(m, 1.0), *_running(m, 1.3), _straight(m, want)]


def _run(m: Kinematics, want: Expected) -> list[Finding]:
    return [*_ahead(m, 1.2), *_running(m, 1.8), _straight(m, want)]


def _circle(m: Kinematics, want: Expected) -> list[Finding]:
    return [
        (toward(m.bent, want) >= 250, f"the path turns {m.bent:+.0f} degrees"),
        (toward(m.turned, want) >= 240, f"the body turns {m.turned:+.0f} degrees"),
    ]


def _walk_circle(m: Kinematics, want: Expected) -> list[Finding]:
    return [*_ahead(m, 1.5), _walking(m), *_circle(m, want)]


def _jog_circle(m: Kinematics, want: Expected) -> list[Finding]:
    return [*_ahead(m, 2.5), *_running(m, 1.2), *_circle(m, want)]


def _walk_curve(m: Kinematics, want: Expected) -> list[Finding]:
    turn = toward(m.turned, want)
    return [
        *_ahead(m, 1.0),
        _walking(m),
        (30 <= turn <= 230, f"turns {m.turned:+.0f} degrees"),
        (toward(m.bent, want) >= 25, f"the path turns {m.bent:+.0f} degrees"),
        (bool(np.linalg.norm(m.net) >= 0.33 * m.path), "comes back"),
        (min(m.most_turned[0], -m.most_turned[1]) < 25, "turns to both sides"),
    ]


def _zigzag(m: Kinematics, want: Expected) -> list[Finding]:
    changes = len(swings(np.degrees(m.course), 25)) if len(m.course) else 0
    return [
        *_ahead(m, 1.5),
        (changes >= 3, f"{changes} directions"),
        (abs(m.bent) < 150, f"the path turns {m.bent:+.0f} degrees in all"),
    ]


def _turn(m: Kinematics, want: Expected) -> list[Finding]:
    angle = abs(want.get("angle", 0))
    turned = toward(m.turned, want)
    shift = float(np.abs(m.displacement()).max()) / m.scale
    findings = [(turned >= 40, f"turns {m.turned:+.0f} degrees"), (shift < 0.6, f"moves {shift:.2f} m away")]
    if angle:
        slack = max(30.0, 0.25 * angle)
        findings.append((abs(turned - angle) <= slack, f"turns {m.turned:+.0f} degrees instead of {angle}"))
    return findings


def _there_and_back(m: Kinematics, want: Expected) -> list[Finding]:
    ahead = m.displacement()[:, 1] / m.scale
    return [
        *_ahead(m, 1.4),
        (ahead.max() >= 0.7, f"gets only {ahead.max():.2f} m away"),
        (ahead.max() - ahead[-1] >= 0.5, f"comes back only {ahead.max() - ahead[-1]:.2f} m"),
        (120 <= toward(m.turned, want) <= 240, f"turns {m.turned:+.0f} degrees"),
    ]


def _stance_heel(m: Kinematics) -> float:
    """Usual height of the lower heel over flat while under way, metres."""
    lower = np.minimum(m.foot_lift(0), m.foot_lift(1))[1:]
    moving = m.speed > 0.25
    return float(np.median(lower[moving])) if moving.any() else 0.0


def _tiptoe(m: Kinematics, want: Expected) -> list[Finding]:
    heel = _stance_heel(m)
    return [*_ahead(m, 0.5), _walking(m), (heel >= 0.035, f"heels only {100 * heel:.1f} cm up")]


def _crouch_walk(m: Kinematics, want: Expected) -> list[Finding]:
    moving = np.concatenate([m.speed > 0.2, [False]])
    low = float(np.median(m.drop[moving])) if moving.any() else 0.0
    return [*_ahead(m, 0.5), _walking(m), (low >= 0.12, f"pelvis only {low:.2f} m low")]


def _knees_up(m: Kinematics) -> list[int]:
    """How often each knee rises to near the hip."""
    hips = m.joints[:, PELVIS, 1]
    return [len(rises((m.joints[:, KNEES[k], 1] - hips) / m.scale, -0.3, -0.38)) for k in (0, 1)]


def _march(m: Kinematics, want: Expected) -> list[Finding]:
    knees = _knees_up(m)
    return [
        (min(knees) >= 1 and sum(knees) >= 3, f"high knees: {knees[0]} left, {knees[1]} right"),
        _walking(m),
        (m.pace < 1.9 and np.median(m.drop) < 0.15, "crouches or hurries"),
        (min(len(m.steps(k, 0.0)) for k in (0, 1)) >= 1, "lifts the knees without stepping"),
    ]


def _limp(m: Kinematics, want: Expected) -> list[Finding]:
    ratio = _uneven(m)
    return [*_ahead(m, 0.5), _walking(m), (ratio >= 1.3, f"even steps (ratio {ratio:.2f})")]


def _uneven(m: Kinematics) -> float:
    """Ratio of the longer to the shorter of left-to-right and right-to-left step times (medians)."""
    ends = sorted((end, side) for side in (0, 1) for _, end in m.steps(side, 0.15))
    gaps: dict[int, list[int]] = {0: [], 1: []}
    for (one, side), (two, other) in pairwise(ends):
        if side != other:
            gaps[other].append(two - one)
    if not gaps[0] or not gaps[1]:
        return 1.0
    a, b = (float(np.median(gaps[k])) for k in (0, 1))
    return max(a, b) / max(min(a, b), 1.0)


LOCOMOTION: dict[str, Check] = {
    "stand": _stand,
    "walk": _walk,
    "walk backward": _walk_backward,
    "sidestep": _sidestep,
    "jog": _jog,
    "run": _run,
    "walk in a circle": _walk_circle,
    "jog in a circle": _jog_circle,
    "walk in a curve": _walk_curve,
    "zigzag": _zigzag,
    "turn": _turn,
    "turn around and walk back": _there_and_back,
    "tiptoe": _tiptoe,
    "crouch walk": _crouch_walk,
    "march": _march,
    "limp": _limp,
}
