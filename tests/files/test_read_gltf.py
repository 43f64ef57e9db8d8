"""glTF files come in: ours, other people's names and axes, every interpolation; what is broken is refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from lamp_cli.files.arrays import MotionFileError
from lamp_cli.files.load import load_motion, load_takes
from lamp_cli.files.read_gltf import _sampled
from lamp_cli.motion.joint_rotations import joint_rotations
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D
from tests.command_line import lamp
from tests.files.test_gltf import steady


@pytest.fixture(scope="module")
def motion() -> Motion:
    joints = joint_rotations(steady(HUMANML3D), HUMANML3D, 30.0).joints()
    return Motion(joints.astype(np.float32), HUMANML3D, 30.0)


def _changed(motion: Motion, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Our file with its scene changed."""
    content = motion.save(path).read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    scene = json.loads(content[20 : 20 + length])
    change(scene)
    text = json.dumps(scene).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + length :]
    head = struct.pack("<III", 0x46546C67, 2, 20 + len(text) + len(rest))
    path.write_bytes(head + struct.pack("<II", len(text), 0x4E4F534A) + text + rest)
    return path


def _apart(one: Motion, other: Motion) -> float:
    """Mean distance of joints, each body's own place in the first frame taken off, metres."""
    places = [m.joints - m.joints[:1, :1] for m in (one, other)]
    return float(np.linalg.norm(places[0] - places[1], axis=-1).mean())


def test_our_own_files_come_back(motion: Motion, tmp_path: Path) -> None:
    back = load_motion(motion.save(tmp_path / "a.glb"))
    assert (back.fps, len(back), back.notes) == (30.0, len(motion), ())
    assert np.linalg.norm(back.joints - motion.joints, axis=-1).mean() < 0.005
    assert load_motion(tmp_path / "a.glb", fps=60).fps == 60.0


def test_centimetres_another_up_axis_and_mixamos_names(motion: Motion, tmp_path: Path) -> None:
    def as_mixamo(scene: dict[str, Any]) -> None:
        for node in scene["nodes"][:22]:
            node["name"] = f"mixamorig:{node['name']}"
        turn = Rotation.from_euler("x", 90, degrees=True).as_quat().tolist()
        scene["nodes"].append({"name": "Armature", "children": [0], "rotation": turn, "scale": [100] * 3})
        scene["scenes"][0]["nodes"][0] = len(scene["nodes"]) - 1

    back = load_motion(_changed(motion, tmp_path / "a.glb", as_mixamo))
    assert _apart(back, motion) < 0.005
    assert any("up" in note for note in back.notes)


def test_matrices_and_names_that_do_not_tell(motion: Motion, tmp_path: Path) -> None:
    def renamed(scene: dict[str, Any]) -> None:
        for node in scene["nodes"][:22]:
            node["name"] = node["name"].replace("LeftUpLeg", "Bone7")
            if node["name"] == "LeftHand":
                x, y, z = node.pop("translation")
                node["matrix"] = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, x, y, z, 1]

    path = _changed(motion, tmp_path / "a.glb", renamed)
    with pytest.raises(MotionFileError, match="left hip"):
        load_motion(path)
    (tmp_path / "names.txt").write_text("left_hip = Bone7\n", encoding="utf-8")
    assert _apart(load_motion(path, joint_map=tmp_path / "names.txt"), motion) < 0.005


def test_every_animation_is_a_take(motion: Motion, tmp_path: Path) -> None:
    def twice(scene: dict[str, Any]) -> None:
        first = scene["animations"][0]
        scene["animations"] = [{**first, "name": "walk"}, {**first, "name": "run"}]

    takes = list(load_takes(_changed(motion, tmp_path / "a.glb", twice)))
    assert [name for name, _ in takes] == ["walk", "run"]
    sources = [getattr(take, "source", "") for _, take in takes]
    assert sources == [f"{tmp_path}/a.glb:{name}" for name in ("walk", "run")]


