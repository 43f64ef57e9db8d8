"""Motions drawn until the check says yes: which draw is kept, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import lamp_cli as lamp
from lamp_cli.bundle.bundle import Bundle
from lamp_cli.inference.generate import Draw, GenerateOptions, Prompt, generate
from lamp_cli.motion.motion import Motion, MotionPart
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.scoring import checked_generation
from lamp_cli.scoring.checked_generation import CheckedMotion, generate_checked
from tests.checking.test_check import clip_of, kick_with
from tests.inference.test_retrieve import tiny_bundle

ONE = GenerateOptions(seed=3, candidates=1)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return tiny_bundle()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a generator makes that stands, then kicks with the right leg, then with the left; its draws."""
    clips = [clip_of("stand").joints, kick_with("right").joints, kick_with("left").joints]
    numbers: list[int] = []

    def make(bundle: Bundle, draws: Sequence[Draw], options: GenerateOptions) -> Iterator[Motion]:
        for draw in draws:
            numbers.append(draw.sample)
            joints = clips[min(draw.sample, 2)].astype(np.float32)
            yield Motion(joints, HUMANML3D, 20.0, text=draw.prompt.sentence)

    monkeypatch.setattr(checked_generation, "generate_draws", make)
    return numbers


def kept(bundle: Bundle, text: str, most: int = 8, samples: int = 1) -> list[CheckedMotion]:
    options = GenerateOptions(seed=3, candidates=1, samples=samples)
    return list(generate_checked(bundle, [Prompt(text)], options, most))


def test_it_draws_until_the_check_says_yes(bundle: Bundle, drawn: list[int]) -> None:
    [found] = kept(bundle, "a person kicks with the left leg")
    assert (found.checked.verdict, found.draws, found.draw.sample) == ("yes", 3, 2)
    assert drawn == [0, 1, 2]
    assert found.sentence == "check: 'a person kicks with the left leg': yes after 3 draws"


def test_of_draws_that_all_fail_the_nearest_is_kept_and_what_it_lacks_is_said(
    bundle: Bundle, drawn: list[int]
) -> None:
    [found] = kept(bundle, "a person kicks with the left leg", most=2)
    assert (found.checked.verdict, found.draws) == ("no", 2)
    # The stance misses the action and leaves the side open, the other leg's kick misses the side alone.
    assert found.draw.sample == 1
    assert "no after 2 draws (kick, left: missing: the left leg kicks)" in found.sentence


def test_what_no_draw_can_change_is_not_waited_for(bundle: Bundle, drawn: list[int]) -> None:
    [found] = kept(bundle, "a person does not kick")
    assert (found.checked.verdict, found.draws) == ("unknown", 1)
    [found] = kept(bundle, "a person kicks angrily")
    assert (found.checked.verdict, found.draws) == ("unknown", 2)
    assert found.checked.clauses[0].verdict == "yes"


def test_no_draw_of_a_sentence_is_used_twice(bundle: Bundle, drawn: list[int]) -> None:
    found = kept(bundle, "a person sits down", most=3, samples=2)
    assert drawn == [0, 1, 2, 3, 4, 5]
    assert [one.draws for one in found] == [3, 3] and found[0].draw.sample % 2 == 0


def test_the_draw_that_is_named_makes_the_motion_again(bundle: Bundle) -> None:
    prompt = Prompt("a person jumps", 24)
    [found] = generate_checked(bundle, [prompt], ONE, 3)
    number = found.draw.sample
    again = list(generate(bundle, [prompt], GenerateOptions(seed=3, candidates=1, samples=number + 1)))
    np.testing.assert_allclose(found.motion.joints, again[number].joints, atol=1e-4)


def test_fewer_than_one_draw_is_refused(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="draws: expected at least 1, found 0"):
        next(generate_checked(bundle, [Prompt("a person jumps")], ONE, 0))


def test_every_part_of_a_motion_is_judged_in_its_own_frames() -> None:
    kick, stand = kick_with("left").joints, clip_of("stand").joints
    joints = np.concatenate([kick, stand]).astype(np.float32)
    spans = (MotionPart("a person kicks", 0, len(kick)), MotionPart("a person kicks", len(kick), len(joints)))
    motion = Motion(joints, HUMANML3D, 20.0, text="a person kicks, then a person kicks", parts=spans)
    checked = lamp.check(motion)
    assert [(clause.part, clause.verdict) for clause in checked.clauses] == [(1, "yes"), (2, "no")]
    second = checked.clauses[1].second
    assert checked.verdict == "no" and second is not None and second >= len(kick) / 20
    short = (MotionPart("a person kicks", 0, 4), MotionPart("a person stands still", 4, len(joints)))
    first = lamp.check(Motion(joints, HUMANML3D, 20.0, text="x", parts=short)).clauses[0]
    assert (first.verdict, first.part) == ("unknown", 1) and "a check needs 8" in first.reason
