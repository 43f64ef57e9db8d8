from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamp_cli.checking.checks import CHECKS
from lamp_cli.checking.kinematics import Kinematics
from lamp_cli.checking.plainly import plain_sentence
from lamp_cli.checking.request import requests
from lamp_cli.checking.undone import undone
from lamp_cli.language.clauses import clauses_in_order
from lamp_cli.synthetic.corpus import synthetic_clip_of


def _read(sentence: str) -> list[dict[str, Any]]:
    """The likeliest meaning of every action in a row."""
    return [dict(one.meant[0]) if one.meant else {} for one in requests(sentence)]


@pytest.mark.parametrize(
    ("sentence", "meant"),
    [
        ("Our plumber chucks a spanner with the left hand", [{"action": "throw", "side": "left"}]),
        ("knock out eight press-ups", [{"action": "push-ups", "count": 8}]),
        ("a waiter edges over to his right", [{"action": "sidestep", "side": "right"}]),
        ("rotate a quarter turn anticlockwise", [{"action": "turn", "side": "left", "angle": 90}]),
        ("hold your balance, left foot lifted off the floor", [{"action": "balance", "side": "right"}]),
        ("a man raises his arm and waves it", [{"action": "wave"}]),
        ("a nurse crouches down, then comes back up", [{"action": "squat"}]),
        ("squat once", [{"action": "squat", "count": 1}]),
        ("crouch down and stand up, three times", [{"action": "squat", "count": 3}]),
        ("make a ninety-degree turn", [{"action": "turn", "angle": 90}]),
        ("the diver lowers his hips, then gets back up", [{"action": "squat"}]),
        ("he was lying on the rug and clambers to his feet", [{"action": "get up"}]),
        ("she walks to the wall, turns round and walks back", [{"action": "turn around and walk back"}]),
        ("stroll along in no hurry, without looking around", [{"action": "walk", "speed": "slow"}]),
        ("the courier walks briskly", [{"action": "walk", "speed": "fast"}]),
        ("he claps while walking", [{"action": "clap", "while": {"action": "walk"}}]),
    ],
)  # fmt: skip
def test_one_action_is_read_with_its_side_count_and_angle(sentence: str, meant: list[dict[str, Any]]) -> None:
    assert _read(sentence) == meant


@pytest.mark.parametrize(
    ("sentence", "actions"),
    [
        ("sit on the chair after you have clapped twice", ["clap", "sit down"]),
        ("prior to bowing, he waves", ["wave", "bow"]),
        ("before kneeling she claps", ["clap", "kneel"]),
        ("wave as soon as you have sat down", ["sit down", "wave"]),
        ("she jogs over, salutes, and kneels", ["jog", "salute", "kneel"]),
        ("a man lies down and gets up", ["lie down", "get up"]),
        ("he plays the drums and then kneels", ["", "kneel"]),
    ],
)
def test_actions_are_read_in_the_order_they_happen(sentence: str, actions: list[str]) -> None:
    assert [one.get("action", "") for one in _read(sentence)] == actions


@pytest.mark.parametrize("sentence", ["", "a person glorps", "the weather was fine", "a man does not jump"])
def test_where_nothing_is_asked_for_nothing_is_read(sentence: str) -> None:
    assert not _read(sentence)


WORDS = "walks jumps he , and then ; . before after once while without a left twice -- it has".split()


@given(st.lists(st.sampled_from(WORDS), max_size=14))
@settings(max_examples=100, deadline=None)
def test_whatever_is_written_is_read(words: list[str]) -> None:
    sentence = " ".join(words)
    assert all(piece.words for piece in clauses_in_order(sentence))
    for one in requests(sentence):
        assert all(meant["action"] in CHECKS for meant in one.meant)


def test_undone_counts_what_is_missing() -> None:
    rng = np.random.default_rng(1)
    clips = (synthetic_clip_of("kick", rng) for _ in range(50))
    joints = next(c.joints for c in clips if c.truth["side"] == "left" and c.truth["count"] == 1)
    assert undone(joints, "boots a ball with the left foot") == 0
    assert undone(joints, "boots a ball with the right foot") == 1
    assert undone(joints, "boots a ball twice with the right foot") == 2
    assert undone(joints, "claps twice") == 2
    assert undone(joints, "plays the violin") is None


def test_a_pace_that_is_off_counts_for_less_than_one_thing_and_one_asked_for_for_more() -> None:
    rng = np.random.default_rng(2)
    clips = (synthetic_clip_of("walk", rng).joints for _ in range(50))
    usual = next(joints for joints in clips if 1.1 < Kinematics.of(joints).pace < 1.3)
    brisk = usual[np.arange(0, len(usual) - 1, 1.35).astype(int)]
    assert undone(usual, "a person walks") == 0
    assert 0 < undone(brisk, "a person walks") < 1
    assert undone(brisk, "a person walks fast") < 1 < undone(usual, "a person walks fast")
    assert undone(usual, "a person walks slowly") < undone(brisk, "a person walks slowly")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"action": "kick", "side": "left"}, "a person kicks with the left leg"),
        ({"action": "squat", "count": 2}, "a person squats twice"),
        ({"action": "walk", "speed": "slow"}, "a person walks forward slowly"),
        ({"action": "walk", "while": {"action": "wave"}}, None),
    ],
)
def test_what_is_asked_for_in_the_plainest_words(asked: dict[str, Any], sentence: str | None) -> None:
    assert plain_sentence(asked) == sentence


@pytest.mark.parametrize("action", sorted(CHECKS))
def test_every_action_that_has_a_check_can_be_said_plainly(action: str) -> None:
    assert plain_sentence({"action": action}) is not None
