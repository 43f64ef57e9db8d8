"""What captions say falsely and leave out, of clips of known truth."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.scoring.faithfulness import Fact, Faithfulness, JudgedMotion, facts_of, says
from lamp_cli.scoring.figures import FIGURES, Report
from lamp_cli.synthetic.corpus import numbered_clip
from tests.checking.test_check import clip_of, kick_with


@pytest.fixture(scope="module")
def kick() -> JudgedMotion:
    return JudgedMotion(kick_with("left").joints)


def test_actions_sides_and_counts_are_true_or_false(kick: JudgedMotion) -> None:
    action = Fact("action", "kick")
    assert facts_of("a person kicks with the left leg once", kick) == {
        action: True,
        Fact("side", "kick", "left"): True,
        Fact("count", "kick", "once"): True,
    }
    assert facts_of("someone kicks with the right leg", kick) == {
        action: True,
        Fact("side", "kick", "right"): False,
    }
    # No real take of a kick was counted.
    assert facts_of("a man kicks 3 times", kick) == {action: True}
    jump = next(clip for clip in (clip_of("jump", n) for n in range(9)) if clip.truth["count"] == 1)
    thrice = Fact("count", "jump", "3 times")
    assert facts_of("a man jumps 3 times", JudgedMotion(jump.joints))[thrice] is False
    assert facts_of("a person sits down on a chair and kicks", kick)[Fact("action", "sit down")] is False


@pytest.mark.parametrize(
    "text", ["a person does not kick", "a person dances", "a person blorbs", "he squats", ""]
)
def test_what_no_check_judges_is_neither(kick: JudgedMotion, text: str) -> None:
    assert facts_of(text, kick) == {}


def test_the_way_of_a_step_is_a_direction_and_the_hand_a_side() -> None:
    clip = next(c for c in (clip_of("sidestep", n) for n in range(9)) if c.truth["direction"] == "left")
    found = facts_of("a person steps sideways to the right", JudgedMotion(clip.joints))
    assert found[Fact("direction", "sidestep", "right")] is False
    assert {fact.kind for fact in found} == {"action", "direction"}


def test_the_order_is_false_where_the_other_one_is_seen() -> None:
    """Clip 219 tiptoes, then squats."""
    motion = JudgedMotion(numbered_clip(91, 219).joints)
    for text, true in (
        ("someone walks on tiptoes, then squats", True),
        ("someone squats, then walks on tiptoes", False),
    ):
        orders = [verdict for fact, verdict in facts_of(text, motion).items() if fact.kind == "order"]
        assert orders == [true], text


def test_a_fact_is_said_in_any_words_the_reader_knows() -> None:
    left = Fact("side", "kick", "left")
    assert says("he does a kick with his left foot", left) and not says("he kicks with his right foot", left)
    assert says("somebody kicks", Fact("action", "kick")) and not says(
        "somebody sits", Fact("action", "kick")
    )


def test_shares_are_of_what_was_judged_and_of_what_is_true() -> None:
    motion = Motion(kick_with("left").joints.astype(np.float32), HUMANML3D, 20.0)
    faithful, report = Faithfulness(), Report()
    references = ["a person kicks with the left leg", "someone kicks", "a person looks sad"]
    faithful.add(motion, "a person kicks with the right leg", references)
    faithful.add(motion, "a person sits down", references)
    faithful.report("captions by test", 0, report)
    found = {m.metric: (m.value, m.pool) for m in report.measurements}
    assert found == {
        "hallucinated action": (0.5, 2),
        "hallucinated side": (1.0, 1),
        "omitted action": (0.5, 2),
        "omitted side": (1.0, 2),
    }
    assert all(FIGURES[name].metric == "captions" and FIGURES[name].better == "smaller" for name in found)
    assert all(m.interval is not None and m.interval > 0 for m in report.measurements)
