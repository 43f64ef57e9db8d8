"""Sentences near and far from what a bundle learned."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from lamp_cli.bundle.bundle import load_bundle, save_bundle
from lamp_cli.bundle.training_sentences import load_training_sentences, save_training_sentences
from lamp_cli.inference.familiarity import (
    embed_sentences,
    remarks_on,
    salads,
    spread,
    summarise_sentences,
    unfamiliar_reasons,
)
from lamp_cli.language.stems import meaningful_words, stem, stems_of

WALKING = ["a person walks forward", "a man is walking slowly", "someone walks in a circle", "he walked back"]


@pytest.mark.parametrize(
    "forms",
    [
        ("hops", "hopped", "hopping", "hop"),
        ("waves", "waved", "waving", "wave"),
        ("kicks", "kicked", "kicking", "kick"),
        ("sits", "sat", "sitting", "sit"),
        ("carries", "carry", "carrying"),
        ("runs", "ran", "running"),
        ("crosses", "crossed", "crossing", "cross"),
        ("quickly", "quick"),
        ("arms", "arm"),
    ],
)
def test_forms_of_one_word_have_one_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


def test_other_words_have_other_stems() -> None:
    words = [
        "walk",
        "wave",
        "wash",
        "throw",
        "through",
        "hop",
        "hope",
        "kick",
        "jump",
        "jog",
        "punch",
        "turn",
    ]
    assert len({stem(word) for word in words}) == len(words) - 1  # hop and hope meet


def test_words_without_meaning_do_not_count() -> None:
    assert meaningful_words("The man is walking to the LEFT, then he stops.") == ("walking", "left", "stops")
    assert stems_of("a person") == frozenset()


def test_spread_points_leave_none_far_away() -> None:
    angles = np.concatenate([np.linspace(0, 0.01, 50), [2.0], [4.0]])
    points = np.stack([np.cos(angles), np.sin(angles)], 1)
    assert set(spread(points, 3).tolist()) == {0, 50, 51}
    assert spread(points, 99).tolist() == list(range(52))


@pytest.fixture(scope="module")
def bundle():  # type: ignore[no-untyped-def]
    loaded = load_bundle("lamp-mini", torch.device("cpu"))
    remembered = summarise_sentences(
        loaded.lamp, loaded.vocabulary, WALKING, ["a woman walks forward"], loaded.device
    )
    return dataclasses.replace(loaded, training_sentences=remembered)


def test_batches_of_like_length_change_neither_order_nor_numbers(  # type: ignore[no-untyped-def]
    bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamp_cli.inference.familiarity.CHUNK", 2)
    sentences = [*WALKING, "he walks", "jump " * 50]
    found = embed_sentences(bundle.lamp, bundle.vocabulary, sentences, bundle.device)
    alone = [embed_sentences(bundle.lamp, bundle.vocabulary, [s], bundle.device)[0] for s in sentences]
    np.testing.assert_allclose(found, np.stack(alone), atol=1e-5)
    assert embed_sentences(bundle.lamp, bundle.vocabulary, [], bundle.device).shape == (0, found.shape[1])


def test_what_was_learned_is_familiar_and_the_unknown_is_not(bundle) -> None:  # type: ignore[no-untyped-def]
    familiar, unknown, far = unfamiliar_reasons(
        bundle, ["a person walks forward", "a kid skateboards downhill", "to be or not to be, what was that?"]
    )
    assert familiar is None
    assert unknown is not None and "'skateboards', 'downhill' are in no sentence" in unknown
    assert far is not None and "cosine" in far


MOTIONS = """a person walks forward slowly, a man runs in a circle, someone jumps up and down twice,
a woman waves with her right hand, a man sits down on a chair, a person stands up from a chair,
someone kicks with the left leg, a person punches with both hands, a man picks something up from the floor,
a woman dances to music, someone throws a ball with the right hand, a person crawls on hands and knees,
a man bows deeply, someone turns around to the left and walks back, a person raises both arms above the head,
a man squats and stands up again, someone steps to the right, a person drinks from a cup, a man claps,
a person walks up a flight of stairs, someone limps with a hurt leg, a man kneels on the ground"""


@pytest.fixture(scope="module")
def of_motions(bundle):  # type: ignore[no-untyped-def]
    sentences = " ".join(MOTIONS.split()).split(", ")
    remembered = summarise_sentences(
        bundle.lamp, bundle.vocabulary, sentences, ["someone walks forward", "a man waves"], bundle.device
    )
    return dataclasses.replace(bundle, training_sentences=remembered)


@pytest.mark.parametrize(
    "text",
    [
        "a person walks forward and then waves with the right hand",
        "A stranded sailor waves both arms over his head.",
        "An excited fan leaps up and kicks with the left leg.",
        "someone being robbed raises both hands above the head",
        "he walks around in a circle without a word",
    ],
)
def test_motions_in_a_row_or_of_somebody_odd_are_familiar(of_motions, text: str) -> None:  # type: ignore[no-untyped-def]
    assert unfamiliar_reasons(of_motions, [text]) == [None]


@pytest.mark.parametrize(
    "text",
    [
        "the stock market crashed",
        "photosynthesis in plants",
        "buy milk and eggs",
        "a red car overtakes a truck",
        "he signs the contract",
        "the train leaves at seven",
        "colorless green ideas sleep furiously",
        "asdf qwer zxcv",
    ],
)
def test_what_is_about_something_else_is_told(of_motions, text: str) -> None:  # type: ignore[no-untyped-def]
    assert unfamiliar_reasons(of_motions, [text])[0] is not None


def test_how_near_is_usual_is_no_more_than_the_nearest_can_be(of_motions) -> None:  # type: ignore[no-untyped-def]
    least = of_motions.training_sentences.least_similarity
    for text in ("asdf qwer zxcv", "photosynthesis in plants"):
        reason = unfamiliar_reasons(of_motions, [text])[0]
        assert reason is not None
        usual = float(reason.rpartition("usual from ")[2].rstrip(")"))
        assert usual == pytest.approx(least, abs=0.006)


def test_words_of_a_familiar_sentence_that_were_not_learned_are_named(of_motions) -> None:  # type: ignore[no-untyped-def]
    text = "a zombie walks forward slowly"
    remark = remarks_on(of_motions, [text])[text]
    assert remark.familiar and remark.record()["unlearned_words"] == ["zombie"]
    assert remark.sentences(text, "the motion is") == [
        f"{text!r}: 'zombie' is in no sentence whose motion this model learned, and may say nothing to it"
    ]


def test_of_a_bundle_that_keeps_other_vectors_words_alone_tell(of_motions) -> None:  # type: ignore[no-untyped-def]
    earlier = dataclasses.replace(of_motions.training_sentences, embeddings=np.empty((0, 0), np.float32))
    older = dataclasses.replace(of_motions, training_sentences=earlier)
    familiar, far = unfamiliar_reasons(older, ["a man walks and waves", "the stock market crashed"])
    assert familiar is None and far is not None and "cosine" not in far


def test_salads_are_of_all_words_and_may_be_few() -> None:
    words = [f"word{'abcdefghijklmnopqrstuvwxyz'[n % 26] * (n // 26 + 1)}" for n in range(60)]
    made = salads([*words, "##s", "a"])
    assert len(made) == 10 and all(len(sentence.split()) == 7 for sentence in made)
    assert salads(["##s"]) == []


def test_without_memory_only_negations_are_named(bundle) -> None:  # type: ignore[no-untyped-def]
    nothing = dataclasses.replace(bundle, training_sentences=None)
    unknown, negated = unfamiliar_reasons(nothing, ["zxcv", "he does not jump"])
    assert unknown is None and negated is not None and "'not jump'" in negated


def test_words_are_counted_by_sentence(bundle) -> None:  # type: ignore[no-untyped-def]
    assert bundle.training_sentences.stems == {"walk": 4, "forward": 1, "slow": 1, "circl": 1, "back": 1}


def test_words_without_counts_are_those_of_earlier_bundles(bundle, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    save_training_sentences(tmp_path, bundle.training_sentences)
    (tmp_path / "training_words.txt").write_text("walk\njump 3\n", encoding="utf-8")
    loaded = load_training_sentences(tmp_path)
    assert loaded is not None and loaded.stems == {"walk": None, "jump": 3}
    save_file({"embeddings": np.ones((2, 3), np.float16), "least_similarity": np.ones(1, np.float32)},
              tmp_path / "training_sentences.safetensors")  # fmt: skip
    earlier = load_training_sentences(tmp_path)
    assert earlier is not None and len(earlier.embeddings) == 0
    (tmp_path / "training_words.txt").write_text("walk many\n", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be read"):
        load_training_sentences(tmp_path)


def test_sentences_are_needed(bundle) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="no sentences"):
        summarise_sentences(bundle.lamp, bundle.vocabulary, [], ["a"], bundle.device)


def test_memory_survives_the_disk(bundle, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    save_bundle(tmp_path / "b", bundle)
    loaded = load_bundle(tmp_path / "b", torch.device("cpu"))
    assert loaded.training_sentences is not None
    assert loaded.training_sentences.stems == bundle.training_sentences.stems
    sentences = [*WALKING, "a kid skateboards downhill"]
    assert unfamiliar_reasons(loaded, sentences) == unfamiliar_reasons(bundle, sentences)


def test_a_file_cut_short_is_named(bundle, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert load_training_sentences(tmp_path) is None
    save_training_sentences(tmp_path, bundle.training_sentences)
    path = tmp_path / "training_sentences.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="cut short"):
        load_training_sentences(tmp_path)
