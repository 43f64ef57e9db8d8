"""Motions of several parts: how they go over from part to part, and whether each part says its sentence.

Source: FlowMDM (Barquero et al., CVPR 2024, section 4): windows of 3 seconds around every transition, their
jerk and their FID against windows cut out of true motions at random, and R-precision of the parts. Knows no
file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ..data.captions import Caption
from ..data.evaluation_set import LONGEST_CLIP
from ..metrics.distribution import EmbeddingSet, frechet_inception_distance
from ..metrics.matching import POOL, TOPS
from ..metrics.measurement import GROUND_TRUTH, FigureNotAllowed
from ..metrics.sequences import (
    AREA_UNDER_JERK,
    PEAK_JERK,
    TRANSITION_SECONDS,
    area_under_jerk,
    jerk_curve,
    peak_jerk,
)
from ..motion.clip_length import FRAMES_PER_TOKEN
from ..motion.motion import Motion
from .embedded import embedded, evaluator_protocol, r_precision_of
from .evaluators import Evaluator
from .figures import (
    PART_R_PRECISION,
    SEQUENCES,
    TRANSITION_FID,
    Figure,
    MotionOrigin,
    Repeated,
    Report,
    ScoreOptions,
)
from .matching_figures import FEWEST_CLIPS

AROUND_SEAMS = f"windows of {TRANSITION_SECONDS:g} s around transitions"
PARTS = "parts alone"


def score_sequences(
    motions: Sequence[Motion],
    truths: Sequence[Motion],
    evaluators: Sequence[Evaluator],
    options: ScoreOptions,
    origin: MotionOrigin,
    report: Report,
) -> None:
    """Figures of the parts of ``motions``, those of ``truths`` beside them where there are any.

    Windows of true motions are drawn as often as ``options.repetitions``; so are the pools of R-precision.
    """
    several = [motion for motion in motions if len(motion.parts) > 1]
    if not several:
        report.refuse("sequences", "no motion has parts, as those of `lamp generate --then`")
        return
    values, stream = Repeated(), options.stream(SEQUENCES)
    windows = [window for motion in several for window in seam_windows(motion)]
    seams = sum(len(motion.parts) - 1 for motion in several)
    if len(windows) < seams:
        report.note(
            f"transitions nearer than {TRANSITION_SECONDS / 2:g} s to an end: "
            f"{seams - len(windows)}, left out"
        )
    drawn = [true_windows(truths, len(windows), each) for each in stream.spawn(options.repetitions)]
    with report.refusing():
        _jerk(windows, truths, drawn, values, origin)
    for evaluator in evaluators:
        with report.refusing():
            _transition_fid(evaluator, windows, drawn, values, origin)
        with report.refusing():
            _parts(evaluator, several, stream, options, values, origin)
    report.measurements += values.measurements(options.seed)


def seam_windows(motion: Motion) -> list[Motion]:
    """What lies 1.5 seconds before and after the beginning of every part but the first, where it is there."""
    half = _half(motion.fps)
    starts = [part.start for part in motion.parts[1:]]
    return [motion[start - half : start + half] for start in starts if half <= start <= len(motion) - half]


def true_windows(truths: Sequence[Motion], count: int, rng: np.random.Generator) -> list[Motion]:
    """``count`` windows of the same length, cut out of true motions at random; none where none is as long."""
    long = [motion for motion in truths if len(motion) >= 2 * _half(motion.fps)]
    found = []
    for number in rng.integers(len(long), size=count) if long else ():
        # Features of a part of a clip have one frame more than those of its joints: all are of joints.
        motion = replace(long[int(number)], features=None)
        size = 2 * _half(motion.fps)
        start = int(rng.integers(len(motion) - size + 1))
        found.append(motion[start : start + size])
    return found


def _half(fps: float) -> int:
    return round(TRANSITION_SECONDS * fps / 2.0)


def _jerk(
    windows: Sequence[Motion],
    truths: Sequence[Motion],
    drawn: Sequence[Sequence[Motion]],
    values: Repeated,
    origin: MotionOrigin,
) -> None:
    if not windows:
        raise FigureNotAllowed(PEAK_JERK, f"no transition has {TRANSITION_SECONDS / 2:g} s on both sides")
    rates = {motion.fps for motion in (*windows, *truths)}
    if len(rates) > 1:
        found = ", ".join(f"{rate:g}" for rate in sorted(rates))
        raise FigureNotAllowed(PEAK_JERK, f"needs motions of one rate, found {found} frames per second")
    [fps] = rates
    curves = _curves(windows)
    values.add(_figure(PEAK_JERK, len(windows), origin.subject, origin), peak_jerk(curves))
    true = _curves(motion for motion in truths if len(motion) > 3)
    if not true:
        raise FigureNotAllowed(
            AREA_UNDER_JERK, "needs real motions: a ground_truth or --data DIR --split NAME"
        )
    level = float(np.concatenate(true).mean())
    figure = _figure(AREA_UNDER_JERK, len(windows), origin.subject, origin)
    values.add(figure, area_under_jerk(curves, level, fps))
    for each in drawn:
        if each:
            true_curves = _curves(each)
            values.add(_figure(PEAK_JERK, len(each), GROUND_TRUTH, origin), peak_jerk(true_curves))
            figure = _figure(AREA_UNDER_JERK, len(each), GROUND_TRUTH, origin)
            values.add(figure, area_under_jerk(true_curves, level, fps))


def _curves(motions: Iterable[Motion]) -> list[np.ndarray]:
    return [jerk_curve(motion.joints, motion.fps) for motion in motions]


def _transition_fid(
    evaluator: Evaluator,
    windows: Sequence[Motion],
    drawn: Sequence[Sequence[Motion]],
    values: Repeated,
    origin: MotionOrigin,
) -> None:
    if not all(drawn):
        raise FigureNotAllowed(
            TRANSITION_FID, "needs real motions: a ground_truth or --data DIR --split NAME"
        )
    fewest = min(map(len, (windows, *drawn)))
    if fewest < FEWEST_CLIPS:
        raise FigureNotAllowed(TRANSITION_FID, f"needs at least {FEWEST_CLIPS} transitions, found {fewest}")
    made = EmbeddingSet(_embeddings(evaluator, windows))
    real = [EmbeddingSet(_embeddings(evaluator, each)) for each in drawn]
    how = evaluator_protocol(origin.labelled(AROUND_SEAMS), evaluator)
    if len(made) <= made.size:
        how += f", biased upward: {len(made)} windows, {made.size} dimensions"
    for number, rows in enumerate(real):
        figure = Figure(TRANSITION_FID, how, evaluator.name, len(made), origin.subject)
        values.add(figure, frechet_inception_distance(made, rows))
        # Two draws of true windows against each other.
        truth = Figure(TRANSITION_FID, how, evaluator.name, len(made), GROUND_TRUTH)
        if len(real) > 1:
            values.add(truth, frechet_inception_distance(real[number - 1], rows))


def _embeddings(evaluator: Evaluator, motions: Sequence[Motion]) -> np.ndarray:
    return evaluator.motion_embeddings([motion.to_features() for motion in motions])


def _parts(
    evaluator: Evaluator,
    motions: Sequence[Motion],
    stream: np.random.Generator,
    options: ScoreOptions,
    values: Repeated,
    origin: MotionOrigin,
) -> None:
    """R-precision of the parts, each with its own sentence, cut to what evaluators read."""
    parts = [(part.text, motion[part.start : part.end]) for motion in motions for part in motion.parts]
    parts = [(text, motion) for text, motion in parts if len(motion) > FRAMES_PER_TOKEN]
    if len(parts) < POOL:
        raise FigureNotAllowed(PART_R_PRECISION[1], f"needs pools of {POOL} parts, found {len(parts)}")
    pairs = embedded(
        evaluator,
        [Caption(text) for text, _ in parts],
        [motion.to_features()[:LONGEST_CLIP] for _, motion in parts],
    )
    how = evaluator_protocol(origin.labelled(PARTS), evaluator, matched=True)
    for rng in stream.spawn(options.repetitions if len(parts) > POOL else 1):
        found = r_precision_of(pairs, rng)
        for k in TOPS:
            values.add(Figure(PART_R_PRECISION[k], how, evaluator.name, POOL, origin.subject), found[k])


def _figure(metric: str, pool: int, subject: str, origin: MotionOrigin) -> Figure:
    return Figure(metric, origin.labelled(AROUND_SEAMS), None, pool, subject)
