"""What the page asks of the server, as its program asks it: motions made, changed, found and written."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.files.load import load_motion
from lamp_cli.server.app import ServeOptions
from lamp_cli.server.library import Library
from tests.server.server_thread import serving

QUICK = {"candidates": 1, "seed": 3}
WALK = [{"text": "a person walks forward", "seconds": 3}]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("lamp-mini", "cpu")


@pytest.fixture(scope="module")
def url(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    library = tmp_path_factory.mktemp("library")
    with serving(bundle) as alone:
        for text in ("a person jumps", "a person waves with the right hand"):
            made = asked(alone, "make", parts=[{"text": text, "seconds": 2}], **QUICK)
            (library / f"{text.replace(' ', '_')}.npy").write_bytes(file(alone, made, "npy"))
    with serving(bundle, library=Library(bundle, library)) as address:
        yield address


@pytest.fixture(scope="module")
def walk(url: str) -> dict[str, Any]:
    return asked(url, "make", parts=WALK, **QUICK)


def asked(url: str, action: str, **body: Any) -> dict[str, Any]:
    with urlopen(Request(f"{url}/page/{action}", data=json.dumps(body).encode()), timeout=300) as found:
        return json.load(found)


def refusal(url: str, action: str, **body: Any) -> dict[str, Any]:
    with pytest.raises(HTTPError) as error:
        asked(url, action, **body)
    return json.load(error.value)["error"]


def file(url: str, made: dict[str, Any], suffix: str) -> bytes:
    with urlopen(f"{url}/page/motions/{made['motions'][0]['id']}.{suffix}", timeout=300) as found:
        return found.read()


def joints(url: str, made: dict[str, Any]) -> np.ndarray:
    return np.load(io.BytesIO(file(url, made, "npy")))


def test_the_page_and_its_files_need_nothing_from_elsewhere(url: str) -> None:
    for path, media in (
        ("/", "html"),
        ("/page.css", "css"),
        ("/page.js", "javascript"),
        ("/viewer.js", "javascript"),
    ):
        with urlopen(url + path) as found:
            content = found.read().decode()
            assert media in found.headers["Content-Type"]
            assert "default-src 'none'" in found.headers["Content-Security-Policy"]
        assert not re.search(r"https?://", content)
    with urlopen(f"{url}/page/about") as found:
        about = json.load(found)
    assert (about["model"], about["library"], about["longest"]) == ("lamp-mini", 2, 9.8)


def test_sentences_become_motions_that_the_viewer_reads(url: str, walk: dict[str, Any]) -> None:
    [clip] = walk["motions"]
    assert (clip["title"], clip["frames"], clip["fps"], clip["seed"]) == (
        "a person walks forward",
        60,
        20.0,
        3,
    )
    assert walk["notes"] == []
    assert joints(url, walk).shape == (60, 22, 3)
    several = asked(
        url, "make", parts=[*WALK, {"text": "the stock market crashed", "seconds": 2}], samples=2, **QUICK
    )
    assert [[part["end"] for part in each["spans"]] for each in several["motions"]] == [[60, 100]] * 2
    assert "stock market" in several["notes"][0]


def test_a_span_is_redrawn_or_kept(url: str, walk: dict[str, Any]) -> None:
    before, number = joints(url, walk), walk["motions"][0]["id"]
    redrawn = joints(url, asked(url, "span", motion=number, start=20, end=40, text="a person jumps", seed=1))
    assert np.array_equal(redrawn[:20], before[:20])
    assert np.abs(redrawn[20:40] - before[20:40]).max() > 0.05
    kept = joints(url, asked(url, "span", motion=number, start=20, end=40, what="keep", seed=1))
    assert len(kept) == 60
    shape = [each[20:40] - each[20:40, :1] for each in (kept, before)]
    assert np.allclose(*shape, atol=1e-4)
    assert np.abs(kept[:20] - before[:20]).max() > 0.02 and np.abs(kept[40:] - before[40:]).max() > 0.02


def test_a_motion_goes_through_a_pose_that_was_set(url: str, walk: dict[str, Any]) -> None:
    before = joints(url, walk)
    pose = before[30].astype(float) - before[0, 0] * [1, 0, 1]
    pose[21] += [0.05, 0.25, 0.1]
    found = joints(
        url, asked(url, "pose", motion=walk["motions"][0]["id"], frame=30, joints=pose.tolist(), seed=1)
    )
    assert np.allclose(found[30] - before[0, 0] * [1, 0, 1], pose, atol=1e-5)
    assert np.array_equal(found[:15], before[:15]) and np.array_equal(found[45:], before[45:])


def test_a_motion_follows_a_path(url: str, walk: dict[str, Any]) -> None:
    points = [[0.0, 0.0], [0.0, 1.0], [1.0, 1.8], [2.0, 2.0]]
    found = joints(url, asked(url, "path", motion=walk["motions"][0]["id"], points=points))
    apart = np.linalg.norm(found[:, 0, None, ::2] - np.array(points), axis=-1).min(0)
    assert apart[:2].max() < 0.3


def test_the_library_is_searched_by_words_and_by_example(url: str, walk: dict[str, Any]) -> None:
    found = asked(url, "search", text="someone jumps", top=2)["motions"]
    assert [clip["title"] for clip in found] == ["a person jumps", "a person waves with the right hand"]
    assert found[0]["found"]["score"] > found[1]["found"]["score"]
    again = asked(url, "search", motion=found[1]["id"], top=1)["motions"]
    assert again[0]["title"] == "a person waves with the right hand"


def test_what_comes_into_the_library_is_found_and_what_goes_is_not(
    bundle: Bundle, url: str, walk: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="holds no motion that can be searched"):
        Library(bundle, tmp_path)
    said: list[str] = []
    (tmp_path / "first.npy").write_bytes(file(url, walk, "npy"))
    library = Library(bundle, tmp_path, said.append)
    first = library.index()
    assert library.index() is first and library.size == 1
    (tmp_path / "second.npy").write_bytes(file(url, walk, "npy")[:-1200])
    (tmp_path / "third.npy").write_bytes(b"no motion")
    with serving(bundle, library=library) as here:
        assert len(asked(here, "search", text="someone walks", top=4)["motions"]) == 1
        assert [line.split(":")[1].strip() for line in said] == ["second.npy", "third.npy"]
        (tmp_path / "second.npy").write_bytes((tmp_path / "first.npy").read_bytes())
        found = asked(here, "search", text="someone walks", top=4)["motions"]
        assert {clip["title"] for clip in found} == {"first", "second"}
        for path in tmp_path.glob("*.npy"):
            path.unlink()
        assert "no motion any more" in refusal(here, "search", text="someone walks")["message"]


@pytest.mark.parametrize("suffix", ["bvh", "glb", "mp4"])
def test_motions_are_written_as_files(url: str, walk: dict[str, Any], tmp_path: Path, suffix: str) -> None:
    content = file(url, walk, suffix)
    if suffix == "mp4":
        assert content[4:8] == b"ftyp"
        return
    path = tmp_path / f"walk.{suffix}"
    path.write_bytes(content)
    assert len(load_motion(path)) in (60, 61)


def test_what_cannot_be_done_is_said_in_the_envelope(url: str, walk: dict[str, Any]) -> None:
    number = walk["motions"][0]["id"]
    assert "the prompt is empty" in refusal(url, "make", parts=[{"text": " "}])["message"]
    assert refusal(url, "make", parts=[])["code"] == "schema_validation"
    assert refusal(url, "make", parts=WALK, samples=9)["message"].startswith("samples:")
    assert "no longer kept" in refusal(url, "span", motion="none", start=0, end=5)["message"]
    assert "expected a span" in refusal(url, "span", motion=number, start=9, end=9)["message"]
    assert "leaves something" in refusal(url, "span", motion=number, start=0, end=60, what="keep")["message"]
    vast = [[0, 1e300, 0]] * 22
    assert refusal(url, "pose", motion=number, frame=1, joints=vast)["code"] == "schema_validation"
    assert "22 joints" in refusal(url, "pose", motion=number, frame=1, joints=[[0, 0, 0]])["message"]
    assert (
        refusal(url, "path", motion=number, points=[[0, 0], [float("inf"), 1]])["code"] == "schema_validation"
    )
    with pytest.raises(HTTPError, match="400"):
        file(url, walk, "exe")


def test_the_page_is_shown_without_a_token_and_does_nothing(bundle: Bundle) -> None:
    with serving(bundle, ServeOptions("127.0.0.1", "secret")) as url:
        assert b"<canvas" in urlopen(url).read()
        assert refusal(url, "make", parts=WALK)["code"] == "unauthorized"
        assert refusal(url, "search", text="a jump")["code"] == "unauthorized"
    with serving(bundle) as url:
        assert "--library" in refusal(url, "search", text="a jump")["message"]
