"""Is a span drawn anew as it should be? ``python -m examples.judge.edit --motions CLIPS --clips 40``.

Redraws two seconds in the middle of made-up clips that no training has seen, and of the motions of a folder
or archive, under a sentence and without one. Prints for each way the greatest change outside the span, the
step in acceleration at the seams (in cm from frame to frame at 20 frames per second, and over 1.5 times the
motion's own 95th percentile), peak jerk and the area under the jerk over 30 frames around each seam (after
Barquero et al. 2024, FlowMDM) beside the same windows of the motion as it was, the feet's slip in the span,
the share of sentences that the checker finds done in it, and of spans without a sentence how far the joints
are from what was there.

The ways: ``known``, the generator is told what comes before and after; ``before``, what comes before alone,
and the end is blended into what comes after; ``line``, no generator: the poses on both sides turned into
each other. A bundle whose generator cannot be told what comes after has no ``known``. ``--context`` tries
other numbers of tokens.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.checking.checks import does
from lamp_cli.files.load import load_motions
from lamp_cli.inference.edit import EditOptions, edit
from lamp_cli.inference.index.library import motion_files
from lamp_cli.metrics.edits import LARGEST_DEVIATION, deviation_outside
from lamp_cli.metrics.physics import foot_skate
from lamp_cli.metrics.sequences import AREA_UNDER_JERK, PEAK_JERK, area_under_jerk, jerk_curve, peak_jerk
from lamp_cli.motion.gap import DrawnFrames, Gap, fill_gap
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample
from lamp_cli.synthetic.corpus import numbered_clip

# That of no training.
SEED = 20_260_000
SECONDS, WINDOW = 2.0, 30
ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("a person waves with the right hand", {"action": "wave", "side": "right"}),
    ("a person jumps", {"action": "jump"}),
    ("a person raises both arms", {"action": "raise arms", "side": "both"}),
    ("a person kicks with the left leg", {"action": "kick", "side": "left"}),
    ("a person bows", {"action": "bow"}),
    ("a person squats", {"action": "squat"}),
    ("a person walks forward", {"action": "walk"}),
    ("a person turns around to the left", {"action": "turn", "side": "left"}),
)


@dataclass(frozen=True)
class Edited:
    """A motion and what became of it; ``expected`` is what the span's sentence asks for, None without one."""

    motion: Motion
    gap: Gap
    joints: np.ndarray
    expected: dict[str, Any] | None = None

    @property
    def fps(self) -> float:
        return self.motion.fps


def made_up(count: int) -> Iterator[Motion]:
    for number in range(count):
        joints = numbered_clip(SEED, number).joints.astype(np.float32)
        yield Motion(joints, HUMANML3D, HUMANML3D.fps, f"clip {number}")


def long_enough(motions: Iterator[Motion], seconds: float) -> list[Motion]:
    """Those that have a second and a half on each side, of 22 joints; long ones are cut to 20 s."""
    found = (motion[: round(20 * motion.fps)] for motion in motions if motion.skeleton is HUMANML3D)
    return [motion for motion in found if motion.seconds >= seconds + 3.0]


def middle(motion: Motion, seconds: float) -> Gap:
    frames = round(seconds * motion.fps)
    start = (len(motion) - frames) // 2
    return Gap(start, start + frames, frames)


def by_line(motion: Motion, gap: Gap) -> np.ndarray:
    """The poses on both sides turned into each other."""
    pose = resample(motion.joints[gap.start - 1 : gap.start + 1], motion.fps, HUMANML3D.fps)[:1]
    count = round(gap.frames / motion.fps * HUMANML3D.fps)
    still = np.repeat(pose, count + 2, axis=0)
    return fill_gap(motion.joints, DrawnFrames(still, 1, count), gap, HUMANML3D, motion.fps)


@contextmanager
def told(bundle: Bundle, both_sides: bool) -> Iterator[None]:
    """The generator is told what comes before and after, or what comes before alone."""
    assert bundle.text_to_motion is not None
    generator = bundle.text_to_motion.generator
    config = generator.config
    generator.config = config if both_sides else replace(config, known_share=0.0)
    try:
        yield
    finally:
        generator.config = config


def edits(
    bundle: Bundle, motions: Sequence[Motion], options: EditOptions, seconds: float, with_text: bool
) -> Iterator[Edited]:
    for number, motion in enumerate(motions):
        text, expected = ASKED[number % len(ASKED)] if with_text else ("", None)
        gap = middle(motion, seconds)
        yield Edited(motion, gap, next(edit(bundle, motion, gap, text, options)).joints, expected)


def accelerations(joints: np.ndarray, fps: float) -> np.ndarray:
    """Of the joint that is pushed hardest (T-2,), m / s^2."""
    return np.asarray(
        np.linalg.norm(np.diff(joints.astype(np.float64), n=2, axis=0), axis=-1).max(1) * fps**2
    )


