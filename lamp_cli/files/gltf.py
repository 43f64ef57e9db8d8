"""glTF 2.0 binary files (.glb): a body in the T-pose and its motion, for Blender, engines and browsers.

Source: Khronos Group, glTF 2.0 specification (ISO/IEC 12113). Metres, y up, facing +z: as motions are. One
mesh whose vertices follow the joints, and one animation of rotations and the root's place, a key per frame.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ..motion.body_mesh import BodyMesh, body_mesh
from ..motion.body_shape import TONES, with_level_head
from ..motion.joint_rotations import JointRotations, joint_rotations
from ..motion.motion import Motion
from ..storage import replacing
from .bvh import written_name

MAGIC, VERSION = 0x46546C67, 2
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942
VERTICES, INDICES = 34962, 34963
# Of glTF, for the types of NumPy that are written here.
COMPONENTS = {"<f4": 5126, "<u2": 5123, "|u1": 5121, "<u4": 5125}
SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (16,): "MAT4"}


def save_gltf(path: Path, motion: Motion) -> None:
    """Write a motion as binary glTF, whole or not at all: the T-pose, a body around it and the animation.

    The bones get their usual lengths, the joints the names that BVH files get.
    """
    from .. import __version__

    found = with_level_head(joint_rotations(motion.joints, motion.skeleton, motion.fps))
    buffer = _Buffer()
    rest = _rest_places(found)
    scene = {
        "asset": {"version": "2.0", "generator": f"lamp {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0, found.skeleton.joints]}],
        "nodes": [*_nodes(found, rest), {"name": "Body", "mesh": 0, "skin": 0}],
        "meshes": [
            {
                "name": "Body",
                "primitives": [_primitive(body_mesh(found.offsets, found.skeleton), buffer, rest)],
            }
        ],
        "materials": [
            {"name": "Body", "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8}}
        ],
        "skins": [_skin(found, buffer, rest)],
        "animations": [_animation(found, motion, buffer)],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.content)}],
    }
    with replacing(path) as temporary:
        temporary.write_bytes(_container(scene, bytes(buffer.content)))


class _Buffer:
    """Arrays one after the other, each at a whole number of four bytes, and what glTF says of them."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: np.ndarray, bounds: bool = False, **known: Any) -> int:
        """The number of the accessor of an array (N, ...); ``target`` goes to its view, the rest to itself.

        bounds: whether least and greatest numbers are said.
        """
        array = np.ascontiguousarray(array)
        view = {"buffer": 0, "byteOffset": len(self.content), "byteLength": array.nbytes}
        if "target" in known:
            view["target"] = known.pop("target")
        accessor = {
            "bufferView": len(self.views),
            "componentType": COMPONENTS[array.dtype.str],
            "count": len(array),
            "type": SHAPES[array.shape[1:]],
            **known,
        }
        if bounds:
            flat = array.reshape(len(array), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.content += array.tobytes()
        self.content += bytes(-len(self.content) % 4)
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _rest_places(found: JointRotations) -> np.ndarray:
    """Joints (J, 3) of the T-pose with the root at a height at which the lowest joint is on the floor."""
    places = np.zeros((found.skeleton.joints, 3))
    for joint in found.skeleton.order:
        places[joint] = places[found.skeleton.parents[joint]] + found.offsets[joint]
    places[:, 1] -= places[:, 1].min()
    return places


def _nodes(found: JointRotations, rest: np.ndarray) -> list[dict[str, Any]]:
    nodes = []
    for joint, name in enumerate(found.skeleton.joint_names):
        children = [child for child in found.skeleton.order if found.skeleton.parents[child] == joint]
        offset = found.offsets[joint] if joint else rest[0]
        node = {"name": written_name(name), "translation": np.float32(offset).tolist()}
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _primitive(mesh: BodyMesh, buffer: _Buffer, rest: np.ndarray) -> dict[str, Any]:
    triangles = mesh.triangles.astype("<u2" if len(mesh.positions) < 65535 else "<u4").reshape(-1)
    shares = np.zeros((len(mesh.positions), 4), "|u1")
    shares[:, 0] = np.rint(255 * mesh.shares[:, 0])
    shares[:, 1] = 255 - shares[:, 0]
    # A joint without a share is written as 0.
    carriers = np.zeros_like(shares)
    carriers[:, :2] = np.where(shares[:, :2] > 0, mesh.carriers, 0)
    return {
        "attributes": {
            "POSITION": buffer.add((mesh.positions + rest[0]).astype("<f4"), True, target=VERTICES),
            "NORMAL": buffer.add(_unit(mesh.normals), target=VERTICES),
            "COLOR_0": buffer.add(_colours(mesh), normalized=True, target=VERTICES),
            "JOINTS_0": buffer.add(carriers, target=VERTICES),
            "WEIGHTS_0": buffer.add(shares, normalized=True, target=VERTICES),
        },
        "indices": buffer.add(triangles, target=INDICES),
        "material": 0,
    }


def _colours(mesh: BodyMesh) -> np.ndarray:
    """Linear red, green, blue and full cover of every vertex (V, 4), bytes; tones are sRGB."""
    found = np.full((len(mesh.tones), 4), 255, "|u1")
    for tone, colour in TONES.items():
        srgb = np.array(colour)
        linear = np.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)
        found[mesh.tones == tone, :3] = np.rint(255 * linear)
    return found


def _skin(found: JointRotations, buffer: _Buffer, rest: np.ndarray) -> dict[str, Any]:
    """The joints in their order, and what takes the T-pose's places into each one's own axes."""
    matrices = np.tile(np.eye(4), (found.skeleton.joints, 1, 1))
    # Columns come first in glTF: the last row of the transpose is the shift.
    matrices[:, 3, :3] = -rest
    accessor = buffer.add(matrices.reshape(-1, 16).astype("<f4"))
    return {"inverseBindMatrices": accessor, "joints": list(range(found.skeleton.joints)), "skeleton": 0}


def _animation(found: JointRotations, motion: Motion, buffer: _Buffer) -> dict[str, Any]:
    """Linear between the frames; joints that are never turned against the T-pose are left out."""
    times = buffer.add((np.arange(len(motion)) / motion.fps).astype("<f4"), True)
    curves = [(0, "translation", found.root.astype("<f4"))]
    # glTF puts w last.
    rotations = np.roll(found.rotations, -1, axis=-1)
    for joint in range(found.skeleton.joints):
        if np.abs(rotations[:, joint, :3]).max() > 1e-7:
            curves.append((joint, "rotation", _unit(rotations[:, joint])))
    return {
        "name": motion.text or "motion",
        "channels": [
            {"sampler": number, "target": {"node": joint, "path": path}}
            for number, (joint, path, _) in enumerate(curves)
        ],
        "samplers": [
            {"input": times, "interpolation": "LINEAR", "output": buffer.add(values)}
            for _, _, values in curves
        ],
    }


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors at length 1 in float32."""
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype("<f4")


def _container(scene: dict[str, Any], content: bytes) -> bytes:
    text = json.dumps(scene, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), JSON_CHUNK) + text
    chunks += struct.pack("<II", len(content), BINARY_CHUNK) + content
    return struct.pack("<III", MAGIC, VERSION, 12 + len(chunks)) + chunks