def test_interpolation_is_that_of_the_specification() -> None:
    times, moments = np.array([0.0, 1.0, 3.0]), np.array([-1.0, 0.0, 0.25, 1.0, 2.0, 3.0, 9.0])
    values = np.random.default_rng(0).normal(size=(3, 1, 3))
    flat = values[:, 0]
    linear = np.stack([np.interp(moments, times, flat[:, k]) for k in range(3)], axis=-1)
    assert np.allclose(_sampled(times, values, "LINEAR", moments), linear)
    assert np.allclose(_sampled(times, values, "STEP", moments), flat[[0, 0, 0, 1, 1, 2, 2]])
    turns = Rotation.random(3, random_state=1)
    found = _sampled(times, turns.as_quat()[:, None], "LINEAR", np.clip(moments, 0, 3))
    expected = Slerp(times, turns)(np.clip(moments, 0, 3))
    assert (expected.inv() * Rotation.from_quat(found)).magnitude().max() < 1e-6
    # A cubic is its own spline: t^3 with its slope 3 t^2.
    cubic = np.stack([3 * times**2, times**3, 3 * times**2], axis=-1)[..., None]
    inside = np.linspace(0, 3, 13)
    assert np.allclose(_sampled(times, cubic, "CUBICSPLINE", inside)[:, 0], inside**3)


def test_keys_far_apart_are_read_between(tmp_path: Path) -> None:
    joints = steady(HUMANML3D, 4)
    back = load_motion(Motion(joints, HUMANML3D, 2.0).save(tmp_path / "a.glb"))
    assert back.fps == 30.0 and len(back) == 46 and any("apart" in note for note in back.notes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda scene: scene.pop("animations"), "holds no animation"),
        (lambda scene: scene["accessors"][-1].update(count=10**9), "cut off"),
        (lambda scene: scene["accessors"][-1].update(sparse={}), "sparse"),
        (lambda scene: scene["buffers"][0].update(uri="body.bin"), "another file"),
        (lambda scene: scene["nodes"][3].update(children=[0]), "ring|two parents"),
        (lambda scene: scene["nodes"][3].update(children=[-1]), "damaged"),
        (lambda scene: scene["skins"][0].update(joints=[99]), "not there"),
        (lambda scene: scene["animations"][0]["samplers"][1].update(output=0), "do not belong"),
        (lambda scene: scene.update(nodes=7), "damaged"),
        (lambda scene: scene["nodes"][0].update(children=[1, 3]), "different roots"),
        (
            lambda scene: scene["nodes"][20].update(translation=[1e308, 1e308, 0]),
            "beyond all bounds",
        ),
    ],
)
def test_what_cannot_be_read_is_said(
    motion: Motion, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    path = _changed(motion, tmp_path / "a.glb", change)
    with pytest.raises(MotionFileError, match=said) as caught:
        load_motion(path)
    assert str(caught.value).startswith(str(path))


def test_broken_files_are_refused_and_nothing_else_happens(motion: Motion, tmp_path: Path) -> None:
    content = motion[:3].save(tmp_path / "a.glb").read_bytes()
    rng, path, refused = np.random.default_rng(0), tmp_path / "b.glb", 0
    for number in range(150):
        broken = bytearray(content[: rng.integers(5, len(content))] if number % 3 == 0 else content)
        for place in rng.integers(0, min(len(broken), 9000), 6):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        try:
            assert np.isfinite(load_motion(path).joints).all()
        except MotionFileError:
            refused += 1
    assert refused > 75


def test_commands_read_it(motion: Motion, tmp_path: Path) -> None:
    motion.save(tmp_path / "a.glb")
    done = lamp("convert", "a.glb", "a.bvh", cwd=tmp_path)
    assert done.returncode == 0 and done.rows[0]["fps"] == 30.0, done.stderr
    piped = lamp("convert", "-", "--format", "npy", cwd=tmp_path, stdin=(tmp_path / "a.glb").read_bytes())
    assert piped.returncode == 0 and piped.rows[0]["frames"] == 27, piped.stderr
    (tmp_path / "a.gltf").write_text('{"asset": {"version": "2.0"}}', encoding="utf-8")
    refused = lamp("convert", "a.gltf", "b.npy", cwd=tmp_path)
    assert refused.returncode == 2 and "export it as one .glb file" in refused.stderr
