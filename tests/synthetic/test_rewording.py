"""Rewording: other words, the same claims."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lamp_cli.synthetic.corpus import numbered_clip
from lamp_cli.synthetic.language.claims import agrees
from lamp_cli.synthetic.language.rewording import reworded

SAME_COUNT = {"once": 1, "one time": 1, "single time": 1, "twice": 2, "two times": 2, "2 times": 2}
SAME_COUNT |= {"two occasions": 2, "three times": 3, "3 times": 3, "thrice": 3}


def several(sentence: str, count: int = 300) -> set[str]:
    rng = np.random.default_rng(0)
    return {reworded(sentence, rng) for _ in range(count)}


def test_a_sentence_is_put_in_many_ways_and_each_keeps_side_and_count() -> None:
    found = several("a person kicks forward with the left leg twice")
    assert len(found) > 200
    for text in found:
        assert re.findall(r"\b(?:left|right)\b", text) == ["left"], text
        assert [SAME_COUNT[words] for words in SAME_COUNT if re.search(rf"\b{words}\b", text)] == [2], text
        assert "kicks" in text


@pytest.mark.parametrize("link", [" and then ", ", then ", " then "])
def test_two_actions_keep_their_order_however_it_is_told(link: str) -> None:
    for text in several(f"somebody bows once{link}crosses the arms"):
        bow, cross = text.index("bow"), text.index("cross")
        told_backwards = text.startswith("before ") or re.search(r"\S after (?!that|which)", text)
        assert (bow > cross) == bool(told_backwards), text


def test_verbs_keep_their_tense() -> None:
    for sentence, pattern in (
        ("a man sprints", r"(sprints|races|tears|bolts|dashes|runs flat out)$"),
        ("a man sprinted", r"(sprinted|raced|tore|bolted|dashed|ran flat out)$"),
        ("a man is sprinting", r"(?:is|are) (sprinting|racing|tearing|bolting|dashing|running flat out)$"),
    ):
        found = several(sentence)
        assert all(re.search(pattern, text) for text in found)
        assert len({re.search(pattern, text)[1] for text in found}) == 6  # type: ignore[index]


def test_what_only_looks_like_the_verb_stays() -> None:
    assert all("throws a punch" in text for text in several("she throws a punch"))
    assert all("jumping jacks" in text for text in several("he does jumping jacks"))
    assert all("looks like" in text for text in several("it looks like they are waving"))
    assert several("zxcv") == {"zxcv"}


def test_the_judge_of_captions_finds_hardly_a_new_fault_in_reworded_ones() -> None:
    """The judge reads few words: one in 200 of its verdicts may turn without the sentence being wrong."""
    rng = np.random.default_rng(1)
    kept = []
    for number in range(60):
        clip = numbered_clip(11, number)
        for caption in clip.captions:
            before, after = agrees(caption, clip.truth), agrees(reworded(caption, rng), clip.truth)
            claims = [name for name in ("side", "direction", "count") if getattr(before, name) is not False]
            kept += [getattr(after, name) is not False for name in claims]
    assert len(kept) > 400
    assert np.mean(kept) > 0.995
