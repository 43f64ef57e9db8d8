"""A span drawn anew: what is told to the generator, what is chosen, and what stays as it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.inference import edit as module
from lamp_cli.inference.direct import join, loop
from lamp_cli.inference.edit import EditOptions, SpanOptions, edit
from lamp_cli.inference.generate import GenerateOptions, Prompt, generate
from lamp_cli.model.known_codes import UNKNOWN
from lamp_cli.model.sampling import SamplingOptions, sample
from lamp_cli.motion.gap import Gap, fill_gap
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.motion.transform import resample
from lamp_cli.synthetic.corpus import numbered_clip
from tests.conftest import wandering
from tests.inference.test_retrieve import tiny_bundle

WAVES = "a person waves with the right hand"
# Few rounds and draws: how good they are does not matter here, and lamp-mini is no small network.
FEW = EditOptions(seed=3, sampling=SamplingOptions(steps=3), candidates=2)


@pytest.fixture(scope="module")
def loaded() -> Bundle:
    return load_bundle("lamp-mini", torch.device("cpu"))


def clip(number: int = 2, fps: float = 20.0) -> Motion:
    joints = numbered_clip(20_260_000, number).joints.astype(np.float32)
    return Motion(resample(joints, 20.0, fps), HUMANML3D, fps, "clip")


def edited(
    bundle: Bundle, motion: Motion, text: str = "", options: EditOptions = FEW, **span: object
) -> Motion:
    return next(edit(bundle, motion, SpanOptions(**span).gap_of(motion), text, options))  # type: ignore[arg-type]


@pytest.mark.parametrize("fps", [20.0, 30.0])
@pytest.mark.parametrize("text", ["", WAVES])
def test_frames_outside_are_the_motions_own(loaded: Bundle, fps: float, text: str) -> None:
    motion = clip(fps=fps)
    result = edited(loaded, motion, text, between=(2.0, 4.1))
    first, last = round(2 * fps), round(4.1 * fps)
    assert len(result) == len(motion) and result.fps == fps and result.text == text
    assert result.joints[:first].tobytes() == motion.joints[:first].tobytes()
    assert result.joints[last:].tobytes() == motion.joints[last:].tobytes()
    assert np.abs(result.joints - motion.joints)[first:last].max() > 0.01
    [part] = result.parts
    assert (part.text, part.start, part.end) == (text, first, last)


def test_a_motion_goes_on_before_and_after_and_a_span_gets_another_length(loaded: Bundle) -> None:
    motion = clip()
    count = len(motion)
    before = edited(loaded, motion, WAVES, before=1.0)
    assert len(before) == count + 20 and np.array_equal(before.joints[20:], motion.joints)
    after = edited(loaded, motion, WAVES, after=1.0)
    assert len(after) == count + 20 and np.array_equal(after.joints[:count], motion.joints)
    longer = edited(loaded, motion, between=(2.0, 3.0), length=2.0)
    assert len(longer) == count + 20 and np.array_equal(longer.joints[80:], motion.joints[60:])
    kept = edited(loaded, motion, keep=(0.0, 1.5, 3.2))
    assert len(kept) == count
    assert [np.array_equal(kept.joints[k], motion.joints[k]) for k in (0, 30, 64, 65)] == [True] * 3 + [False]


def test_the_same_seed_draws_the_same_and_samples_differ(loaded: Bundle) -> None:
    motion, gap = clip(), Gap(40, 60, 20)
    first, second = edit(loaded, motion, gap, WAVES, dataclasses.replace(FEW, samples=2))
    assert not np.array_equal(first.joints, second.joints)
    assert np.array_equal(first.joints, edited(loaded, motion, WAVES, between=(2.0, 3.0)).joints)
    spaces = edited(loaded, motion, f" {WAVES} ", between=(2.0, 3.0))
    assert np.array_equal(first.joints, spaces.joints) and spaces.text == WAVES


def test_more_draws_meet_both_sides_better(loaded: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    motion, gap = clip(7), Gap(50, 80, 30)
    seen: list[tuple[float, float, float]] = []
    errors = module.seam_errors

    def noted(*given: object) -> tuple[float, float, float]:
        seen.append(errors(*given))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(module, "seam_errors", noted)
    [next(edit(loaded, motion, gap, "", dataclasses.replace(FEW, candidates=count))) for count in (1, 6)]
    costs = np.array(seen) @ [module.PLACE_WEIGHT, module.HEADING_WEIGHT, module.POSE_WEIGHT]
    # The first draw of six is the only one of one.
    assert costs[0] == pytest.approx(costs[1], abs=1e-3) and costs[1:].min() < costs[0] - 0.1


def told_by(
    bundle: Bundle,
    motion: Motion,
    gap: Gap,
    monkeypatch: pytest.MonkeyPatch,
    known_share: float,
    text: str = WAVES,
) -> list[list[bool]]:
    """Of every token whether the generator knows it, in a run of one draw."""
    told = []
    network = bundle.text_to_motion
    assert network is not None
    config = dataclasses.replace(network.generator.config, known_share=known_share)
    monkeypatch.setattr(network.generator, "config", config)

    def noted(*given: object) -> torch.Tensor:
        known = given[-1]
        assert isinstance(known, torch.Tensor)
        told.append((known[0] != UNKNOWN).unflatten(0, (-1, config.codebooks)).all(1).tolist())
        return sample(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "sample", noted)
    next(edit(bundle, motion, gap, text, dataclasses.replace(FEW, candidates=1)))
    return told


def test_the_generator_is_told_what_lies_beside_the_gap_and_kept_poses(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    motion, near = clip(), 4
    span = Gap(40, 60, 20)
    assert told_by(loaded, motion, span, monkeypatch, 0.0) == [[True] * near + [False] * 5]
    assert told_by(loaded, motion, span, monkeypatch, 0.5) == [[True] * near + [False] * 5 + [True] * near]
    assert told_by(loaded, motion, Gap(0, 0, 20), monkeypatch, 0.5) == [[False] * 5 + [True] * near]
    # Where nothing is said, all that there is says it.
    assert told_by(loaded, motion, span, monkeypatch, 0.5, "") == [[True] * 10 + [False] * 5 + [True] * 10]
    kept = Gap(0, 24, 24, (0, 13))
    assert told_by(loaded, motion, kept, monkeypatch, 0.5)[0][:6] == [True, False, False, True, False, False]
    # A long gap leaves less room beside it.
    long = told_by(loaded, motion, Gap(40, 40, 4 * 46), monkeypatch, 0.5)[0]
    assert len(long) == 49 and sum(long) == 3 and not any(long[1:-2])


def test_a_draw_that_both_sides_undo_gives_way_to_one_that_still_does_it(
    loaded: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    motion, gap = clip(), Gap(40, 60, 20)
    judged: list[int] = []

    def undone(skeleton: object, joints: list[np.ndarray], texts: list[str]) -> list[int]:
        judged.append(len(joints))
        # All draws do it, and between the motion's own frames the second of those that are tried.
        return [0] * len(joints) if len(joints) > 1 else [int(judged.count(1) < 2)]

    filled: list[np.ndarray] = []

    def noted(*given: object) -> np.ndarray:
        filled.append(fill_gap(*given))  # type: ignore[arg-type]
        return filled[-1]

    monkeypatch.setattr(module, "undone_of", undone)
    monkeypatch.setattr(module, "fill_gap", noted)
    made = next(edit(loaded, motion, gap, WAVES, dataclasses.replace(FEW, candidates=4)))
    assert judged == [4, 1, 1] and len(filled) == 2
    np.testing.assert_array_equal(made.joints, filled[1])


def test_tokens_beside_a_gap_are_nearly_those_of_the_whole_motion(loaded: Bundle) -> None:
    same = []
    for number in (2, 5, 6):
        motion = clip(number)
        features = joints_to_features(motion.joints, HUMANML3D)
        count = len(features) // 4
        whole = loaded.statistics.normalise(features[: 4 * count])
        codes = loaded.tokenizer.encode(torch.from_numpy(whole)[None])[0].view(count, -1)
        window = module._window(loaded, motion, Gap(32, 56, 24))
        codebooks = loaded.tokenizer.config.codebooks
        found = window.before.view(-1, codebooks)[-4:], window.after.view(-1, codebooks)[:4]
        same += [
            (found[0] == codes[4:8])[:, :2].float().mean(),
            (found[1] == codes[14:18])[:, :2].float().mean(),
        ]
    # Of the coarse codes: what these leave tells apart more.
    assert np.mean(same) > 0.75


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"between": (2.0, 9.0)}, "2 to 9 s: the motion has 5.1 s"),
        ({"between": (3.0, 2.0)}, "expected two times of it in order"),
        ({"between": (float("nan"), 2.0)}, "nan to 2 s"),
        ({"between": (2.0, 2.0)}, "no frame lies between"),
        ({"between": (0.0, 5.1)}, "0 to 5.1 s: all of the motion would be drawn"),
        ({"between": (2.0, 3.0), "length": 0.0}, "0 s to be drawn"),
        ({"after": 30.0}, "30 s to be drawn: this model draws up to 9.4 s"),
        ({"after": float("inf")}, "expected a length above 0"),
        ({"before": 1.0, "after": 1.0}, "before and after: expected one of them"),
        ({}, "no span"),
        ({"after": 1.0, "keep": (0.5,)}, "keep and after"),
        ({"keep": (0.5, 7.0)}, "a pose to keep at 7 s"),
        ({"keep": (0.5,), "length": 2.0}, "length is that of what is drawn between"),
    ],
)
def test_spans_that_cannot_be_served_are_refused(
    loaded: Bundle, span: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        edited(loaded, clip(), **span)


def test_two_frames_and_a_single_frame_are_served(loaded: Bundle) -> None:
    motion = clip()
    result = edited(loaded, motion, between=(2.0, 2.1))
    assert np.flatnonzero(np.abs(result.joints - motion.joints).max((1, 2))).tolist() == [40, 41]
    one = dataclasses.replace(motion, joints=motion.joints[:1])
    assert len(edited(loaded, one, WAVES, after=1.0)) == 21
    assert len(edited(loaded, one, WAVES, before=1.0)) == 21


def test_kits_joints_are_edited_continued_and_closed() -> None:
    bundle, few = tiny_bundle(KIT), dataclasses.replace(FEW, candidates=1)
    motion = Motion(wandering(KIT, 60).astype(np.float32), KIT, 12.5)
    made = edited(bundle, motion, "walks", few, between=(1.0, 2.0))
    assert made.fps == 12.5 and made.joints.shape == motion.joints.shape and np.isfinite(made.joints).all()
    outside = np.r_[0:12, 25:60]
    assert made.joints[outside].tobytes() == motion.joints[outside].tobytes()
    # Bodies are as large as they were: features of KIT are millimetres, joints metres.
    bones = np.stack([made.joints, motion.joints])[..., 1:, :]
    bones = bones - np.stack([made.joints, motion.joints])[..., KIT.parents[1:], :]
    np.testing.assert_allclose(*np.linalg.norm(bones, axis=-1).mean(1), rtol=0.1)
    after, kept = edited(bundle, motion, "", few, after=1.0), edited(bundle, motion, "", few, keep=(0.0, 2.0))
    assert len(after) == 72 and np.array_equal(kept.joints[25], motion.joints[25])
    parts = Prompt("walks", 24, (Prompt("sits", 24),))
    [both] = generate(bundle, [parts], GenerateOptions(1, sampling=few.sampling, candidates=1))
    assert both.skeleton is KIT and [part.text for part in both.parts] == ["walks", "sits"]
    assert join(both, motion).skeleton is KIT and len(loop(motion)) > 12


def test_other_skeletons_and_models_without_a_generator_are_refused(loaded: Bundle) -> None:
    kit = Motion(wandering(KIT, 60), KIT, 12.5)
    with pytest.raises(ValueError, match="draws motions of humanml3d's joints, found those of kit"):
        edited(loaded, kit, after=1.0)
    with pytest.raises(ValueError, match="has no generator"):
        edited(dataclasses.replace(tiny_bundle(), text_to_motion=None), clip(), after=1.0)
    for options in ({"candidates": 0}, {"samples": 0}, {"context_tokens": -1}):
        with pytest.raises(ValueError, match="expected"):
            EditOptions(**options)
