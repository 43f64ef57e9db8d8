"""Videos: readable, followed by the camera, deterministic; bad input refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from lamp_cli.motion.skeleton import HUMANML3D, KIT
from lamp_cli.render import fonts
from lamp_cli.render.camera import SceneOptions
from lamp_cli.render.encode import ENCODERS, Footage, animation_delays
from lamp_cli.render.fonts import font_for, missing_signs
from lamp_cli.render.scene import pictures
from lamp_cli.render.video import render_motions
from tests.conftest import standing

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
    for picture in list(pictures(body, HUMANML3D, SMALL))[::10]:
        columns = np.flatnonzero(_coloured(picture).any(0))
        assert len(columns)
        assert columns.min() > 5
        assert columns.max() < 90


def test_left_and_right_have_their_own_colours() -> None:
    picture = next(pictures(_body(1), HUMANML3D, SMALL)).astype(int)
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


def test_kit_skeleton_is_drawn() -> None:
    assert _coloured(next(pictures(_body(1, 21), KIT, SMALL))).sum() > 50


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
    first, second = (_coloured(next(iter(pictures(b, HUMANML3D, SMALL)))).sum() for b in (near, far))
    assert abs(int(first) - int(second)) < 0.05 * first


def test_a_long_clip_holds_few_frames_at_a_time(tmp_path: Path) -> None:
    held, most = 0, 0

    class Counted(np.ndarray):
        def __del__(self) -> None:
            nonlocal held
            held -= 1

    def frames() -> Iterator[np.ndarray]:
        nonlocal held, most
        for _ in range(1000):
            held += 1
            most = max(most, held)
            yield np.zeros((16, 16, 3), np.uint8).view(Counted)

    for name in ("a.mp4", "a.gif", "a.png"):
        held = most = 0
        ENCODERS[Path(name).suffix](Footage(frames(), 1000, 20.0), tmp_path / name)
        assert most <= 70, name


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
    body = _body(60)
    body[..., 2] += np.linspace(0, 4, 60, dtype=np.float32)[:, None]
    times = _times(render_motions([body], fps, [""], tmp_path / f"a.{suffix}", SceneOptions(64, 64)))
    assert sum(times) == pytest.approx(60_000 / fps, abs=6)
    assert min(times) >= 20


def test_a_last_picture_that_is_left_over_is_long_enough_too() -> None:
    for count in range(1, 20):
        stride, delays = animation_delays(count, 120.0, 10)
        assert len(delays) == -(-count // stride) and min(delays) >= 20
    assert animation_delays(1000, 60.0, 10)[1][:4] == [30, 40, 30, 30]


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
