"""Videos: readable, followed by the camera, deterministic; bad input refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.render import fonts
from lamp_cli.render.camera import SceneOptions, camera_for, targets_of
from lamp_cli.render.encode import ENCODERS, Footage, animation_delays
from lamp_cli.render.fonts import font_for, missing_signs
from lamp_cli.render.scene import pictures
from lamp_cli.render.solids import Canvas, draw_cone, draw_ellipsoid
from lamp_cli.render.video import _panels, render_motions, title_lines
from tests.conftest import standing, wandering

SMALL = SceneOptions(width=96, height=96)


def _body(frames: int, joints: int = 22) -> np.ndarray:
    skeleton = HUMANML3D if joints == 22 else KIT
    return np.repeat(standing(skeleton)[None], frames, axis=0).astype(np.float32)


def _coloured(picture: np.ndarray) -> np.ndarray:
    """Pixels of limbs: far from grey, and not green as the trail is."""
    return (np.ptp(picture.astype(int), axis=-1) > 60) & (picture.argmax(-1) != 1)


def test_mp4_has_every_frame_and_plays_in_a_browser(tmp_path: Path) -> None:
    path = render_motions([_body(7)], 20.0, ["a person stands"], tmp_path / "a.mp4", SMALL)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 20
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
    assert [f.shape for f in frames] == [(96, 96, 3)] * 7
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_same_motion_gives_the_same_bytes(tmp_path: Path) -> None:
    one = render_motions([_body(5)], 20.0, ["a"], tmp_path / "a.mp4", SMALL).read_bytes()
    two = render_motions([_body(5)], 20.0, ["a"], tmp_path / "b.mp4", SMALL).read_bytes()
    assert one == two


def test_the_camera_follows_a_body_that_walks_away() -> None:
    body = _body(60)
    body[..., 2] += np.linspace(0, 20, 60, dtype=np.float32)[:, None]
    for picture in list(pictures(body, HUMANML3D, 20.0, SMALL))[::10]:
        columns = np.flatnonzero(_coloured(picture).any(0))
        assert len(columns)
        assert columns.min() > 5
        assert columns.max() < 90


def test_left_and_right_have_their_own_colours() -> None:
    picture = next(pictures(_body(1), HUMANML3D, 20.0, SMALL)).astype(int)
    limbs = _coloured(picture)
    blue = limbs & (picture[..., 2] > picture[..., 0])
    red = limbs & (picture[..., 0] > picture[..., 2])
    # Seen from the front, a body's left is on the viewer's right.
    assert np.nonzero(blue)[1].mean() > np.nonzero(red)[1].mean()


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_other_formats(tmp_path: Path, suffix: str) -> None:

    path = render_motions([_body(4), _body(2)], 20.0, ["a", "b"], tmp_path / f"a.{suffix}", SMALL)
    with Image.open(path) as image:
        assert image.size == ((96 * 2 * 4, 96) if suffix == "png" else (192, 96))


def test_one_frame_any_script_and_a_very_long_title(tmp_path: Path) -> None:
    title = "跳 " + "x" * 500 + " 😀 \n\t " + "word " * 300
    assert render_motions([_body(1)], 20.0, [title], tmp_path / "a.mp4", SMALL).stat().st_size > 0


@pytest.mark.parametrize("size", [240, 320, 480])
def test_titles_are_whole(size: int) -> None:
    for text in ("a person jumps", " ".join(f"walks {k} steps and turns," for k in range(2 + size // 30))):
        font, lines = title_lines(text, size, size)
        assert " ".join(lines) == text
        assert all(font.getlength(line) <= size for line in lines)
        assert 1.35 * font.size * (len(lines) + 1) <= 0.42 * size
    assert title_lines("word " * 900, size, size)[1][-1].endswith("...")


def test_an_ellipsoid_of_one_radius_is_a_sphere() -> None:
    camera = camera_for(_body(1), targets_of(_body(1)), SMALL)
    drawn = []
    for way in ("cone", "ellipsoid"):
        picture, depths = np.zeros((3, 96, 96), np.float32), np.full((96, 96), np.inf, np.float32)
        canvas = Canvas(picture, depths, camera, (0.48, 0.64, 0.6))
        colour, place = np.full(3, 200.0, np.float32), (40.3, 50.7, 4.0)
        if way == "cone":
            draw_cone(canvas, place, place, (0.5, 0.5), colour)
        else:
            draw_ellipsoid(canvas, place, np.eye(3) / 0.5**2, colour)
        drawn.append((picture, np.where(np.isinf(depths), 9.0, depths)))
    (one, near), (two, also_near) = drawn
    inside = np.hypot(*(np.mgrid[0.5:96, 0.5:96] - np.array([50.7, 40.3])[:, None, None])) < 15
    assert inside.sum() > 600 and one[:, inside].min() > 50
    assert np.abs(one - two)[:, inside].max() < 1 and np.abs(near - also_near)[inside].max() < 0.01
    assert np.abs(one - two).max() < 40


def test_an_ellipsoid_has_the_outline_and_the_depth_of_its_points() -> None:
    camera = camera_for(_body(1), targets_of(_body(1)), SMALL)
    axes = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0] * [0.2, 0.6, 0.35]
    picture, depths = np.zeros((3, 96, 96), np.float32), np.full((96, 96), np.inf, np.float32)
    centre, inverse = (48.0, 48.0, 40.0), np.linalg.inv(axes)
    canvas = Canvas(picture, depths, replace(camera, focal=2000.0), (0.0, 0.0, 1.0))
    draw_ellipsoid(canvas, centre, (inverse.T @ inverse).tolist(), np.full(3, 200.0, np.float32))
    sphere = np.random.default_rng(4).normal(size=(4000, 3))
    points = sphere / np.linalg.norm(sphere, axis=1, keepdims=True) @ axes.T
    x, y = 48 + 50 * points[:, 0], 48 - 50 * points[:, 1]
    assert picture[0, y.astype(int), x.astype(int)].min() > 0
    rows, columns = np.nonzero(picture[0] > 100)
    assert abs(np.ptp(columns) + 1 - np.ptp(x)) < 2 and abs(np.ptp(rows) + 1 - np.ptp(y)) < 2
    assert abs(depths.min() - (40 - points[:, 2].max())) < 0.01


def test_the_face_is_seen_from_the_front_alone() -> None:
    dark = []
    for azimuth in (0.0, 180.0):
        picture = next(pictures(_body(1), HUMANML3D, 20.0, SceneOptions(192, 192, azimuth=azimuth)))
        dark.append(((picture[..., 0] < 40) & (picture.max(-1) < 60))[:72].sum())
    assert dark[0] > 8 and dark[1] == 0


def test_kit_skeleton_is_drawn() -> None:
    assert _coloured(next(pictures(_body(1, 21), KIT, 12.5, SMALL))).sum() > 50


@pytest.mark.parametrize(
    ("motion", "name", "message"),
    [
        (np.zeros((4, 5, 3)), "a.mp4", "expected joints"),
        (np.zeros((0, 22, 3)), "a.mp4", "expected joints"),
        (np.full((2, 22, 3), np.nan), "a.mp4", "NaN"),
        (np.zeros((2, 22, 3)), "a.avi", "expected a name ending in"),
    ],
)
def test_bad_input_is_refused_and_leaves_no_file(
    tmp_path: Path, motion: np.ndarray, name: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        render_motions([motion], 20.0, ["a"], tmp_path / name, SMALL)
    assert list(tmp_path.iterdir()) == []


def test_five_motions_and_more_stand_in_rows(tmp_path: Path) -> None:
    body = _body(1)
    for count, shape in ((4, (4, 1)), (5, (3, 2)), (9, (3, 3))):
        path = render_motions([body] * count, 20.0, ["x"] * count, tmp_path / f"{count}.png", SMALL)
        assert Image.open(path).size == (96 * shape[0], 96 * shape[1])


def test_a_body_far_from_the_origin_is_as_large_as_at_home() -> None:
    near, far = _body(2), _body(2) + np.array([30.0, 0.0, -40.0], np.float32)
    first, second = (_coloured(next(iter(pictures(b, HUMANML3D, 20.0, SMALL)))).sum() for b in (near, far))
    assert abs(int(first) - int(second)) < 0.05 * first


def test_a_long_clip_holds_few_frames_at_a_time(tmp_path: Path) -> None:
    held, most = 0, 0

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal held
            held -= 1

    def draw(numbers: Sequence[int]) -> Iterator[np.ndarray]:
        nonlocal held, most
        for _ in numbers:
            held += 1
            most = max(most, held)
            yield np.zeros((16, 16, 3), np.uint8).view(Counted)

    for name in ("a.mp4", "a.gif", "a.png"):
        held = most = 0
        ENCODERS[Path(name).suffix](Footage(draw, 1000, 20.0), tmp_path / name)
        assert most <= 70, name


def test_frames_that_a_format_does_not_show_are_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strip, and an animation faster than browsers, hold the same pictures as if all had been drawn."""
    motions = [wandering(HUMANML3D, 40), wandering(HUMANML3D, 25, 1)]
    with Image.open(render_motions(motions, 90.0, ["a", "b"], tmp_path / "a.png", SMALL)) as image:
        strip = np.asarray(image)
    drawn: list[int] = []

    def counting(*words: Any) -> Iterator[np.ndarray]:
        for picture in pictures(*words):
            drawn.append(1)
            yield picture

    monkeypatch.setattr("lamp_cli.render.video.pictures", counting)
    each = list(_panels(motions, 90.0, ["a", "b"], SMALL, (), range(40)))
    assert len(drawn) == 40 + 25
    # Eight poses of 40, evenly spaced; the shorter motion ends after the fifth.
    whole = np.concatenate([each[number] for number in (0, 6, 11, 17, 22, 28, 33, 39)], axis=1)
    np.testing.assert_array_equal(strip, whole)
    drawn.clear()
    render_motions(motions, 90.0, ["a", "b"], tmp_path / "b.png", SMALL)
    assert len(drawn) == 8 + 6
    drawn.clear()
    render_motions(motions[:1], 90.0, ["a"], tmp_path / "a.gif", SMALL)
    assert len(drawn) == 20


