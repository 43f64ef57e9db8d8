"""Words that training hardly has, negations, typing errors and other languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lamp_cli.bundle.bundle import find_bundle
from lamp_cli.inference.known_words import KnownWords, negation_reason, word_reason

COUNTS = {"walk": 900, "forward": 300, "jump": 200, "wav": None, "breakdanc": 2, "left": 500}
PIECES = [
    "[PAD]",
    "the",
    "person",
    "walks",
    "walk",
    "forward",
    "jump",
    "jumps",
    "waves",
    "left",
    "##s",
    "talks",
]


@pytest.fixture
def known() -> KnownWords:
    return KnownWords(COUNTS, PIECES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a zombie walks", "'zombie' is in no sentence"),
        ("a person breakdances", "'breakdances' is in hardly any sentence"),
        (
            "a person wlaks foward",
            "'wlaks' (did you mean 'walks'?), 'foward' (did you mean 'forward'?) are in no",
        ),
        ("a persn walks", "'persn' (did you mean 'person'?)"),
        ("una persona camina hacia adelante", "it knows English only"),
        ("一个人在跑步", "it knows English only"),
    ],
)
def test_words_that_training_hardly_has_are_named(known: KnownWords, text: str, expected: str) -> None:
    reason = word_reason(text, known)
    assert reason is not None and expected in reason


@pytest.mark.parametrize(
    "text",
    [
        "a person walks forward, jumps and waves",
        "the postman walks",
        "A gardener jumps",
        "please walk forward",
        "he wálks fórward",
        "",
        "3",
    ],
)
def test_known_words_and_persons_and_courtesy_are_not_named(known: KnownWords, text: str) -> None:
    assert word_reason(text, known) is None


def test_a_rare_word_among_common_ones_is_not_named(known: KnownWords) -> None:
    assert word_reason("a person walks forward, jumps, breakdances left", known) is None


def test_of_few_sentences_no_word_is_rare() -> None:
    assert word_reason("a person jumps", KnownWords({"walk": 4, "jump": 1}, PIECES)) is None


def test_one_strange_word_is_no_other_language(known: KnownWords) -> None:
    assert "English" not in (word_reason("a kid skateboards downhill", known) or "")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a persn wlaks foward", "a person walks forward"),
        ("a person wwalks forwarrd", "a person walks forward"),
        ("a person walks forwsrd", "a person walks forward"),
        ("a person Wlaks", "a person Wlaks"),
        ("Persn walks", "person walks"),
        ("the walker jumps", "the walker jumps"),
        ("a person talks, wvaes 3 times", "a person talks, waves 3 times"),
        ("someone robbed strong plants, farther forth", "someone robbed strong plants, farther forth"),
        ("a person awves, balks and bumps", "a person waves, balks and bumps"),
        ("", ""),
    ],
)
def test_misspelt_words_are_written_as_the_known_ones(known: KnownWords, written: str, read: str) -> None:
    assert known.corrected(written) == read


PROMPTS = Path(__file__).parents[2] / "examples" / "judge" / "joints"


@pytest.mark.parametrize("name", ["prompts", "second_prompts", "third_prompts"])
def test_no_word_that_english_has_is_changed(name: str) -> None:
    bundle = find_bundle("lamp-mini")
    counted = (line.split() for line in (bundle / "training_words.txt").read_text("utf-8").splitlines())
    pieces = (bundle / "vocab.txt").read_text("utf-8").splitlines()
    words = KnownWords({stem: int(count) for stem, count in counted}, pieces)
    for line in (PROMPTS / f"{name}.jsonl").read_text("utf-8").splitlines():
        prompt = json.loads(line)["prompt"]
        assert words.corrected(prompt) == prompt
    misspelt = "a persn wlaks, jmups and trns, then kciks with the rihgt leg"
    assert words.corrected(misspelt) == "a person walks, jumps and turns, then kicks with the right leg"


def test_short_words_are_not_replaced_by_their_neighbours(known: KnownWords) -> None:
    assert known.nearest("bump") is None and known.nearest("jmup") == "jump"
    assert known.nearest("walks") is None


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("a person does not jump", "jump"),
        ("he doesn't wave", "wave"),
        ("she doesn\u2019t walk", "walk"),
        ("walks without turning", "turning"),
        ("refuses without a word and does not sit", "sit"),
        ("never stops walking", "stops"),
    ],
)
def test_negations_are_named(text: str, negated: str) -> None:
    reason = negation_reason(text)
    assert reason is not None and reason.endswith(f"read much like {negated!r}")


@pytest.mark.parametrize(
    "text",
    [
        "a person ties a knot",
        "he walks",
        "notable",
        "a hand is put on the note",
        "refuses without a word, shaking her head",
        "without going anywhere, swivel to the right",
        "she creeps so that the baby doesn't jump",
    ],
)
def test_no_negation_is_no_reason(text: str) -> None:
    assert negation_reason(text) is None
