"""Body models: meshes as smplx has them, poses and shapes fitted to joints, files that come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.body_model import (
    BodyModelError,
    body_surface,
    find_body_model,
    fitted_body,
    posed_joints,
    posed_vertices,
)
from lamp_cli.files.load import load_motion
from lamp_cli.files.smpl import save_poses
from lamp_cli.motion import rotation
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from tests.body_models import own_body_model
from tests.command_line import lamp
from tests.conftest import wandering

SHAPE = np.array([1.0, -1.5, 1.0, 0.5])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    own_body_model(folder / "smplx" / "SMPLX_NEUTRAL.npz")
    return folder


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    """Axis-angle vectors (30, 22, 3) of someone who moves every joint a little and turns."""
    rng = np.random.default_rng(0)
    time = np.linspace(0, 1, 30)[:, None, None]
    vectors = 0.3 * np.sin(2 * np.pi * time * rng.uniform(0.3, 1, (22, 1)) + rng.uniform(0, 6, (22, 3)))
    # Knees and elbows bend one way; tips have no bone that tells.
    vectors[:, [4, 5]] = [0.6, 0.0, 0.0] + 0.3 * np.sin(6 * time) * [1.0, 0.0, 0.0]
    vectors[:, [18]], vectors[:, [19]] = [0.0, -0.7, 0.0], [0.0, 0.7, 0.0]
    vectors[:, [10, 11, 15, 20, 21]] = 0.0
    vectors[:, 0] = [0.0, 1.0, 0.0] * time[:, 0]
    return vectors


def _motion(models: Path, poses: np.ndarray) -> Motion:
    joints = posed_joints(find_body_model(models), poses, SHAPE) + np.array([0.5, 1.15, 2.0])
    return Motion(joints.astype(np.float32), HUMANML3D, 20.0)


def test_the_mesh_is_that_of_smplx(tmp_path: Path) -> None:
    import torch
    from smplx import SMPL
    from smplx.utils import Struct
    from smplx.vertex_ids import vertex_ids

    rng = np.random.default_rng(1)
    model = own_body_model(tmp_path / "SMPL_NEUTRAL.npz", 24)
    model["posedirs"] = rng.normal(0, 0.01, model["posedirs"].shape).astype(np.float32)
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **model)
    turns, place = rng.normal(0, 0.4, (3, 24, 3)), rng.normal(0, 1, (3, 3))
    kintree = np.where(np.arange(24) > 0, model["kintree_table"].astype(np.int64), [[-1], [0]])
    struct = Struct(**{**model, "kintree_table": kintree, "shapedirs": np.tile(model["shapedirs"], 3)})
    ids = {name: 0 for name in vertex_ids["smplh"]}
    body = SMPL("", data_struct=struct, batch_size=3, dtype=torch.float64, vertex_ids=ids, num_betas=4)
    given = torch.from_numpy
    expected = body(
        betas=given(SHAPE)[None].expand(3, -1),
        global_orient=given(turns[:, 0]),
        body_pose=given(turns[:, 1:].reshape(3, -1)),
        transl=given(place),
    )
    found = list(posed_vertices(find_body_model(tmp_path, 24), turns, place, SHAPE))
    assert np.allclose(found, expected.vertices.detach().numpy(), atol=1e-4)


def test_a_body_is_fitted_to_its_own_joints(models: Path, poses: np.ndarray) -> None:
    motion = _motion(models, poses)
    fit = fitted_body(motion, find_body_model(models))
    again = posed_joints(find_body_model(models), fit.rotations, fit.betas) + fit.translation[:, None]
    distance = np.linalg.norm(again - motion.joints, axis=-1).mean()
    assert fit.error == pytest.approx(distance, abs=1e-6)
    assert fit.error < 0.004 < 0.02 < fit.error_before
    assert np.allclose(fit.betas[:3], SHAPE[:3], atol=0.35)


def test_fitted_poses_come_back_from_their_file(models: Path, poses: np.ndarray, tmp_path: Path) -> None:
    motion = _motion(models, poses)
    fit = save_poses(tmp_path / "a.npz", motion, models)
    assert fit is not None
    back = load_motion(tmp_path / "a.npz", body_models=models)
    level = back.joints - motion.joints
    level -= level.mean((0, 1))
    assert np.linalg.norm(level, axis=-1).mean() < fit.error + 0.001
    with np.load(tmp_path / "a.npz") as archive:
        assert str(archive["surface_model_type"]) == "smplx" and archive["poses"].shape == (30, 165)


@pytest.mark.parametrize("from_file", [False, True])
def test_the_mesh_is_where_the_joints_are(
    models: Path, poses: np.ndarray, tmp_path: Path, from_file: bool
) -> None:
    motion = _motion(models, poses)
    if from_file:
        save_poses(tmp_path / "a.npz", motion, models)
        motion = load_motion(tmp_path / "a.npz", body_models=models)
        assert motion.poses is not None
    surface = body_surface(motion, models)
    regressor = find_body_model(models).regressor[:22]
    vertices, skin = np.stack(list(surface.frames())), surface.skin
    found = regressor @ vertices
    assert np.linalg.norm(found - motion.joints, axis=-1).mean() < 0.006
    assert len(surface.colours) == regressor.shape[1] and surface.faces.max() < regressor.shape[1]
    # Poses change nothing of this body's shape.
    carried = np.zeros(vertices.shape)
    for joint, share in zip(skin.carriers.T, skin.shares.T, strict=True):
        moved = rotation.rotate(skin.turns[:, joint], skin.rest - skin.joints[joint])
        carried += share[:, None] * (moved + skin.places[:, joint])
    assert np.abs(carried - vertices).max() < 1e-4
    left, right = (np.argmax(regressor[joint]) for joint in (18, 19))
    assert surface.colours[left][2] > 0.6 > 0.4 > surface.colours[right][2]


def test_what_has_no_body_or_no_mesh_is_said(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="HumanML3D's joints, found kit's"):
        body_surface(Motion(wandering(KIT, 5), KIT, 12.5), models)
    model = own_body_model(tmp_path / "SMPL_NEUTRAL.npz", 24)
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **{k: v for k, v in model.items() if k != "f"})
    with pytest.raises(BodyModelError, match="no mesh"):
        body_surface(Motion(wandering(HUMANML3D, 5), HUMANML3D, 20.0), tmp_path)


def test_commands_fit_and_draw_bodies(models: Path, poses: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", _motion(models, poses).joints[:6])
    np.save(tmp_path / "kit.npy", wandering(KIT, 6))
    bodies = ("--body-models", str(models))
    done = lamp("convert", "a.npy", "a.npz", *bodies, cwd=tmp_path)
    assert done.returncode == 0 and "mm unfitted" in done.stderr, done.stderr
    assert done.rows[0]["fitted_mm"] < 5 < done.rows[0]["unfitted_mm"]
    for name in ("a.npy", "a.npz"):
        done = lamp("render", name, *bodies, "--size", "96", "--output", name[-3:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    plain = lamp("render", "a.npy", "--size", "96", "--output", "plain", cwd=tmp_path)
    assert plain.returncode == 0
    drawn = [(tmp_path / folder / "a.mp4").read_bytes() for folder in ("npy", "npz", "plain")]
    assert drawn[0] != drawn[2] != drawn[1]
    refused = lamp("render", "kit.npy", *bodies, cwd=tmp_path)
    assert refused.returncode == 2 and "HumanML3D's joints" in refused.stderr
    assert not list(tmp_path.glob("kit*.mp4"))
