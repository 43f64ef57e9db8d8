"""Choosing among candidates: what is kept is what LaMP finds nearest to the sentence."""

from __future__ import annotations

import copy
import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import Bundle, find_bundle, load_bundle, read_config
from lamp_cli.inference.candidates import undone_of
from lamp_cli.inference.embed import embed_motions, embed_texts, similarity
from lamp_cli.inference.familiarity import remarks_on
from lamp_cli.inference.generate import (
    GenerateOptions,
    Prompt,
    check_prompt,
    draws_of,
    generate,
    in_pieces,
)
from lamp_cli.model.generator import GeneratorConfig
from lamp_cli.model.lamp import PAPER_WEIGHTS
from lamp_cli.model.sampling import SamplingOptions, sample
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D

SENTENCES = ("a person walks", "someone jumps twice", "he waves with the left hand")


# Few rounds and frames: what is chosen among does not matter here, and lamp-mini is no small network.
FEW_ROUNDS = SamplingOptions(steps=4)
FRAMES = 20


@pytest.fixture(scope="module")
def loaded() -> Bundle:
    return load_bundle("lamp-mini", torch.device("cpu"))


def _kept(bundle: Bundle, candidates: int, samples: int = 1) -> list[Motion]:
    options = GenerateOptions(3, samples, FEW_ROUNDS, candidates=candidates, clean_up=False)
    return list(generate(bundle, [Prompt(text, FRAMES) for text in SENTENCES], options))


@torch.no_grad()
def _nearness(bundle: Bundle, motion: Motion) -> float:
    """Contrastive logit, from the features that were handed out; lamp-mini's LaMP generates no sentences."""
    assert not bundle.lamp.config.trains("text_generation")
    cosine = similarity(embed_motions(bundle, [motion.features]), embed_texts(bundle, [motion.text]))[0, 0]
    return float(cosine) / float(bundle.lamp.temperature)


def test_of_more_candidates_one_is_kept_that_does_more_or_comes_nearer(loaded: Bundle) -> None:
    # The draws of fewer candidates are among those of more, so neither can get worse.
    kept = [_kept(loaded, count) for count in (1, 2, 5)]
    pairs = [pair for few, many in pairwise(kept) for pair in zip(few, many, strict=True)]
    for fewer, more in pairs:
        left, still = (undone_of(HUMANML3D, [one.joints], [one.text])[0] or 0 for one in (fewer, more))
        assert still <= left
        # Where all was done at once; else draws in other words are among them.
        if still == left and {fewer.candidates, more.candidates} <= {1, 2, 5}:
            assert _nearness(loaded, more) >= _nearness(loaded, fewer) - 2e-3
    assert any(
        not np.array_equal(one.features, five.features) for one, five in zip(kept[0], kept[2], strict=True)
    )


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


def _chain(*texts: str, frames: int | None = 40) -> Prompt:
    first, *then = (Prompt(text, frames) for text in texts)
    return dataclasses.replace(first, then=tuple(then))


def test_a_motion_of_several_sentences_goes_on_from_part_to_part(loaded: Bundle) -> None:
    options = GenerateOptions(3, sampling=FEW_ROUNDS, candidates=2)
    chain = dataclasses.replace(_chain(*SENTENCES), frames=41)
    alone = Prompt(SENTENCES[0], 44)
    single, motion, again = generate(loaded, [alone, chain, _chain("he jumps", *SENTENCES)], options)
    assert (single.text, single.parts, len(single)) == (SENTENCES[0], (), 44)
    # Parts that another follows are whole tokens.
    assert [(part.text, part.start, part.end) for part in motion.parts] == [
        (SENTENCES[0], 0, 44),
        (SENTENCES[1], 44, 84),
        (SENTENCES[2], 84, 124),
    ]
    assert motion.text == "a person walks, then someone jumps twice, then he waves with the left hand"
    assert len(motion) == len(motion.features) == 124
    step = np.linalg.norm(np.diff(motion.joints[:, 0], axis=0), axis=1)
    assert step[[43, 83]].max() < 0.1
    # The same seed gives the same motion, and what came before makes another of a sentence.
    same = next(generate(loaded, [chain], options))
    np.testing.assert_array_equal(same.joints, motion.joints)
    assert not np.allclose(again.features[80:120], motion.features[44:84], atol=1e-2)


