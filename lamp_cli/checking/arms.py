"""Checks of arms, trunk and head."""

from __future__ import annotations

import numpy as np

from ..motion.clean_up import runs
from .asked import (
    LEFT,
    Check,
    Expected,
    Finding,
    jumps_of,
    of_a_limb,
    right_count,
    sided,
    sign_of,
    stays,
    toward,
)
from .kinematics import (
    ANKLES,
    FPS,
    HEAD,
    NECK,
    WRISTS,
    Kinematics,
    longest,
    rises,
    smoothed,
    swings,
)


def _waves(m: Kinematics, side: int) -> bool:
    """Up, and to and fro at least twice, sideways or in front of a raised arm; clapping is not waving."""
    hand, apart = m.hand(side), m.hands_apart
    for start, end in runs(hand[:, 1] > 0.0):
        if end - start >= 12 and apart[start:end].min() > 0.25 and np.median(hand[start:end, 1]) > 0.1:
            swung = [len(swings(hand[start:end, axis], 0.09)) for axis in (0, 2)]
            over = np.median(hand[start:end, 1]) > 0.25
            aside, ahead = np.ptp(hand[start:end, 0]), np.ptp(hand[start:end, 2])
            if (swung[0] >= 5 and aside > 0.8 * ahead) or (over and swung[1] >= 5):
                return True
    return _waves_from_afar(m, side)


def _waves_from_afar(m: Kinematics, side: int) -> bool:
    """The whole arm, to and fro between aside and overhead, maybe from the thigh, the feet at rest."""
    hand = m.hand(side)
    up = [hand[start:end] for start, end in runs(hand[:, 1] > -0.4)]
    changes = sum(max(0, len(swings(own[:, 0], 0.3)) - 1) for own in up if np.median(own[:, 1]) > 0.1)
    apart = np.linalg.norm(m.local(ANKLES[0], ANKLES[1])[:, [0, 2]], axis=1) / m.scale
    return bool(changes >= 4 and changes > m.seconds / 2 and np.ptp(apart) < 0.15 and not jumps_of(m))


def _raise_arms(m: Kinematics, want: Expected) -> list[Finding]:
    up = [longest(m.hand(k)[:, 1] > 0.55) >= 0.25 for k in (0, 1)]
    rose = any(np.ptp(m.hand(k)[:, 1]) > 0.6 for k in (0, 1))
    return [*sided(want, (up[0], up[1]), "hand is overhead"), (rose, "the arms do not rise")]


def _is_out(m: Kinematics, side: int) -> bool:
    hand = m.hand(side)
    return longest((hand[:, 0] > 0.7) & (np.abs(hand[:, 1]) < 0.45)) >= 0.4


def _clap(m: Kinematics, want: Expected) -> list[Finding]:
    front = (m.hand(0)[:, 1] > -0.75) & (m.hand(1)[:, 1] > -0.75)
    apart = np.where(front, m.hands_apart, 0.6)
    near = float(apart.min())
    turns = swings(apart, 0.08)
    claps = [k for k in turns if apart[k] < 0.3 and apart[k] < near + 0.12]
    span = slice(claps[0], claps[-1] + 1) if claps else slice(0, 1)
    uneven = np.abs(m.hand(0)[span, 2] - m.hand(1)[span, 2])
    high = float(np.median(0.5 * (m.hand(0) + m.hand(1))[claps, 1])) if claps else 0.0
    return [
        (near < 0.28, f"the hands stay {near:.2f} m apart"),
        (len(claps) >= 2 or want.get("count") == 1, f"{len(claps)} claps"),
        (not len(claps) > 1 or np.diff(claps).min() < 1.2 * FPS, "the hands meet too seldom"),
        (not m.running, "runs"),
        (uneven.max() < 0.4, "one hand moves away from the other"),
        (high > -0.55, "the hands meet below the waist"),
        (m.hands_apart[span].max() < 0.9, "the arms swing wide"),
        (not jumps_of(m), "jumps"),
        right_count(len(claps), want, "claps"),
    ]


