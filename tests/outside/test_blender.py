"""Blender reads our BVH and glTF files: ``pip install bpy && python -m pytest tests/outside``.

Not part of the suite's needs: without the ``bpy`` package nothing here runs. Blender runs in a process of its
own, for it does not leave one as it found it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.files.load import load_motion
from lamp_cli.motion.joint_rotations import joint_rotations
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from tests.conftest import wandering

FPS = 20.0
# Imports a file and prints, for frames asked for, where the bones begin, y up again.
IMPORT = """
import json, sys
import bpy
path, fps, frames = sys.argv[-3], float(sys.argv[-2]), json.loads(sys.argv[-1])
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = round(fps)
if path.endswith(".glb"):
    bpy.ops.import_scene.gltf(filepath=path)
    first = 0
else:
    bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01, axis_forward="-Z", axis_up="Y", frame_start=1)
    first = 1
rig = next(o for o in bpy.context.scene.objects if o.type == "ARMATURE")
found = []
for frame in frames:
    bpy.context.scene.frame_set(frame + first)
    heads = {b.name: rig.matrix_world @ b.head for b in rig.pose.bones}
    found.append({name: [head.x, head.z, -head.y] for name, head in heads.items()})
skins = [o for o in bpy.context.scene.objects if o.type == "MESH" and o.find_armature() == rig]
extent = None
if skins:
    bpy.context.scene.frame_set(frames[-1] + first)
    mesh = skins[0].evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    places = [skins[0].matrix_world @ v.co for v in mesh.vertices]
    extent = [[f(p[k] for p in places) for k in range(3)] for f in (min, max)]
if path.endswith(".glb"):
    bpy.ops.export_scene.gltf(filepath=path.replace(".glb", "_again.glb"))
print("FOUND" + json.dumps({"heads": found, "extent": extent}))
"""


def _imported(path: Path, frames: list[int]) -> dict:
    command = [sys.executable, "-c", IMPORT, str(path), str(FPS), json.dumps(frames)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))[5:])


@pytest.mark.skipif(find_spec("bpy") is None, reason="Blender (pip install bpy) is not installed")
@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=["humanml3d", "kit"])
@pytest.mark.parametrize("suffix", ["bvh", "glb"])
def test_blender_sees_our_joints(tmp_path: Path, suffix: str, skeleton: Skeleton, record_property) -> None:
    from lamp_cli.files.bvh import written_name

    joints = joint_rotations(wandering(skeleton, 60), skeleton, FPS).joints()
    path = Motion(joints, skeleton, FPS).save(tmp_path / f"a.{suffix}")
    frames = list(range(0, 60, 6))
    found = _imported(path, frames)
    names = [written_name(name) for name in skeleton.joint_names]
    heads = np.array([[pose[name] for name in names] for pose in found["heads"]])
    error = np.linalg.norm(heads - joints[frames], axis=-1)
    print(
        f"{path.name} of {skeleton.name}: mean {1000 * error.mean():.2f} mm, most {1000 * error.max():.2f} mm"
    )
    assert error.max() < 0.01
    if suffix == "glb":
        low, high = np.array(found["extent"])
        again = load_motion(tmp_path / "a_again.glb")
        if skeleton is HUMANML3D:
            # Blender bakes a key for each of its frames.
            assert abs(again.seconds - 60 / FPS) < 0.1
            theirs, ours = again.joints[0] - again.joints[0, 0], joints[0] - joints[0, 0]
            assert np.linalg.norm(theirs - ours, axis=-1).max() < 0.02
        assert high[2] - low[2] > np.ptp(joints[frames[-1], :, 1])
