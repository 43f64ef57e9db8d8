"""Body models of SMPL, SMPL-H and SMPL-X: files, joints, meshes, and poses fitted to joints, by ``smplx``.

Sources: Loper et al. 2015 (SMPL), Romero et al. 2017 (SMPL-H), Pavlakos et al. 2019 (SMPL-X). The first 22
joints of all three are HumanML3D's. Models are y up and face +z.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..motion import rotation
from ..motion.body_poses import BodyPoses
from ..motion.body_shape import TONES, with_level_head
from ..motion.joint_rotations import joint_rotations
from ..motion.motion import Motion
from ..motion.skeleton import HUMANML3D
from ..motion.surface import Skin, Surface
from ..storage import DAMAGE, array_archive

if TYPE_CHECKING:
    import torch

BODY_JOINTS = HUMANML3D.joints
# AMASS is z up; models and the corpus are y up.
Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
# A body model's joints, and what its file is called.
KINDS = {24: "SMPL", 52: "SMPL-H", 55: "SMPL-X"}
_JOINT_ARRAYS = ("v_template", "shapedirs", "J_regressor")
# Directions of shape that AMASS keeps; the further ones are of hair's breadth, in SMPL-X those of the face.
MOST_BETAS = 16
# Frames that are skinned at once.
CHUNK = 64
# Metres squared of bone length that a unit of shape squared costs.
SHAPE_WEIGHT = 1e-4
SHAPE_STEPS = 20
# The same, in places of joints: of shape, and of radians away from inverse kinematics.
FIT_SHAPE_WEIGHT, FIT_TURN_WEIGHT = 1e-5, 1e-5
FIT_STEPS = 80


class BodyModelError(ValueError):
    """A body model that is not there or cannot be read; the message names the folder or file."""


@dataclass(frozen=True)
class BodyModel:
    """A body model's file, of which the large arrays are read when a mesh is wanted.

    path: the file.
    template: vertices (V, 3) of the mean body, metres.
    shapes: how each unit of shape moves them (V, 3, S).
    regressor: joints as sums of vertices (K, V).
    """

    path: Path
    template: np.ndarray
    shapes: np.ndarray
    regressor: np.ndarray

    @property
    def joints(self) -> int:
        """Number of joints K."""
        return len(self.regressor)

    def rest_joints(self, betas: np.ndarray) -> np.ndarray:
        """The 22 joints (22, 3) of the T-pose of a shape (S,), metres."""
        mean, ways = self._joints_of_shapes()
        return np.asarray(mean + ways[..., : len(betas)] @ betas[: ways.shape[-1]])

    def _joints_of_shapes(self) -> tuple[np.ndarray, np.ndarray]:
        """The mean body's 22 joints (22, 3), and how shape moves them (22, 3, S)."""
        rows = self.regressor[:BODY_JOINTS]
        return rows @ self.template, np.einsum("jv,vks->jks", rows, self.shapes)


@dataclass(frozen=True)
class FittedBody:
    """A body model's shape and poses that follow joints.

    rotations: axis-angle vectors (T, 22, 3), radians, y up.
    translation: of the model's origin (T, 3), metres.
    betas: shape (S,).
    pelvis: place (3,) of the root in the T-pose, metres; about it the root turns.
    error_before: mean distance of joints in metres of the mean body, turned by inverse kinematics.
    error: the same of the fit.
    """

    rotations: np.ndarray
    translation: np.ndarray
    betas: np.ndarray
    pelvis: np.ndarray
    error_before: float
    error: float


