"""A body model of our own making in the file format of SMPL, with a mesh that looks like a body."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lamp_cli.motion.body_mesh import body_mesh
from lamp_cli.motion.joint_rotations import t_pose
from lamp_cli.motion.skeleton import HUMANML3D

HEIGHT_OF_PELVIS = 0.2


def own_body_model(path: Path, joints: int = 55) -> dict[str, np.ndarray]:
    """Write a model whose first joints are HumanML3D's; its shape is height, legs, arms and girth.

    Joints are means of six vertices around them that no triangle has, as SMPL's are sums of vertices.
    """
    offsets = t_pose(HUMANML3D)
    mesh = body_mesh(offsets, HUMANML3D)
    places = np.zeros((22, 3))
    for joint in HUMANML3D.order:
        places[joint] = places[HUMANML3D.parents[joint]] + offsets[joint]
    hands = np.array([20 if k % 2 else 21 for k in range(joints - 22)], dtype=int)
    places = np.concatenate([places, places[hands] + [0.0, 0.0, 0.02]])
    around = (places[:, None] + 0.01 * np.concatenate([np.eye(3), -np.eye(3)])).reshape(-1, 3)
    template = np.concatenate([mesh.positions, around])
    count = len(mesh.positions)
    weights = np.zeros((len(template), joints))
    for column in range(2):
        np.add.at(weights, (np.arange(count), mesh.carriers[:, column]), mesh.shares[:, column])
    weights[np.arange(count, len(template)), np.repeat(np.arange(joints), 6)] = 1.0
    parents = np.concatenate([HUMANML3D.parents, hands]).astype(np.int64)
    x, y, z = template.T
    up, side = np.zeros_like(x), np.stack([x, 0 * y, 0 * z], axis=-1)
    shapes = [
        0.05 * template,
        0.06 * np.stack([up, np.minimum(y, 0), up], axis=-1),
        0.06 * np.sign(side) * np.maximum(np.abs(side) - 0.2, 0),
        0.03 * np.stack([x * (np.abs(x) < 0.2), up, z], axis=-1),
    ]
    regressor = np.zeros((joints, len(template)))
    regressor[np.repeat(np.arange(joints), 6), np.arange(count, len(template))] = 1 / 6
    model = {
        "v_template": template - np.array([0.0, HEIGHT_OF_PELVIS, 0.0]),
        "shapedirs": np.stack(shapes, axis=-1),
        "posedirs": np.zeros((len(template), 3, 9 * (joints - 1)), np.float32),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.stack([parents, np.arange(joints)]).astype(np.uint32),
        "f": mesh.triangles.astype(np.uint32),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **model)
    return model
