"""What a mirrored motion is called."""

from __future__ import annotations

import pytest

from lamp_cli.language.mirror import mirror_sentence


@pytest.mark.parametrize(
    ("sentence", "mirrored"),
    [
        ("Left hand up, then the right", "Right hand up, then the left"),
        ("TURNS LEFT", "TURNS RIGHT"),
        ("turns counter-clockwise", "turns clockwise"),
        ("walks clockwise leftwards", "walks counterclockwise rightwards"),
        ("a clock-wise turn, then an anti clockwise one", "a counterclockwise turn, then a clockwise one"),
        ("in a counter clock wise circle", "in a clockwise circle"),
        ("raises the rightarm and the leftfoot", "raises the leftarm and the rightfoot"),
        ("a left-handed throw to the rightside", "a right-handed throw to the leftside"),
        ("throws two lefts and a right hook", "throws two rights and a left hook"),
        ("turns right after two steps", "turns left after two steps"),
        ("swivels right before landing", "swivels left before landing"),
        ("steps to the right in front of the chair", "steps to the left in front of the chair"),
        ("holds right in front of left", "holds left in front of right"),
        ("cuts a sharp right before the end", "cuts a sharp left before the end"),
        ("he has left arm up, her left is bent", "he has right arm up, her right is bent"),
        ("looks right and left the whole time", "looks left and right the whole time"),
        ("sidesteps right around something", "sidesteps left around something"),
        ("holds right over left", "holds left over right"),
        ("a man who left kicks twice", "a man who right kicks twice"),
        (
            "the chair is left of him, to his immediate right",
            "the chair is right of him, to his immediate left",
        ),
    ],
)
def test_sides_are_swapped(sentence: str, mirrored: str) -> None:
    assert mirror_sentence(sentence) == mirrored
    assert mirror_sentence(mirrored) == sentence or "wise" in sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "a bright person cleft in two is upright",
        "the man left the room",
        "he then left his chair and left the room",
        "she walks in and somebody has left.",
        "he is left standing",
        "he steps right in front of the box",
        "turns right away",
        "he does it all right, alright",
        "she sits down and stands right back up",
        "stands up right, at a right angle",
        "stumbles and rights himself",
        "jumps up right next to it and lands right behind it",
        "everything is all right",
        "turns right around to go the other way",
        "what is left of the box lies on the floor, nothing left to do",
        "they left for the day, the man who left waves",
        "walks right up to the wall, and sits right there",
        "gets right back up and stands right side up",
    ],
)
def test_what_only_looks_like_a_side_stays(sentence: str) -> None:
    assert mirror_sentence(sentence) == sentence
