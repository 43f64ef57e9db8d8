"""Binary glTF 2.0 (.glb) in: the animations of a skeleton of nodes become the corpus's 22 joints over time.

Source: Khronos Group, glTF 2.0 specification (ISO/IEC 12113). Which node is which joint is told from its
name, as for BVH files; meshes, materials and morph targets are not looked at.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..motion import rotation
from ..motion.motion import Motion
from ..motion.plausibility import ImplausibleMotionError, plausible_body
from ..motion.skeleton import HUMANML3D
from .bvh import MOST_JOINTS, nearly_whole_rate
from .gltf import BINARY_CHUNK, JSON_CHUNK, MAGIC, SHAPES, VERSION
from .joint_names import JointPlaces, UnknownSkeletonError
from .reading import AS_STORED, Reading

TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {name: shape[0] if shape else 1 for shape, name in SHAPES.items()}
# An animation whose keys stand further apart is posed by hand; it is read at this rate.
LEAST_RATE, RATE_OF_POSES = 10.0, 30.0
MOST_FRAMES = 1_000_000
# From the origin, in any unit.
FARTHEST = 1e9
# Frames at once, so that memory does not grow with nodes times frames.
CHUNK = 4096
# What reading a broken file may raise.
BROKEN = (
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    ValueError,
    OverflowError,
    RecursionError,
    struct.error,
)


class _NoGltfError(ValueError):
    """Why a file cannot be read, in words of ours."""


def load_gltf(path: Path, reading: Reading = AS_STORED) -> list[tuple[str, Motion]]:
    """Name ("" where there is one alone) and motion of every animation that turns joints.

    ``Motion.notes`` says what was assumed or put in. Raises ``ValueError`` that names the file for what is no
    glTF, holds no animation, or is no body whose joints can be told; ``OSError`` when it cannot be read.
    """
    content = path.read_bytes()
    try:
        scene = _Scene(content)
        animations = [animation for animation in scene.animations() if animation["channels"]]
        if not animations:
            raise _NoGltfError("holds no animation")
        names = _names(animations)
        return [
            (name, _motion(scene, animation, f"{path}:{name}" if name else str(path), reading))
            for name, animation in zip(names, animations, strict=True)
        ]
    except (_NoGltfError, UnknownSkeletonError, ImplausibleMotionError) as error:
        raise ValueError(f"{path}: {error}") from None
    except BROKEN as error:
        raise ValueError(f"{path}: a damaged glTF file ({type(error).__name__}: {error})") from None


class _Scene:
    """The nodes and numbers of a file."""

    def __init__(self, content: bytes) -> None:
        magic, version, _ = struct.unpack_from("<III", content)
        if magic != MAGIC or version != VERSION:
            raise _NoGltfError(f"expected glTF {VERSION}, found version {version}")
        chunks = _chunks(content)
        self._said = json.loads(chunks[JSON_CHUNK])
        self._buffers = [
            self._buffer(said, chunks.get(BINARY_CHUNK)) for said in self._said.get("buffers", [])
        ]
        self.nodes: list[dict[str, Any]] = self._said.get("nodes", [])
        if len(self.nodes) > 10 * MOST_JOINTS:
            raise _NoGltfError(f"holds {len(self.nodes)} nodes, more than a person has")
        self.parents = self._parents()
        self.order = self._order()

    def animations(self) -> list[dict[str, Any]]:
        """Animations whose channels move nodes, morph targets left out."""
        paths = ("translation", "rotation", "scale")
        return [
            {
                **animation,
                "channels": [
                    channel
                    for channel in animation["channels"]
                    if channel["target"]["path"] in paths and "node" in channel["target"]
                ],
            }
            for animation in self._said.get("animations", [])
        ]

    def joints(self) -> list[int]:
        """The nodes that skins name, each once; without a skin all nodes."""
        named = [joint for skin in self._said.get("skins", []) for joint in skin["joints"]]
        found = sorted(set(named)) if named else list(range(len(self.nodes)))
        if found and not 0 <= min(found) <= max(found) < len(self.nodes):
            raise _NoGltfError("a skin names a node that is not there")
        return found

    def numbers(self, index: int) -> np.ndarray:
        """The array (N, width) of an accessor, float64; whole numbers that stand for shares become those."""
        accessor = self._said["accessors"][_checked(index)]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise _NoGltfError("holds numbers in sparse accessors, which are not read")
        view = self._said["bufferViews"][_checked(accessor["bufferView"])]
        kind, width = np.dtype(TYPES[accessor["componentType"]]), WIDTHS[accessor["type"]]
        count, begin = accessor["count"], view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        row = kind.itemsize * width
        stride = view.get("byteStride", row)
        buffer = self._buffers[_checked(view["buffer"])]
        if count < 1 or begin < 0 or stride < row or begin + (count - 1) * stride + row > len(buffer):
            raise _NoGltfError("is cut off: numbers lie beyond its end")
        # Numbers that are none are said below.
        with np.errstate(invalid="ignore"):
            found = np.ndarray((count, width), kind, buffer, begin, (stride, kind.itemsize)).astype(
                np.float64
            )
        if accessor.get("normalized"):
            found = np.maximum(found / np.iinfo(kind).max, -1.0)
        if not np.isfinite(found).all():
            raise _NoGltfError("NaN or infinite numbers")
        return found

    def _buffer(self, said: dict[str, Any], binary: bytes | None) -> bytes:
        uri = said.get("uri")
        if uri is None and binary is not None:
            return binary
        head, comma, text = str(uri).partition(",")
        if head.startswith("data:") and head.endswith(";base64") and comma:
            return base64.b64decode(text)
        raise _NoGltfError("its numbers are in another file; export it as one .glb file")

    def _parents(self) -> list[int]:
        parents = [-1] * len(self.nodes)
        for number, node in enumerate(self.nodes):
            for child in node.get("children", []):
                if parents[_checked(child)] >= 0:
                    raise _NoGltfError("a node has two parents")
                parents[child] = number
        return parents

    def _order(self) -> list[int]:
        """All nodes, each after its parent."""
        order = [node for node, parent in enumerate(self.parents) if parent < 0]
        for node in order:
            order += self.nodes[node].get("children", [])
        if len(order) != len(self.nodes):
            raise _NoGltfError("its nodes hang on each other in a ring")
        return order


def _chunks(content: bytes) -> dict[int, bytes]:
    chunks: dict[int, bytes] = {}
    place = 12
    while place + 8 <= len(content):
        length, kind = struct.unpack_from("<II", content, place)
        chunks.setdefault(kind, content[place + 8 : place + 8 + length])
        place += 8 + length
    if JSON_CHUNK not in chunks:
        raise _NoGltfError("is cut off: holds no scene")
    return chunks


def _checked(index: int) -> int:
    """An index; below 0 Python would count from the end."""
    if index < 0:
        raise IndexError(f"index {index}")
    return index


def _names(animations: list[dict[str, Any]]) -> list[str]:
    """Names of the animations that are all different; one alone needs none."""
    if len(animations) == 1:
        return [""]
    given = [str(animation.get("name") or number) for number, animation in enumerate(animations)]
    return given if len(set(given)) == len(given) else [f"{n}_{name}" for n, name in enumerate(given)]


def _motion(scene: _Scene, animation: dict[str, Any], source: str, reading: Reading) -> Motion:
    notes = []
    curves, times = _curves(scene, animation)
    densest = max(times, key=len)
    rate = nearly_whole_rate(float(np.median(np.diff(densest)))) if len(densest) > 1 else RATE_OF_POSES
    if rate < LEAST_RATE:
        notes.append(f"keys are up to {1 / rate:.2g} s apart; read between them, {RATE_OF_POSES:g} a second")
        rate = RATE_OF_POSES
    begin, end = min(t[0] for t in times), max(t[-1] for t in times)
    count = round((end - begin) * rate) + 1
    if count > MOST_FRAMES:
        raise _NoGltfError(f"lasts {end - begin:g} s, longer than can be read")
    moments = np.minimum(begin + np.arange(count) / rate, end)
    with np.errstate(over="ignore", invalid="ignore"):
        places = np.concatenate(list(_places(scene, curves, moments)))
    if not (np.abs(places) < FARTHEST).all():
        raise _NoGltfError("its numbers lead beyond all bounds")
    joints = scene.joints()
    own = [str(scene.nodes[joint].get("name", "")) for joint in joints]
    found = JointPlaces(own, _parents_among(joints, scene.parents), places, reading.joint_map)
    body = plausible_body(found.joints, HUMANML3D)
    if found.added:
        notes.append(f"the skeleton has no {', no '.join(found.added)}; put between its neighbours")
    return Motion(body.joints, HUMANML3D, reading.fps or rate, source, notes=(*notes, *body.notes))


Curve = tuple[np.ndarray, np.ndarray, str]


def _curves(
    scene: _Scene, animation: dict[str, Any]
) -> tuple[dict[tuple[int, str], Curve], list[np.ndarray]]:
    """Times, values and interpolation by node and what moves; and the times of all."""
    curves: dict[tuple[int, str], Curve] = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][_checked(channel["sampler"])]
        times, values = scene.numbers(sampler["input"])[:, 0], scene.numbers(sampler["output"])
        kind = sampler.get("interpolation", "LINEAR")
        node, path = _checked(channel["target"]["node"]), channel["target"]["path"]
        width, rows = (4 if path == "rotation" else 3), (3 if kind == "CUBICSPLINE" else 1)
        if values.shape != (rows * len(times), width) or (np.diff(times) <= 0).any():
            raise _NoGltfError("an animation's times and values do not belong together")
        curves[node, path] = times, values.reshape(len(times), rows, width), kind
    return curves, [times for times, _, _ in curves.values()]


def _places(scene: _Scene, curves: dict[tuple[int, str], Curve], moments: np.ndarray) -> Iterator[np.ndarray]:
    """Places (T, N, 3) of the joints, a part of the moments at a time."""
    joints = scene.joints()
    for begin in range(0, len(moments), CHUNK):
        part = moments[begin : begin + CHUNK]
        world: dict[int, np.ndarray] = {}
        for node in scene.order:
            local = _local(scene.nodes[node], node, curves, part)
            parent = scene.parents[node]
            world[node] = local if parent < 0 else world[parent] @ local
        yield np.stack([np.broadcast_to(world[j][:, :3, 3], (len(part), 3)) for j in joints], axis=1)


def _local(
    node: dict[str, Any], number: int, curves: dict[tuple[int, str], Curve], moments: np.ndarray
) -> np.ndarray:
    """Matrices (T, 4, 4) of a node against its parent; (1, 4, 4) of one that does not move."""
    moved = {path: _sampled(*curves[number, path], moments) for n, path in curves if n == number}
    if not moved and "matrix" in node:
        # Columns come first in glTF.
        return np.array(node["matrix"], dtype=np.float64).reshape(1, 4, 4).swapaxes(1, 2)
    place, turn, size = (
        moved[path] if path in moved else np.array([node.get(path, rest)], dtype=np.float64)
        for path, rest in (("translation", [0, 0, 0]), ("rotation", [0, 0, 0, 1]), ("scale", [1, 1, 1]))
    )
    # glTF puts w last.
    turn = np.roll(turn, 1, axis=-1)
    turn /= np.maximum(np.linalg.norm(turn, axis=-1, keepdims=True), 1e-12)
    matrices = np.zeros((max(map(len, (place, turn, size))), 4, 4))
    matrices[:, :3, :3] = rotation.to_matrix(turn) * size[:, None]
    matrices[:, :3, 3] = place
    matrices[:, 3, 3] = 1.0
    return matrices


def _sampled(times: np.ndarray, values: np.ndarray, kind: str, moments: np.ndarray) -> np.ndarray:
    """Values (T, width) of a curve at moments (T,); before its first key and after its last it rests."""
    key = np.clip(np.searchsorted(times, moments + 1e-6, side="right") - 1, 0, max(len(times) - 2, 0))
    after = np.minimum(key + 1, len(times) - 1)
    apart = np.maximum(times[after] - times[key], 1e-9)
    share = np.clip((moments - times[key]) / apart, 0.0, 1.0)[:, None]
    middle = values.shape[1] // 2
    start, end = values[key, middle], values[after, middle]
    if kind == "STEP":
        return np.asarray(np.where(share < 1 - 1e-6, start, end))
    if kind == "CUBICSPLINE":
        leaving, coming = (tangent * apart[:, None] for tangent in (values[key, 2], values[after, 0]))
        square, cube = share**2, share**3
        rest = (cube - 2 * square + share) * leaving + (cube - square) * coming
        return np.asarray((2 * cube - 3 * square + 1) * start + (3 * square - 2 * cube) * end + rest)
    if values.shape[2] == 4:
        return _between_turns(start, end, share)
    return np.asarray(start + share * (end - start))


def _between_turns(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Quaternions (T, 4) on the shorter arc (Shoemake 1985)."""
    cosine = np.sum(start * end, axis=-1, keepdims=True)
    end, angle = np.where(cosine < 0, -end, end), np.arccos(np.clip(np.abs(cosine), 0, 1))
    sine = np.sin(angle)
    far = sine > 1e-6
    safe = np.where(far, sine, 1.0)
    first = np.where(far, np.sin((1 - share) * angle) / safe, 1 - share)
    return np.asarray(first * start + np.where(far, np.sin(share * angle) / safe, share) * end)


def _parents_among(joints: list[int], parents: list[int]) -> list[int]:
    """Of each joint the nearest joint above it, as an index among them; -1 for none."""
    index = {joint: number for number, joint in enumerate(joints)}
    found = []
    for joint in joints:
        above = parents[joint]
        while above >= 0 and above not in index:
            above = parents[above]
        found.append(index.get(above, -1))
    return found
