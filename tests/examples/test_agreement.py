"""The table of agreement: what it counts as a label, as agreement and as a false alarm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.judge.agreement import label_of, main, side_of
from examples.judge.take_names import sentence_of_name
from lamp_cli.synthetic.corpus import synthetic_clip_of


def test_a_label_is_one_action_that_all_sentences_name() -> None:
    assert "jump" in label_of(["a person jumps", "he jumps up"])
    for texts in (
        ["a person jumps", "a man waves"],
        ["he walks then sits down"],
        ["walks back, forward"],
        [],
    ):
        assert not label_of(texts)


def test_the_table_counts_agreement_and_false_alarms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two takes that jump, of which one is labelled as standing."""
    labels = [("jump", "a person jumps"), ("stand", "a person jumps"), ("jump", "a person stands still")]
    lines = []
    for number, (action, text) in enumerate(labels):
        name = f"{number}.npy"
        joints = synthetic_clip_of(action, np.random.default_rng(number)).joints
        np.save(tmp_path / name, joints.astype(np.float32))
        lines.append(json.dumps({"motion": name, "texts": [text]}))
    (tmp_path / "labels.jsonl").write_text("\n".join(lines), encoding="utf-8")
    main([str(tmp_path), str(tmp_path / "labels.jsonl")])
    rows = capsys.readouterr().out.splitlines()
    assert ["jump", "2", "1", "1", "0"] in [row.split() for row in rows]
    # There are too few real takes of standing to deny it.
    assert ["stand", "1", "0", "0", "1"] in [row.split() for row in rows]
    assert "jump: 1/2 0/0 1/1 0/0 0/0" in rows
    # The second take was labelled as a jump and stands.
    assert "stand: 0/1 0/0 1/2 0/0 0/0" in rows


def test_sides_and_counts_of_labels_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = [synthetic_clip_of("kick", np.random.default_rng([41, number])) for number in range(30)]
    one = next(clip for clip in clips if clip.truth["side"] == "left" and clip.truth.get("count", 1) == 1)
    np.save(tmp_path / "kick.npy", one.joints.astype(np.float32))
    labels = [("left", 1), ("right", 1), ("left", 3)]
    lines = [
        json.dumps({"motion": "kick.npy", "texts": [f"a person kicks with the {side} leg"], "count": count})
        for side, count in labels
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines), encoding="utf-8")
    main([str(tmp_path), str(tmp_path / "labels.jsonl")])
    assert "kick: 3/3 0/0 0/0 2/3 2/3" in capsys.readouterr().out.splitlines()


def test_a_label_of_alternatives_is_what_all_clauses_may_mean() -> None:
    assert {"jog", "run"} <= label_of(["run/jog"])
    assert "punch" in label_of(["a person boxes, punching with both hands"])
    assert side_of(["waves with the left hand", "raises the left arm"]) == "left"
    assert side_of(["waves with the left hand", "waves"]) is None
    assert side_of(["waves with both hands"]) == "both"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("accad_Male2_G15_RoundhouseBodyRight", "a person kicks with the right leg"),
        ("Female1_C24_SideStepLeft", "a person sidesteps to the left"),
        ("Male1_B9_WalkToTurnLeft90", "a person walks in a curve to the left"),
        ("Female1_B02_WalkToStandT2", "a person walks"),
        ("Male2_E10_SideStepRight", None),
        ("Male2_C26_RunToCrouch", None),
        ("Male2_G7_Capoeira", None),
    ],
)
def test_names_of_takes_are_sentences(name: str, sentence: str | None) -> None:
    assert sentence_of_name(name) == sentence
