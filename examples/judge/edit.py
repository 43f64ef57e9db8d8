"""Is a span drawn anew as it should be? ``python -m examples.judge.edit --motions CLIPS.npz``.

Redraws two seconds in the middle of made-up clips that no training has seen, and of the motions of folders or
archives (of one under 5 s the middle two fifths), under a sentence and without one; then whole motions, of
which a pose a second is kept. Prints for each way:

- the greatest change outside the span, and the error at the poses that were kept;
- of the seams (or of the kept poses): the jump in place, which is how far the joint that jumps most goes in
  one frame beyond the mean of the frames before and after it, in cm at 20 frames per second; the step in
  speed from one frame to the next; in which share of them the jump is under 2 cm, the acceleration under 1.5
  times the 95th percentile of the motion's own, and both (``lamp_cli.motion.seam_bounds``); how many are out
  of these bounds, and of these where the motion itself was no better;
- peak jerk and the area under the jerk over 30 frames around each seam (after Barquero et al. 2024, FlowMDM),
  the feet's slip in the span, near the floor that the motion itself stands on;
- FID of the three seconds around the seams, of LaMP's embeddings: half of the motions against the other half
  as they were, and the other way round;
- the share of sentences that the checker finds done in the span, of all and of each (who must be where the
  motion goes on cannot walk or turn elsewhere), and of spans without a sentence how far the
  joints are from what was there, in the room and about the root's place.

What is said "as it was" is of the same frames of the motions before.

The ways: ``known``, the generator is told what comes before and after; ``before``, what comes before alone,
and the end is blended into what comes after; ``line``, no generator: the poses on both sides turned into
each other. A bundle whose generator cannot be told what comes after has no ``known``. ``--context`` tries
other numbers of tokens.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.checking.checks import does
from lamp_cli.files.load import load_motions
from lamp_cli.inference.edit import EditOptions, edit
from lamp_cli.inference.embed import embed_motions
from lamp_cli.inference.index.library import motion_files
from lamp_cli.metrics.distribution import frechet_inception_distance
from lamp_cli.metrics.edits import KEYFRAME_ERROR, LARGEST_DEVIATION, deviation_outside, keyframe_errors
from lamp_cli.metrics.physics import foot_skate
from lamp_cli.metrics.sequences import AREA_UNDER_JERK, PEAK_JERK, area_under_jerk, jerk_curve, peak_jerk
from lamp_cli.motion.foot_swings import height_of_floor
from lamp_cli.motion.gap import DrawnFrames, Gap, fill_gap
from lamp_cli.motion.motion import Motion, MotionPart
from lamp_cli.motion.seam_bounds import SeamBounds, seam_figures
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample
from lamp_cli.scoring.sequence_figures import seam_windows
from lamp_cli.synthetic.corpus import numbered_clip

# That of no training.
SEED = 20_260_000
SECONDS, WINDOW = 2.0, 30
# Of a motion that is not long enough, this share is the span; the shortest motions are left out.
SHARE, SHORTEST = 0.4, 2.0
# Seconds from one kept pose to the next, and of a motion that is drawn around them at most.
KEPT_EVERY, LONGEST_DRAWN = 1.0, 9.0
FEWEST_WINDOWS = 10
AS_IT_WAS = " as it was"
OUT, NO_BETTER = "seams out of bounds", "of these where the motion itself was no better"
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


def made_up(how_many: int, seconds: float) -> list[Motion]:
    """The first clips that have a second and a half on each side of the span."""
    joints = (numbered_clip(SEED, number).joints.astype(np.float32) for number in count())
    motions = (Motion(each, HUMANML3D, HUMANML3D.fps) for each in joints)
    return list(islice((each for each in motions if each.seconds >= seconds + 3.0), how_many))


def real(path: Path, most: int) -> list[Motion]:
    """Motions of 22 joints that are not too short; of long ones the first 20 s."""
    motions = (motion for file in motion_files(path) for motion in load_motions(file))
    found = (motion[: round(20 * motion.fps)] for motion in motions if motion.skeleton is HUMANML3D)
    return list(islice((each for each in found if each.seconds >= SHORTEST), most))


def middle(motion: Motion, seconds: float) -> Gap:
    frames = round(min(seconds, SHARE * motion.seconds) * motion.fps)
    start = (len(motion) - frames) // 2
    return Gap(start, start + frames, frames)


def by_line(motion: Motion, gap: Gap) -> np.ndarray:
    """The poses on both sides, and those that are kept, turned into each other."""
    first = max(gap.start - 1, 0)
    pose = motion.joints[first : first + 1]
    count = round(gap.frames / motion.fps * HUMANML3D.fps)
    still = np.repeat(pose, count + 2, axis=0)
    return fill_gap(motion.joints, DrawnFrames(still, 1, count), gap, HUMANML3D, motion.fps)


def by_generator(bundle: Bundle, options: EditOptions, motion: Motion, gap: Gap) -> np.ndarray:
    return next(edit(bundle, motion, gap, "", options)).joints


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
    """Of each motion its middle; under a sentence only where the span is long enough for one."""
    for number, motion in enumerate(motions):
        text, expected = ASKED[number % len(ASKED)] if with_text else ("", None)
        gap = middle(motion, seconds)
        if not with_text or gap.frames >= round(seconds * motion.fps):
            yield Edited(motion, gap, next(edit(bundle, motion, gap, text, options)).joints, expected)


def around_keyframes(
    motions: Sequence[Motion], draw: Callable[[Motion, Gap], np.ndarray]
) -> Iterator[Edited]:
    """Of each motion a pose a second is kept, and the rest is drawn."""
    for motion in motions:
        cut = motion[: round(LONGEST_DRAWN * motion.fps)]
        kept = tuple(range(0, len(cut), round(KEPT_EVERY * cut.fps)))
        gap = Gap(0, len(cut), len(cut), kept)
        yield Edited(cut, gap, draw(cut, gap))


def curves_at_seams(joints: np.ndarray, gap: Gap, fps: float) -> list[np.ndarray]:
    """The jerk over the 30 frames, at 20 a second, around each seam that is far enough from the ends."""
    curve, half = jerk_curve(resample(joints, fps, HUMANML3D.fps), HUMANML3D.fps), WINDOW // 2
    centres = (round(seam / fps * HUMANML3D.fps) - 1 for seam in seams_of(gap))
    return [curve[c - half : c + half] for c in centres if half <= c <= len(curve) - half]


def seams_of(gap: Gap) -> list[int]:
    """The first frames after what is drawn and what is kept; of a kept pose its own frame and the next."""
    if gap.kept:
        return [frame for kept in gap.kept[1:-1] for frame in (kept, kept + 1)]
    return [gap.start, gap.stop]


def jerk_figures(found: Sequence[Edited]) -> dict[str, float]:
    """Peak jerk and area under the jerk of the mean curve at the seams, and of the motions as they were."""
    slow = [resample(each.motion.joints, each.fps, HUMANML3D.fps) for each in found]
    usual = float(np.mean(np.concatenate([jerk_curve(joints, HUMANML3D.fps) for joints in slow])))
    figures = {}
    for name in ("", AS_IT_WAS):
        curves = [
            curve
            for each in found
            for curve in curves_at_seams(each.motion.joints if name else each.joints, each.gap, each.fps)
        ]
        figures[f"{PEAK_JERK}{name}"] = peak_jerk(curves)
        figures[f"{AREA_UNDER_JERK}{name}"] = area_under_jerk(curves, usual, HUMANML3D.fps)
    return figures


def transition_figures(bundle: Bundle, found: Sequence[Edited]) -> dict[str, float]:
    """FID of the windows around seams, half of the motions against the other half as they were.

    None of kept poses, which are everywhere, nor of a few windows.
    """
    if any(one.gap.kept for one in found):
        return {}
    halves = [[embedded_windows(bundle, found[half::2], made) for made in (True, False)] for half in (0, 1)]
    if min(len(rows) for both in halves for rows in both) < FEWEST_WINDOWS:
        return {}
    (made, true), (other_made, other_true) = halves
    fid = [frechet_inception_distance(*pair) for pair in ((made, other_true), (other_made, true))]
    floor = frechet_inception_distance(true, other_true)
    return {"FID of transitions": float(np.mean(fid)), f"FID of transitions{AS_IT_WAS}": floor}


def embedded_windows(bundle: Bundle, found: Sequence[Edited], made: bool) -> np.ndarray:
    """LaMP's embeddings (N, E) of the windows around seams, of the edits or of the motions as they were."""
    features = []
    for one in found:
        bounds = [0, *seams_of(one.gap), len(one.joints)]
        parts = tuple(MotionPart("", begin, end) for begin, end in pairwise(bounds))
        motion = replace(
            one.motion, joints=one.joints if made else one.motion.joints, parts=parts, features=None
        )
        features += [window.to_features() for window in seam_windows(motion)]
    return np.asarray(embed_motions(bundle, features).mean(1)) if features else np.empty((0, 1))


