"""The judge of captions is proven: it agrees with true sentences and with no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from examples.judge.captions import shares, shares_by_action
from lamp_cli.language.mirror import mirror_sentence
from lamp_cli.synthetic.corpus import ACTIONS, SyntheticClip, synthetic_clip
from lamp_cli.synthetic.language.action_words import COMPANIONS, IN_A_ROW, PATTERNS
from lamp_cli.synthetic.language.base_forms import base_form
from lamp_cli.synthetic.language.claims import Agreement, agrees, claims, normalised
from lamp_cli.synthetic.language.people import is_true, peoples_sentences, plain_actions

# Actions that people call by one word: a sentence about one may be said of the others.
ALIKE = (
    {"jog", "run", "sprint"},
    {"punch", "box", "hook", "uppercut"},
    {"tiptoe", "crouch walk"},
    {"jump", "jump forward", "jump sideways", "jump over", "hop"},
    {"kick", "side kick", "back kick"},
    {"sit down", "sit on the floor"},
    {"stand up", "get up"},
    {"wipe table", "wipe window", "wash hands", "wash face"},
    {"throw", "throw underhand"},
    {"swing bat", "golf swing", "tennis forehand", "tennis serve"},
)
LEFT = {"side": "left"}


def test_every_action_of_the_corpus_has_words() -> None:
    assert set(ACTIONS) <= PATTERNS.keys() | IN_A_ROW.keys()
    assert {name for also in COMPANIONS.values() for name in also} <= PATTERNS.keys()


def test_captions_of_the_corpus_agree_with_their_truth(clips: dict[str, list[SyntheticClip]]) -> None:
    pairs = [(text, clip.truth) for own in clips.values() for clip in own for text in clip.captions]
    found = shares(pairs)
    wrong = [(text, truth) for text, truth in pairs if not agrees(text, truth).action]
    assert found.action >= 97, wrong
    for action, row in shares_by_action(pairs).items():
        assert row.action >= 65, (action, wrong)
    for share in (found.side, found.direction, found.count):
        assert share is not None and share >= 97


def test_captions_of_sequences_and_combinations_agree_with_their_truth() -> None:
    drawn = [synthetic_clip(np.random.default_rng([8, seed])) for seed in range(120)]
    mixed = [clip for clip in drawn if clip.truth["action"] == "sequence" or "while" in clip.truth]
    pairs = [(text, clip.truth) for clip in mixed for text in clip.captions]
    assert len(mixed) >= 10
    assert shares(pairs).action >= 95, [text for text, truth in pairs if not agrees(text, truth).action]


def test_captions_of_other_actions_disagree(clips: dict[str, list[SyntheticClip]]) -> None:
    wrong, judged = [], 0
    for action, own in clips.items():
        text = own[0].captions[0]
        for other in ACTIONS:
            if other == action or any({action, other} <= alike for alike in ALIKE):
                continue
            judged += 1
            if agrees(text, {"action": other}).action:
                wrong.append((text, other))
    assert len(wrong) <= 0.002 * judged, wrong


def test_mirrored_sides_disagree(clips: dict[str, list[SyntheticClip]]) -> None:
    pairs = [(text, clip.truth) for own in clips.values() for clip in own for text in clip.captions]
    named = [(text, truth) for text, truth in pairs if agrees(text, truth).side and truth["side"] != "both"]
    mirrored = [agrees(mirror_sentence(text), truth).side for text, truth in named]
    assert len(named) > 20 and not any(mirrored)


@pytest.mark.parametrize(
    ("sentence", "truth", "expected"),
    [
        ("the guy leaps up in the air", {"action": "jump", "direction": "up"}, (True, None, True)),
        ("a person lifted their left arm and is waving", {"action": "wave", **LEFT}, (True, True, None)),
        ("person waves his right hand", {"action": "wave", **LEFT}, (True, False, None)),
        ("someone waves hello", {"action": "wave", **LEFT}, (True, None, None)),
        ("a man waves both arms", {"action": "wave", **LEFT}, (True, False, None)),
        ("He waves with the left hand, then the right", {"action": "wave", **LEFT}, (True, False, None)),
        ("a man walks forward.", {"action": "walk", "direction": "forward"}, (True, None, True)),
        ("a man walked backwards.", {"action": "walk", "direction": "forward"}, (False, None, False)),
        ("a figure wlks forward slowly", {"action": "walk", "direction": "forward"}, (False, None, True)),
        ("a figure walkss forward slowly", {"action": "walk", "direction": "forward"}, (True, None, True)),
        ("a person strolls and waves", {"action": "wave", **LEFT}, (False, None, None)),
        ("a person stands still and claps", {"action": "clap"}, (True, None, None)),
        ("a person stands still and claps", {"action": "stand"}, (False, None, None)),
        ("he balances on his right leg", {"action": "balance", "side": "right"}, (True, True, None)),
        (
            "raises the left knee and balances",
            {"action": "balance", "side": "right", "lifted": "left"},
            (True, True, None),
        ),
        (
            "a person steps to the right, left foot first",
            {"action": "sidestep", "side": "right", "direction": "right"},
            (True, True, True),
        ),
        (
            "a man jogs anti-clockwise in a ring",
            {"action": "jog in a circle", "side": "left", "direction": "counterclockwise"},
            (True, True, True),
        ),
        ("a person walks", {"action": "walk in a circle", **LEFT}, (False, None, None)),
        ("walks around the room in a clockwise motion", {"action": "walk in a circle"}, (True, None, None)),
        ("a man walking backwards in a straight line", {"action": "walk backward"}, (True, None, None)),
        ("a person does a front kick", {"action": "kick"}, (True, None, None)),
        ("a person shakes their head", {"action": "shake head"}, (True, None, None)),
        (
            "a person shakes their hips with their hands on their head",
            {"action": "shake head"},
            (False, None, None),
        ),
        ("", {"action": "walk"}, (False, None, None)),
    ],
)
def test_sentences_by_hand(sentence: str, truth: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = agrees(sentence, truth)
    assert (found.action, found.side, found.direction) == expected, claims(sentence)


@pytest.mark.parametrize(
    ("sentence", "first", "second", "agree"),
    [
        ("walks forward and then kicks with the left foot", "walk", "kick", True),
        ("walks forward and then kicks with the left foot", "kick", "walk", False),
        ("kicks with the left foot after walking forward", "walk", "kick", True),
        ("walks forward, after that he kicks", "walk", "kick", True),
        ("walks forward", "walk", "kick", False),
        ("walks forward, claps, then kicks", "walk", "kick", False),
        ("picks something up off the floor, then sits down on a chair", "pick up", "sit down", True),
    ],
)
def test_actions_in_a_row_are_named_in_order(sentence: str, first: str, second: str, agree: bool) -> None:
    truth = {"action": "sequence", "parts": [{"action": first}, {"action": second}]}
    assert agrees(sentence, truth).action is agree


def test_sides_of_a_sequence_are_those_of_its_parts() -> None:
    parts = [{"action": "wave", "side": "left"}, {"action": "kick", "side": "right"}]
    truth = {"action": "sequence", "parts": parts}
    assert agrees("waves with the left hand then kicks with the right leg", truth).side is True
    assert agrees("waves with the right hand then kicks with the left leg", truth).side is False
    assert agrees("waves then kicks", truth).side is None


def test_actions_at_once_are_both_named() -> None:
    truth = {"action": "walk", "direction": "forward", "while": {"action": "wave", "side": "right"}}
    both = agrees("a woman walks forward while waving the right hand", truth)
    assert both == Agreement(True, True, True, None)
    assert not agrees("a woman walks forward", truth).action
    assert not agrees("a woman waves the right hand", truth).action


def test_counts() -> None:
    truth = {"action": "jump", "count": 3}
    said = ("jumps three times", "jumped 3 times", "jumps twice", "jumps")
    assert [agrees(text, truth).count for text in said] == [True, True, False, None]


def test_shares_count_only_what_is_named() -> None:
    truth = {"action": "wave", "side": "left"}
    said = ("waves the left hand", "waves the right hand", "waves", "kicks")
    found = shares((text, truth) for text in said)
    assert (found.sentences, found.action, found.side, found.sides) == (4, 75.0, 50.0, 2)
    assert (found.direction, found.directions) == (None, 0)
    with pytest.raises(ValueError, match="no sentence"):
        shares([])


def test_words_come_to_their_base_forms() -> None:
    forms = {
        "walking": "walk",
        "sat": "sit",
        "lfting": "lift",
        "clapps": "clap",
        "cricle": "circle",
        "gently": "",
    }
    assert {word: base_form(word) for word in forms} == forms
    assert base_form("stops") == "stop" and base_form("starting") == "start", "these are no slips"
    assert normalised("The man is raising his LEFT hand.") == "man raise left hand ,"


@pytest.mark.parametrize(
    ("sentence", "truth", "true"),
    [
        ("a man waves hello with his right hand", {"action": "wave", "side": "right"}, True),
        ("a man waves hello with his right hand", {"action": "wave", "side": "left"}, False),
        ("the person is waving", {"action": "wave", "side": "left"}, True),
        ("a person walks forward then stops", {"action": "walk", "direction": "forward"}, True),
        ("a person walks backward", {"action": "walk", "direction": "forward"}, False),
        ("a person waves while kicking", {"action": "wave", "side": "left"}, False),
        ("a person squats twice", {"action": "squat", "count": 2}, True),
        ("a person squats twice", {"action": "squat", "count": 1}, False),
        ("a person performs two squats", {"action": "squat", "count": 1}, False),
        ("moving hands side to side", {"action": "sidestep", "side": "left", "direction": "left"}, False),
        ("he turns to his left", {"action": "turn", "side": "left", "direction": "left"}, True),
        ("he turns to his left", {"action": "turn", "side": "right", "direction": "right"}, False),
    ],
)
def test_peoples_sentences_fit_a_truth_only_when_all_they_say_is_true(
    sentence: str, truth: dict[str, object], true: bool
) -> None:
    said = truth["action"] in plain_actions(sentence)
    assert (said and is_true(sentence, truth)) == true


@pytest.mark.parametrize(
    "sentence",
    [
        "a person walks slowly",
        "a man walks with a limp while humming a tune",
        "xyz",
        "he walks and then waves",
    ],
)
def test_sentences_that_say_more_than_one_plain_action_do_not_serve(sentence: str) -> None:
    assert "walk" not in plain_actions(sentence)


def test_people_offer_each_sentence_once_and_none_for_sequences() -> None:
    people = peoples_sentences(["a man is waving", "somebody waves", "a man jumps up and down"])
    rng = np.random.default_rng(0)
    assert set(people.fitting({"action": "wave", "side": "left"}, 5, rng)) == {
        "a man is waving",
        "somebody waves",
    }
    assert len(people.fitting({"action": "wave", "side": "left"}, 1, rng)) == 1
    assert people.fitting({"action": "clap"}, 2, rng) == ()
    assert people.fitting({"action": "sequence", "parts": [{"action": "wave"}]}, 2, rng) == ()
