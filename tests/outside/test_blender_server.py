"""Blender takes an answer of ``lamp serve``: ``pip install bpy && python -m pytest tests/outside``.

A glTF document as the protocol answers it is imported as any other, and its bones lie where our joints do.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from motionmcp import client

from lamp_cli.bundle.bundle import load_bundle
from tests.server.server_thread import serving
from tests.server.test_protocol import joints_of, mixamo, text

# Posts a request from within Blender and prints, for some frames, where the bones of what comes back begin.
POST_AND_IMPORT = """
import json, sys, tempfile, urllib.request
from pathlib import Path
import bpy
url, body, frames = sys.argv[-3], sys.argv[-2].encode(), json.loads(sys.argv[-1])
with urllib.request.urlopen(url + "/generate", data=body) as found:
    document = json.load(found)
path = Path(tempfile.mkdtemp()) / "answer.gltf"
path.write_text(json.dumps(document))
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = round(document["extensions"]["MMCP_motion"]["fps"])
bpy.ops.import_scene.gltf(filepath=str(path))
rig = next(o for o in bpy.context.scene.objects if o.type == "ARMATURE")
poses = []
for frame in frames:
    bpy.context.scene.frame_set(frame)
    heads = {b.name: rig.matrix_world @ b.head for b in rig.pose.bones}
    poses.append({name: [head.x, head.z, -head.y] for name, head in heads.items()})
print("FOUND" + json.dumps({"poses": poses, "document": document}))
"""


@pytest.mark.skipif(find_spec("bpy") is None, reason="Blender (pip install bpy) is not installed")
@pytest.mark.parametrize("rig", ["offered", "posted"])
def test_blender_posts_a_request_and_imports_the_answer(tmp_path: Path, rig: str) -> None:
    frames = [0, 15, 30, 59]
    with serving(load_bundle("lamp-mini", "cpu")) as url:
        model = client.pick_model(client.get_capabilities(url))
        body = {
            "protocol_version": "1.0",
            "model": model["id"],
            "skeleton": model["canonical_skeleton"] if rig == "offered" else mixamo(),
            "segments": [text("a person walks forward", 60)],
            "timing": {"fps": 24.0},
            "options": {"seed": 1, "model_options": {"candidates": 1}},
        }
        command = [sys.executable, "-c", POST_AND_IMPORT, url, json.dumps(body), json.dumps(frames)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))[5:])
    names = [joint["name"] for joint in body["skeleton"]["joints"]]
    heads = np.array([[pose[name] for name in names] for pose in found["poses"]])
    error = np.linalg.norm(heads - joints_of(found["document"])[frames], axis=-1)
    print(f"{rig}: mean {1000 * error.mean():.3f} mm, most {1000 * error.max():.3f} mm")
    assert error.max() < 0.001
