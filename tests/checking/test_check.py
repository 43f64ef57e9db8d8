"""``lamp check``: verdicts of clips of known truth, of sentences it cannot judge, and of bad input."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lamp_cli
from lamp_cli.checking.agreement import ANSWERED, EVIDENCE, Evidence, source_of
from lamp_cli.checking.checks import CHECKS, does
from lamp_cli.checking.kinematics import Kinematics
from lamp_cli.checking.sentence import Checked, check, check_joints
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.motion.transform import resample
from lamp_cli.synthetic.corpus import SyntheticClip, claims, numbered_clip, synthetic_clip_of, unread_words
from tests.command_line import imported_by, lamp


@cache
def clip_of(action: str, number: int = 0) -> SyntheticClip:
    return synthetic_clip_of(action, np.random.default_rng([41, number]))


@cache
def kick_with(side: str) -> SyntheticClip:
    clips = (clip_of("kick", number) for number in range(40))
    return next(clip for clip in clips if clip.truth["side"] == side and clip.truth.get("count", 1) == 1)


def told(clip: SyntheticClip, text: str) -> Checked:
    return check_joints(Kinematics.of(clip.joints), text)


def verdicts(clip: SyntheticClip, text: str) -> dict[str, str]:
    return {clause.asked: clause.verdict for clause in told(clip, text).clauses}


def saved(folder: Path, name: str, joints: np.ndarray) -> Path:
    np.save(folder / name, joints.astype(np.float32))
    return folder / name


def test_side_and_count_are_clauses_of_their_own() -> None:
    clip = kick_with("left")
    assert verdicts(clip, "a person kicks with the left leg") == {"kick": "yes", "kick, left": "yes"}
    assert verdicts(clip, "a person kicks with the right leg") == {"kick": "yes", "kick, right": "no"}
    assert verdicts(clip, "a person kicks once") == {"kick": "yes", "kick, once": "yes"}
    assert verdicts(clip, "a person kicks three times") == {"kick": "yes", "kick, 3 times": "unknown"}
    assert told(clip, "a person kicks with the right leg").verdict == "no"


@pytest.mark.parametrize(
    ("action", "text"),
    [
        # A viewer's left, which joints do not know.
        ("walk", "a man walks towards the left"),
        ("walk", "a man walks from side to side"),
        ("sidestep", "stick figure moving to the left"),
        ("stand", "the person is sitting on the stool"),
        ("stand", "a person hit something with the left hand"),
        ("run", "the person moves forward"),
        ("kick", "a person doing front kicks starting with the right leg"),
        ("kick", "a person prepares himself and then kicks nine times"),
        ("walk in a curve", "someone walks straight forward then takes a sharp left and continues"),
        ("balance", "standing on one leg in place"),
        ("stand", "a man stretches his arms out"),
        ("jumping jacks", "somebody jumps"),
        ("raise arms", "the man is doing jumping jacks"),
    ],
)
def test_wordings_that_leave_room_are_not_denied(action: str, text: str) -> None:
    assert {told(clip_of(action, number), text).verdict for number in range(4)} <= {"yes", "unknown"}


def test_what_was_compared_with_few_real_takes_is_not_denied() -> None:
    few = sorted(action for action in ANSWERED if EVIDENCE[action].real_takes < 10)
    assert {"stand", "turn", "squat", "hop"} <= set(few)
    for action in few:
        # A sentence of the action, of a clip that does something else.
        sentence = clip_of(action).captions[0]
        other = clip_of("walk" if action == "push-ups" else "push-ups")
        assert told(other, sentence).verdict != "no", sentence
    denied = told(clip_of("stand"), "a person squats")
    assert denied.verdict == "unknown" and "too few real takes" in denied.clauses[0].reason
    assert denied.clauses[0].judged, "a draw that does it is the better one"


def test_the_short_side_step_of_a_fighter_is_not_denied() -> None:
    """Two steps ahead of 0.7 m in all, as a fighter steps aside of another."""
    walk = next(c for c in (clip_of("walk", n) for n in range(9)) if len(c.joints) > 50)
    paces = np.linalg.norm(np.diff(walk.joints[:, 0, [0, 2]], axis=0), axis=1).cumsum()
    short = walk.joints[: int(np.searchsorted(paces, 0.7))]
    assert told(walk, "a person does a side step").verdict == "no"
    assert check_joints(Kinematics.of(short), "a person does a side step").verdict == "unknown"


def test_one_hand_is_not_affirmed_of_both() -> None:
    clips = (clip_of("wave", number) for number in range(40))
    both = next(clip for clip in clips if clip.truth["side"] == "both")
    assert told(both, "a person waves").verdict == "yes"
    assert told(both, "a person waves with one hand").verdict == "unknown"


def test_what_comes_then_and_is_not_understood_is_not_affirmed() -> None:
    assert told(clip_of("stand"), "he stays still").verdict == "yes"
    assert told(clip_of("stand"), "he stays still, then moves.").verdict == "unknown"
    assert told(clip_of("stand"), "a man then stands still").verdict == "yes"


def test_wordings_that_leave_no_room_are_denied() -> None:
    assert told(clip_of("walk"), "a person side steps to the left").verdict == "no"
    assert told(clip_of("stand"), "a person walks forward").verdict == "no"
    assert told(clip_of("stand"), "a person waves").verdict == "no"


def test_the_measure_and_its_second_are_those_of_the_joints() -> None:
    clip = kick_with("left")
    first = told(clip, "a person kicks").clauses[0]
    joints = Kinematics.of(clip.joints).joints
    left, right = (HUMANML3D.joint_names.index(f"{side}_ankle") for side in ("left", "right"))
    apart = joints[:, left, 1] - joints[:, right, 1]
    assert first.measured == f"left ankle {apart.max():.2f} m above the right"
    assert first.second == pytest.approx(apart.argmax() / 20, abs=0.006)


def test_who_stands_neither_kicks_nor_jumps_nor_walks() -> None:
    for text in ("a person kicks", "a person jumps", "a man walks forward", "she sits down"):
        assert told(clip_of("stand"), text).verdict == "no", text
    assert told(clip_of("stand"), "a person stands still").verdict == "yes"


@pytest.mark.parametrize(
    "text",
    [
        "a person does not kick",
        "a person kicks with the left leg while smiling",
        "a person kicks angrily",
        "a person quickly kicks",
        "a person blorbs",
        "a person kicks while waving",
        "a person kicks at the same time as he claps",
    ],
)
def test_what_no_check_judges_is_unknown_never_yes(text: str) -> None:
    assert told(kick_with("left"), text).verdict == "unknown"


def test_a_walk_in_place_or_on_a_treadmill_is_not_denied() -> None:
    for text in ("a person walks on a treadmill", "a person jogs in place"):
        assert told(clip_of("stand"), text).verdict == "unknown"


def test_words_that_are_not_judged_are_found() -> None:
    assert unread_words("A man quickly kicks with his left leg while smiling.") == ["quickly", "smiling"]
    assert unread_words("a person walks forward and then sits down on a chair") == []


def test_the_corpus_own_sentences_are_never_denied_and_mostly_confirmed() -> None:
    found = [
        (action, told(clip_of(action), clip_of(action).captions[0]).verdict) for action in sorted(ANSWERED)
    ]
    assert [action for action, verdict in found if verdict == "no"] == []
    assert sum(verdict == "yes" for _, verdict in found) >= 0.6 * len(found), found


def test_actions_in_a_row_are_found_with_their_times_and_not_backwards() -> None:
    """Clip 219 tiptoes, then squats once."""
    clip = numbered_clip(91, 219)
    row = told(clip, "someone walks on tiptoes, then squats")
    assert row.verdict == "yes" and row.clauses[0].asked == "tiptoe"
    squat = row.clauses[1]
    assert squat.second is not None and squat.second > 0.5 * len(clip.joints) / 20
    assert told(clip, "someone squats, then walks on tiptoes").verdict == "unknown"
    assert told(clip, "someone walks on tiptoes, then plays the violin").verdict == "unknown"


def test_actions_whose_checks_agree_too_seldom_are_not_answered() -> None:
    assert set(EVIDENCE) == set(CHECKS)
    assert "dance" not in ANSWERED and "jump" in ANSWERED
    dancing = told(clip_of("dance"), "a person dances")
    assert dancing.verdict == "unknown" and "too seldom" in dancing.clauses[0].reason


def test_the_rule_of_evidence() -> None:
    def evidence(row: str) -> Evidence:
        return Evidence("jump", *(int(n) for pair in row.split() for n in pair.split("/")))

    assert evidence("19/20 0/20 5/100 0/0 0/0").answered, "ten real takes decide alone"
    assert not evidence("18/20 20/20 5/100 0/0 0/0").answered
    assert not evidence("20/20 20/20 6/100 0/0 0/0").answered
    assert evidence("9/9 19/20 0/100 0/0 0/0").answered
    assert not evidence("8/9 20/20 0/100 0/0 0/0").answered and not evidence("9/9 18/20 0/9 0/0 0/0").answered
    one = evidence("20/20 20/20 0/100 9/9 17/18")
    assert one.source == "real takes" and (source_of(9), source_of(10)) == ("made-up clips", "real takes")
    assert one.sides_agree and not one.counts_agree
    assert one.denies == {"action", "count"} and one.verdicts == ("yes", "no")
    few = evidence("9/9 20/20 0/100 10/10 0/0")
    assert few.denies == {"side"} and few.verdicts == ("yes",)
    assert not evidence("18/20 20/20 0/100 0/0 0/0").denies


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("wave", "a person waves with the {} hand"),
        ("throw", "a person throws a ball with the {} hand"),
        ("punch", "a person punches with the {} hand"),
    ],
)
def test_the_hand_that_does_it_is_told(action: str, sentence: str) -> None:
    clips = (clip_of(action, number) for number in range(20))
    clip = next(clip for clip in clips if clip.truth.get("side") in ("left", "right"))
    side = clip.truth["side"]
    other = {"left": "right", "right": "left"}[side]
    assert told(clip, sentence.format(side)).verdict == "yes"
    denied = "no" if "side" in EVIDENCE[action].denies else "unknown"
    assert told(clip, sentence.format(other)).verdict == denied


def test_a_wave_from_the_thigh_is_no_jumping_jack_and_arms_of_jumping_jacks_do_not_wave() -> None:
    """As MHAD's people wave: the straight arm, from the thigh aside and overhead, five times."""
    joints = np.repeat(clip_of("stand").joints[:1], 160, axis=0).astype(np.float64)
    names = HUMANML3D.joint_names
    swing = np.pi * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(160) / 32)) * 0.9
    shoulder = joints[0, names.index("right_shoulder")]
    for joint, length in (("right_elbow", 0.26), ("right_wrist", 0.5)):
        # Who faces +z has the right hand on the side of -x.
        way = np.stack([-np.sin(swing), -np.cos(swing), 0 * swing], axis=1)
        joints[:, names.index(joint)] = shoulder + length * way
    m = Kinematics.of(joints)
    assert does(m, {"action": "wave", "side": "right"}).ok
    assert not does(m, {"action": "wave", "side": "left"}).ok and not does(m, {"action": "jumping jacks"}).ok
    jacks = clip_of("jumping jacks").joints
    assert does(jacks, {"action": "jumping jacks"}).ok and not does(jacks, {"action": "wave"}).ok


