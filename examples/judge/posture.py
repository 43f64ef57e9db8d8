"""Do motions hold themselves as people do? ``python -m examples.judge.posture --data DIR --bundle NAME``.

DIR is a data set in HumanML3D's layout with real clips, as ``lamp prepare`` makes. Windows of 1.5 seconds
(``windows.py``) of made-up motions, of real ones through the bundle's codes (of clips that were not trained
on, where there are such), and of generated ones are laid beside real people's. First table: medians of knees,
lean, bob, arm swing, cadence and the like, and the share of windows inside the middle 95 % of real people's.
Second: how well a small network trained to tell real windows from others does on windows of other clips (AUC:
0.5 is guessing, 1 is never wrong). Knows no training of lamp's networks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.motion.representation import facing_direction
from lamp_cli.motion.skeleton import HUMANML3D

from .two_samples import aucs
from .windows import (
    ACTIONS,
    FPS,
    FRAMES,
    Window,
    decoded_windows,
    generated_windows,
    made_up_windows,
    real_motions,
    real_windows,
)

# The middle 95 % of real people.
MIDDLE = (2.5, 97.5)
# Percentiles of that for fewer windows would be their extremes.
LEAST_WINDOWS = 30
PELVIS, NECK, HEAD = 0, 12, 15
HIPS, KNEES, ANKLES, TOES = (1, 2), (4, 5), (7, 8), (10, 11)
SHOULDERS, ELBOWS, WRISTS = (16, 17), (18, 19), (20, 21)
# Metres a second and metres under which a toe bears the body.
TOE_RESTS, TOE_LOW = 0.5, 0.05
Statistic = Callable[[np.ndarray], float]


def bends(joints: np.ndarray, above: Sequence[int], at: Sequence[int], below: Sequence[int]) -> np.ndarray:
    """Flexion (T, 2) in degrees of a hinge, left and right: 0 is straight."""
    up = joints[:, list(above)] - joints[:, list(at)]
    down = joints[:, list(at)] - joints[:, list(below)]
    cosines = (up * down).sum(-1) / (np.linalg.norm(up, axis=-1) * np.linalg.norm(down, axis=-1))
    return np.degrees(np.arccos(np.clip(cosines, -1, 1)))


def ahead(joints: np.ndarray) -> np.ndarray:
    """Joints about the pelvis's place on the floor, each frame turned to face +z."""
    facing = facing_direction(joints, HUMANML3D)
    x, z = facing[:, 0], facing[:, 2]
    zero, one = np.zeros(len(x)), np.ones(len(x))
    turn = np.stack([z, zero, x, zero, one, zero, -x, zero, z], axis=-1).reshape(-1, 3, 3)
    return (joints - joints[:, :1] * [1.0, 0.0, 1.0]) @ turn


def knees(joints: np.ndarray) -> np.ndarray:
    return bends(joints, HIPS, KNEES, ANKLES)


def bearing(joints: np.ndarray) -> np.ndarray:
    """Whether each foot (T, 2) bears the body: its toe is low and rests."""
    toes = joints[:, list(TOES)]
    speed = np.linalg.norm(np.gradient(toes, axis=0), axis=-1) * FPS
    return (speed < TOE_RESTS) & (toes[..., 1] < toes[..., 1].min() + TOE_LOW)


def spread(values: np.ndarray) -> float:
    """From the 5th to the 95th percentile."""
    return float(np.percentile(values, 95) - np.percentile(values, 5))


def speed(joints: np.ndarray) -> float:
    path = joints[-1, PELVIS] - joints[0, PELVIS]
    return float(np.hypot(path[0], path[2]) * FPS / (len(joints) - 1))


def stance_knee(joints: np.ndarray) -> float:
    bent, bears = knees(joints), bearing(joints)
    return float(np.median(bent[bears] if bears.any() else bent))


def lean(joints: np.ndarray) -> float:
    trunk = ahead(joints)[:, NECK] - [0.0, 1.0, 0.0] * joints[:, [PELVIS]][:, 0]
    return float(np.degrees(np.arctan2(trunk[:, 2], trunk[:, 1])).mean())


def bob(joints: np.ndarray) -> float:
    return 100 * spread(joints[:, PELVIS, 1])


