"""Captions with times: overlaps, CIDEr-D by tIoU and SODA, against slow obvious versions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lamp_cli.metrics.cider import cider_d_each, cider_d_pairs
from lamp_cli.metrics.dense_captions import Story, TimedCaption, matched_cider, soda, temporal_iou
from lamp_cli.metrics.measurement import FigureNotAllowed
from lamp_cli.metrics.meteor import meteor

WALK = TimedCaption(0.0, 4.0, "a person walks forward slowly")
SIT = TimedCaption(4.0, 10.0, "the person sits down on a chair")
WAVE = TimedCaption(10.0, 12.0, "he waves with the left hand")


def test_overlap_is_shared_time_over_covered_time() -> None:
    assert temporal_iou(WALK, TimedCaption(2.0, 6.0, "x")) == pytest.approx(2 / 6)
    assert temporal_iou(WALK, SIT) == 0.0 and temporal_iou(SIT, SIT) == 1.0
    with pytest.raises(ValueError, match="an end after its start"):
        TimedCaption(3.0, 3.0, "x")


def test_pairs_have_the_values_of_cider_d() -> None:
    words = [moment.text.split() for moment in (WALK, SIT, WAVE)]
    corpus = [[one] for one in words]
    candidates = [["a", "person", "walks"], ["a", "person", "sits", "down"], ["he", "waves"]]
    pairs = list(zip(candidates, words, strict=True))
    assert cider_d_pairs(pairs, corpus) == pytest.approx(cider_d_each(candidates, corpus))
    with pytest.raises(FigureNotAllowed, match="at least 2 clips, found 1"):
        cider_d_pairs(pairs, corpus[:1])


def test_a_story_told_as_it_was_has_the_best_figures_and_one_beside_the_time_none() -> None:
    told = Story((WALK, SIT, WAVE), (WALK, SIT, WAVE))
    assert matched_cider([told], 0.9) == pytest.approx(10.0)
    assert soda([told])[0].f1 == pytest.approx(1.0, abs=0.005)
    late = Story(
        tuple(TimedCaption(m.start + 20, m.end + 20, m.text) for m in told.predicted), told.references
    )
    assert matched_cider([late], 0.3) == 0.0 and soda([late])[0].f1 == 0.0
    # One moment of three: nothing false, two left out.
    [part] = soda([Story((SIT,), told.references)])
    whole = meteor(SIT.text.split(), SIT.text.split())
    assert (part.precision, part.recall) == (pytest.approx(whole), pytest.approx(whole / 3))
    assert part.f1 == pytest.approx(whole / 2)


def test_a_prediction_meets_every_reference_that_it_overlaps_and_else_counts_zero() -> None:
    long = TimedCaption(0.0, 10.0, SIT.text)
    stranger = TimedCaption(30.0, 31.0, SIT.text)
    story = Story((long, stranger), (WALK, SIT, WAVE))
    words = [moment.text.lower().split() for moment in (WALK, SIT, WAVE)]
    pairs = cider_d_pairs([(words[1], words[0]), (words[1], words[1])], [[w] for w in words])
    # tIoU 0.4 and 0.6; the stranger overlaps nothing.
    assert matched_cider([story], 0.3) == pytest.approx((sum(pairs) + 0.0) / 3)
    assert matched_cider([story], 0.5) == pytest.approx((pairs[1] + 0.0) / 2)
    assert matched_cider([story], 0.7) == 0.0


def _slow_soda(story: Story) -> float:
    """The best of all matchings that cross nowhere, tried one by one."""
    best = 0.0
    for size in range(1, min(len(story.predicted), len(story.references)) + 1):
        for rows in itertools.combinations(sorted(story.predicted, key=lambda m: (m.start, m.end)), size):
            for columns in itertools.combinations(story.references, size):
                gains = [
                    temporal_iou(p, r) * meteor(p.text.split(), r.text.split())
                    for p, r in zip(rows, columns, strict=True)
                ]
                best = max(best, sum(gains))
    return best


@pytest.mark.parametrize("seed", range(4))
def test_soda_is_the_best_matching_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [WALK.text, SIT.text, WAVE.text, "a person walks and sits down"]

    def moments(count: int) -> tuple[TimedCaption, ...]:
        starts = np.sort(rng.uniform(0, 10, count))
        return tuple(
            TimedCaption(float(start), float(start + rng.uniform(1, 5)), texts[int(rng.integers(4))])
            for start in starts
        )

    story = Story(moments(4), moments(3))
    [found] = soda([story])
    assert found.precision == pytest.approx(_slow_soda(story) / 4, abs=1e-9)
    assert found.recall == pytest.approx(_slow_soda(story) / 3, abs=1e-9)


def test_nothing_predicted_or_one_reference_is_refused() -> None:
    with pytest.raises(FigureNotAllowed, match="no moment was predicted"):
        soda([Story((), (WALK, SIT))])
    with pytest.raises(FigureNotAllowed, match="at least 2 references, found 1"):
        matched_cider([Story((WALK,), (WALK,))], 0.5)