def figures(found: Sequence[Edited]) -> dict[str, float]:
    """Means over the edits; of the deviation outside and at kept poses the greatest, of seams how many."""
    table: dict[str, list[float]] = {}
    for each in found:
        for name, value in figures_of(each).items():
            table.setdefault(name, []).append(value)
    means = {name: float(np.mean(values)) for name, values in table.items()}
    greatest = {name: max(table[name]) for name in (LARGEST_DEVIATION, KEYFRAME_ERROR) if name in table}
    totals = {name: float(np.sum(table[name])) for name in (OUT, NO_BETTER)}
    return means | greatest | totals | jerk_figures(found)


def figures_of(one: Edited) -> dict[str, float]:
    gap, fps, own = one.gap, one.fps, one.motion.joints
    if gap.kept:
        kept = list(gap.kept)
        result = {KEYFRAME_ERROR: keyframe_errors(one.joints[kept], own[kept])[KEYFRAME_ERROR]}
    else:
        result = {
            LARGEST_DEVIATION: deviation_outside(one.joints, own, gap.start, gap.stop)[LARGEST_DEVIATION]
        }
    result |= out_of_bounds(one)
    floor = height_of_floor(own, one.motion.skeleton)
    for name, joints in (("", one.joints), (AS_IT_WAS, own)):
        result |= {f"{key}{name}": value for key, value in figures_at_seams(joints, own, gap, fps).items()}
        slip = foot_skate(joints[gap.start : gap.stop], fps, floor)
        result |= {} if slip is None else {f"slip (cm){name}": slip}
    if one.expected is not None:
        span = resample(one.joints[gap.start : gap.stop], fps, HUMANML3D.fps)
        done = float(does(span, one.expected).ok)
        return result | {"done": done, f"done: {one.expected['action']}": done}
    drawn = [frame for frame in range(gap.start, gap.stop) if frame not in gap.kept]
    here, there = one.joints[drawn], own[drawn]
    about = np.array([1.0, 0.0, 1.0])
    poses = here - here[:, :1] * about, there - there[:, :1] * about
    result["from what was there (m)"] = float(np.linalg.norm(here - there, axis=-1).mean())
    return result | {"about the root (m)": float(np.linalg.norm(poses[0] - poses[1], axis=-1).mean())}