def test_the_speed_of_a_walk_is_told_by_its_pace() -> None:
    walk = next(c for c in (clip_of("walk", n) for n in range(9)) if len(c.joints) > 50)
    pace = Kinematics.of(walk.joints).pace

    def paced(asked: float) -> dict[str, str]:
        joints = resample(walk.joints, 20.0 * asked / pace, 20.0)
        checked = check_joints(Kinematics.of(joints), "a person walks slowly")
        fast = check_joints(Kinematics.of(joints), "a man walks forward at a fast pace").clauses[-1]
        return {checked.clauses[1].asked: checked.clauses[1].verdict, fast.asked: fast.verdict}

    assert paced(0.9) == {"walk, slow": "yes", "walk, fast": "no"}
    assert paced(1.25) == {"walk, slow": "unknown", "walk, fast": "unknown"}
    assert paced(1.7) == {"walk, slow": "no", "walk, fast": "yes"}
    assert told(walk, "a person walks slowly and quickly").clauses[-1].reason == "no check judges this word"
    slowly = told(clip_of("jump"), "a person slowly jumps").clauses[-1]
    assert (slowly.verdict, slowly.judged) == ("unknown", False)


def test_picking_up_from_a_table_is_not_denied() -> None:
    assert told(clip_of("stand"), "a person picks up a cup").verdict == "unknown"
    picks = told(clip_of("stand"), "a person picks something up from the floor").clauses[0]
    assert (picks.verdict, picks.judged) == ("unknown", True) and "too few real takes" in picks.reason


