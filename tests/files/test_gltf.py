"""glTF files by Khronos' rules, and their motion and skin as pygltflib and SciPy read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pygltflib import GLTF2
from scipy.spatial.transform import Rotation

from lamp_cli.files.bvh import read_bvh
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from tests.command_line import lamp
from tests.conftest import standing, wandering

WIDTHS = {5126: ("<f4", 4), 5123: ("<u2", 2), 5121: ("u1", 1), 5125: ("<u4", 4)}
COUNTS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def steady(skeleton: Skeleton, frames: int = 40) -> np.ndarray:
    """A body of bones that keep their lengths, walking and turning (T, J, 3), metres."""
    joints = np.repeat(standing(skeleton)[None], frames, axis=0)
    yaw = np.linspace(0, 7, frames)
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    x, z = joints[..., 0].copy(), joints[..., 2].copy()
    joints[..., 0], joints[..., 2] = x * cos + z * sin, z * cos - x * sin
    return joints + np.linspace([0, 0, 0], [1, 0, 2], frames)[:, None]


def numbers(file: GLTF2, accessor: int) -> np.ndarray:
    """The array of an accessor, (N,) or (N, width)."""
    said = file.accessors[accessor]
    view = file.bufferViews[said.bufferView]
    kind, width = WIDTHS[said.componentType]
    begin = view.byteOffset + (said.byteOffset or 0)
    assert begin % width == 0
    count = said.count * COUNTS[said.type]
    assert count * width <= view.byteLength and begin + count * width <= len(file.binary_blob())
    found = np.frombuffer(file.binary_blob(), kind, count, begin)
    return found if said.type == "SCALAR" else found.reshape(said.count, -1)


def kinematics(file: GLTF2) -> tuple[np.ndarray, np.ndarray]:
    """World matrices (T, N, 4, 4) of all nodes and the times (T,) of the first animation, by SciPy."""
    animation = file.animations[0]
    times = numbers(file, animation.samplers[0].input)
    local = np.tile(np.eye(4), (len(times), len(file.nodes), 1, 1))
    for number, node in enumerate(file.nodes):
        local[:, number, :3, 3] = node.translation or (0, 0, 0)
    for channel in animation.channels:
        values = numbers(file, animation.samplers[channel.sampler].output)
        if channel.target.path == "translation":
            local[:, channel.target.node, :3, 3] = values
        else:
            local[:, channel.target.node, :3, :3] = Rotation.from_quat(values).as_matrix()
    world = local.copy()

    def descend(parent: int) -> None:
        for child in file.nodes[parent].children or ():
            world[:, child] = world[:, parent] @ local[:, child]
            descend(child)

    for root in file.scenes[0].nodes:
        descend(root)
    return world, times


@pytest.fixture(scope="module", params=[HUMANML3D, KIT], ids=["humanml3d", "kit"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[GLTF2, Motion]:
    motion = Motion(steady(request.param), request.param, 30.0, text="someone walks")
    return GLTF2.load(str(motion.save(tmp_path_factory.mktemp("gltf") / "a.glb"))), motion


def test_the_container_is_aligned_and_as_long_as_it_says(tmp_path: Path) -> None:
    motion = Motion(wandering(HUMANML3D, 7), HUMANML3D, 20.0, text="größer 跳")
    content = motion.save(tmp_path / "a.glb").read_bytes()
    word = [int.from_bytes(content[k : k + 4], "little") for k in range(0, 20, 4)]
    assert word[:3] == [0x46546C67, 2, len(content)] and word[4] == 0x4E4F534A
    assert word[3] % 4 == 0
    binary = 20 + word[3]
    length, kind = (int.from_bytes(content[binary + k : binary + k + 4], "little") for k in (0, 4))
    assert (length % 4, kind, binary + 8 + length) == (0, 0x004E4942, len(content))
    assert GLTF2.load(str(tmp_path / "a.glb")).animations[0].name == "größer 跳"


def test_accessors_keep_to_the_rules_and_nothing_is_unused(written: tuple[GLTF2, Motion]) -> None:
    file, _ = written
    primitive, skin, animation = file.meshes[0].primitives[0], file.skins[0], file.animations[0]
    attributes = primitive.attributes
    vertices = [attributes.POSITION, attributes.NORMAL, attributes.COLOR_0, attributes.JOINTS_0]
    used = [*vertices, attributes.WEIGHTS_0, primitive.indices, skin.inverseBindMatrices]
    used += [number for sampler in animation.samplers for number in (sampler.input, sampler.output)]
    assert set(used) == set(range(len(file.accessors)))
    assert sorted(a.bufferView for a in file.accessors) == list(range(len(file.bufferViews)))
    ends = 0
    for view in file.bufferViews:
        assert view.byteOffset % 4 == 0 and view.byteOffset >= ends
        ends = view.byteOffset + view.byteLength
    assert ends <= file.buffers[0].byteLength == len(file.binary_blob())
    for number, accessor in enumerate(file.accessors):
        found = numbers(file, number).reshape(accessor.count, -1)
        if accessor.min:
            assert np.array_equal(np.float32(accessor.min), found.min(0))
            assert np.array_equal(np.float32(accessor.max), found.max(0))
    for needed in (attributes.POSITION, animation.samplers[0].input):
        assert file.accessors[needed].min
    assert {channel.sampler for channel in animation.channels} == set(range(len(animation.samplers)))
    targets = [(channel.target.node, channel.target.path) for channel in animation.channels]
    assert len(set(targets)) == len(targets)


def test_numbers_keep_to_the_rules(written: tuple[GLTF2, Motion]) -> None:
    file, motion = written
    attributes, animation = file.meshes[0].primitives[0].attributes, file.animations[0]
    shares, carriers = numbers(file, attributes.WEIGHTS_0), numbers(file, attributes.JOINTS_0)
    assert (shares.astype(int).sum(1) == 255).all() and carriers.max() < motion.skeleton.joints
    assert (carriers[shares == 0] == 0).all()
    normals = np.linalg.norm(numbers(file, attributes.NORMAL), axis=1)
    assert np.abs(normals - 1).max() < 1e-6
    triangles = numbers(file, file.meshes[0].primitives[0].indices).reshape(-1, 3)
    assert triangles.max() < len(shares) and len(triangles) > 1000
    assert all(len(set(triangle)) == 3 for triangle in triangles.tolist())
    times = numbers(file, animation.samplers[0].input)
    assert np.allclose(times, np.arange(len(motion)) / 30.0) and (np.diff(times) > 0).all()
    for channel in animation.channels:
        values = numbers(file, animation.samplers[channel.sampler].output)
        assert len(values) == len(times)
        if channel.target.path == "rotation":
            assert np.abs(np.linalg.norm(values, axis=1) - 1).max() < 1e-6
            assert np.sum(values[1:] * values[:-1], axis=1).min() > 0


def test_triangles_look_outwards(written: tuple[GLTF2, Motion]) -> None:
    file, _ = written
    primitive = file.meshes[0].primitives[0]
    places, normals = (numbers(file, getattr(primitive.attributes, n)) for n in ("POSITION", "NORMAL"))
    corners = numbers(file, primitive.indices).reshape(-1, 3)
    across = np.cross(
        places[corners[:, 1]] - places[corners[:, 0]], places[corners[:, 2]] - places[corners[:, 0]]
    )
    area = np.linalg.norm(across, axis=1)
    outwards = np.sum(across * normals[corners].mean(1), axis=1)
    assert (outwards > 0)[area > 1e-8].all()


def test_an_independent_reader_finds_the_joints(written: tuple[GLTF2, Motion]) -> None:
    file, motion = written
    world, times = kinematics(file)
    error = np.linalg.norm(world[:, file.skins[0].joints][..., :3, 3] - motion.joints, axis=-1)
    assert len(times) == len(motion) and error.mean() < 0.01, f"{1000 * error.mean():.1f} mm"


def test_the_rest_is_the_t_pose_under_the_names_of_bvh_files(
    written: tuple[GLTF2, Motion], tmp_path: Path
) -> None:
    file, motion = written
    joints = file.skins[0].joints
    names = [file.nodes[joint].name for joint in joints]
    own = read_bvh(motion.save(tmp_path / "a.bvh")).names
    assert sorted(names) == sorted(name for name in own if not name.endswith(" end"))
    assert all(file.nodes[joint].rotation is None for joint in joints)
    bind = np.linalg.inv(numbers(file, file.skins[0].inverseBindMatrices).reshape(-1, 4, 4).swapaxes(1, 2))
    at = dict(zip(names, bind[:, :3, 3], strict=True))
    assert at["LeftHand"][0] > at["LeftArm"][0] + 0.2 > 0.2 and at["RightHand"][0] < -0.2
    assert abs(at["LeftHand"][1] - at["LeftArm"][1]) < 0.05
    assert min(place[1] for place in at.values()) == pytest.approx(0, abs=1e-6)


def test_the_skin_moves_with_its_bones(written: tuple[GLTF2, Motion]) -> None:
    file, motion = written
    world, _ = kinematics(file)
    attributes, skin = file.meshes[0].primitives[0].attributes, file.skins[0]
    inverse = numbers(file, skin.inverseBindMatrices).reshape(-1, 4, 4).swapaxes(1, 2)
    moving = world[25][skin.joints] @ inverse
    places = np.c_[numbers(file, attributes.POSITION), np.ones(len(numbers(file, attributes.POSITION)))]
    shares, carriers = numbers(file, attributes.WEIGHTS_0) / 255, numbers(file, attributes.JOINTS_0)
    skinned = np.einsum("vk,vkij,vj->vi", shares, moving[carriers], places)[:, :3]
    # Where the body is: no vertex far from the nearest joint, and every joint within the body.
    apart = np.linalg.norm(skinned[:, None] - motion.joints[25][None], axis=-1)
    assert apart.min(1).max() < 0.35 and apart.min(0).max() < 0.15


def test_commands_write_it(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", steady(HUMANML3D, 8))
    done = lamp("convert", "a.npy", "a.glb", "--fps", "60", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    times = kinematics(GLTF2.load(str(tmp_path / "a.glb")))[1]
    assert np.allclose(np.diff(times), 1 / 60, atol=1e-6)


def test_one_frame_is_a_file_too(tmp_path: Path) -> None:
    motion = Motion(steady(HUMANML3D, 1), HUMANML3D, 20.0)
    world, times = kinematics(GLTF2.load(str(motion.save(tmp_path / "a.glb"))))
    assert times.tolist() == [0.0] and np.isfinite(world).all()
