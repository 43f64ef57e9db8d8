"""What is broken comes into no data set, and is listed with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.data.prepare.quarantine import caption_problem, stands_still
from lamp_cli.motion.skeleton import HUMANML3D
from tests.command_line import lamp
from tests.conftest import wandering

BROKEN_CAPTIONS = {
    "": "empty",
    " \t": "empty",
    "he walks " * 1200: "longer than 1000 characters",
    "he \x1b[31mwalks": "control characters",
    "he walks\x00": "control characters",
    "he wa\u200blks": "control characters",
    "人が前に歩く": "not in Latin letters",
    "человек идёт": "not in Latin letters",
    "12 ... !": "no words",
}


@pytest.mark.parametrize(("text", "problem"), BROKEN_CAPTIONS.items())
def test_a_sentence_that_is_none_to_learn_from_says_why(text: str, problem: str) -> None:
    assert caption_problem(text) == problem


@pytest.mark.parametrize("text", ["a person walks", "él camina", "walks at 30° in a “π” shape", "a " * 499])
def test_other_sentences_are_learned_from(text: str) -> None:
    assert caption_problem(text) == ""


def test_a_person_who_stands_moves_a_little() -> None:
    pose = np.zeros((30, 22, 3))
    assert stands_still(pose) and stands_still(pose + 5.0)
    pose[7, 3, 1] = 2e-4
    assert not stands_still(pose)


def test_broken_clips_and_captions_are_left_out_and_listed(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    sound = {name: wandering(HUMANML3D, 60, seed).astype(np.float32) for seed, name in enumerate("abcd")}
    broken = {
        "nan": np.where(np.arange(60)[:, None, None] == 7, np.nan, sound["a"]),
        "infinite": np.where(np.arange(60)[:, None, None] == 9, np.inf, sound["a"]),
        "still": np.repeat(sound["a"][:1], 60, axis=0),
        "frame": sound["a"][:1],
        "z_copy": sound["b"],
    }
    for name, joints in (sound | broken).items():
        np.save(takes / f"{name}.npy", joints)
    lines = [{"motion": name, "captions": ["he walks"]} for name in (*sound, *broken)]
    lines[0]["captions"] = [*BROKEN_CAPTIONS, "he goes"]
    lines[-1]["captions"] = ["she turns"]
    captions = tmp_path / "captions.jsonl"
    captions.write_text("\n".join(map(json.dumps, lines)))
    output = tmp_path / "data"
    done = lamp("prepare", takes, "--captions", captions, "--output", output)
    [report] = done.rows
    for reason in ("empty", "control characters", "not in Latin letters", "no words"):
        assert f"captions, {reason}" in done.stderr
    names = {path.stem.removeprefix("M") for path in (output / "new_joint_vecs").iterdir()}
    assert names == set(sound)
    assert set((output / "all.txt").read_text().replace("M", "").split()) == set(sound)
    listed = [json.loads(line) for line in (output / "quarantine.jsonl").read_text().splitlines()]
    clips = {line["clip"]: line["reason"] for line in listed if "caption" not in line}
    assert clips.keys() == broken.keys()
    assert "NaN or infinite" in clips["nan"] and "first in frame 9" in clips["infinite"]
    assert clips["still"].startswith("nothing moves") and clips["frame"] == "shorter than 20 frames"
    assert clips["z_copy"] == "copy of another motion"
    assert {line["reason"] for line in listed if "caption" in line} == set(BROKEN_CAPTIONS.values())
    assert report["captions_quarantined"]["empty"] == 1
    # What a copy's captions say is true of the motion.
    for name, expected in (("a", ["he goes"]), ("b", ["he walks", "she turns"])):
        texts = (output / "texts" / f"{name}.txt").read_text().splitlines()
        assert [line.split("#")[0] for line in texts] == expected
    again = lamp("prepare", takes, "--captions", captions, "--output", output)
    assert again.rows == done.rows
    forced = lamp("prepare", takes, "--captions", captions, "--output", output, "--force")
    assert forced.rows == done.rows
