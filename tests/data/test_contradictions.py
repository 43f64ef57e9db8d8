"""Sentences that are false of what the true ones are true of."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.data.batches import PairSampler
from lamp_cli.data.contradictions import contradiction
from lamp_cli.data.layout import Clip
from lamp_cli.data.statistics import Statistics


def _ways(sentence: str) -> set[str | None]:
    return {contradiction(sentence, np.random.default_rng(seed)) for seed in range(20)}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("a person waves with the left hand", {"a person waves with the right hand"}),
        ("The man turns clockwise.", {"The man turns counterclockwise."}),
        ("a person walks forward, then bows", {"a person bows, then walks forward"}),
        ("someone squats and then jumps twice.", {"someone jumps twice and then squats."}),
        ("Sitting down then standing up", {"Standing up then sitting down"}),
        (
            "he kicks with the left leg then sits down",
            {"he kicks with the right leg then sits down", "he sits down then kicks with the left leg"},
        ),
    ],
)
def test_another_side_or_another_order_is_false(sentence: str, expected: set[str]) -> None:
    assert _ways(sentence) == expected


@pytest.mark.parametrize(
    "sentence",
    [
        "a person walks forward",
        # As true the other way round.
        "a person looks left and right",
        "a person jumps then jumps",
        # Exchanged, these would be no sentences, and known by that.
        "a person is waving and then bowing",
        "a person punches with one hand, then the other",
        "a person walks, then he bows",
        "a person walks, then turns, then sits",
    ],
)
def test_where_nothing_is_surely_false_there_is_none(sentence: str) -> None:
    assert _ways(sentence) == {None}


def test_a_batch_brings_contradictions_of_its_own_sentences_when_asked() -> None:
    texts = ("a person waves with the left hand", "a person walks", "a person bows then sits")
    clips = [Clip(str(n), np.ones((40, 4), np.float32), (text,)) for n, text in enumerate(texts)]
    statistics = Statistics(np.zeros(4, np.float32), np.ones(4, np.float32))
    expected = dict(
        zip(texts, ("a person waves with the right hand", None, "a person sits then bows"), strict=True)
    )
    batch = PairSampler(clips, statistics, 4, contradictions=True).batch(0, 0, 3)
    assert batch.contradictions == tuple(expected[text] for text in batch.texts)
    assert batch.share(1, 3).contradictions == batch.contradictions[1:2]
    plain = PairSampler(clips, statistics, 4).batch(0, 0, 3)
    assert plain.contradictions == ()
    # Nothing else is drawn otherwise for them.
    assert plain.texts == batch.texts
    assert np.array_equal(plain.features, batch.features)