def arm_swing(joints: np.ndarray) -> float:
    placed = ahead(joints)
    swung = (placed[:, list(WRISTS)] - placed[:, list(SHOULDERS)])[..., 2]
    return 100 * float(np.mean([spread(swung[:, side]) for side in (0, 1)]))


def cadence(joints: np.ndarray) -> float:
    """Steps a second: how often one ankle passes the other."""
    placed = ahead(joints)
    between = placed[:, ANKLES[0], 2] - placed[:, ANKLES[1], 2]
    return float((np.diff(np.sign(between)) != 0).sum() * FPS / (len(joints) - 1))


def step_length(joints: np.ndarray) -> float:
    return 100 * speed(joints) / max(cadence(joints), 0.5)


def stance_width(joints: np.ndarray) -> float:
    placed = ahead(joints)
    return 100 * float((placed[:, ANKLES[0], 0] - placed[:, ANKLES[1], 0]).mean())


def sway(joints: np.ndarray, joint: int) -> float:
    """Millimetres of a joint to the sides of its straight path."""
    t = np.linspace(-1, 1, len(joints))
    x = joints[:, joint, 0] - joints[:, joint, 0].mean()
    return 1000 * float((x - t * (t @ x) / (t @ t)).std())


def wander(joints: np.ndarray, joint: int, origin: int | None = None) -> float:
    """Millimetres of a joint about its mean place, of the pelvis's where ``origin`` is that."""
    place = joints[:, joint] - (0.0 if origin is None else joints[:, origin])
    return 1000 * float(np.linalg.norm(place - place.mean(0), axis=1).mean())


def head_turns(joints: np.ndarray) -> float:
    """Degrees by which the head nods and tilts: of the bone from neck to head."""
    placed = ahead(joints)
    bone = placed[:, HEAD] - placed[:, NECK]
    angles = np.degrees(np.arctan2(bone[:, [0, 2]], bone[:, 1:2]))
    return float(angles.std(0).mean())


def trunk_twist(joints: np.ndarray) -> float:
    """Degrees by which shoulders turn against hips."""
    hips, shoulders = (joints[:, a] - joints[:, b] for a, b in (HIPS, SHOULDERS))
    angles = [np.unwrap(np.arctan2(line[:, 2], line[:, 0])) for line in (hips, shoulders)]
    return float(np.degrees(angles[1] - angles[0]).std())


def elbow_out(joints: np.ndarray) -> float:
    """Degrees of the upper arms away from the trunk to the sides, the wider one."""
    placed = ahead(joints)
    arms = placed[:, list(ELBOWS)] - placed[:, list(SHOULDERS)]
    outward = arms[..., 0] * [1, -1]
    return float(np.degrees(np.arctan2(outward, -arms[..., 1])).mean(0).max())


def elbow(joints: np.ndarray) -> float:
    return float(bends(joints, SHOULDERS, ELBOWS, WRISTS).mean())


GAIT: Mapping[str, Statistic] = {
    "speed, m/s": speed,
    "stance knee, deg": stance_knee,
    "swing knee, deg": lambda j: float(np.percentile(knees(j), 95)),
    "lean, deg": lean,
    "pelvis height, cm": lambda j: 100 * float(j[:, PELVIS, 1].mean()),
    "bob, cm": bob,
    "arm swing, cm": arm_swing,
    "elbow, deg": elbow,
    "elbow out, deg": elbow_out,
    "cadence, steps/s": cadence,
    "step length, cm": step_length,
    "stance width, cm": stance_width,
    "pelvis sway, mm": lambda j: sway(j, PELVIS),
    "head turns, deg": head_turns,
    "trunk twist, deg": trunk_twist,
}
STANDING: Mapping[str, Statistic] = {
    "knee, deg": lambda j: float(knees(j).mean()),
    "lean, deg": lean,
    "pelvis height, cm": lambda j: 100 * float(j[:, PELVIS, 1].mean()),
    "stance width, cm": stance_width,
    "elbow, deg": elbow,
    "elbow out, deg": elbow_out,
    "pelvis wander, mm": lambda j: wander(j, PELVIS),
    "head wander, mm": lambda j: wander(j, HEAD),
    "head turns, deg": head_turns,
    "wrists wander, mm": lambda j: float(np.mean([wander(j, w, PELVIS) for w in WRISTS])),
}
IN_PLACE: Mapping[str, Statistic] = {
    "stance knee, deg": stance_knee,
    "deepest knee, deg": lambda j: float(np.percentile(knees(j), 95)),
    "lean, deg": lean,
    "pelvis rises, cm": bob,
    "stance width, cm": stance_width,
    "elbow, deg": elbow,
    "elbow out, deg": elbow_out,
    "head turns, deg": head_turns,
    "head wander, mm": lambda j: wander(j, HEAD, PELVIS),
    "trunk twist, deg": trunk_twist,
}
STATISTICS = {"walk": GAIT, "run": GAIT, "stand": STANDING}


