"""Motions -> one self-contained web page with a viewer in three dimensions; it asks nothing of a network.

The page itself is ``viewer.html``; here the motions are packed into it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..storage import write_text
from .scene import bones_of
from .video import skeleton_to_render

_LARGEST = 32_000


def write_viewer(motions: Sequence[np.ndarray], fps: float, titles: Sequence[str], path: Path) -> Path:
    """Write :func:`viewer_page` as a file."""
    write_text(path, viewer_page(motions, fps, titles))
    return path


def viewer_page(motions: Sequence[np.ndarray], fps: float, titles: Sequence[str]) -> str:
    """Motions, each (T, J, 3) metres, with their titles as a page to play, turn and scrub.

    Joints are stored as 16-bit numbers, a millimetre apart or finer, up to 60 m across. Raises
    ``ValueError`` for joints that are no motion.
    """
    if not motions:
        raise ValueError("no motion to show")
    packed = [_packed(np.asarray(m), title) for m, title in zip(motions, titles, strict=True)]
    page = {"fps": fps, "motions": packed}
    # Inside a script element only "</" could end it early, and "<!--" begin a comment.
    text = json.dumps(page).replace("<", "\\u003c")
    template = files(__package__).joinpath("viewer.html").read_text(encoding="utf-8")
    return template.replace("/*MOTIONS*/", text)


def _packed(motion: np.ndarray, title: str) -> dict[str, Any]:
    skeleton = skeleton_to_render(motion)
    origin = motion[0, 0] * np.array([1, 0, 1])
    offsets = motion.astype(np.float64) - origin
    unit = max(0.001, float(np.abs(offsets).max()) / _LARGEST)
    numbers = np.rint(offsets / unit).astype("<i2")
    return {
        "title": " ".join(title.split()),
        "frames": len(motion),
        "joint_count": motion.shape[1],
        "unit": unit,
        "joints": base64.b64encode(numbers.tobytes()).decode("ascii"),
        "bones": [
            {
                "parent": bone[0],
                "child": bone[1],
                "radius": round((bone[2] + bone[3]) / 2, 4),
                "colour": [int(c) for c in bone[4]],
            }
            for bone in bones_of(skeleton, "body")
        ],
    }
