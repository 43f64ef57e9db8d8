"""Ways and phrases: every one can be said of some clip, and says nothing that is not true of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from lamp_cli.data.batches import PairSampler
from lamp_cli.data.layout import Clip
from lamp_cli.data.statistics import Statistics
from lamp_cli.synthetic.corpus import ACTIONS
from lamp_cli.synthetic.language.phrasebook import further_wordings, phrasebook
from lamp_cli.synthetic.language.phrases import parse_phrases
from lamp_cli.synthetic.language.ways import ways, ways_of
from lamp_cli.synthetic.movement import Movement
from lamp_cli.synthetic.style import random_style

UPPERCUTS = {"action": "uppercut", "side": "left", "count": 2}
KICK = {"action": "kick", "side": "left", "count": 2, "direction": "forward"}


def _movements(action: str, count: int) -> Iterator[Movement]:
    """An action's movements, without joints."""
    draws = (np.random.default_rng([3, number]) for number in range(count))
    return (ACTIONS[action](random_style(rng), rng) for rng in draws)


def test_every_way_to_say_an_action_is_said_of_some_movement() -> None:
    assert ways().keys() == ACTIONS.keys()
    for action, phrases in ways().items():
        unused = set(phrases)
        for movement in _movements(action, 80):
            assert len(movement.ways) >= 3, action
            unused -= {way for way in unused if way.fits({**movement.truth, **movement.words})}
            if not unused:
                break
        assert not unused, action


def test_ways_fill_their_places_from_the_truth() -> None:
    assert ways_of({"action": "arms out", "side": "both"})[2] == ("makes", "a t pose")
    balance = ways_of({"action": "balance", "side": "right", "lifted": "left"})
    assert balance[3] == ("raises", "the left leg and stands on the right one")
    assert ("performs", "uppercuts with the left arm 2 times") in ways_of(UPPERCUTS)
    once = ways_of({**UPPERCUTS, "count": 1})
    assert ("performs", "an uppercut with their left arm") in once
    assert not any("uppercuts" in rest for _, rest in once)
    assert ("blocks", "with the left arm") in ways_of({"action": "block", "side": "left"})
    assert ("blocks", "with both arms") in ways_of({"action": "block", "side": "both"})
    assert ("throws", "a left jab and a right cross") in ways_of(
        {"action": "box", "side": "both", "first": "left", "count": 3}
    )


def test_all_ways_are_said_with_the_first_words_for_a_count_before_the_second() -> None:
    counts = [rest.split()[-1] for verb, rest in ways_of({"action": "jump backward", "count": 1}) if rest]
    assert counts == ["backward", "backwards", "feet", "back", "once", "once", "once", "once"]


def test_every_action_has_many_phrases() -> None:
    assert phrasebook().keys() == ACTIONS.keys()
    assert min(map(len, phrasebook().values())) >= 30


def test_every_phrase_of_an_action_can_be_said_of_some_clip() -> None:
    for action, phrases in phrasebook().items():
        unused = list(phrases)
        for movement in _movements(action, 80):
            unused = [phrase for phrase in unused if not phrase.fits(movement.truth)]
            # Rare counts and whole turns may be missing among eighty.
            if len(unused) <= 0.15 * len(phrases):
                break
        else:
            pytest.fail(f"{action}: {[phrase.words for phrase in unused]}")


def test_no_phrase_names_a_side_that_is_not_a_place_or_a_condition() -> None:
    for action, phrases in phrasebook().items():
        for phrase in phrases:
            named = {"left", "right"} & set(re.findall("[a-z]+", phrase.words))
            known = {value for _, value in phrase.conditions}
            both = named == {"left", "right"}
            turned = any(key in ("angle", "first", "direction", "gait") for key, _ in phrase.conditions)
            assert not named or both or named & known or turned, (action, phrase.words)


def test_places_are_filled_from_the_truth() -> None:
    rng = np.random.default_rng(0)
    said = {text for _ in range(60) for text in further_wordings(KICK, 6, rng)}
    assert len(said) > 100
    assert not any("{" in text or "right leg kicks" in text for text in said)
    assert any("twice" in text for text in said) and any("2 times" in text for text in said)
    assert not any("right foot" in text and "left" not in text for text in said)


def test_conditions_and_places_must_be_known() -> None:
    (plain, sided, both, counted) = parse_phrases(
        "## wave\nwaves\nwaves {side}\n[side=both] waves both\n[count] waves {times}\n"
    )["wave"]
    nothing, left, two = {"action": "wave"}, {"side": "left"}, {"side": "both", "count": 2}
    assert [p.fits(nothing) for p in (plain, sided, both, counted)] == [True, False, False, False]
    assert [p.fits(left) for p in (plain, sided, both, counted)] == [True, True, False, False]
    assert [p.fits(two) for p in (plain, sided, both, counted)] == [True, False, True, True]
    with pytest.raises(ValueError, match=r"line 2: expected places out of .*, side, .*, found sides"):
        parse_phrases("## wave\nwaves {sides}\n")
    with pytest.raises(ValueError, match="line 1: expected a phrase"):
        parse_phrases("waves\n")


def test_alternatives_are_phrases_of_their_own() -> None:
    phrases = parse_phrases("## nod\n[count=1|3] nods (slowly|deeply) and (smiles|waits)\n")["nod"]
    said = [phrase.filled({}) for phrase in phrases if phrase.fits({"count": 3})]
    assert said == [
        ("nods", f"{how} and {then}") for how in ("slowly", "deeply") for then in ("smiles", "waits")
    ]
    assert not phrases[0].fits({"count": 2})


def test_actions_in_a_row_and_at_once_are_told_in_order() -> None:
    parts = [{"action": "squat", "count": 1}, {"action": "clap", "count": 3}]
    rng = np.random.default_rng(1)
    for text in further_wordings({"action": "sequence", "parts": parts}, 8, rng):
        assert " then " in text or " and " in text or ", " in text
    walking = {"action": "walk", "direction": "forward", "while": {"action": "phone", "side": "right"}}
    texts = further_wordings(walking, 8, rng)
    assert texts and all(" while " in text for text in texts)
    assert not any("left" in text for text in texts)
    assert further_wordings({"action": "no such"}, 3, rng) == ()


def test_wordings_are_for_networks_that_must_understand_and_for_no_others() -> None:
    clip = Clip("a", np.zeros((40, 263), np.float32), ("plain",), ("fancy",) * 9)
    statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
    plain = PairSampler([clip], statistics, 4)
    assert {plain.batch(0, step, 1).texts for step in range(40)} == {("plain",)}
    varied = PairSampler([clip], statistics, 4, reworded_share=0.5)
    assert {varied.batch(0, step, 1).texts for step in range(40)} == {("plain",), ("fancy",)}