def figures_at_seams(joints: np.ndarray, own: np.ndarray, gap: Gap, fps: float) -> dict[str, float]:
    """Of the seams of a motion; what is usual for it, its ``own`` joints tell."""
    bounds = SeamBounds.of(own, fps)
    found = seam_figures(joints, seams_of(gap), bounds, fps)
    return {
        "jump (cm)": float(100 * found.jumps.mean()),
        "step in speed (cm)": float(100 * found.pushes.mean() / HUMANML3D.fps**2),
        "jump under 2 cm": float((found.jumps < bounds.jump).mean()),
        "acceleration under 1.5 p95": float((found.pushes < bounds.push).mean()),
        "both": float(found.within.mean()),
    }


def out_of_bounds(one: Edited) -> dict[str, float]:
    """How many seams are, and of these where the motion itself was no better in the same frames."""
    bounds, seams = SeamBounds.of(one.motion.joints, one.fps), seams_of(one.gap)
    made, own = (seam_figures(j, seams, bounds, one.fps) for j in (one.joints, one.motion.joints))
    jumps_too = (made.jumps < bounds.jump) | (own.jumps >= made.jumps)
    pushed_too = (made.pushes < bounds.push) | (own.pushes >= made.pushes)
    return {OUT: float((~made.within).sum()), NO_BETTER: float((~made.within & jumps_too & pushed_too).sum())}


def ways(bundle: Bundle) -> dict[str, bool]:
    """Name -> whether both sides are told."""
    assert bundle.text_to_motion is not None
    both = {"known": True} if bundle.text_to_motion.generator.config.known_share else {}
    return both | {"before": False}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bundle", default="lamp-mini", help="folder, hub name, or lamp-mini")
    parser.add_argument("--clips", type=int, default=40, help="made-up clips")
    parser.add_argument("--motions", type=Path, nargs="*", default=[], help="folders or archives of motions")
    parser.add_argument("--most", type=int, default=200, help="motions that are taken of each")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the span")
    parser.add_argument("--context", type=int, nargs="*", default=[None], help="tokens; else lamp's own")
    parser.add_argument("--candidates", type=int, default=16)
    options = parser.parse_args(arguments)
    bundle = load_bundle(options.bundle, "cpu")
    sources = {"made up": made_up(options.clips, options.seconds)}
    sources |= {path.stem: real(path, options.most) for path in options.motions}
    for source, motions in sources.items():
        gaps = [middle(motion, options.seconds) for motion in motions]
        lines = [Edited(m, gap, by_line(m, gap)) for m, gap in zip(motions, gaps, strict=True)]
        show(f"{source}, line", bundle, lines)
        show(f"{source}, line, keyframes", bundle, list(around_keyframes(motions, by_line)))
        for context in options.context:
            how = EditOptions(candidates=options.candidates, context_tokens=context)
            for name, both in ways(bundle).items():
                way = f"{source}, {name}" if context is None else f"{source}, {name}, context {context}"
                with told(bundle, both):
                    show(way, bundle, list(edits(bundle, motions, how, options.seconds, False)))
                    found = list(edits(bundle, motions, how, options.seconds, True))
                    show(f"{way}, under a sentence", bundle, found)
                if both or len(ways(bundle)) == 1:
                    drawn = around_keyframes(motions, partial(by_generator, bundle, how))
                    show(f"{way}, keyframes", bundle, list(drawn))


def show(name: str, bundle: Bundle, found: Sequence[Edited]) -> None:
    """Print the figures of edits, where there are any."""
    if not found:
        return
    values = figures(found) | transition_figures(bundle, found)
    print(f"{name}, {len(found)}", *(f"{key} {value:.3g}" for key, value in values.items()), sep="\n    ")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
