"""Choosing among candidates: what is kept is what LaMP finds nearest to the sentence."""

from __future__ import annotations

import copy
import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import Bundle, find_bundle, load_bundle, read_config
from lamp_cli.inference.embed import embed_motions, embed_texts, encode_text, motion_context, similarity
from lamp_cli.inference.generate import LIKELIHOOD_SHARE, GenerateOptions, Prompt, draws_of, generate
from lamp_cli.model.generator import GeneratorConfig, SamplingOptions
from lamp_cli.motion.motion import Motion

SENTENCES = ("a person walks", "someone jumps twice", "he waves with the left hand")


# Few rounds and frames: what is chosen among does not matter here, and lamp-mini is no small network.
FEW_ROUNDS = SamplingOptions(steps=4)
FRAMES = 20


@pytest.fixture(scope="module")
def loaded() -> Bundle:
    return load_bundle("lamp-mini", torch.device("cpu"))


def _kept(bundle: Bundle, candidates: int, samples: int = 1) -> list[Motion]:
    options = GenerateOptions(3, samples, FEW_ROUNDS, candidates=candidates)
    return list(generate(bundle, [Prompt(text, FRAMES) for text in SENTENCES], options))


@torch.no_grad()
def _nearness(bundle: Bundle, motion: Motion) -> float:
    """Contrastive logit and a share of the likelihood, from the features that were handed out."""
    text = motion.text
    cosine = similarity(embed_motions(bundle, [motion.features]), embed_texts(bundle, [text]))[0, 0]
    tokens = encode_text(bundle.vocabulary, [text], 32, bundle.device)
    _, likelihood = bundle.lamp.log_likelihood(motion_context(bundle, [motion.features]), tokens)
    return float(cosine) / float(bundle.lamp.temperature) + LIKELIHOOD_SHARE * float(likelihood)


def test_more_candidates_come_nearer_to_the_sentence(loaded: Bundle) -> None:
    # The draws of fewer candidates are among those of more, so nearness can only grow.
    by_count = [[_nearness(loaded, motion) for motion in _kept(loaded, count)] for count in (1, 2, 5)]
    for fewer, more in pairwise(by_count):
        assert all(b >= a - 2e-3 for a, b in zip(fewer, more, strict=True))
    assert np.mean(by_count[-1]) > np.mean(by_count[0]) + 1e-3


def test_samples_of_one_prompt_have_candidates_of_their_own(loaded: Bundle) -> None:
    first, second = _kept(loaded, 3, samples=2)[:2]
    assert first.text == second.text == SENTENCES[0]
    assert first.features.shape != second.features.shape or not np.array_equal(
        first.features, second.features
    )


def test_a_sentence_that_occurs_again_counts_on_where_its_samples_ended(loaded: Bundle) -> None:
    again = [Prompt(text, FRAMES) for text in ("a person jumps", "a person walks", "a person jumps")]
    assert [draw.sample for draw in draws_of(again, 2)] == [0, 1, 0, 1, 2, 3]
    options = GenerateOptions(3, 1, FEW_ROUNDS, candidates=1)
    first, _, second = generate(loaded, again, options)
    assert not np.array_equal(first.joints, second.joints)
    samples = generate(loaded, again[:1], GenerateOptions(3, 2, FEW_ROUNDS, candidates=1))
    for one, other in zip((first, second), samples, strict=True):
        np.testing.assert_allclose(one.joints, other.joints, atol=1e-3)


def test_fewer_than_one_candidate_is_refused() -> None:
    with pytest.raises(ValueError, match="candidates: expected at least 1, found 0"):
        GenerateOptions(candidates=0)


def test_the_generators_own_number_of_candidates_is_drawn_unless_another_is_asked_for() -> None:
    config = GeneratorConfig(candidates=3)
    assert GenerateOptions().for_generator(config).candidates == 3
    assert GenerateOptions(candidates=1).for_generator(config).candidates == 1
    # The paper's way is the default of today's networks; lamp-mini says what it was tuned for.
    assert GeneratorConfig().candidates == 1
    assert read_config(find_bundle("lamp-mini")).model.generator.candidates == 16


def test_a_batch_of_prompts_keeps_what_each_keeps_alone(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two of the three prompts fill a batch.
    monkeypatch.setattr("lamp_cli.inference.generate.BATCH_SIZE", 8)
    together = _kept(loaded, 4)
    for motion in together:
        options = GenerateOptions(3, 1, FEW_ROUNDS, candidates=4)
        alone = next(generate(loaded, [Prompt(motion.text, FRAMES)], options))
        np.testing.assert_allclose(alone.features, motion.features, atol=1e-3)


def test_the_likelihood_has_a_part_only_where_sentences_were_to_be_generated(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    untaught = copy.copy(loaded.lamp)
    untaught.config = dataclasses.replace(loaded.lamp.config, weights={"contrastive": 1.0})
    without = dataclasses.replace(loaded, lamp=untaught)
    kept = {}
    for share in (0.0, 100.0):
        monkeypatch.setattr("lamp_cli.inference.generate.LIKELIHOOD_SHARE", share)
        kept[share] = [[motion.features for motion in _kept(bundle, 4)] for bundle in (loaded, without)]
    same = [
        all(np.array_equal(a, b) for a, b in zip(*which, strict=True))
        for which in zip(kept[0.0], kept[100.0], strict=True)
    ]
    assert same == [False, True]


def _computed_in(bundle: Bundle, precision: str) -> set[torch.dtype]:
    """The numbers that the generator's last layer hands out."""
    found: set[torch.dtype] = set()
    head = bundle.text_to_motion.generator.head
    hook = head.register_forward_hook(lambda *called: found.add(called[-1].dtype))
    options = GenerateOptions(sampling=FEW_ROUNDS, candidates=1, precision=precision)
    (motion,) = generate(bundle, [Prompt("a person walks", FRAMES)], options)
    hook.remove()
    assert motion.features.dtype == np.float32 and np.isfinite(motion.joints).all()
    return found


def test_the_generator_computes_in_the_precision_that_is_asked_for(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # bf16 can be computed anywhere; it is only slow where there are no instructions for it.
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True})
    assert _computed_in(loaded, "fp32") == {torch.float32}
    assert _computed_in(loaded, "bf16") == {torch.bfloat16}


def test_a_precision_that_the_device_does_not_have_is_refused(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    with pytest.raises(ValueError, match=r"precision bf16: this cpu has no instructions for it"):
        next(generate(loaded, [Prompt("a person walks")], GenerateOptions(precision="bf16")))
    with pytest.raises(ValueError, match=r"precision 'fp8': expected fp32 or bf16"):
        next(generate(loaded, [Prompt("a person walks")], GenerateOptions(precision="fp8")))
