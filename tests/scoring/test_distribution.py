"""How generated motions lie among true ones: the floor beside, intervals, and what a figure cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from examples.bench.score import LookedUp, numbered_clips, same_motions
from lamp_cli.data.evaluation_set import EvaluationSet
from lamp_cli.metrics.measurement import FLOOR, GENERATED, GROUND_TRUTH, Measurement
from lamp_cli.scoring.embedded import Embedded
from lamp_cli.scoring.figures import (
    DISTRIBUTION,
    FID,
    FIGURES,
    R_PRECISION,
    SIMILARITY,
    MotionOrigin,
    Report,
    ScoreOptions,
    no_progress,
)
from lamp_cli.scoring.generation import score_given, score_loadings
from lamp_cli.scoring.matching_figures import saturated
from lamp_cli.scoring.report import table

MADE = MotionOrigin(GENERATED)


def test_the_floor_stands_beside_every_figure_of_two_sets() -> None:
    report, clips = Report(), 160
    options = ScoreOptions((FID, DISTRIBUTION), repetitions=2)
    score_loadings(
        numbered_clips(clips), [LookedUp(clips, 8)], same_motions, options, MADE, report, no_progress
    )
    floor, made = (
        {m.metric: m for m in report.measurements if m.subject == subject} for subject in (FLOOR, GENERATED)
    )
    assert (
        set(floor) == set(made) == {name for name, kind in FIGURES.items() if kind.metric in options.metrics}
    )
    assert {m.pool for m in floor.values()} == {80} and {m.pool for m in made.values()} == {160}
    # What is generated is what is there; half of it is not the other half.
    assert made["FID"].value < 1e-6 < floor["FID"].value
    assert made["precision (k 3)"].value == made["coverage (k 5)"].value == 1.0
    assert 0.5 < floor["coverage (k 5)"].value < 1.0
    shown = table(report.measurements)
    assert "floor" in shown.head and len(shown.rows) == len(made)
    alone = Report()
    score_loadings(
        numbered_clips(clips),
        [LookedUp(clips, 8)],
        same_motions,
        replace(options, metrics=(DISTRIBUTION,)),
        MADE,
        alone,
        no_progress,
    )
    assert alone.measurements == [m for m in report.measurements if m.metric != "FID"]


def test_what_few_clips_do_not_give_is_refused_before_anything_is_generated() -> None:
    def make(*arguments: object) -> Iterator[np.ndarray]:
        raise AssertionError("a motion was generated")

    report, options = Report(), ScoreOptions((FID, DISTRIBUTION), repetitions=2)
    score_loadings(numbered_clips(27), [LookedUp(27, 4)], make, options, MADE, report, no_progress)
    assert not report.measurements
    fid, distribution = sorted(report.refusals)
    assert fid == "FID: needs at least 32 clips, found 27" and distribution.endswith("found 27")


def test_figures_of_the_distribution_are_those_of_ten_loadings() -> None:
    report, options = Report(), ScoreOptions((FID, DISTRIBUTION), repetitions=12)
    score_loadings(numbered_clips(40), [LookedUp(40, 4)], same_motions, options, MADE, report, no_progress)
    repetitions = {(m.metric, m.subject): m.repetitions for m in report.measurements}
    assert repetitions.pop(("FID", GENERATED)) == repetitions.pop(("FID", GROUND_TRUTH)) == 12
    assert set(repetitions.values()) == {10}


def test_sets_that_are_measured_once_have_intervals_over_halves() -> None:
    report = Report()
    made, real = (Embedded(rows, rows) for rows in np.random.default_rng(0).normal(size=(2, 70, 4)))
    options = ScoreOptions((FID, DISTRIBUTION))
    score_given([LookedUp(1, 4)], [made], [real], None, options, MADE, report)
    measured = {m.metric: m for m in report.measurements if m.subject == GENERATED}
    assert measured["FID of infinite samples"].interval is None
    assert all(m.interval and m.repetitions == 1 for name, m in measured.items() if "infinite" not in name)
    assert "intervals of FID and its kin: over 20 halves of the clips" in report.notes


def test_r_precision_above_the_truths_is_flagged_as_saturated() -> None:
    def figure(k: int, value: float, subject: str, evaluator: str) -> Measurement:
        return Measurement(f"R-precision top {k}", value, None, "guo", evaluator, 32, 20, 0, subject)

    figures = [
        figure(k, value + (subject == GENERATED and (evaluator == "a" and k < 3)) / 10, subject, evaluator)
        for k, value in ((1, 0.5), (2, 0.7), (3, 0.8))
        for subject in (GENERATED, GROUND_TRUTH)
        for evaluator in ("a", "b")
    ]
    assert saturated(figures) == [
        "R-precision top 1, 2 of generated motions is above the truth's: a is saturated (guo) and ranks such "
        "models no longer"
    ]


def test_sentences_that_stand_twice_in_a_pool_are_counted() -> None:
    report = Report()
    clips = numbered_clips(64).clips
    twins = EvaluationSet((*clips[:-1], replace(clips[-1], captions=clips[0].captions)))
    options = ScoreOptions((R_PRECISION,), repetitions=8)
    score_loadings(twins, [LookedUp(64, 8)], same_motions, options, MADE, report, no_progress)
    [said] = report.notes
    found = re.fullmatch(
        r"R-precision: (\d+) of 16 pools of 32 hold a sentence more than once, (.*) such .*", said
    )
    assert (
        found
        and 0 < int(found[1]) <= 8
        and float(found[2]) == pytest.approx(2 * int(found[1]) / 16, abs=0.01)
    )


def test_similarity_is_of_sentences_and_of_true_motions() -> None:
    report = Report()
    options = ScoreOptions((SIMILARITY,), repetitions=2)
    score_loadings(numbered_clips(64), [LookedUp(64, 8)], same_motions, options, MADE, report, no_progress)
    found = {(m.metric, m.subject): m.value for m in report.measurements}
    assert set(found) == {
        ("M2T similarity", GENERATED),
        ("M2T similarity", GROUND_TRUTH),
        ("M2M similarity", GENERATED),
    }
    assert found["M2M similarity", GENERATED] == pytest.approx(1.0)
    assert 0.6 < found["M2T similarity", GENERATED] == found["M2T similarity", GROUND_TRUTH] < 1.0
    given = Report()
    made, real = (Embedded(rows, rows) for rows in np.random.default_rng(0).normal(size=(2, 70, 4)))
    score_given([LookedUp(1, 4)], [made], [real], None, options, MADE, given)
    values = {(m.metric, m.subject): m.value for m in given.measurements}
    assert values["M2T similarity", GENERATED] == 1.0
    assert 0.4 < values["M2M similarity", GENERATED] < 0.6