def test_lamp_check_says_it_on_a_terminal_and_in_json(tmp_path: Path) -> None:
    file = saved(tmp_path, "kick.npy", kick_with("left").joints)
    sentence = "a person kicks with the right leg"
    shown = lamp("check", sentence, file, terminal=True)
    assert shown.returncode == 0 and shown.stdout.splitlines()[0] == f"no\t{file}\t{sentence}"
    assert "  kick: yes; left ankle 0." in shown.stdout and " m above the right at " in shown.stdout
    row = lamp("check", sentence, file).rows[0]
    assert (row["motion"], row["text"], row["verdict"]) == (str(file), sentence, "no")
    assert [clause["verdict"] for clause in row["clauses"]] == ["yes", "no"]
    assert lamp("check", "--strict", sentence, file).returncode == 1
    assert lamp("check", "--strict", "a person kicks", file).returncode == 0


def test_lines_of_generate_are_checked_and_bad_ones_named(tmp_path: Path) -> None:
    file = saved(tmp_path, "jump.npy", clip_of("jump").joints)
    good: dict[str, Any] = {"text": "a person jumps", "motion": str(file), "seed": 3}
    lines = [good, {"motion": str(file)}, {**good, "motion": str(tmp_path / "none.npy")}, good]
    done = lamp("check", "-", stdin="".join(json.dumps(line) + "\n" for line in lines))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["verdict"], row["seed"]) for row in rows] == [("yes", 3), ("yes", 3)]
    assert done.returncode == 1
    assert "expected a 'text', found None" in done.stderr and "none.npy" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a person jumps"], "expected a sentence and motion files"),
        ([], "expected a sentence and motion files"),
        (["", "x.npy"], "an empty sentence"),
        (["-", "x.npy"], "with - the motions are those of the lines on stdin"),
        (["a person jumps", "none.npy"], "none.npy: no such file"),
    ],
)
def test_bad_usage_is_one_sentence(words: list[str], message: str, tmp_path: Path) -> None:
    done = lamp("check", *words, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


def test_short_and_foreign_motions_are_refused_in_one_sentence(tmp_path: Path) -> None:
    file = saved(tmp_path, "short.npy", clip_of("jump").joints[:5])
    done = lamp("check", "a person jumps", file)
    assert done.returncode == 2 and "a check needs 8" in done.stderr
    with pytest.raises(ValueError, match="21 joints"):
        lamp_cli.check(Motion(np.zeros((40, 21, 3), np.float32), KIT, 12.5), "a person jumps")


def test_the_notebook_gives_what_the_command_gives(tmp_path: Path) -> None:
    file = saved(tmp_path, "jump.npy", clip_of("jump").joints)
    checked = lamp_cli.check(file, "a person jumps")
    row = lamp("check", "a person jumps", file).rows[0]
    assert checked.verdict == row["verdict"] == "yes"
    assert checked.clauses[0].measured == row["clauses"][0]["measured"]


def test_arguments_in_another_order_are_told() -> None:
    motion = Motion(synthetic_clip_of("jump", np.random.default_rng(3)).joints, HUMANML3D, 20.0)
    with pytest.raises(TypeError, match="found a motion as the sentence"):
        check("a person jumps", motion)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'a person jumps': no such file; expected a motion or the name"):
        check("a person jumps", "jump.npy")
    with pytest.raises(TypeError, match="expected a motion or the name of its file, found int"):
        check(3, "a person jumps")  # type: ignore[arg-type]


def test_the_parts_of_a_line_are_judged_one_by_one(tmp_path: Path) -> None:
    kick, stand = kick_with("left").joints, clip_of("stand").joints
    file = saved(tmp_path, "row.npy", np.concatenate([kick, stand]))
    at = len(kick) / 20
    parts = [
        {"text": "a person kicks", "start": 0.0, "end": at},
        {"text": "a person stands still", "start": at, "end": at + len(stand) / 20},
    ]
    line = {"text": "a person kicks, then a person stands still", "motion": str(file), "parts": parts}
    [row] = lamp("check", "-", stdin=json.dumps(line)).rows
    assert [(c["part"], c["asked"], c["verdict"]) for c in row["clauses"]] == [
        (1, "kick", "yes"),
        (2, "stand", "yes"),
    ]
    shown = lamp("check", "-", "--json", stdin=json.dumps({**line, "parts": parts[::-1]})).rows[0]
    assert shown["verdict"] == "yes", "the order of the list is not the order of the frames"
    for bad in ([{"text": "a person kicks"}], [{"start": 0, "end": 1}], "kick"):
        done = lamp("check", "-", stdin=json.dumps({**line, "parts": bad}))
        assert done.returncode == 1 and f"{file}: expected " in done.stderr


def test_it_needs_no_torch(tmp_path: Path) -> None:
    file = saved(tmp_path, "jump.npy", clip_of("jump").joints)
    code = f"import lamp_cli\nassert lamp_cli.check({str(file)!r}, 'a person jumps').verdict == 'yes'"
    assert imported_by(code, "torch")[0] == []


def test_the_list_of_actions_tells_its_evidence() -> None:
    rows = {row["action"]: row for row in lamp("check", "--actions").rows}
    assert {name for name, row in rows.items() if row["answered"]} == ANSWERED
    assert (rows["jump"]["source"], rows["jump"]["verdicts"]) == ("real takes", ["yes", "no"])
    assert rows["hop"]["verdicts"] == ["yes"] and rows["dance"]["verdicts"] == ["unknown"]
    table = lamp("check", "--actions", terminal=True).stdout
    assert "hop                        yes (by made-up clips)" in table


def test_a_turn_is_as_far_as_it_is_said_and_numbers_before_an_action_count_it() -> None:
    [squats] = claims("The trainee performs two deep squats").parts
    assert (squats.actions, squats.count) == ({"squat"}, 2)
    assert claims("two people jump").parts[0].count is None
    told = ("turn 90 degrees", "a quarter turn", "half turn", "turn")
    assert [claims(words).parts[0].angle for words in told] == [90, 90, 180, None]
    clips = (clip_of("turn", number) for number in range(40))
    turned = next(clip for clip in clips if abs(clip.truth["angle"]) == 180)
    found = [verdicts(turned, f"a person turns {angle} degrees") for angle in (180, 90)]
    # What was measured is no word that nobody reads.
    assert "degrees" not in found[0] and set(found[0].values()) == {"yes"}
    assert [found[0]["turn, 180 degrees"], found[1]["turn, 90 degrees"]] == ["yes", "unknown"]


def test_who_somebody_is_and_what_is_said_are_not_what_is_done() -> None:
    for sentence, action in (
        ("The guard turns to the left", "turn"),
        ("one hop sideways to the left by a tennis player", "jump sideways"),
        ("The security officer stays standing still in one place", "stand"),
    ):
        assert [part.actions for part in claims(sentence).parts] == [{action}]
    assert claims("a boxer guards the face").parts[0].actions == {"block"}
    assert verdicts(clip_of("stand"), "a toddler shakes her head to say no")["shake head"] != "yes"
    assert "names no" not in told(clip_of("stand"), "a toddler shakes her head to say no").clauses[0].reason


def test_who_walks_up_to_something_climbs_no_stairs() -> None:
    assert claims("a farmer walks up to the gate").parts[0].actions == {"walk"}
    assert claims("a farmer walks up the stairs").parts[0].actions == {"stairs up"}
