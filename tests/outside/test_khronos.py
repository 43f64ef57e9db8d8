"""Khronos' own validator finds nothing to say of our glTF files.

After ``npm install gltf-validator`` in a folder,
``NODE_PATH=FOLDER/node_modules python -m pytest tests/outside``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from tests.conftest import wandering

VALIDATE = """
const bytes = new Uint8Array(require("fs").readFileSync(process.argv[1]));
require("gltf-validator").validateBytes(bytes).then(report => console.log(JSON.stringify(report)));
"""


def _is_there() -> bool:
    command = ["node", "-e", 'require("gltf-validator")']
    return shutil.which("node") is not None and not subprocess.run(command, capture_output=True).returncode


@pytest.mark.skipif(not _is_there(), reason="no gltf-validator where Node looks (NODE_PATH)")
@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT], ids=["humanml3d", "kit"])
@pytest.mark.parametrize("frames", [1, 50])
def test_nothing_is_wrong_or_doubtful(tmp_path: Path, skeleton: Skeleton, frames: int) -> None:
    path = Motion(wandering(skeleton, frames), skeleton, 20.0).save(tmp_path / "a.glb")
    done = subprocess.run(["node", "-e", VALIDATE, str(path)], capture_output=True, text=True, timeout=60)
    issues = json.loads(done.stdout)["issues"]
    assert not issues["messages"], issues
    assert json.loads(done.stdout)["info"]["totalTriangleCount"] > 1000
