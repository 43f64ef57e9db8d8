"""Options of how motion files are read, on every command that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.smpl import BodyPoses, model_joints
from tests.command_line import lamp
from tests.files.test_smpl import STANDING, body_model

COMMANDS = (
    ("convert", "a.npz", "b.npy"),
    ("render", "a.npz"),
    ("caption", "a.npz"),
    ("score", "a.npz", "--physics"),
    ("retrieve", "a.npz", "--library", "."),
    ("prepare", "a.npz", "--captions", "a.jsonl", "--output", "data"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--body-models", "absent", "absent: no such folder"),
        ("--map", "map.txt", "map.txt, line 1: expected"),
    ],
)
def test_every_command_refuses_what_tells_a_reader_nothing(
    words: tuple[str, ...], option: str, value: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "map.txt").write_text("left_hip LeftThigh\n")
    (tmp_path / "a.jsonl").write_text('{"motion": "a", "caption": "a person stands"}\n')
    (tmp_path / "a.npz").write_bytes(b"")
    done = lamp(*words, option, value, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr


def test_a_body_model_gives_the_person_their_own_shape(tmp_path: Path) -> None:
    body_model(tmp_path / "bodies" / "smplh" / "neutral" / "model.npz", joints=52)
    rotations = np.zeros((30, 52, 3))
    rotations[:, 0], rotations[:, 18, 1] = STANDING, np.linspace(0.0, -1.5, 30)
    trans, betas = np.tile([0.0, 0.0, 1.0], (30, 1)), np.linspace(-1, 1, 10)
    np.savez(
        tmp_path / "a.npz", poses=rotations.reshape(30, -1), trans=trans, betas=betas, mocap_framerate=20.0
    )
    done = lamp("convert", "a.npz", "b.npy", "--body-models", "bodies", cwd=tmp_path)
    assert done.returncode == 0 and "neutral body" not in done.stderr
    expected = model_joints(BodyPoses(rotations, trans, betas, "neutral", 20.0), tmp_path / "bodies")
    found = np.load(tmp_path / "b.npy")
    assert np.allclose(found - found[:1, :1], expected - expected[:1, :1], atol=1e-5)
    assert "neutral body" in lamp("convert", "a.npz", "c.npy", cwd=tmp_path).stderr
