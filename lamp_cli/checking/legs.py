"""Checks of jumps, of the whole body over its feet and of single legs."""

from __future__ import annotations

import numpy as np

from .asked import Check, Expected, Finding, jumped, jumps_of, right_count, sided, stays, toward
from .kinematics import ANKLES, FPS, PELVIS, WRISTS, Kinematics, longest, rises


def _jump(m: Kinematics, want: Expected) -> list[Finding]:
    findings = jumped(m, want)
    if want.get("direction") == "up":
        away = float(np.linalg.norm(m.net)) / m.scale
        findings.append((away < 0.4 * max(1, len(jumps_of(m))), f"moves {away:.2f} m away"))
    return findings


def _jump_forward(m: Kinematics, want: Expected) -> list[Finding]:
    left, ahead = m.net / m.scale
    return [
        *jumped(m, want),
        (ahead >= 0.3, f"moves {ahead:+.2f} m ahead"),
        (ahead >= 1.5 * abs(left), f"moves {left:+.2f} m to the left"),
    ]


def _jump_sideways(m: Kinematics, want: Expected) -> list[Finding]:
    left, ahead = m.net / m.scale
    side = toward(left, want)
    return [
        *jumped(m, want),
        (side >= 0.25, f"moves {left:+.2f} m to the left"),
        (side >= 1.5 * abs(ahead), f"moves {ahead:+.2f} m ahead"),
    ]


def _jumping_jacks(m: Kinematics, want: Expected) -> list[Finding]:
    up = np.minimum(m.hand(0)[:, 1], m.hand(1)[:, 1])
    apart = np.abs(m.local(7, 8)[:, 0]) / m.scale
    raised, opened = rises(up, 0.2, -0.2), rises(apart, apart.min() + 0.08, apart.min() + 0.05)
    # Hopped, both feet slide out at once, however little they leave the floor; stepped, one after the other.
    both = np.minimum(m.foot_speed(0), m.foot_speed(1)) > 0.15
    hopped = sum(bool(both[max(0, k - 6) : k + 6].any()) for k in opened)
    return [
        (len(opened) >= 1, "the legs do not open"),
        (hopped >= 1, "does not jump"),
        (len(raised) >= 1, "the arms do not go up"),
        (len(raised) >= 2 or want.get("count") == 1, "once only"),
        right_count(len(raised), want, "jumping jacks"),
    ]


def _squat(m: Kinematics, want: Expected) -> list[Finding]:
    base = float(np.percentile(m.drop, 10))
    low = m.drop - min(base, 0.12)
    deepest = int(np.argmax(low))
    found = rises(low, max(0.2, 0.6 * low.max()), max(0.1, 0.35 * low.max()))
    split = float(np.abs(m.local(7, 8)[deepest, 2])) / m.scale
    return [
        (low.max() >= 0.2, f"pelvis only {low.max():.2f} m lower"),
        (low[:4].min() < 0.6 * low.max(), "is low from the start"),
        (low[-4:].min() < 0.6 * low.max() or _over_feet(m), "does not come up again"),
        (m.pitch[deepest] < 65, f"bends the trunk {m.pitch[deepest]:.0f} degrees"),
        (split < 0.4, "the feet are one before the other"),
        (not jumps_of(m), "jumps"),
        right_count(len(found), want, "squats"),
        stays(m),
    ]


def _over_feet(m: Kinematics) -> bool:
    """Whether the body rests over its feet at the end: who sits has the pelvis behind them."""
    feet = 0.5 * (m.local(ANKLES[0], PELVIS) + m.local(ANKLES[1], PELVIS))[-8:, 2]
    return bool(np.median(feet) < 0.2 * m.scale and np.ptp(m.drop[-8:]) < 0.05)


def _sit_down(m: Kinematics, want: Expected) -> list[Finding]:
    (high, low), (straight, folded) = ((np.median(v[:6]), np.median(v[-8:])) for v in (m.drop, m.thigh))
    return [
        (straight < 40, f"is seated from the start (thighs {straight:.0f} degrees)"),
        (low - high >= 0.09, f"pelvis only {low - high:.2f} m lower at the end"),
        (folded >= 45, f"thighs only {folded:.0f} degrees at the end"),
        (np.ptp(m.drop[-8:]) < 0.2, "does not rest at the end"),
        stays(m, 1.2),
    ]