def test_the_context_of_a_part_is_the_end_of_the_one_before(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[torch.Tensor | None] = []
    drawn: list[torch.Tensor] = []

    def watched(*arguments: object) -> torch.Tensor:
        given.append(arguments[-1])
        drawn.append(sample(*arguments))
        return drawn[-1]

    monkeypatch.setattr("lamp_cli.inference.generate.sample", watched)
    for tokens in (3, 0):
        options = GenerateOptions(3, sampling=FEW_ROUNDS, candidates=1, context_tokens=tokens)
        next(generate(loaded, [_chain(*SENTENCES[:2])], options))
    # Ten tokens, of which the last three are told.
    codes = loaded.tokenizer.config.codebooks
    assert given[0] is None and torch.equal(given[1], drawn[0][:, 7 * codes : 10 * codes])
    assert given[3] is None
    assert drawn[1].shape == (1, 13 * codes) and torch.equal(drawn[1][:, : 3 * codes], given[1])
    # The first part is what is made of its sentence alone.
    next(generate(loaded, [Prompt(SENTENCES[0], 40)], options))
    assert torch.equal(drawn[-1], drawn[0])


def test_a_part_that_cannot_be_made_is_named(loaded: Bundle) -> None:
    most = 4 * (49 - GenerateOptions.context_tokens)
    check_prompt(loaded, _chain("a", "b", frames=most))
    with pytest.raises(ValueError, match=f"part 2: 3 frames .* parts after the first of 4 to {most}"):
        check_prompt(loaded, dataclasses.replace(_chain("a"), then=(Prompt("b", 3),)))
    with pytest.raises(ValueError, match="part 2: the prompt is empty"):
        check_prompt(loaded, _chain("a", " "))
    with pytest.raises(ValueError, match="context_tokens: expected 0 or more, found -1"):
        GenerateOptions(context_tokens=-1)


def test_a_part_that_is_too_long_is_made_in_pieces(loaded: Bundle) -> None:
    most = 4 * (49 - GenerateOptions.context_tokens)
    whole = in_pieces(loaded, _chain("a", "b", frames=most))
    assert [part.frames for part in whole.parts] == [most, most]
    asked = _chain("a", "b", frames=501)
    parts = in_pieces(loaded, asked).parts
    assert [part.text for part in parts] == ["a"] * 3 + ["b"] * 3
    assert [part.goes_on for part in parts] == [False, True, True] * 2
    assert sum(part.frames or 0 for part in parts) == 2 * 501 and max(p.frames or 0 for p in parts) <= most
    assert all((part.frames or 0) % 4 == 0 for part in parts[:2])
    assert in_pieces(loaded, asked).sentence == asked.sentence


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
    taught = copy.copy(loaded.lamp)
    taught.config = dataclasses.replace(loaded.lamp.config, weights=PAPER_WEIGHTS)
    bundles = dataclasses.replace(loaded, lamp=taught), loaded
    kept = {}
    for share in (0.0, 100.0):
        monkeypatch.setattr("lamp_cli.inference.candidates.LIKELIHOOD_SHARE", share)
        kept[share] = [[motion.features for motion in _kept(bundle, 12)] for bundle in bundles]
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


def test_a_misspelt_word_is_read_as_the_known_one_and_said(loaded: Bundle) -> None:
    options = GenerateOptions(3, sampling=FEW_ROUNDS, candidates=1)
    written, meant = "a person wlaks forward", "a person walks forward"
    made = list(generate(loaded, [Prompt(written, FRAMES), Prompt(meant, FRAMES)], options))
    assert [motion.text for motion in made] == [written, meant]
    np.testing.assert_allclose(made[0].joints, made[1].joints, atol=1e-4)
    remarks = remarks_on(loaded, [written, meant], generating=True)
    assert remarks[written].read_as == meant and remarks[meant].read_as is None
    assert remarks[written].sentences(written, "the motion is")[0] == f"{written!r} is read as {meant!r}"
    assert remarks[written].record()["read_as"] == meant and "read_as" not in remarks[meant].record()
