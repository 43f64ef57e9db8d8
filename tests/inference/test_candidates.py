from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.checking.undone import undone
from lamp_cli.inference import generate
from lamp_cli.inference.candidates import best_candidates, undone_of
from lamp_cli.inference.generate import GenerateOptions, Prompt
from lamp_cli.model.sampling import SamplingOptions
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from lamp_cli.synthetic.corpus import synthetic_clip_of

FEW = GenerateOptions(1, sampling=SamplingOptions(steps=2), candidates=2)


@pytest.fixture(scope="module")
def loaded() -> Bundle:
    return load_bundle("lamp-mini", torch.device("cpu"), captioner=False)


def test_the_candidate_that_leaves_least_undone_is_kept_and_of_equals_the_nearest() -> None:
    fit = torch.tensor([9.0, 1.0, 2.0, 1.0, 3.0, 2.0])
    assert best_candidates([1, 0, 0, None, None, None], fit, 3) == [2, 4]
    assert best_candidates([2, 1], fit[:2], 1) == [0, 1]


def test_what_a_made_up_clip_does_is_done_and_something_else_is_not() -> None:
    joints = synthetic_clip_of("jumping jacks", np.random.default_rng(3)).joints
    assert undone(joints, "a person does jumping jacks") == 0
    assert undone(joints, "a person sits down") == 1
    assert undone(joints, "a person walks and then waves with the right hand") == 5
    assert undone(joints, "a person glorps") is None
    assert undone(joints[:5], "a person does jumping jacks") is None


def test_actions_in_a_row_are_made_one_after_the_other_where_that_does_more(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a person walks forward, then waves with the right hand"

    def judged(left: int | None, as_a_whole: int = 2) -> None:
        whole: list[bool] = []

        def undone_of(_: Skeleton, joints: Sequence[np.ndarray], texts: Sequence[str]) -> list[int | None]:
            if len(texts) > 1:
                whole[:] = [texts[0] == text]
                return [as_a_whole for _ in texts]
            # First the motion of the sentence as a whole is handed out, then those of its parts.
            return [as_a_whole if whole.pop() else left]

        monkeypatch.setattr(generate, "undone_of", undone_of)

    for left, parts in ((1, 2), (2, 0), (None, 0)):
        judged(left)
        motion = _made(loaded, Prompt(text, 120))
        assert (motion.text, len(motion.joints), len(motion.parts)) == (text, 120, parts)
    # Two draws of the sentence, then twice two of each part: its own words are the plainest.
    judged(2)
    assert _made(loaded, Prompt(text, 120)).candidates == 2 * (1 + 2 + 2)
    # All of it is done, the time is too short for two parts, or one draw alone is asked for, the paper's way.
    judged(0, as_a_whole=0)
    assert not _made(loaded, Prompt(text, 120)).parts
    judged(0)
    assert not _made(loaded, Prompt(text, 36)).parts
    assert not _made(loaded, Prompt(text + ", then sits, then jumps, then waves, then claps", 196)).parts
    assert not next(generate.generate(loaded, [Prompt(text, 120)], GenerateOptions(1, candidates=1))).parts


def test_where_no_draw_does_it_plainer_words_are_drawn(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, plain = "our striker boots it, left-footed", "a person kicks with the left leg"
    drawn: list[str] = []
    streams = generate._streams

    def noted(bundle: Bundle, draw: generate.Draw, parts: int, *options: Any) -> list[torch.Generator]:
        drawn.append(draw.prompt.text)
        return streams(bundle, draw, parts, *options)

    monkeypatch.setattr(generate, "_streams", noted)
    monkeypatch.setattr(generate, "undone_of", lambda _, joints, texts: [1] * len(joints))
    motion = next(generate.generate(loaded, [Prompt(text, 60)], FEW))
    assert drawn == [text, plain, plain]
    assert (motion.text, motion.candidates) == (text, 6)


def test_what_is_not_read_is_drawn_once(loaded: Bundle) -> None:
    motion = next(generate.generate(loaded, [Prompt("a person glorps", 60)], FEW))
    assert motion.candidates == 2


def _made(bundle: Bundle, prompt: Prompt) -> Motion:
    first, again = (next(generate.generate(bundle, [prompt], FEW)) for _ in range(2))
    assert (first.joints == again.joints).all()
    return first


def test_another_skeleton_than_the_checks_read_is_not_judged() -> None:
    joints = synthetic_clip_of("jumping jacks", np.random.default_rng(3)).joints
    assert undone_of(HUMANML3D, [joints, joints], ["a person sits down", ""]) == [1, None]
    assert undone_of(KIT, [joints[:, :21]], ["a person sits down"]) == [None]
