"""The table of agreement: what it counts as a label, as agreement and as a false alarm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.judge.agreement import label_of, main
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
    assert ["stand", "1", "0", "1", "0"] in [row.split() for row in rows]
    assert "jump: 1/2 0/0 1/1" in rows
    # The second take was labelled as a jump and stands.
    assert "stand: 0/1 0/0 1/2" in rows
