"""Forms of verbs and nouns."""

from __future__ import annotations

import pytest

from lamp_cli.language.english import (
    BASE_OF,
    IRREGULAR_VERBS,
    base_of_third_person,
    gerund,
    gerund_of_third_person,
    is_past,
    noun_lemma,
    past,
    third_person,
    verb_lemma,
)


@pytest.mark.parametrize(
    ("base", "third", "was", "being"),
    [
        ("walk", "walks", "walked", "walking"),
        ("hop", "hops", "hopped", "hopping"),
        ("wave", "waves", "waved", "waving"),
        ("carry", "carries", "carried", "carrying"),
        ("box", "boxes", "boxed", "boxing"),
        ("punch", "punches", "punched", "punching"),
        ("tiptoe", "tiptoes", "tiptoed", "tiptoeing"),
        ("squat", "squats", "squatted", "squatting"),
        ("sway", "sways", "swayed", "swaying"),
        ("go", "goes", "went", "going"),
        ("have", "has", "had", "having"),
        ("lie", "lies", "lay", "lying"),
        ("side-bend", "side-bends", "side-bent", "side-bending"),
        ("high-step", "high-steps", "high-stepped", "high-stepping"),
    ],
)
def test_a_verb_and_its_forms(base: str, third: str, was: str, being: str) -> None:
    assert (third_person(base), past(base), gerund(base)) == (third, was, being)
    assert base_of_third_person(third) == base
    assert gerund_of_third_person(third) == being
    assert is_past(was)


def test_every_form_of_a_known_verb_leads_back_to_it() -> None:
    for base, others in IRREGULAR_VERBS.items():
        assert base_of_third_person(third_person(base)) == base
        for form in (third_person(base), gerund(base), *others):
            assert BASE_OF.get(form, base) == base or form in IRREGULAR_VERBS


def test_only_verbs_that_are_known_have_a_lemma() -> None:
    verbs = {"run", "hop", "hope", "carry", "tie", "fall"}
    words = {
        "running": "run",
        "ran": "run",
        "hopping": "hop",
        "hoped": "hope",
        "carries": "carry",
        "fell": "fall",
    }
    assert {word: verb_lemma(word, verbs) for word in words} == words
    assert verb_lemma("jumped", verbs) is None and verb_lemma("left", {"leave"}) is None


def test_nouns_lose_their_plural() -> None:
    nouns = {
        "feet": "foot",
        "bodies": "body",
        "arms": "arm",
        "circus": "circus",
        "cross": "cross",
        "bus": "bus",
    }
    assert {noun: noun_lemma(noun) for noun in nouns} == nouns
