"""Recombined clips: the laws that the real clips keep, sentences that stay true, a split that stays clean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.data.prepare.caption_files import ClipRequest
from lamp_cli.data.prepare.prepare import PrepareOptions, prepare, remove_prepared
from lamp_cli.metrics.physics import foot_skate
from lamp_cli.motion.representation import canonical_joints
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.synthetic.corpus import RealClip, RecombinedClip, Recombiner, synthetic_clip_of
from lamp_cli.synthetic.recombination import clauses
from lamp_cli.synthetic.recombination.body_parts import with_arms
from lamp_cli.synthetic.recombination.foot_slips import accelerations, has_flights, planted
from lamp_cli.synthetic.recombination.recombiner import _synthetic_arms
from lamp_cli.synthetic.recombination.splice import HALF, Match, best_match, splice
from lamp_cli.synthetic.recombination.time_warp import FLIGHT_SPEEDS, SPEEDS, time_warp, warp_times
from tests.conftest import wandering

ACTIONS = ("walk", "jog", "kick", "jump", "walk backward", "wave", "clap", "squat", "punch", "sidestep")
CLIPS = 24


def made(action: str, *numbers: int) -> np.ndarray:
    """A clip of the generator as a stand-in for a real one, float64."""
    return synthetic_clip_of(action, np.random.default_rng(numbers)).joints.astype(np.float64)


def turned(joints: np.ndarray, angle: float, x: float, z: float) -> np.ndarray:
    """The same clip elsewhere in the room."""
    cos, sin = np.cos(angle), np.sin(angle)
    result = joints.copy()
    result[..., 0] = joints[..., 0] * cos + joints[..., 2] * sin + x
    result[..., 2] = -joints[..., 0] * sin + joints[..., 2] * cos + z
    return result


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(joints[:, 1:] - joints[:, list(HUMANML3D.parents[1:])], axis=-1)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> list[RealClip]:
    """Clips of the generator with other bones, elsewhere, as a capture session leaves them."""
    folder = tmp_path_factory.mktemp("real")
    clips = []
    for number, action in enumerate(ACTIONS * 3):
        clip = synthetic_clip_of(action, np.random.default_rng([3, number]))
        path = folder / f"{number:02d}.npy"
        np.save(path, turned(1.07 * clip.joints.astype(np.float64), number, 0.3 * number, -1.0))
        clips.append(RealClip(f"{number:02d} {action}", path, clip.captions))
    return clips


@pytest.fixture(scope="module")
def results(real: list[RealClip]) -> list[RecombinedClip]:
    recombiner = Recombiner(real)
    found = [recombiner.clip(1, number) for number in range(CLIPS)]
    return [clip for clip in found if clip is not None]


# Every result


def test_every_kind_is_made_and_keeps_the_laws(real: list[RealClip], results: list[RecombinedClip]) -> None:
    sources = {clip.name: canonical_joints(np.load(clip.path), HUMANML3D) for clip in real}
    assert len(results) >= 0.9 * CLIPS
    assert {clip.provenance["recombined"] for clip in results} == {"splice", "time_warp", "body_parts"}
    for clip in results:
        joints = clip.joints.astype(np.float64)
        assert clip.joints.dtype == np.float32 and joints.shape[1:] == (22, 3) and 41 <= len(joints) <= 197
        np.testing.assert_allclose(
            bone_lengths(joints), np.tile(HUMANML3D.bone_lengths[1:], (len(joints), 1)), atol=1e-5
        )
        assert joints[..., 1].min() > -1e-4
        names = [name for name in clip.provenance["sources"] if name in sources]
        assert names
        before = [foot_skate(sources[name], 20.0) for name in names]
        if clip.provenance["recombined"] == "time_warp":
            # The others may leave out the part of a source that stood still; their own tests have pieces.
            assert foot_skate(joints, 20.0) <= 1.3 * max(s for s in before if s is not None) + 1e-6


def test_nothing_jerks_at_a_seam(real: list[RealClip], results: list[RecombinedClip]) -> None:
    sources = {clip.name: canonical_joints(np.load(clip.path), HUMANML3D) for clip in real}
    spliced = [clip for clip in results if clip.provenance["recombined"] == "splice"]
    assert spliced
    for clip in spliced:
        at = clip.provenance["seam"]
        peak = accelerations(clip.joints)[max(at - HALF - 1, 0) : at + 3 * HALF].max()
        usual = np.concatenate([accelerations(sources[name]) for name in clip.provenance["sources"]])
        # Twice the 99th percentile of the pieces used, which lies below the peak of the whole clips.
        assert peak <= max(2 * np.percentile(usual, 99), usual.max())


def test_captions_name_the_sources_sides(real: list[RealClip], results: list[RecombinedClip]) -> None:
    told = {clip.name: " ".join(clip.captions) for clip in real}
    swap = {"left": "right", "right": "left"}
    checked = 0
    for clip in results:
        assert 1 <= len(clip.captions) <= 3
        flags = clip.provenance["mirrored"]
        flags = flags if isinstance(flags, list) else [flags]
        allowed = set()
        for name, mirrored in zip(clip.provenance["sources"], flags, strict=True):
            words = told.get(name, name).replace("(", " ").replace(")", " ").split()
            sides = {word for word in words if word in swap}
            allowed |= {swap[side] for side in sides} if mirrored else sides
        used = {word for text in clip.captions for word in text.split() if word in swap}
        checked += bool(used)
        assert used <= allowed, (clip.provenance, clip.captions)
    assert checked


def test_a_clip_depends_on_seed_and_number_alone(real: list[RealClip], results: list[RecombinedClip]) -> None:
    again = Recombiner(real[::-1])
    for number in (7, 3):
        clip, other = again.clip(1, number), Recombiner(real).clip(1, number)
        assert clip is not None and other is not None
        np.testing.assert_array_equal(clip.joints, other.joints)
        assert (clip.captions, clip.provenance) == (other.captions, other.provenance)
    different = again.clip(2, 3)
    assert different is not None and different.provenance != results[3].provenance


def test_without_mirrored_copies_no_source_is_mirrored(real: list[RealClip]) -> None:
    recombiner = Recombiner(real, mirrored=False)
    flags = [clip.provenance["mirrored"] for n in range(6) if (clip := recombiner.clip(0, n))]
    assert flags and not any(any(f) if isinstance(f, list) else f for f in flags)


def test_no_captions_are_refused(real: list[RealClip]) -> None:
    with pytest.raises(ValueError, match="captioned clips in the training split, found none"):
        Recombiner([RealClip("a", real[0].path, ())])


# Time warp


@pytest.mark.parametrize("bounds", [SPEEDS, FLIGHT_SPEEDS])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_warps_are_monotone_and_within_bounds(bounds: tuple[float, float], share: float) -> None:
    speed = bounds[0] + share * (bounds[1] - bounds[0])
    times = warp_times(120, speed, bounds, np.random.default_rng(0))
    steps = np.diff(times)
    assert times[0] == 0 and times[-1] == pytest.approx(119)
    # Rounding to whole frames may move the mean speed by half a frame in the whole clip.
    assert bounds[0] * 0.995 <= steps.min() and steps.max() <= bounds[1] * 1.005
    assert np.ptp(steps) > 0 if share == 0.3 else True
    assert np.abs(np.diff(steps)).max() < 0.03


@pytest.mark.parametrize("wrong", [(1, 1.0), (50, 0.5), (50, float("nan"))])
def test_bad_warps_are_refused(wrong: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="time warp: expected 2 frames or more and a speed from"):
        warp_times(*wrong, SPEEDS, np.random.default_rng(0))


def test_a_warp_at_whole_frames_is_the_clip_itself() -> None:
    joints = made("walk", 4)
    np.testing.assert_allclose(time_warp(joints, np.arange(len(joints))), joints, atol=1e-5)
    # Between the frames of uniform motion lies uniform motion.
    line = joints[:1] + np.arange(20)[:, None, None] * np.array([0.0, 0.0, 0.05])
    times = np.linspace(0, 19, 27)
    np.testing.assert_allclose(time_warp(line, times)[:, 0, 2] - line[0, 0, 2], 0.05 * times, atol=1e-8)


def test_flights_are_seen() -> None:
    assert has_flights(made("jump", 1)) and not has_flights(made("walk", 1))


def test_speed_words_must_hold() -> None:
    assert clauses.true_at("a man walks forward slowly.", 0.85)
    assert not clauses.true_at("a man walks forward slowly.", 1.15)
    assert not clauses.true_at("he quickly turns", 0.85) and clauses.true_at("he quickly turns", 1.15)
    assert not clauses.true_at("walks at a normal pace", 1.2) and clauses.true_at(
        "walks at a normal pace", 1.05
    )


# Splice


@pytest.mark.parametrize("angle", [0.0, 2.0, -3.0])
def test_two_halves_of_a_clip_become_the_clip_again(angle: float) -> None:
    joints = made("walk", 9)
    cut = len(joints) // 2
    first, second = joints[: cut + HALF + 1], turned(joints[cut - HALF :], angle, 3.0, -2.0)
    match = best_match(first, second, (cut - 3, cut), (HALF, HALF + 3))
    assert match is not None and match.distance < 1e-5
    assert match.second - HALF == match.first - cut
    np.testing.assert_allclose(splice(first, second, match), joints, atol=2e-3)


def test_planted_feet_stay_where_they_are() -> None:
    first, second = made("wave", 1), turned(made("clap", 2), 1.0, 2.0, 2.0)
    match = best_match(first, second, (len(first) - 20, len(first)), (0, 20))
    assert match is not None and match.distance < 0.12
    joints = splice(first, second, match)
    assert len(joints) == match.first + len(second) - match.second
    np.testing.assert_allclose(
        bone_lengths(joints), bone_lengths(first[:1]).repeat(len(joints), 0), atol=1e-5
    )
    feet = joints[match.first - HALF : match.first + 3 * HALF, [7, 10, 8, 11]][..., [0, 2]]
    assert np.linalg.norm(np.diff(feet, axis=0), axis=-1).max() < 2e-3
    np.testing.assert_allclose(joints[: match.first - HALF], first[: match.first - HALF])


def test_a_splice_needs_frames_on_both_sides() -> None:
    joints = made("walk", 1)
    assert best_match(joints, joints, (len(joints) - 2, len(joints)), (0, 9)) is None
    with pytest.raises(ValueError, match="splice: expected 5 frames on both sides of the match"):
        splice(joints, joints, Match(2, 20, 0.0))


# Contacts


def test_feet_are_planted_where_they_rest() -> None:
    assert planted(made("clap", 1)).all()
    flags = planted(made("walk", 1))
    assert 0.3 < flags[20:40, ::2].mean() < 0.95 and flags[20:40].any(axis=1).all()


# Body parts


def test_arms_are_carried_in_the_frame_of_the_chest() -> None:
    legs, arms = made("walk", 2), turned(made("wave", 2), 2.5, 1.0, 1.0)
    joints = with_arms(legs, arms, (1,), whole=False)
    arm = [19, 21]
    np.testing.assert_array_equal(np.delete(joints, arm, axis=1), np.delete(legs, arm, axis=1))
    np.testing.assert_allclose(bone_lengths(joints), bone_lengths(legs), atol=1e-6)
    count = min(len(legs), len(arms))
    np.testing.assert_allclose(joints[count:, arm], legs[count:, arm], atol=1e-9)
    # Both bodies stand upright, so a hand rises above its shoulder by as much in both.
    middle = slice(10, count - 10)
    heights = [(x[middle, 21] - x[middle, 17])[:, 1] for x in (joints, arms)]
    assert np.abs(heights[0] - heights[1]).max() < 0.15
    with pytest.raises(ValueError, match=r"expected sides 0 .left. or 1 .right."):
        with_arms(legs, arms, (2,), whole=False)


def test_a_bodys_own_arms_come_back_to_itself() -> None:
    legs = made("walk", 3)
    np.testing.assert_allclose(with_arms(legs, turned(legs, 1.0, 2.0, 0.0), (0, 1), True), legs, atol=1e-6)


# Sentences


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("a person walks forward.", "The man kicks.", "a person walks forward and then kicks"),
        ("a man is jogging", "someone is waving", "a man is jogging and then waving"),
        ("a woman jumps", "a man raises his arm", "a woman jumps and then raises their arm"),
        ("a person walks", "a man is jumping", None),
        ("a person walks forward", "a person slowly strides", None),
        (
            "a person jumps",
            "a person walks towards the camera",
            "a person jumps and then walks towards the camera",
        ),
        ("a person: jumps", "a person walks", None),
    ],
)
def test_sentences_in_sequence(first: str, second: str, whole: str | None) -> None:
    a, b = clauses.parse(first), clauses.parse(second)
    assert (clauses.sequence(a, b, " and then ") if a and b else None) == whole


def test_what_may_be_told_of_a_piece() -> None:
    def parsed(text: str) -> clauses.Clause:
        clause = clauses.parse(text)
        assert clause is not None
        return clause

    assert clauses.is_steady(parsed("a man walks forward slowly"))
    assert not clauses.is_steady(parsed("a man walks forward then stops"))
    assert not clauses.holds_for_pieces(parsed("a man walks towards the camera"))
    assert not clauses.holds_for_pieces(parsed("jump")) and clauses.holds_for_pieces(parsed("walk"))
    assert clauses.is_plain_gait(parsed("a person walks forward"))
    for other in ("a person walks swinging their arms", "run duck underneath", "a man walks like a zombie"):
        assert not clauses.is_plain_gait(parsed(other))
    assert clauses.is_arms_alone(parsed("a person waves his right hand"))
    assert not clauses.is_arms_alone(parsed("a person waves and then walks"))
    assert not clauses.is_arms_alone(parsed("a person jumps and raises both arms"))
    assert (
        clauses.as_gerund(parsed("he raises the left arm and lowers it"))
        == "raising the left arm and lowering it"
    )
    assert clauses.as_gerund(parsed("he raised an arm")) is None
    legs = parsed("a person walks forward")
    assert clauses.simultaneous(legs, "waving") == "a person walks forward while waving"


# Prepare


def requests(real: list[RealClip]) -> list[ClipRequest]:
    split = {0: "val", 1: "test"}
    return [
        ClipRequest(f"c{n:02d}", clip.path.stem, clip.captions, split=split.get(n % 10, "train"))
        for n, clip in enumerate(real)
    ]


def test_prepare_adds_clips_to_train_and_never_from_held_out_ones(
    real: list[RealClip], tmp_path: Path
) -> None:
    motions, out = real[0].path.parent, tmp_path / "data"
    options = PrepareOptions(mirror=False, recombine=5, seed=5)
    report = prepare(motions, requests(real), out, options)
    train, val = ((out / f"{split}.txt").read_text().split() for split in ("train", "val"))
    names = [name for name in train if name.startswith("R")]
    assert 4 <= len(names) <= 5 and sum(report.recombined.values()) == len(names)
    assert not any(name.startswith("R") for name in val)
    assert json.loads((out / "report.json").read_text())["recombined"] == report.recombined
    for name in names:
        truth = json.loads((out / "truth" / f"{name}.json").read_text())
        sources = [source for source in truth["sources"] if not source.startswith("synthetic")]
        assert sources and set(sources) <= set(train)
        assert (out / "texts" / f"{name}.txt").read_text()
    before = {f.name: f.read_bytes() for f in (out / "new_joints").iterdir()}
    (out / "texts" / f"{names[0]}.txt").unlink()
    assert prepare(motions, requests(real), out, options) == report
    two = prepare(
        motions,
        requests(real),
        tmp_path / "two",
        replace(options, workers=2),
    )
    assert two == report
    for folder in (out, tmp_path / "two"):
        assert {f.name: f.read_bytes() for f in (folder / "new_joints").iterdir()} == before
    remove_prepared(out)
    assert not list(out.rglob("*.json"))


def test_recombining_needs_real_clips(real: list[RealClip], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="recombine -1: expected a number of clips"):
        PrepareOptions(recombine=-1)
    with pytest.raises(ValueError, match="made of real ones; expected motions"):
        prepare(None, [], tmp_path / "a", PrepareOptions(synthetic=40, recombine=2))
    np.save(tmp_path / "k.npy", wandering(KIT, 60).astype(np.float32))
    with pytest.raises(ValueError, match=r"have humanml3d's skeleton, .* has kit's"):
        prepare(tmp_path / "k.npy", [], tmp_path / "b", PrepareOptions(recombine=2))
    silent = [ClipRequest(clip.path.stem, clip.path.stem, ()) for clip in real[:2]]
    with pytest.raises(ValueError, match="found none"):
        prepare(real[0].path.parent, silent, tmp_path / "c", PrepareOptions(recombine=2))


def test_made_up_arms_are_told_of_by_a_gerund() -> None:
    found = {
        words.split()[0] for seed in range(4) for words in _synthetic_arms(np.random.default_rng(seed)).ways
    }
    assert found == {
        "eating",
        "scratching",
        "answering",
        "talking",
        "bringing",
        "raising",
        "making",
        "rubbing",
        "holding",
        "taking",
        "putting",
        "lifting",
    }
