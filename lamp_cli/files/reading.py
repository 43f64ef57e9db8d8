"""How motion files are read: what a file does not say, or says otherwise. Knows no format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

# A hundred kilometres in millimetres.
LARGEST = 1e8


@dataclass(frozen=True)
class Reading:
    """What a reader is told.

    fps: frames per second, in place of the file's own; None: the file's, else the corpus's are assumed.
    body_models: folder of SMPL body models (``.npz``), for SMPL poses; None: a neutral body.
    joint_map: pairs of one of our joints and the joint of the file that it is, for skeletons whose names do
        not tell; see ``files.joint_names.read_joint_map``.
    """

    fps: float | None = None
    body_models: Path | None = None
    joint_map: tuple[tuple[str, str], ...] = ()

    def at(self, fps: float | None) -> Reading:
        """The same at the rate that something else names, where it names one."""
        return self if fps is None else replace(self, fps=fps)

    def facts(self) -> list[object]:
        """What motions read so depend on, besides the rate; empty when nothing was told."""
        bodies = [] if self.body_models is None else ["body models", str(self.body_models.resolve())]
        return [*bodies, *(["joint map", self.joint_map] if self.joint_map else [])]


def is_of_this_world(values: np.ndarray) -> bool:
    """Whether numbers are finite and no larger than any place or angle of a person, in any unit."""
    return bool((np.abs(values) < LARGEST).all())


# Nothing is told; whatever a file leaves out is assumed.
AS_STORED = Reading()