def measured(windows: Sequence[Window], action: str) -> dict[str, np.ndarray]:
    """Every statistic's values (N,) of an action's windows."""
    own = [window.joints for window in windows if window.action == action]
    functions = STATISTICS.get(action, IN_PLACE)
    return {name: np.array([function(joints) for joints in own]) for name, function in functions.items()}


def inside(values: np.ndarray, real: np.ndarray) -> float:
    """The share of values inside the middle 95 % of real ones."""
    low, high = np.percentile(real, MIDDLE)
    return float(((values >= low) & (values <= high)).mean())


def posture_report(real: Sequence[Window], others: Mapping[str, Sequence[Window]]) -> dict[str, dict]:
    """By action and statistic: medians and shares inside of every kind of motion; their mean as ``mean``."""
    report: dict[str, dict] = {}
    for action in ACTIONS:
        people = measured(real, action)
        count = len(next(iter(people.values())))
        if count < LEAST_WINDOWS:
            continue
        rows: dict[str, dict] = {
            name: {"real": [float(x) for x in np.percentile(values, (2.5, 50, 97.5))]}
            for name, values in people.items()
        }
        mean: dict[str, dict] = {}
        for kind, windows in others.items():
            found = measured(windows, action)
            number = len(next(iter(found.values())))
            if not number:
                continue
            shares = {name: inside(found[name], people[name]) for name in people}
            for name in people:
                rows[name][kind] = {"median": float(np.median(found[name])), "inside": shares[name]}
            mean[kind] = {"windows": number, "inside": float(np.mean(list(shares.values())))}
        report[action] = {"windows": count, "statistics": rows, "mean": mean}
    return report


def lines_of(report: Mapping[str, dict]) -> list[str]:
    """The report for people."""
    lines = []
    for action, found in report.items():
        kinds = list(found["mean"])
        lines.append(
            f"{action}, {found['windows']} real windows: median, and percent inside real's middle 95 %"
        )
        heads = "".join(f"{kind:>18s}" for kind in kinds)
        lines.append(f"  {'':20s}{'real 2.5 % .. 50 % .. 97.5 %':>28s}{heads}")
        for name, row in found["statistics"].items():
            low, middle, high = row["real"]
            cells = "".join(f"{row[k]['median']:10.2f} {100 * row[k]['inside']:5.0f} %" for k in kinds)
            lines.append(f"  {name:20s}{low:9.2f} {middle:9.2f} {high:8.2f}{cells}")
        cells = "".join(f"{100 * found['mean'][k]['inside']:16.1f} %" for k in kinds)
        lines.append(f"  {'mean share inside':48s}{cells}")
        lines.append("")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    motions = real_motions(options.data)
    real = real_windows(motions)
    others: dict[str, list[Window]] = {}
    if options.made_up:
        others["made-up"] = made_up_windows(options.made_up, options.seed)
    if options.bundle:
        bundle = load_bundle(options.bundle, torch.device(options.device))
        held_out = [one for one in motions if one.split != "train"] or motions
        others["decoded"] = decoded_windows(bundle, held_out)
        if options.samples:
            others["generated"] = generated_windows(bundle, options.samples, options.seed)
    report = posture_report(real, others)
    print("\n".join(lines_of(report)))
    told = {kind: aucs(real, windows, options.seed) for kind, windows in others.items()}
    for kind, found in told.items():
        print(f"AUC, {kind} against real: " + "  ".join(f"{name} {auc:.2f}" for name, auc in found.items()))
    if options.json:
        record = {"frames": FRAMES, "posture": report, "auc": told}
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data set folder with real clips")
    parser.add_argument("--bundle", help="folder, hub name, or lamp-mini; none: made-up motions alone")
    parser.add_argument("--made-up", type=int, default=60, help="made-up motions of every action")
    parser.add_argument("--samples", type=int, default=6, help="generated motions of every prompt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="also write everything here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
