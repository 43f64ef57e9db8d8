"""The checker of motions: right about synthetic clips of known truth and about motions made by hand."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

from examples.judge.generation import PROMPTS, read_prompts
from examples.judge.parts import (
    BLEND,
    Joined,
    joined,
    place_behind,
    transitions,
    verdicts,
    windows,
)
from examples.judge.parts import PROMPTS as PROMPTS_OF_PARTS
from lamp_cli.checking.checks import CHECKS, does
from lamp_cli.checking.kinematics import Kinematics, rises, swings
from lamp_cli.motion.clean_up import runs
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import mirror
from lamp_cli.synthetic.corpus import ACTIONS, SyntheticClip, numbered_clip, synthetic_clip_of
from tests.conftest import wandering

CLIPS = 3
SWAP = {"left": "right", "right": "left", "clockwise": "counterclockwise", "counterclockwise": "clockwise"}
# Actions a clip also shows, by definition or because the bodies of the corpus do both at once.
ALSO: dict[str, set[str]] = {
    "jog": {"run"},
    "run": {"jog"},
    "jog in a circle": {"jog", "run"},
    **{
        name: {"walk"}
        for name in (
            "walk in a circle",
            "walk in a curve",
            "zigzag",
            "turn around and walk back",
            "tiptoe",
            "crouch walk",
            "march",
            "limp",
        )
    },
    "jump forward": {"jump"},
    "jump sideways": {"jump"},
    "jump backward": {"jump"},
    "jump turn": {"jump", "turn"},
    "spin": {"turn", "balance"},
    "hop": {"balance", "squat"},
    "stairs up": {"walk", "tiptoe", "march", "hop"},
    "stairs down": {"walk", "tiptoe", "march", "limp", "hop"},
    "kneel": {"lunge"},
    "lie down": {"sit down", "push-ups"},
    "get up": {"stand up", "pick up", "lunge"},
    "sit on the floor": {"sit down"},
    "crawl": {"walk", "crouch walk"},
    "hands on hips": {"stand"},
    "salute": {"phone"},
    "phone": {"salute"},
    "jumping jacks": {"jump", "raise arms"},
    "pick up": {"squat"},
    "squat": {"pick up"},
    "balance": {"arms out"},
    "wave": {"raise arms", "stretch"},
    "raise arms": {"stretch", "point"},
    "stretch": {"raise arms"},
    "throw": {"punch"},
    "nod": {"stand"},
    "shake head": {"stand"},
    "look around": {"stand"},
}


@cache
def clips(action: str) -> list[SyntheticClip]:
    return [synthetic_clip_of(action, np.random.default_rng([23, n])) for n in range(CLIPS)]


@cache
def motion(action: str, number: int = 0) -> Kinematics:
    return Kinematics.of(clips(action)[number].joints)


def wrong_words(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """The same truth with the other side, the opposite direction, another count.

    Crossed arms are both arms', and which foot is first on stairs, and on how many, nobody asks.
    """
    found: list[dict[str, Any]] = []
    if truth["action"] in ("cross arms", "stairs up", "stairs down"):
        return found
    if truth.get("side") in SWAP:
        other = {key: SWAP[truth[key]] for key in ("side", "direction") if truth.get(key) in SWAP}
        angle = {"angle": -truth["angle"]} if "angle" in truth else {}
        found.append({**truth, **other, **angle})
    if truth.get("side") == "both":
        found += [{**truth, "side": side} for side in ("left", "right")]
    if "count" in truth and truth["action"] != "dance":
        found += [{**truth, "count": truth["count"] + more} for more in (-2, 2) if truth["count"] + more > 0]
    return found


def test_every_action_that_is_asked_for_has_a_check() -> None:
    asked = [one.expected for one in read_prompts()]
    actions = {part["action"] for one in asked for part in one.get("parts", [one])}
    assert actions <= set(CHECKS) <= set(ACTIONS)
    with pytest.raises(ValueError, match="no check"):
        does(clips("stand")[0].joints, {"action": "yodel"})
    with pytest.raises(ValueError, match=r"\(T, 22, 3\)"):
        does(np.zeros((20, 21, 3)), {"action": "stand"})


def test_clips_do_what_their_truth_says() -> None:
    judged = [(action, does(clip.joints, clip.truth)) for action in CHECKS for clip in clips(action)]
    missed = [(action, verdict.reason) for action, verdict in judged if not verdict.ok]
    assert len(missed) <= 0.05 * CLIPS * len(CHECKS), missed
    assert all(count < CLIPS for count in Counter(action for action, _ in missed).values()), missed


def test_another_side_direction_or_count_is_rejected() -> None:
    asked = [(c, wrong) for action in CHECKS for c in clips(action) for wrong in wrong_words(c.truth)]
    accepted = [wrong for clip, wrong in asked if does(clip.joints, wrong).ok]
    assert len(asked) > 80
    assert len(accepted) <= 0.05 * len(asked), accepted


def test_other_actions_are_not_seen() -> None:
    asked = accepted = 0
    seen: Counter[tuple[str, str]] = Counter()
    for action in CHECKS:
        for other in set(CHECKS) - ALSO.get(action, set()) - {action}:
            asked += 1
            ok = does(motion(action), {"action": other}).ok
            accepted += ok
            seen[action, other] += ok
    assert accepted <= 0.02 * asked, +seen


def test_who_stands_does_nothing_else() -> None:
    for clip in clips("stand"):
        seen = Kinematics.of(clip.joints)
        done = [name for name in CHECKS if does(seen, {"action": name}).ok]
        assert done == ["stand"]
    statue = np.repeat(clips("stand")[0].joints[:1], 80, axis=0)
    assert [name for name in CHECKS if does(statue, {"action": name}).ok] == ["stand"]


@pytest.mark.parametrize("action", ["wave", "kick", "sidestep", "turn", "jump sideways", "walk in a curve"])
def test_the_mirrored_clip_does_it_on_the_other_side(action: str) -> None:
    clip = next(c for c in clips(action) if c.truth["side"] in ("left", "right"))
    turned = mirror(clip.joints, HUMANML3D)
    side = clip.truth["side"]
    assert does(turned, {"action": action, "side": SWAP[side]}).ok
    assert not does(turned, {"action": action, "side": side}).ok


def test_neither_place_nor_heading_nor_speed_of_the_film_matters() -> None:
    angle = 2.0
    about = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    for action in ("walk", "wave", "kick", "jump forward", "turn"):
        clip = clips(action)[0]
        moved = clip.joints @ about.T + [3.0, 0.4, -2.0]
        assert does(moved, clip.truth).ok, action


def test_actions_in_a_row_keep_their_order() -> None:
    found = (numbered_clip(31, n) for n in range(1000))
    sequences = (
        c for c in found if all(part["action"] in CHECKS for part in c.truth.get("parts", [{"action": ""}]))
    )
    rows = list(itertools.islice(sequences, 8))
    plain = [{"action": "sequence", "parts": c.truth["parts"]} for c in rows]
    passed = sum(does(c.joints, truth).ok for c, truth in zip(rows, plain, strict=True))
    assert passed >= len(rows) - 1
    back = [{**truth, "parts": truth["parts"][::-1]} for truth in plain]
    assert sum(does(c.joints, truth).ok for c, truth in zip(rows, back, strict=True)) <= 2


def test_a_body_slid_along_is_not_walking() -> None:
    """Made by hand: a standing body carried 3 m ahead, turned on a plate, lifted without falling."""
    still = np.repeat(clips("stand")[0].joints[:1].astype(float), 60, axis=0)
    carried = still + np.linspace(0, 3, 60)[:, None, None] * [0, 0, 1]
    assert not does(carried, {"action": "walk"}).ok
    lifted = still + (0.3 * np.clip(np.minimum(np.arange(60), 59 - np.arange(60)) / 20, 0, 1))[
        :, None, None
    ] * [0, 1, 0]
    assert not does(lifted, {"action": "jump"}).ok
    time = np.clip((np.arange(60) - 20) / 20, 0, 0.5)
    tossed = still + (2.4 * time - 4.8 * time**2)[:, None, None] * [0, 1, 0]
    assert does(tossed, {"action": "jump", "count": 1, "direction": "up"}).ok


def test_measurements_by_hand() -> None:
    assert rises(np.array([0, 2, 1, 2, 0, 2.0]), 2, 0) == [1, 5]
    assert swings(np.array([0, 3, 1, 1.5, -1, 2.0]), 1.2) == [0, 1, 4, 5]
    assert swings(np.zeros(5), 1.0) == []
    assert runs(np.array([True, False, True, True])) == [(0, 1), (2, 4)]
    still = np.repeat(clips("stand")[0].joints[:1].astype(float), 40, axis=0)
    left = still + np.linspace(0, 1, 40)[:, None, None] * [1, 0, 0]
    np.testing.assert_allclose(Kinematics.of(left).net, [1, 0], atol=0.05)
    assert Kinematics.of(left).path == pytest.approx(1.0, abs=0.02)
    assert abs(Kinematics.of(left).drop).max() < 0.06


@pytest.mark.parametrize("name", ["prompts", "second_prompts", "third_prompts"])
def test_prompts_are_well_formed_and_unlike_the_grammar(name: str) -> None:
    asked = read_prompts(PROMPTS.with_name(f"{name}.jsonl"))
    groups = Counter(one.group for one in asked)
    assert set(groups) == {"locomotion", "jumps", "arms", "legs", "whole body", "sequences"}
    assert min(groups.values()) >= 9 and len(asked) >= 66
    assert len({one.prompt for one in asked}) == len(asked)
    grammar = {
        caption.lower().rstrip(".")
        for action in CHECKS
        for clip in clips(action)
        for caption in clip.captions
    }
    assert not [one.prompt for one in asked if one.prompt in grammar]
    for one in asked:
        does(motion("stand"), json.loads(json.dumps(one.expected)))


def test_prompts_of_parts_ask_for_what_can_be_checked() -> None:
    lines = PROMPTS_OF_PARTS.read_text(encoding="utf-8").splitlines()
    asked = [expected["action"] for line in lines for _, expected in json.loads(line)["parts"]]
    assert len(asked) == 68 and set(asked) <= set(CHECKS)


def test_a_motion_placed_behind_another_goes_on_from_its_pose_and_then_is_itself() -> None:
    before, after = (wandering(HUMANML3D, 60, seed=number) for number in (1, 2))
    joined = place_behind(before, after)
    assert len(joined) == 120
    np.testing.assert_allclose(joined[60], before[-1], atol=1e-9)
    # A turn and a move: distances within the second are its own where nothing is blended.
    moved, own = joined[60 + BLEND :], after[BLEND:]
    for a, b in (
        (moved[:, 0] - moved[:, 15], own[:, 0] - own[:, 15]),
        (moved[9] - moved[0], own[9] - own[0]),
    ):
        np.testing.assert_allclose(np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1), atol=1e-9)
    np.testing.assert_allclose(moved[..., 1], own[..., 1], atol=1e-9)


def test_a_jump_at_a_seam_is_seen_in_the_jerk_there_alone() -> None:
    still = np.repeat(wandering(HUMANML3D, 2)[:1], 200, axis=0)
    still[100:] += [0.1, 0.0, 0.0]
    motions = [Joined(still, [0, 100, 200])]
    at_seam, elsewhere = (transitions(list(windows(motions, seams)), 0.0) for seams in (True, False))
    # The third difference of a step of 10 cm is 0.1, 0.2, 0.1; 20 frames per second.
    assert at_seam["peak jerk"] == pytest.approx(0.2 * 20**3 / 1000)
    assert at_seam["area under jerk"] == pytest.approx(0.4 * 20**2 / 1000)
    assert (at_seam["windows"], elsewhere["windows"]) == (1, 2)
    assert elsewhere["peak jerk"] == elsewhere["area under jerk"] == 0.0


def test_verdicts_are_told_by_the_number_of_parts() -> None:
    stand = np.asarray(clips("stand")[0].joints)
    twice = Joined(np.concatenate([stand, stand]), [0, len(stand), 2 * len(stand)])
    asked = [("stands", {"action": "stand"}), ("jumps", {"action": "jump"})]
    assert verdicts([twice], [asked]) == {"later parts": 0.0, "of 2": 0.5, "parts": 0.5}
    [both] = joined({"stands": stand, "jumps": clips("jump")[0].joints}, [asked])
    assert both.bounds[0] == 0 and both.bounds[-1] == len(both.joints) and len(both.seams) == 1
    assert verdicts([both], [asked])["parts"] == 1.0