def find_body_model(folder: Path, joints: int = BODY_JOINTS, gender: str = "neutral") -> BodyModel:
    """The body model in a folder that fits, ``.npz`` files anywhere below it.

    Of the files with as many joints (22: any, the most joints first), the one whose path names the gender;
    else a neutral one. Raises :class:`BodyModelError` when there is none. Pickled models are never opened.
    """
    if not folder.is_dir():
        raise BodyModelError(f"{folder}: no such folder; expected one with SMPL body models (.npz)")
    fitting = []
    for path in sorted(folder.rglob("*.npz")):
        model = _read_body_model(path)
        if model is not None and joints in (BODY_JOINTS, model.joints):
            fitting.append(model)
    fitting.sort(key=lambda model: -model.joints)
    for wanted in (gender, "neutral"):
        for model in fitting:
            if _gender_of(model.path) == wanted:
                return model
    kind = KINDS.get(joints, "SMPL, SMPL-H or SMPL-X")
    raise BodyModelError(f"{folder}: holds no {kind} body model, {gender} or neutral, as an .npz file")


def posed_joints(model: BodyModel, rotations: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) of axis-angle vectors (T, 22, 3) and a shape (S,), metres, before any translation."""
    import torch

    rest = torch.from_numpy(model.rest_joints(betas))
    return _moved_joints(torch.from_numpy(rotations), rest).numpy()


def fitted_body(motion: Motion, model: BodyModel) -> FittedBody:
    """The shape and the poses that bring the model's 22 joints nearest to a motion's.

    Shape comes from the bones' lengths, poses from inverse kinematics; then both and the place are refined
    together (L-BFGS) by the squared distances of joints. Raises ``ValueError`` for joints that are not
    HumanML3D's.
    """
    import torch

    require_body_joints(motion, motion.source or "the motion")
    unfitted = _by_inverse_kinematics(motion, model, np.zeros(min(MOST_BETAS, model.shapes.shape[-1])))
    shape = _shape_of_lengths(motion, model)
    turns, place = _by_inverse_kinematics(motion, model, shape)
    target = torch.from_numpy(motion.joints.astype(np.float64))
    mean, ways = (torch.from_numpy(array) for array in model._joints_of_shapes())
    first = torch.from_numpy(turns)
    free = [torch.tensor(array, requires_grad=True) for array in (turns, place, shape)]

    def placed(rotations: torch.Tensor, translation: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        return _moved_joints(rotations, mean + ways[..., : len(betas)] @ betas) + translation[:, None]

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        apart = (placed(*free) - target).square().sum()
        turned = (free[0] - first).square().sum()
        shaped = target[..., 0].numel() * free[2].square().sum()
        loss = apart + FIT_TURN_WEIGHT * turned + FIT_SHAPE_WEIGHT * shaped
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser = torch.optim.LBFGS(
        free, max_iter=FIT_STEPS, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )
    optimiser.step(closure)
    error = _distance(placed(*free).detach().numpy(), motion)
    before = posed_joints(model, unfitted[0], np.zeros(0)) + unfitted[1][:, None]
    rotations, translation, betas = (array.detach().numpy() for array in free)
    pelvis = model.rest_joints(betas)[0]
    return FittedBody(rotations, translation, betas, pelvis, _distance(before, motion), error)


def posed_vertices(
    model: BodyModel, rotations: np.ndarray, translation: np.ndarray, betas: np.ndarray
) -> Iterator[np.ndarray]:
    """The skinned mesh (V, 3) float32 of every frame, metres, in the axes of the poses.

    rotations: axis-angle vectors (T, K, 3); joints of the model beyond K are at rest.
    translation: of the model's origin (T, 3).
    betas: shape (S,).
    """
    import torch
    from smplx.lbs import lbs

    ways, weights, tree = _arrays_of(model, ("posedirs", "weights", "kintree_table"))
    parents = torch.from_numpy(tree[0].astype(np.int64))
    parents[0] = -1
    poses = np.zeros((len(rotations), model.joints, 3), np.float32)
    known = min(model.joints, rotations.shape[1])
    poses[:, :known] = rotations[:, :known]
    count = min(len(betas), model.shapes.shape[-1])
    constant = [
        torch.from_numpy(np.ascontiguousarray(array, np.float32))
        for array in (
            model.template,
            model.shapes[..., :count],
            ways.reshape(-1, ways.shape[-1]).T,
            model.regressor,
        )
    ]
    shape, skin = torch.from_numpy(np.float32(betas[None, :count])), torch.from_numpy(np.float32(weights))
    for begin in range(0, len(poses), CHUNK):
        chunk = torch.from_numpy(poses[begin : begin + CHUNK].reshape(-1, 3 * model.joints))
        with torch.inference_mode():
            vertices, _ = lbs(shape.expand(len(chunk), -1), chunk, *constant, parents, skin)
        yield from vertices.numpy() + np.float32(translation[begin : begin + CHUNK, None])


def body_surface(motion: Motion, folder: Path) -> Surface:
    """The mesh of the body model in a folder that fits a motion, as :func:`find_body_model` finds it.

    Poses that the motion's file held are taken as they are, with shape, gender and hands; to joints alone a
    body is fitted. Raises :class:`BodyModelError` where no body model fits, ``ValueError`` for joints that
    are not HumanML3D's.
    """
    poses = motion.poses
    if poses is None:
        model = find_body_model(folder)
        fit = fitted_body(motion, model)
        poses = BodyPoses(fit.rotations, fit.translation, fit.betas, "neutral", motion.fps, up="y")
    else:
        model = find_body_model(folder, poses.rotations.shape[1], poses.gender)
    rest = model.rest_joints(poses.betas)[0] + poses.translation
    turn = np.eye(3) if poses.up == "y" else Y_UP.T
    # Readers set a body on the floor: the mesh goes where the joints are.
    shift = np.median(motion.joints[:, 0] - rest @ turn, axis=0) if motion.poses is not None else 0.0

    def frames() -> Iterator[np.ndarray]:
        for vertices in posed_vertices(model, poses.rotations, poses.translation, poses.betas):
            yield np.asarray(vertices @ turn + shift, np.float32)

    faces, shares, tree = _arrays_of(model, ("f", "weights", "kintree_table"))
    parents = tree[0].astype(np.int64)
    skin = _skin(model, poses, shares, parents.tolist(), turn, shift)
    return Surface(faces.astype(np.int64), _colours(shares, parents), frames, skin)


def _skin(
    model: BodyModel,
    poses: BodyPoses,
    shares: np.ndarray,
    parents: Sequence[int],
    turn: np.ndarray,
    shift: np.ndarray | float,
) -> Skin:
    """The four joints that count most for each vertex; ``turn`` and ``shift`` as the vertices' own."""
    count = min(len(poses.betas), model.shapes.shape[-1])
    rest = model.template + model.shapes[..., :count] @ poses.betas[:count]
    joints = model.regressor @ rest
    carriers = np.argsort(-shares, axis=1)[:, :4]
    most = np.take_along_axis(shares, carriers, axis=1)
    turns = np.tile([1.0, 0.0, 0.0, 0.0], (len(poses.rotations), model.joints, 1))
    known = min(model.joints, poses.rotations.shape[1])
    turns[:, :known] = rotation.of_axis_angle(poses.rotations[:, :known])
    places = np.repeat(joints[None], len(turns), axis=0)
    places[:, 0] += poses.translation
    for joint, parent in list(enumerate(parents))[1:]:
        places[:, joint] = places[:, parent] + rotation.rotate(
            turns[:, parent], joints[joint] - joints[parent]
        )
        turns[:, joint] = rotation.multiply(turns[:, parent], turns[:, joint])
    upright = rotation.of_axis_angle(rotation.axis_angle_of_matrices(turn.T))
    return Skin(
        rest,
        carriers,
        most / most.sum(1, keepdims=True),
        joints,
        rotation.multiply(upright, turns),
        places @ turn + shift,
    )


