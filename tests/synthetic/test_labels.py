"""Short labels of corpora: each is told in plain sentences, and nothing else is taken for one."""

from __future__ import annotations

import re

import pytest

from lamp_cli.synthetic.language.labels import label_meanings, meaning_of_label

# What a viewer does not know: names of a corpus's takes and of katas.
JARGON = re.compile(r"t2|take|oiduki|mawashigeri|yokogeri|bassai|empi|stuff|unknown|[/_;|]")


@pytest.mark.parametrize("label", ["run/jog", "Run/Jog", " RUN/JOG ", "running", "run."])
def test_a_label_is_told_in_sentences_whatever_its_case(label: str) -> None:
    meaning = meaning_of_label(label)
    assert meaning is not None and meaning.steady
    assert "a person runs forward" in meaning.sentences


def test_labels_of_several_parts_are_not_true_of_a_part() -> None:
    meaning = meaning_of_label("lie to crouch")
    assert meaning is not None and not meaning.steady
    assert "a person lies on the floor and gets up into a crouch" in meaning.sentences


def test_labels_that_say_nothing_have_no_sentence() -> None:
    meaning = meaning_of_label("Unknown")
    assert meaning is not None and meaning.sentences == ()


@pytest.mark.parametrize("caption", ["a person walks", "walk to the left", "walks", "", "person boxing"])
def test_other_captions_are_no_labels(caption: str) -> None:
    assert meaning_of_label(caption) is None


def test_every_label_is_told_by_different_sentences_with_a_subject() -> None:
    for label, meaning in label_meanings().items():
        assert label == label.lower().strip()
        assert len(set(meaning.sentences)) == len(meaning.sentences)
        assert len(meaning.sentences) != 1, label
        for sentence in meaning.sentences:
            assert re.search(r"\b(person|someone|dancer)\b", sentence), sentence
            assert re.fullmatch(r"[a-z0-9 ,']+", sentence), sentence
            assert not re.search(rf"\b({JARGON.pattern})\b", sentence.replace("takes", "")), sentence


def test_sides_of_a_label_are_those_of_its_sentences() -> None:
    for label, meaning in label_meanings().items():
        sides = set(re.findall(r"\b(left|right)\b", label))
        told = {side for sentence in meaning.sentences for side in re.findall(r"\b(left|right)\b", sentence)}
        if len(sides) == 1:
            assert told <= sides and told, label