def curves_at_seams(joints: np.ndarray, gap: Gap, fps: float) -> list[np.ndarray]:
    """The jerk over the 30 frames, at 20 a second, around each seam that is far enough from the ends."""
    curve, half = jerk_curve(resample(joints, fps, HUMANML3D.fps), HUMANML3D.fps), WINDOW // 2
    centres = (round(seam / fps * HUMANML3D.fps) - 1 for seam in (gap.start, gap.stop))
    return [curve[c - half : c + half] for c in centres if half <= c <= len(curve) - half]


def jerk_figures(found: Sequence[Edited]) -> dict[str, float]:
    """Peak jerk and area under the jerk of the mean curve at the seams, and of the motions as they were."""
    slow = [resample(each.motion.joints, each.fps, HUMANML3D.fps) for each in found]
    usual = float(np.mean(np.concatenate([jerk_curve(joints, HUMANML3D.fps) for joints in slow])))
    figures = {}
    for name in ("", " as it was"):
        curves = [
            curve
            for each in found
            for curve in curves_at_seams(each.motion.joints if name else each.joints, each.gap, each.fps)
        ]
        figures[f"{PEAK_JERK}{name}"] = peak_jerk(curves)
        figures[f"{AREA_UNDER_JERK}{name}"] = area_under_jerk(curves, usual, HUMANML3D.fps)
    return figures


def figures(found: Sequence[Edited]) -> dict[str, float]:
    """Means over the edits; of the deviation outside the greatest."""
    table: dict[str, list[float]] = {}
    for each in found:
        for name, value in figures_of(each).items():
            table.setdefault(name, []).append(value)
    means = {name: float(np.mean(values)) for name, values in table.items()}
    return means | {LARGEST_DEVIATION: max(table[LARGEST_DEVIATION])} | jerk_figures(found)


def figures_of(one: Edited) -> dict[str, float]:
    gap, fps, own = one.gap, one.fps, one.motion.joints
    result = {LARGEST_DEVIATION: deviation_outside(one.joints, own, gap.start, gap.stop)[LARGEST_DEVIATION]}
    limit = 1.5 * np.percentile(accelerations(own, fps), 95)
    for name, joints in (("", one.joints), (" as it was", own)):
        pushes = accelerations(joints, fps)
        seams = np.array([pushes[seam - 2 : seam].max() for seam in (gap.start, gap.stop)])
        result[f"seam{name} (cm)"] = float(100 * seams.mean() / HUMANML3D.fps**2)
        result[f"seams under 1.5 p95{name}"] = float((seams < limit).mean())
        slip = foot_skate(joints[gap.start : gap.stop], fps)
        result |= {} if slip is None else {f"slip{name} (cm)": slip}
    if one.expected is None:
        far = np.linalg.norm(one.joints[gap.start : gap.stop] - own[gap.start : gap.end], axis=-1)
        return result | {"from what was there (m)": float(far.mean())}
    span = resample(one.joints[gap.start : gap.stop], fps, HUMANML3D.fps)
    return result | {"done": float(does(span, one.expected).ok)}


def ways(bundle: Bundle) -> dict[str, bool]:
    """Name -> whether both sides are told."""
    assert bundle.text_to_motion is not None
    both = {"known": True} if bundle.text_to_motion.generator.config.known_share else {}
    return both | {"before": False}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bundle", default="lamp-mini", help="folder, hub name, or lamp-mini")
    parser.add_argument("--clips", type=int, default=40, help="made-up clips; the long ones are taken")
    parser.add_argument("--motions", type=Path, help="folder or archive of real motions")
    parser.add_argument("--most", type=int, default=40, help="real motions that are taken")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the span")
    parser.add_argument("--context", default="4", help="numbers of tokens, with commas between")
    parser.add_argument("--candidates", type=int, default=16)
    options = parser.parse_args(arguments)
    bundle = load_bundle(options.bundle, "cpu")
    sources = {"made up": long_enough(made_up(options.clips), options.seconds)}
    if options.motions is not None:
        real = (motion for file in motion_files(options.motions) for motion in load_motions(file))
        sources["real"] = long_enough(real, options.seconds)[: options.most]
    for source, motions in sources.items():
        lines = [
            Edited(m, middle(m, options.seconds), by_line(m, middle(m, options.seconds))) for m in motions
        ]
        show(f"{source}, {len(motions)} motions, line", figures(lines))
        for context in options.context.split(","):
            how = EditOptions(candidates=options.candidates, context_tokens=int(context))
            for name, both in ways(bundle).items():
                for with_text in (False, True):
                    with told(bundle, both):
                        found = list(edits(bundle, motions, how, options.seconds, with_text))
                    said = "sentence" if with_text else "no sentence"
                    show(f"{source}, {name}, context {context}, {said}", figures(found))


def show(name: str, values: dict[str, float]) -> None:
    print(name, *(f"{key} {value:.3g}" for key, value in values.items()), sep="\n    ", flush=True)


if __name__ == "__main__":
    main()