def _times(path: Path) -> list[int]:
    """How long each picture of an animation stands, milliseconds."""
    with Image.open(path) as image:
        times = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            times.append(image.info["duration"])
    return times


@pytest.mark.parametrize("suffix", ["gif", "webp"])
@pytest.mark.parametrize("fps", [12.5, 20.0, 30.0, 60.0, 90.0, 120.0])
def test_animations_last_as_long_as_the_motion_and_no_picture_is_shorter_than_browsers_grant(
    tmp_path: Path, suffix: str, fps: float
) -> None:
    body = _body(30)
    body[..., 2] += np.linspace(0, 2, 30, dtype=np.float32)[:, None]
    times = _times(render_motions([body], fps, [""], tmp_path / f"a.{suffix}", SceneOptions(64, 64)))
    assert sum(times) == pytest.approx(30_000 / fps, abs=6)
    assert min(times) >= 20


def test_a_last_picture_that_is_left_over_is_long_enough_too() -> None:
    for count in range(1, 20):
        stride, delays = animation_delays(count, 120.0, 10)
        assert len(delays) == -(-count // stride) and min(delays) >= 20
    assert animation_delays(1000, 60.0, 10)[1][:4] == [30, 40, 30, 30]


def test_a_tall_body_stands_below_a_title_of_two_lines() -> None:
    size, tall = 240, 1.2 * _body(1)
    for side, name in ((side, name) for side in ("left", "right") for name in ("elbow", "wrist")):
        shoulder, at = (HUMANML3D.joint_names.index(f"{side}_{each}") for each in ("shoulder", name))
        tall[:, at] = tall[:, shoulder] + [0, 0.35 if name == "elbow" else 0.7, 0]
    title = "a person walks forward and turns around and then walks all the way back"
    font, lines = title_lines(title, size, size)
    assert len(lines) == 2
    with_title, plain = (
        next(_panels([tall], 20.0, [text], SceneOptions(size, size), [], [0])) for text in (title, "")
    )
    # The whole body, down to its feet, below the letters.
    below = int(1.35 * font.size) * 5 // 2
    rows = [np.flatnonzero(_coloured(picture).any(1)) for picture in (with_title, plain)]
    assert rows[0].min() >= below > rows[1].min()
    assert rows[0].max() < size - 4


def test_titles_take_a_font_that_has_their_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import get_data_path

    fonts._best_font.cache_clear()
    # STIX has mathematical letters that DejaVu Sans lacks.
    stix = str(Path(get_data_path()) / "fonts/ttf/STIXNonUni.ttf")
    sign = min(fonts._signs_of(stix) - fonts._signs_of(fonts._shipped_font()))
    monkeypatch.setattr(fonts, "_system_fonts", lambda: [])
    assert missing_signs(f"jumps {sign}") == sign
    fonts._best_font.cache_clear()
    monkeypatch.setattr(fonts, "_system_fonts", lambda: [str(tmp_path / "no.ttf"), stix])
    assert font_for(sign, 20).path == stix and missing_signs(sign) == ""
    fonts._best_font.cache_clear()
    assert missing_signs("a person, Größe, Привет \u200d\n") == ""