def _stand_up(m: Kinematics, want: Expected) -> list[Finding]:
    (low, high), (folded, straight) = ((np.median(v[:6]), np.median(v[-5:])) for v in (m.drop, m.thigh))
    return [
        (folded >= 45, f"is not seated at the start (thighs {folded:.0f} degrees)"),
        (low - high >= 0.09, f"pelvis only {low - high:.2f} m higher at the end"),
        (straight < 35, f"is not upright at the end (thighs {straight:.0f} degrees)"),
    ]


def _pick_up(m: Kinematics, want: Expected) -> list[Finding]:
    low = tuple(bool(m.height(WRISTS[k]).min() < 0.42) for k in (0, 1))
    reach = np.minimum(m.height(WRISTS[0]), m.height(WRISTS[1]))
    deepest = int(np.argmin(reach))
    bent = m.pitch[deepest] - min(m.pitch[0], 25)
    return [
        (reach.min() < 0.42, f"no hand gets near the floor ({reach.min():.2f} m)"),
        (bent >= 25, f"trunk leans only {bent:.0f} degrees"),
        (reach[-4:].max() > reach.min() + 0.2, "does not come up again"),
        *sided(want, (low[0], low[1]), "hand at the floor"),
    ]


def _kicks(m: Kinematics, side: int) -> int:
    """Times a foot is flung out: high and away from its hip, or far ahead and faster than any step."""
    reach, lift = m.foot_reach(side), m.foot_lift(side)
    out, straight = np.hypot(reach[:, 0], reach[:, 2]), np.linalg.norm(reach, axis=1)
    fast = np.linalg.norm(np.gradient(reach, axis=0), axis=1) * FPS * m.leg
    before = np.array([fast[max(0, k - 8) : k + 2].max() for k in range(len(m))])
    ahead = np.where(reach[:, 2] > -0.1, 2.0, 0.0)
    stands = np.append(m.foot_speed(1 - side) < 1.2, True) * 2.0
    high = np.min([lift / 0.2, out / 0.35, straight / 0.58, ahead, before / 1.5, stands], axis=0)
    # Farther than the other foot ever goes, else it is a stride of running.
    far = max(0.52, 1.2 * float(np.percentile(m.foot_reach(1 - side)[:, 2], 97)))
    swift = np.min([lift / 0.04, reach[:, 2] / far, before / 4.0], axis=0)
    # The first stride of a run is high and far too.
    return len(rises(swift if m.running else np.maximum(high, swift), 1.0, 0.6))


def _kick(m: Kinematics, want: Expected) -> list[Finding]:
    kicks = [_kicks(m, k) for k in (0, 1)]
    return [
        (sum(kicks) > 0, "no foot is flung out"),
        *sided(want, (kicks[0] > 0, kicks[1] > 0), "leg kicks"),
        right_count(sum(kicks), want, "kicks"),
    ]


def _balance(m: Kinematics, want: Expected) -> list[Finding]:
    standing = []
    for k in (0, 1):
        still = np.linalg.norm(np.gradient(m.foot_reach(1 - k), axis=0), axis=1) * FPS * m.leg < 0.5
        alone = (m.foot_lift(1 - k) > 0.1) & (m.foot_lift(k) < 0.1) & still
        standing.append(longest(alone) >= 0.6)
    return [*sided(want, (standing[0], standing[1]), "leg bears the body alone"), stays(m)]


def _lunge(m: Kinematics, want: Expected) -> list[Finding]:
    split = m.local(7, 8)[:, 2] / m.scale
    low = m.drop > 0.12
    lunges = tuple(longest((sign * split > 0.4) & low) >= 0.3 for sign in (1, -1))
    return [
        *sided(want, (lunges[0], lunges[1]), "leg lunges"),
        (m.drop.max() >= 0.16, "stays high"),
        stays(m, 1.2),
    ]


LEGS: dict[str, Check] = {
    "jump": _jump,
    "jump forward": _jump_forward,
    "jump sideways": _jump_sideways,
    "jumping jacks": _jumping_jacks,
    "squat": _squat,
    "sit down": _sit_down,
    "stand up": _stand_up,
    "pick up": _pick_up,
    "kick": _kick,
    "balance": _balance,
    "lunge": _lunge,
}