def _punches(m: Kinematics, side: int) -> int:
    """Times a bent arm is thrust out level and fast, ahead or, of a fighter who stands side on, aside."""
    hand = m.hand(side)
    reach_all = np.hypot(hand[:, 0], hand[:, 2])
    reach = np.where(hand[:, 1] > -0.45, reach_all, 0.0)
    count = 0
    for k in rises(reach, 0.68, 0.58):
        past = slice(max(0, k - 8), k + 2)
        start = past.start + int(np.argmin(m.bend(side)[past]))
        aside = hand[k, 0] > 0.8 * reach_all[k]
        fast = m.hand_speed(side)[past].max() >= (2.2 if aside else 1.2) * m.scale
        gain = reach_all[k] - reach_all[max(0, k - 3)], hand[k, 1] - hand[max(0, k - 3), 1]
        level = abs(hand[k, 1]) < 0.45 and gain[0] > 1.2 * abs(gain[1])
        cocked = hand[start, 1] > 0.2 and hand[start, 2] < 0.05
        count += bool(fast and level and not cocked and m.bend(side)[start] < 0.7)
    return count


def _punch(m: Kinematics, want: Expected) -> list[Finding]:
    punches = [_punches(m, k) for k in (0, 1)]
    return [
        (sum(punches) > 0, "no fist is thrust out"),
        *sided(want, (punches[0] > 0, punches[1] > 0), "fist punches"),
        right_count(sum(punches), want, "punches"),
        (not m.running, "runs"),
        (not any(_throws(m, k) for k in (0, 1) if punches[k] == 1), "throws"),
        (not any(_waves(m, k) for k in (0, 1) if punches[k]), "waves"),
    ]


def _throws(m: Kinematics, side: int) -> bool:
    """A bent arm over the shoulder, then stretched ahead near the shoulder's height, fast, then let down."""
    hand, speed, bend = m.hand(side), m.hand_speed(side), m.bend(side)
    for start in np.flatnonzero((hand[:, 1] > 0.2) & (bend < 0.8)):
        later = hand[start : start + 24]
        release = int(np.argmax(np.where(later[:, 1] > -0.45, later[:, 2], -2.0)))
        reach = later[release, 2]
        fast = speed[start : start + 24].max() > 1.4 * m.scale
        straight = bend[start + release] > 0.7
        let_down = hand[start + release : start + 40, 1].min() < hand[start, 1] - 0.3
        if fast and straight and let_down and reach > 0.55 and reach - hand[start, 2] > 0.2:
            return True
    return False


def _throw(m: Kinematics, want: Expected) -> list[Finding]:
    return [
        *sided(want, (_throws(m, 0), _throws(m, 1)), "hand throws"),
        (not jumps_of(m), "jumps"),
        (not m.running, "runs"),
    ]


