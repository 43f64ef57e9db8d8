"""One motion: joints in metres with their skeleton and rate. What files give and every command takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np

from .body_poses import BodyPoses
from .representation import joints_to_features
from .skeleton import Skeleton
from .transform import resample


@dataclass(frozen=True)
class MotionPart:
    """What a span of a motion was made for: its sentence, first frame and the frame after its last."""

    text: str
    start: int
    end: int


class Editor(Protocol):
    """What draws a span of a motion anew, as a model of ``lamp_cli.load`` does."""

    def edit(self, motion: Motion, text: str = "", **options: Any) -> Any:
        """The motion with the span drawn anew that ``options`` name."""


@dataclass(frozen=True, eq=False, repr=False)
class Motion:
    """One clip of a person moving.

    joints: positions (T, J, 3) float32 in metres, y up, facing +z at the start.
    skeleton: which joints these are.
    fps: frames per second.
    source: the file and the entry within an archive, or the model that made it.
    features: (T, 12J-1), set when a file held features or a network made them; then used as they are.
    notes: what a reader assumed or repaired (unit, axes, floor, rate) or a model doubts, in sentences.
    poses: of the SMPL body that the joints are of, where a file held them.
    text: the sentence that it belongs to.
    candidates: of how many draws of a model it is the one that was kept; None where no model is known to have
        made it.
    parts: which frames belong to which sentence, where it was made from several; else empty.
    """

    joints: np.ndarray
    skeleton: Skeleton
    fps: float
    source: str = ""
    features: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    poses: BodyPoses | None = None
    text: str = ""
    candidates: int | None = None
    parts: tuple[MotionPart, ...] = ()

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.joints)

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.joints) / self.fps

    def __getitem__(self, frames: slice) -> Motion:
        """The frames of a slice, as ``motion[40:80]``; a step of n keeps every n-th frame and the speed.

        Raises ``TypeError`` for a single frame, ``ValueError`` for a step below 1 or an empty slice.
        """
        if not isinstance(frames, slice):
            raise TypeError("a motion is cut by a slice, as motion[40:80]; one pose is motion.joints[40]")
        step = frames.step or 1
        if step < 1:
            raise ValueError(f"a step of {step}; expected 1 or more, a motion does not run backwards")
        joints = self.joints[frames]
        if not len(joints):
            raise ValueError(f"no frame between {frames.start} and {frames.stop} of {len(self)}")
        # Features hold velocities from frame to frame: they are those of every frame or of none.
        features = None if self.features is None or step > 1 else self.features[frames]
        poses = None if self.poses is None else self.poses[frames]
        parts = self.parts_of(range(len(self))[frames])
        return replace(self, joints=joints, fps=self.fps / step, features=features, poses=poses, parts=parts)

    def parts_of(self, frames: Sequence[int]) -> tuple[MotionPart, ...]:
        """The parts that some of the ``frames`` are of, in frames counted among those."""
        found = []
        for part in self.parts:
            numbers = [number for number, frame in enumerate(frames) if part.start <= frame < part.end]
            if numbers:
                found.append(MotionPart(part.text, numbers[0], numbers[-1] + 1))
        return tuple(found)

    def joints_at(self, fps: float) -> np.ndarray:
        """Joints (T, J, 3) at another frame rate."""
        return resample(self.joints, self.fps, fps)

    def at_rate(self, fps: float) -> Motion:
        """The motion at a frame rate; what is known of it but its joints goes where that is another one."""
        if fps == self.fps:
            return self
        return replace(self, joints=self.joints_at(fps), fps=fps, features=None, poses=None)

    def to_features(self) -> np.ndarray:
        """Features (T-1, 12J-1) at the skeleton's own frame rate; as stored when the file had them.

        Raises ``ValueError`` for clips of fewer than two frames.
        """
        if self.features is not None:
            return self.features
        return joints_to_features(self.joints_at(self.skeleton.fps), self.skeleton)

    def save(self, path: str | Path, scale: str = "cm", body_models: str | Path | None = None) -> Path:
        """Write the motion; whole or not at all, over what is there.

        path: ``.npy`` for joints, ``.bvh`` for a skeleton's rotations, ``.glb`` for a skinned body with its
            animation, ``.npz`` for SMPL poses as AMASS has them; the latter three as ``files.bvh.save_bvh``,
            ``files.gltf.save_gltf`` and ``files.smpl.save_poses`` say.
        scale: unit of a ``.bvh`` file, ``cm`` or ``m``.
        body_models: folder of SMPL body models (``.npz``); the poses of an ``.npz`` file are fitted to one.

        Raises ``ValueError`` for another suffix or scale, and for SMPL poses of KIT's joints.
        """
        from ..files.arrays import save_joints
        from ..files.bvh import save_bvh
        from ..files.gltf import save_gltf
        from ..files.smpl import save_poses

        path = Path(path)
        suffix = path.suffix.lower()
        if suffix == ".npy":
            save_joints(path, self.joints)
        elif suffix == ".bvh":
            save_bvh(path, self, scale)
        elif suffix == ".glb":
            save_gltf(path, self)
        elif suffix == ".npz":
            save_poses(path, self, None if body_models is None else Path(body_models))
        else:
            raise ValueError(f"{path}: expected a name ending in .npy, .bvh, .glb or .npz")
        return path

    def render(
        self,
        path: str | Path,
        size: int = 480,
        style: str = "body",
        body_models: str | Path | None = None,
    ) -> Path:
        """Draw the motion with its sentence as ``.mp4``, ``.gif``, ``.webp``, ``.png`` or an ``.html`` page.

        path: where to write, over what is there; its suffix is the format.
        size: height and width in pixels, of a picture or video.
        style: ``body``, solid limbs, or ``skeleton``, thin lines.
        body_models: folder of SMPL body models (``.npz``), one of which is drawn as the body.

        Raises ``ValueError`` for another suffix or joints that are no motion.
        """
        from ..files.body_model import body_surface
        from ..render.camera import SceneOptions
        from ..render.video import render_motions
        from ..render.viewer import write_viewer

        path = Path(path)
        meshes = [] if body_models is None or style != "body" else [body_surface(self, Path(body_models))]
        if path.suffix.lower() == ".html":
            return write_viewer([self.joints], self.fps, [self.text], path, meshes)
        options = SceneOptions(size, size, style=style)
        return render_motions([self.joints], self.fps, [self.text], path, options, meshes)

    @overload
    def edit(
        self,
        span: tuple[float, float] | None = None,
        text: str = "",
        model: Editor | str | Path = "lamp-mini",
        *,
        samples: None = None,
        **options: Any,
    ) -> Motion: ...

    @overload
    def edit(
        self,
        span: tuple[float, float] | None = None,
        text: str = "",
        model: Editor | str | Path = "lamp-mini",
        *,
        samples: int,
        **options: Any,
    ) -> list[Motion]: ...

    def edit(
        self,
        span: tuple[float, float] | None = None,
        text: str = "",
        model: Editor | str | Path = "lamp-mini",
        **options: Any,
    ) -> Motion | list[Motion]:
        """The motion with a span drawn anew by a model; all other frames are bit by bit its own.

        span: begin and end in seconds; None where ``options`` name another: ``before``, ``after``, ``keep``.
        text: what happens in the span; without it, it leads from one side to the other.
        model: of ``lamp_cli.load``; or its name, a folder or hub name, which is loaded anew in every call.
        options: those of ``lamp_cli.Model.edit``, with the same defaults: ``seed``, ``length`` and the rest.

        Raises ``ValueError`` for a span that the motion does not have or the model cannot draw.
        """
        if isinstance(model, str | Path):
            from ..notebook import load

            model = load(model)
        result: Motion | list[Motion] = model.edit(self, text, between=span, **options)
        return result

    def _repr_html_(self) -> str:
        """A player for notebooks: the page of ``render``'s viewer in a frame."""
        from ..render.viewer import viewer_page

        page = escape(viewer_page([self.joints], self.fps, [self.text]), quote=True)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f'<iframe srcdoc="{page}" width="640" height="480" style="border:0"></iframe>{notes}'

    def __repr__(self) -> str:
        sentence = f", {self.text!r}" if self.text else ""
        return f"Motion({len(self)} frames, {self.seconds:.2f} s of {self.skeleton.name}{sentence})"
