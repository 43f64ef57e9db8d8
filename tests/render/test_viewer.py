"""The page's own program, run by Node where there is one, on a canvas that takes notes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamp_cli.files.body_model import body_surface
from lamp_cli.motion.body_shape import posed_body
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from lamp_cli.render.viewer import write_viewer
from tests.body_models import own_body_model
from tests.conftest import wandering

CANVAS = r"""
const [path, W, H] = process.argv.slice(1), html = require("fs").readFileSync(path, "utf8");
const data = html.match(/<script type="application.json" id="motions">(.*?)<.script>/s)[1];
const program = html.match(/<script>\n"use strict";(.*?)<.script>/s)[1];
const cells = [], texts = [], elements = {};
const pen = new Proxy({ measureText(text) { return { width: text.length * parseFloat(this.font) * 0.55 }; },
  rect: (x, y, width, height) => cells.push({ x, y, width, height }),
  fillText: (text, x, y) => texts.push({ text, x, y, cell: cells.length - 1 }) },
  { get: (own, name) => own[name] ?? (() => ({ addColorStop() {} })) });
const element = id => elements[id] ??= { textContent: id === "motions" ? data : "", value: 1,
  offsetHeight: 50, clientWidth: +W, clientHeight: +H, addEventListener() {}, getContext: () => pen };
let frames = 0;
globalThis.document = { getElementById: element, createElement: () => element("sheet") };
globalThis.window = { devicePixelRatio: 1, addEventListener() {} };
globalThis.requestAnimationFrame = draw => { if (!frames++) draw(0); };
const last = `const skin = m => [...skinned(m.skin, meshPainter().meshes[m.skin.mesh], 3)];
globalThis.skins = motions.map(m => m.skin ? skin(m) : []);
globalThis.places = motions.map(m => m.parts.map(p => p.places.map(q => place(m, 3, q))));
globalThis.axes = motions.map(m => m.parts.map(p => p.yaw === undefined ? [] : axesOf(m, 3, p)));`;
new Function(program + last)();
console.log(JSON.stringify({ cells, texts, places, axes, skins }));
"""


def _drawn(page: Path, size: tuple[int, int]) -> dict[str, Any]:
    """What the page's program draws first."""
    words = ["node", "-e", CANVAS, str(page), *map(str, size)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine")
@pytest.mark.parametrize("size", [(1280, 720), (400, 700)])
def test_twenty_motions_stand_in_a_grid_with_whole_titles(tmp_path: Path, size: tuple[int, int]) -> None:
    titles = [f"number {k} walks forward slowly, turns to the left and waves with a hand" for k in range(20)]
    motions = [wandering(HUMANML3D, 10, k) for k in range(20)]
    page = write_viewer(motions, 20.0, titles, tmp_path / "page.html")
    drawn = _drawn(page, size)
    cells, texts = drawn["cells"], drawn["texts"]
    assert len({(cell["x"], cell["y"]) for cell in cells}) == 20
    assert len({cell["x"] for cell in cells}) > 1 and len({cell["y"] for cell in cells}) > 1
    right, bottom = (max(cell[a] + cell[b] for cell in cells) for a, b in (("x", "width"), ("y", "height")))
    # The bar of controls covers the lowest 50 pixels.
    assert right <= size[0] + 0.01 and bottom <= size[1] - 49.9
    for number, title in enumerate(titles):
        lines = [line for line in texts if line["cell"] == number]
        assert " ".join(line["text"] for line in lines) == title
        assert all(0 < line["y"] - cells[number]["y"] < cells[number]["height"] / 2 for line in lines)


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine")
@pytest.mark.parametrize("skeleton", [HUMANML3D, KIT])
def test_the_page_has_the_body_of_the_videos(tmp_path: Path, skeleton: Skeleton) -> None:
    motion = wandering(skeleton, 10)
    drawn = _drawn(write_viewer([motion], 20.0, [""], tmp_path / "page.html"), (640, 480))
    body = posed_body(motion, skeleton, 20.0)
    ends = body.ends[3] - motion[0, 0] * [1, 0, 1]
    assert np.allclose(drawn["places"][0], ends, atol=0.001)
    for own, axes in zip(body.axes[3], drawn["axes"][0], strict=True):
        assert not axes or np.allclose(np.transpose(axes), own, atol=0.001)


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine")
def test_the_page_has_the_mesh_of_a_body_model_once(tmp_path: Path) -> None:
    own_body_model(tmp_path / "SMPL_NEUTRAL.npz", 24)
    motions = [Motion(wandering(HUMANML3D, 6, k) + 2.0, HUMANML3D, 20.0) for k in range(2)]
    surfaces = [body_surface(motion, tmp_path) for motion in motions]
    joints = [motion.joints for motion in motions]
    page = write_viewer(joints, 20.0, ["", ""], tmp_path / "page.html", surfaces)
    assert page.read_text().count('"faces"') == 1
    for motion, surface, skin in zip(motions, surfaces, _drawn(page, (640, 480))["skins"], strict=True):
        fourth = list(surface.frames())[3] - motion.joints[0, 0] * [1, 0, 1]
        assert np.abs(np.reshape(skin, (-1, 3)) - fourth).max() < 0.005


def test_no_title_is_read_as_a_part_of_the_page(tmp_path: Path) -> None:
    titles = [
        "</script><script>alert(1)</script>",
        "<!-- <script>",
        "/*VIEWER*/ & \u2028 <img onerror=x>",
    ]
    motions = [wandering(HUMANML3D, 5, k) for k in range(3)]
    harmless, page = (
        write_viewer(motions, 20.0, each, tmp_path / "page.html").read_text() for each in (["a"] * 3, titles)
    )
    assert page.count("<") == harmless.count("<") and "onerror=x>" in page