def _at_head(m: Kinematics, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wrist near the head (T,), outward of it and ahead of it (T,), metres."""
    face = 0.5 * (m.joints[:, NECK] + m.joints[:, HEAD])
    away = m.joints[:, WRISTS[side]] - face
    left, ahead = m.frame
    outward = (away * left).sum(1) * (1 if side == LEFT else -1) / m.scale
    near = (np.linalg.norm(away, axis=1) / m.scale < 0.28) & (m.hand(side)[:, 1] > 0.04)
    return near, outward, (away * ahead).sum(1) / m.scale


def _is_at_mouth(m: Kinematics, side: int) -> bool:
    near, outward, ahead = _at_head(m, side)
    return longest(near & (outward < 0.15) & (ahead > 0.02)) >= 0.4


def _is_at_ear(m: Kinematics, side: int) -> bool:
    near, outward, _ = _at_head(m, side)
    return longest(near & (outward > 0.1)) >= 0.7


def _bow(m: Kinematics, want: Expected) -> list[Finding]:
    deepest = int(np.argmax(m.pitch))
    bent = float(m.pitch[deepest] - min(np.median(m.pitch[:4]), 20.0))
    return [
        (bent >= 25, f"bends {bent:.0f} degrees"),
        (m.pitch[deepest] - m.pitch[-3:].min() >= 0.5 * bent, "does not straighten up"),
        (m.drop[deepest] < 0.22 and m.drop[-3:].min() < 0.15, f"goes down {m.drop[deepest]:.2f} m"),
        (min(m.height(k).min() for k in WRISTS) > 0.3, "reaches for the floor"),
        (not jumps_of(m), "jumps"),
        stays(m),
    ]


def _quiet_hands(m: Kinematics) -> bool:
    return all(np.percentile(m.hand_speed(k), 90) < 1.0 for k in (0, 1))


def _still_trunk(m: Kinematics) -> Finding:
    still = np.ptp(m.pitch) < 14 and np.ptp(m.roll) < 9 and np.ptp(m.drop) < 0.12
    return still and np.ptp(m.place, axis=0).max() < 0.12 and _quiet_hands(m), "the whole body moves"


def _cycles(values: np.ndarray, least: float, slow: float) -> int:
    """To-and-fro movements, quicker than 1.3 seconds each, at least ``least`` wide and half the widest."""
    middle = values - smoothed(values, slow)
    size = float(np.ptp(middle))
    turns = swings(middle, 0.6 * size) if size >= least else []
    quick = len(turns) > 1 and np.diff(turns).mean() < 0.65 * FPS
    return round(len(turns) / 2) if quick else 0


def _nod(m: Kinematics, want: Expected) -> list[Finding]:
    count, aside = _cycles(m.head[:, 2], 0.25, slow=8.0), np.ptp(m.head[:, 0])
    return [
        (count >= min(2, want.get("count", 2)), "the head does not go up and down"),
        (np.ptp(m.head[:, 2]) > 1.3 * aside, "the head moves more sideways"),
        _still_trunk(m),
        right_count(count, want, "nods"),
    ]


def _shake_head(m: Kinematics, want: Expected) -> list[Finding]:
    count = _cycles(m.head[:, 0] - np.sin(np.radians(m.roll)), 0.075, slow=5.0)
    return [
        (count >= min(2, want.get("count", 2)), "the head does not turn from side to side"),
        (np.ptp(m.head[:, 0]) > 0.6 * np.ptp(m.head[:, 2]), "the head moves more up and down"),
        _still_trunk(m),
        right_count(count, want, "shakes"),
    ]


def _look_around(m: Kinematics, want: Expected) -> list[Finding]:
    aside = m.gaze - np.median(m.gaze[:4])
    first = 1.0 if aside[np.argmax(np.abs(aside) > 0.5 * np.abs(aside).max())] > 0 else -1.0
    asked = {"left": 1.0, "right": -1.0}.get(want.get("first", ""), first)
    return [
        (np.ptp(aside) >= 0.35, f"the head turns only {np.ptp(aside):.2f}"),
        (aside.max() > 0.08 and aside.min() < -0.08, "the head does not turn to both sides"),
        (first == asked, "looks to the other side first"),
        (_quiet_hands(m), "the hands are busy"),
        stays(m),
    ]


def _stretch(m: Kinematics, want: Expected) -> list[Finding]:
    up = min(longest(m.hand(k)[:, 1] > 0.4) for k in (0, 1))
    lean = max((m.roll - m.roll[0]).tolist(), key=abs)
    findings = [(up >= 0.8, "the arms are not both overhead"), (not jumps_of(m), "jumps")]
    if sign_of(want):
        findings.append((toward(lean, want) >= 6, f"leans {lean:+.0f} degrees to the left"))
    return findings


def _dance(m: Kinematics, want: Expected) -> list[Finding]:
    left = m.local(0, 0)[:, 0] + (m.place - m.place[0]) @ m.frame[0][0][[0, 2]]
    turns = len(swings(left / m.scale, 0.04))
    return [
        (turns >= 4, f"sways {turns} times"),
        stays(m, 1.0 + 0.08 * m.seconds),
    ]


ARMS: dict[str, Check] = {
    "wave": of_a_limb(_waves, "hand waves"),
    "raise arms": _raise_arms,
    "arms out": of_a_limb(_is_out, "arm is held out", "both"),
    "clap": _clap,
    "punch": _punch,
    "throw": _throw,
    "drink": of_a_limb(_is_at_mouth, "hand at the mouth"),
    "phone": of_a_limb(_is_at_ear, "hand at the ear"),
    "bow": _bow,
    "nod": _nod,
    "shake head": _shake_head,
    "look around": _look_around,
    "stretch": _stretch,
    "dance": _dance,
}
