from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamp_cli.inference.sequence import sentences_in_a_row


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("A farmer walks to the gate and then waves.", ("A farmer walks to the gate", "A farmer waves")),
        ("After rising from a chair, the lady walks off",
         ("the lady is rising from a chair", "the lady walks off")),
        ("the boxer punches before kicking with the left leg",
         ("the boxer punches", "the boxer is kicking with the left leg")),
        ("he squats, jumps, and finally lifts both arms", 
         ("a person squats", "a person jumps", "a person lifts both arms")),
        ("walk to the chair; once that's done, sit down", ("walk to the chair", "sit down")),
        ("first a bow, followed by some clapping", ("a bow", "some clapping")),
        ("Once he has kicked with his right foot, the man walks on",
         ("the man kicked with his right foot", "the man walks on")),
    ],
)  # fmt: skip
def test_every_action_in_a_row_has_a_sentence_in_its_order(sentence: str, parts: tuple[str, ...]) -> None:
    assert sentences_in_a_row(sentence) == parts


@pytest.mark.parametrize(
    "sentence",
    [
        "a person jumps",
        "someone waves both hands",
        "a man walks forward and",
        "then",
        "a wug glorps, then glorps again",
    ],
)
def test_a_sentence_of_one_known_action_stays_as_it_is(sentence: str) -> None:
    assert sentences_in_a_row(sentence) == (sentence,)


WORDS = "walks jumps he , and then ; . before after once a the first -- it has".split()


@given(st.lists(st.sampled_from(WORDS), max_size=14))
@settings(max_examples=100, deadline=None)
def test_whatever_is_written_every_part_has_words(words: list[str]) -> None:
    parts = sentences_in_a_row(" ".join(words))
    assert len(parts) == 1 or all(part.strip(" ,") for part in parts)