def require_body_joints(motion: Motion, name: str) -> None:
    """Raise ``ValueError`` for a motion of other joints than HumanML3D's, which SMPL's bodies have."""
    if motion.skeleton is not HUMANML3D:
        raise ValueError(f"{name}: an SMPL body needs HumanML3D's joints, found {motion.skeleton.name}'s")


def _colours(shares: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Of vertices (V, 3), sRGB: the tones of the sides whose joints (V, K) move them."""
    tones = np.zeros((len(parents), 3))
    for joint, parent in enumerate(parents.tolist()):
        side = HUMANML3D.joint_names[joint].partition("_")[0] if joint < BODY_JOINTS else ""
        # Fingers and face are of the colour of what they hang on.
        inherited = tones[parent] if joint >= BODY_JOINTS else TONES["trunk"]
        tones[joint] = TONES[side] if side in ("left", "right") else inherited
    return np.asarray(shares @ tones)


def _read_body_model(path: Path) -> BodyModel | None:
    """A file's model; None for an archive of something else."""
    try:
        with array_archive(path) as archive:
            if not set(_JOINT_ARRAYS) <= set(archive.files):
                return None
            template, shapes, regressor = (archive[name].astype(np.float64) for name in _JOINT_ARRAYS)
    except DAMAGE as error:
        raise BodyModelError(f"{path}: cannot be read as a body model ({error})") from None
    return BodyModel(path, template, shapes[..., :MOST_BETAS], regressor)


def _arrays_of(model: BodyModel, names: Sequence[str]) -> list[np.ndarray]:
    try:
        with array_archive(model.path) as archive:
            return [archive[name] for name in names]
    except DAMAGE as error:
        raise BodyModelError(f"{model.path}: has no mesh that can be read ({error})") from None


def _gender_of(path: Path) -> str:
    words = f"{path.parent.name} {path.stem}".lower()
    return next((gender for gender in ("female", "male", "neutral") if gender in words), "neutral")


def _moved_joints(rotations: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
    """Joints (T, 22, 3) of axis-angle vectors (T, 22, 3) and the T-pose's joints (22, 3)."""
    import torch
    from smplx.lbs import batch_rigid_transform, batch_rodrigues

    turns = batch_rodrigues(rotations.reshape(-1, 3)).reshape(len(rotations), BODY_JOINTS, 3, 3)
    parents = torch.tensor(HUMANML3D.parents)
    every = rest.expand(len(rotations), -1, -1)
    joints: torch.Tensor = batch_rigid_transform(turns, every, parents, dtype=torch.float64)[0]
    return joints


def _by_inverse_kinematics(
    motion: Motion, model: BodyModel, betas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Axis-angle vectors (T, 22, 3) and translation (T, 3) of a shape, by inverse kinematics alone."""
    rest = model.rest_joints(betas)
    offsets = rest - rest[list(HUMANML3D.parents)]
    offsets[0] = 0.0
    found = with_level_head(joint_rotations(motion.joints, HUMANML3D, motion.fps, offsets))
    # The root turns about its own place in the T-pose.
    return rotation.to_axis_angle(found.rotations), motion.joints[:, 0] - rest[0]


def _shape_of_lengths(motion: Motion, model: BodyModel) -> np.ndarray:
    """The shape (S,) whose bones are as long as the motion's, by Gauss and Newton's steps."""
    children, parents = list(range(1, BODY_JOINTS)), list(HUMANML3D.parents[1:])
    bones = np.linalg.norm(motion.joints[:, children] - motion.joints[:, parents], axis=-1)
    wanted = np.median(bones, axis=0)
    mean, ways = model._joints_of_shapes()
    mean, ways = mean[children] - mean[parents], ways[children] - ways[parents]
    betas = np.zeros(ways.shape[-1])
    for _ in range(SHAPE_STEPS):
        now = mean + ways @ betas
        lengths = np.maximum(np.linalg.norm(now, axis=-1), 1e-6)
        slopes = np.einsum("jk,jks->js", now / lengths[:, None], ways)
        normal = slopes.T @ slopes + SHAPE_WEIGHT * np.eye(len(betas))
        betas += np.linalg.solve(normal, slopes.T @ (wanted - lengths) - SHAPE_WEIGHT * betas)
    return betas


def _distance(joints: np.ndarray, motion: Motion) -> float:
    return float(np.linalg.norm(joints - motion.joints, axis=-1).mean())
