"""Motions -> one self-contained web page with a viewer in three dimensions; it asks nothing of a network.

The page itself is ``viewer.html``, its program ``viewer.js``; here the motions are packed into it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..motion.body_shape import Ellipsoid, RoundCone, places_of, posed_body
from ..motion.skeleton import Skeleton
from ..motion.surface import Skin, Surface
from ..storage import write_text
from .scene import COLOURS, throws_shadow
from .video import skeleton_to_render

_LARGEST = 32_000
_MOST_VERTICES = 65_536


def write_viewer(
    motions: Sequence[np.ndarray],
    fps: float,
    titles: Sequence[str],
    path: Path,
    surfaces: Sequence[Surface] = (),
) -> Path:
    """Write :func:`viewer_page` as a file."""
    write_text(path, viewer_page(motions, fps, titles, surfaces))
    return path


def viewer_page(
    motions: Sequence[np.ndarray], fps: float, titles: Sequence[str], surfaces: Sequence[Surface] = ()
) -> str:
    """Motions, each (T, J, 3) metres, with their titles as a page to play, turn and scrub.

    surfaces: of each motion, drawn in place of the body where the browser has WebGL.

    Joints and turns are stored as 16-bit numbers, a millimetre apart or finer, up to 60 m across. Raises
    ``ValueError`` for joints that are no motion, or a mesh of more than 65,536 vertices.
    """
    if not motions:
        raise ValueError("no motion to show")
    packed = [packed_motion(np.asarray(m), fps, title) for m, title in zip(motions, titles, strict=True)]
    meshes: list[dict[str, Any]] = []
    for motion, shown, surface in zip(motions, packed, surfaces, strict=bool(surfaces)):
        mesh = _packed_mesh(surface)
        # Motions of one body model share what is its own.
        if mesh not in meshes:
            meshes.append(mesh)
        shown["skin"] = {"mesh": meshes.index(mesh), **_packed_skin(surface.skin, motion)}
    page = {"fps": fps, "motions": packed, "meshes": meshes}
    # Inside a script element only "</" could end it early, and "<!--" begin a comment.
    text = json.dumps(page).replace("<", "\\u003c")
    template, program = (
        files(__package__).joinpath(f"viewer.{kind}").read_text(encoding="utf-8") for kind in ("html", "js")
    )
    return template.replace("/*VIEWER*/", program).replace("/*MOTIONS*/", text)


def packed_motion(motion: np.ndarray, fps: float, title: str) -> dict[str, Any]:
    """A motion (T, J, 3) as the viewer's program reads it; raises ``ValueError`` for joints that are none."""
    skeleton = skeleton_to_render(motion)
    origin = motion[0, 0] * np.array([1, 0, 1])
    offsets = motion.astype(np.float64) - origin
    unit = max(0.001, float(np.abs(offsets).max()) / _LARGEST)
    body = posed_body(motion, skeleton, fps)
    # Of the turns only those of joints that carry something beside themselves.
    places = [place for part in body.parts for place in places_of(part)]
    carriers = {p.joint for p in places if any(p.offset)}
    carriers |= {part.centre.joint for part in body.parts if isinstance(part, Ellipsoid)}
    turned = [joint for joint, name in enumerate(skeleton.joint_names) if name in carriers]
    return {
        "title": " ".join(title.split()),
        "frames": len(motion),
        "joint_count": motion.shape[1],
        "unit": unit,
        "joints": _base64(offsets / unit),
        "turns": _base64(body.turns[:, turned] * _LARGEST),
        "turned": turned,
        "parts": [_packed_part(part, body.size, skeleton) for part in body.parts],
    }


def _packed_mesh(surface: Surface) -> dict[str, Any]:
    """Triangles, colours, and which joints carry each vertex with which shares, in 255ths."""
    skin = surface.skin
    if len(skin.rest) > _MOST_VERTICES:
        raise ValueError(f"a mesh of {len(skin.rest)} vertices; expected at most {_MOST_VERTICES}")
    return {
        "faces": _base64(surface.faces, "<u2"),
        "colours": _base64(255 * surface.colours, "u1"),
        "carriers": _base64(skin.carriers, "u1"),
        "shares": _base64(255 * skin.shares, "u1"),
    }


def _packed_skin(skin: Skin, motion: np.ndarray) -> dict[str, Any]:
    """The rest pose, and the joints' turns and places about where the motion begins."""
    places = skin.places - motion[0, 0] * np.array([1, 0, 1])
    units = [max(1e-4, float(np.abs(each).max()) / _LARGEST) for each in (skin.rest, places)]
    return {
        "joints": skin.joints.round(5).reshape(-1).tolist(),
        "rest": _base64(skin.rest / units[0]),
        "turns": _base64(skin.turns * _LARGEST),
        "places": _base64(places / units[1]),
        "units": units,
    }


def _packed_part(part: RoundCone | Ellipsoid, size: float, skeleton: Skeleton) -> dict[str, Any]:
    """A part as the page draws it: its places, radii in metres, an ellipsoid's yaw in radians, its colour."""
    yaw = {"yaw": float(np.radians(part.yaw))} if isinstance(part, Ellipsoid) else {}
    return {
        "places": [
            {"joint": skeleton.joint_names.index(place.joint), "offset": [size * x for x in place.offset]}
            for place in places_of(part)
        ],
        "radii": [size * radius for radius in part.radii],
        "colour": [int(c) for c in COLOURS[part.tone]],
        "shadow": throws_shadow(part),
        "under": part.tone == "sole",
        **yaw,
    }


def _base64(numbers: np.ndarray, kind: str = "<i2") -> str:
    """Numbers as integers of a kind in base64."""
    return base64.b64encode(np.rint(numbers).astype(kind).tobytes()).decode("ascii")
