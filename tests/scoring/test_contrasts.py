"""Contrasts and audits: what evaluators of known blindness prefer and notice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.data.captions import Caption
from lamp_cli.language.events import events_of, in_another_order
from lamp_cli.metrics.measurement import FigureNotAllowed, wilson_interval
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import features_to_joints, joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from lamp_cli.scoring.audit import audit
from lamp_cli.scoring.contrasts import score_contrasts
from lamp_cli.scoring.corruptions import CORRUPTIONS, exchanged, spoiled
from lamp_cli.scoring.figures import CONTRAST_FIGURES, CONTRASTS, Report, ScoreOptions
from lamp_cli.scoring.scored_motions import Example, Split, named_split
from tests.command_line import lamp
from tests.conftest import wandering


class Blind:
    """An evaluator that sees of a motion its way ahead, and of a sentence the words it is told to."""

    name = "blind"
    skeleton: Skeleton = HUMANML3D

    def __init__(self, words: Sequence[str] = ()):
        self.words = words

    def motion_embeddings(self, features: Sequence[np.ndarray]) -> np.ndarray:
        """Mean speeds of the root and of all joints: nothing of sides, height or order."""
        rows = [
            [np.abs(f[:, 1:3]).sum(1).mean(), np.abs(f[:, 193:259]).mean(), len(f) / 196] for f in features
        ]
        return np.array(rows, np.float32)

    def text_embeddings(self, captions: Sequence[Caption]) -> np.ndarray:
        rows = [[len(c.text), *(c.text.find(word) for word in self.words)] for c in captions]
        return np.array([[*row, 0, 0][:3] for row in rows], np.float32)

    def similarity(self, captions: Sequence[Caption], features: Sequence[np.ndarray]) -> np.ndarray:
        """Larger the earlier the words stand, and the farther the motion goes ahead."""
        texts = [-sum(c.text.find(word) for word in self.words) for c in captions]
        ahead = [float(f[:, 2].sum()) for f in features]
        return np.add.outer(np.array(texts, np.float32), np.array(ahead, np.float32))


@pytest.mark.parametrize(
    ("sentence", "events"),
    [
        ("A man walks forward, turns around and sits down.", ("walks forward", "turns around", "sits down")),
        ("a person is walking, then he is slowly waving", ("walking", "slowly waving")),
        ("person walks to the side then crawls under something", None),
        ("a person walks left and right", ()),
        ("a person walks while waving and then sits", ()),
        ("a person sits after walking and then waves", ()),
        ("a person jumps", ()),
        ("walks and sits", ()),
        ("a man walked forward and sits down", ()),
    ],
)
def test_events_are_verbs_of_one_form_in_a_row(sentence: str, events: tuple[str, ...] | None) -> None:
    found = events_of(sentence)
    if events is None:
        assert found == ("person", ("walks to the side", "crawls under something"))
    else:
        assert (found[1] if found else ()) == events


def test_the_other_order_has_the_same_events_linked_alike() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        found = in_another_order("a man walks forward, turns around and then sits down", rng)
        assert found is not None and found[0] == "a man walks forward, then turns around, then sits down"
        assert found[1] != found[0] and sorted(found[1].split(", then ")) != []
        assert sorted(found[1].removeprefix("a man ").split(", then ")) == [
            "sits down",
            "turns around",
            "walks forward",
        ]


def _walk(ahead: float, text: str, number: int) -> Example:
    joints = np.repeat(wandering(HUMANML3D, 1, 0), 60, axis=0)
    joints = (joints + np.linspace(0, ahead, 60)[:, None, None] * [0, 0, 1]).astype(np.float32)
    return Example(number, (Caption("a person stands"), Caption(text)), Motion(joints, HUMANML3D, 20.0))


def _contrasts(examples: Sequence[Example], words: Sequence[str]) -> dict[str, tuple[float, int]]:
    report = Report()
    options = ScoreOptions((CONTRASTS,), seed=3)
    score_contrasts(examples, len(examples), [Blind(words)], options, "given", report)
    return {m.metric: (m.value, m.pool) for m in report.measurements}


def test_the_share_is_that_of_pairs_in_which_the_true_side_is_preferred() -> None:
    examples = [
        _walk(2.0, "a person walks forward and then sits down", 0),
        _walk(2.0, "a person sits down and then walks forward", 1),
        _walk(2.0, "a person kicks with the left leg", 2),
        _walk(-2.0, "a person walks forward to the right", 3),
    ]
    # It wants to hear of walking early: of the right order in one of two.
    assert _contrasts(examples, ["walk"])["order contrast (CAR)"] == (0.5, 2)
    # It wants to hear of the left early, and not of the right.
    assert _contrasts(examples, ["left"])["mirrored-text contrast"] == (0.5, 2)
    # Two walks go ahead as they should and so does the third, which is played backwards as it is told.
    assert _contrasts(examples, [])["reversed-motion contrast"] == (pytest.approx(2 / 3), 3)
    # Whom words tell nothing prefers neither.
    assert _contrasts(examples, [])["order contrast (CAR)"] == (0.5, 2)


def test_contrasts_without_a_caption_to_turn_round_are_refused() -> None:
    report = Report()
    options = ScoreOptions((CONTRASTS,))
    score_contrasts([_walk(0.0, "a person waves", 0)], 1, [Blind()], options, "given", report)
    assert not report.measurements and len(report.refusals) == len(CONTRAST_FIGURES)


def test_wilsons_interval() -> None:
    # Brown, Cai and DasGupta 2001, table of n = 50: p = 0.02 gives 0.0035 to 0.1050.
    assert 2 * wilson_interval(0.02, 50) == pytest.approx(0.1050 - 0.0035, abs=2e-4)
    assert wilson_interval(1.0, 10) > 0.1
    with pytest.raises(ValueError, match="at least one trial"):
        wilson_interval(0.5, 0)


def test_every_corruption_spoils_what_it_says_and_nothing_else(walk: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    made = {name: how(walk.astype(np.float32), HUMANML3D, rng) for name, (_, how) in CORRUPTIONS.items()}
    np.testing.assert_array_equal(made["reversed"][::-1], walk.astype(np.float32))
    names = HUMANML3D.joint_names
    left, right = names.index("left_wrist"), names.index("right_wrist")
    np.testing.assert_allclose(made["mirrored"][:, left] * [-1, 1, 1], walk[:, right], atol=1e-6)
    np.testing.assert_allclose(made["floated"][..., 1] - walk[..., 1], 0.2, atol=1e-5)
    assert np.std(made["jittered"] - walk) == pytest.approx(0.02, rel=0.05)
    assert len(made["slowed"]) == pytest.approx(1.5 * len(walk), abs=2)
    drift = (made["slid"] - walk)[-1, :, [0, 2]]
    np.testing.assert_allclose(np.linalg.norm(drift, axis=0), 0.5 * (len(walk) - 1) / 20, atol=1e-4)
    before, after = (joints_to_features(j, HUMANML3D) for j in (walk, made["shuffled in time"]))
    # The same poses, and no jump of the root where pieces meet.
    np.testing.assert_allclose(np.sort(before[:, 3])[:100], np.sort(after[:, 3])[:100], atol=0.02)
    steps = [
        np.linalg.norm(np.diff(j[:, 0, [0, 2]], axis=0), axis=1).max()
        for j in (walk, made["shuffled in time"])
    ]
    assert steps[1] < 1.5 * steps[0]


def test_exchanged_motions_are_never_the_own_ones() -> None:
    for count in (2, 3, 17):
        places = exchanged(count, np.random.default_rng(count))
        assert sorted(places) == list(range(count)) and (places != np.arange(count)).all()
    with pytest.raises(ValueError, match="at least 2"):
        exchanged(1, np.random.default_rng(0))


@pytest.fixture(scope="module")
def split() -> Split:
    return named_split(None, None, 64)


def test_an_audit_tells_what_a_blind_evaluator_does_not_see(split: Split) -> None:
    rows = {(a.figure.subject, a.figure.metric): a for a in audit(split, Blind(), 5, 2)}
    # It does not see sides, height and order, and feels time that is stretched.
    assert not any(rows[name, "FID"].noticed for name in ("mirrored", "floated", "reversed"))
    assert rows["slowed", "FID"].noticed and rows["jittered", "jitter (m/s³)"].noticed
    assert not rows["floated", "bone drift (cm)"].noticed, "rounding is not noticed"
    # Physics sees height and gliding, not sides; whose sentence a motion has it cannot know.
    assert (
        rows["floated", "floating (cm)"].noticed and rows["slid", "foot skate (cm/frame at 20 fps)"].noticed
    )
    assert not rows["mirrored", "jitter (m/s³)"].noticed
    # Exchanged motions are the same set: only what matches them with sentences is measured.
    assert not any(("exchanged", name) in rows for name in ("jitter (m/s³)", "FID", "Diversity"))
    assert not rows["exchanged", "R-precision top 3"].noticed
    one = rows["slowed", "FID"].record()
    assert one["difference"] == pytest.approx(one["value"] - one["truth"]) and one["noticed"]
    assert {a.figure.subject for a in rows.values()} == {*CORRUPTIONS, "exchanged"}


def test_an_audit_of_few_clips_or_another_skeleton_is_refused(split: Split) -> None:
    few = named_split(None, None, 63)
    with pytest.raises(FigureNotAllowed, match="at least 64 clips, found 63"):
        audit(few, Blind(), 5, 0)
    other = Blind()
    other.skeleton = KIT
    with pytest.raises(ValueError, match="evaluator blind reads"):
        audit(split, other, 5, 0)


def test_what_is_left_as_it_is_stays(split: Split) -> None:
    joints = features_to_joints(split.clips.clips[0].features, split.skeleton)
    same = spoiled([joints], split.skeleton, None, np.random.default_rng(0))
    np.testing.assert_array_equal(same.joints[0], joints)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--audit", "lamp", "--fid"], "--fid: with --audit nothing else is measured"),
        (["--audit", "lamp", "--split", "val"], "--split: belongs to --data DIR"),
        (["--audit", "lamp", "--force"], "--force: belongs to --output"),
        (["--audit", "none-such"], "evaluator none-such: expected guo:PATH"),
        (["--audit", "lamp", "--output", "x.txt"], "--output x.txt: expected a name that ends in"),
    ],
)
def test_bad_audits_are_one_sentence(words: list[str], message: str, tmp_path: Path) -> None:
    done = lamp("score", *words, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr
