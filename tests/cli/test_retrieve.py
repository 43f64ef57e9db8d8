"""``lamp retrieve`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.bundle.bundle import save_bundle
from lamp_cli.data.samples import sample_library
from lamp_cli.motion.skeleton import HUMANML3D
from tests.conftest import wandering
from tests.inference.test_retrieve import tiny_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    save_bundle(folder, tiny_bundle())
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two clips, one in a folder of its own, and an archive with a broken entry."""
    root = tmp_path / "library"
    (root / "nested").mkdir(parents=True)
    np.save(root / "walk.npy", wandering(HUMANML3D, 60, seed=1))
    np.save(root / "nested" / "long.npy", wandering(HUMANML3D, 250, seed=2))
    np.savez(root / "many.npz", good=wandering(HUMANML3D, 50, seed=7), broken=np.zeros((3, 3)))
    return root


def lamp(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lamp_cli", *map(str, words)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)


def records(done: subprocess.CompletedProcess[str]) -> list[dict]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_searches_by_words_and_copies(library: Path, model: Path, tmp_path: Path) -> None:
    rest = ["--library", library, "--model", model]
    done = lamp("retrieve", "a person walks", *rest, "-k", "2", "--copy-to", tmp_path / "found")
    found = records(done)
    assert [r["rank"] for r in found] == [1, 2]
    assert all(Path(r["motion"]).is_file() and r["query"] == "a person walks" for r in found)
    assert all(r["ranked_by"] == "score" and "matching" not in r for r in found)
    assert len(list((tmp_path / "found").iterdir())) in (1, 2)
    assert done.stderr.count("broken") == 1
    reranked = records(lamp("retrieve", "a person walks", *rest, "-k", "2", "--rerank", "3"))
    assert all(r["ranked_by"] == "score + matching" and 0 < r["matching"] < 1 for r in reranked)
    long_query = records(lamp("retrieve", "a person walks " * 30, *rest, "-k", "1"))
    assert len(long_query) == 1


def test_lines_of_stdin_are_queries_with_a_rate_of_their_own(
    library: Path, model: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "fast.npy", wandering(HUMANML3D, 241))
    lines = [{"motion": str(tmp_path / "fast.npy"), "fps": 120, "mine": 3}, {"text": "a person walks"}]
    rest = ["--library", library, "--model", model, "-k", "1"]
    found = records(lamp("retrieve", *rest, stdin="\n".join(map(json.dumps, lines))))
    assert [(r["query"], r.get("mine")) for r in found] == [(lines[0]["motion"], 3), ("a person walks", None)]
    given = records(lamp("retrieve", tmp_path / "fast.npy", "--fps", "120", *rest))
    assert given[0]["end"] < 250 / 120 + 0.1
    wrong = lamp("retrieve", *rest, stdin='{"motion": "x.npy", "fps": "fast"}')
    assert wrong.returncode == 2 and "'fps' is 'fast'" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--build-only"], "expected --library FOLDER"),
        (["a", "--build-only"], "a query has no effect"),
        ([""], "the query is empty"),
        (["a", "--library", "/nowhere"], "/nowhere: no such folder"),
        (["clips/jump_017.npy"], "clips/jump_017.npy: no such file"),
        (["a", "--fps", "0"], "--fps 0: expected a rate above 0"),
        (["a", "--force"], "--force overwrites"),
        (["a", "--rerank", "2"], "re-ranking 2 of 5 matches"),
        (["{walk}", "--rerank", "9"], "re-ranking needs a sentence"),
        (["{walk}", "--texts", "{texts}", "--threshold", "0.5"], "--threshold has no effect"),
        (["{walk}", "--texts", "{texts}", "--rerank", "9"], "--rerank has no effect"),
        (["{walk}", "--texts", "{texts}", "--render", "a.mp4"], "--render has no effect"),
        (["{walk}", "--texts", "{texts}", "--library", "."], "--library has no effect"),
    ],
)
def test_what_has_no_effect_or_no_meaning_is_refused(
    words: list[str], sentence: str, library: Path, tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("a person walks\n")
    names = {"walk": library / "walk.npy", "texts": tmp_path / "texts.txt"}
    refused = lamp("retrieve", *(word.format(**names) for word in words))
    assert refused.returncode == 2 and refused.stdout == ""
    assert sentence in refused.stderr and "Traceback" not in refused.stderr


def test_sentences_are_ranked_for_a_motion_file_only(library: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a person walks\nhe sits\n")
    rest = ["--texts", tmp_path / "texts.txt", "--model", model]
    ranked = records(lamp("retrieve", library / "walk.npy", *rest))
    assert sorted(r["text"] for r in ranked) == ["a person walks", "he sits"]
    refused = lamp("retrieve", "a sentence", *rest)
    assert refused.returncode == 2 and "'a sentence' is no motion file" in refused.stderr


def test_strict_fails_for_an_unreadable_motion(library: Path, model: Path) -> None:
    done = lamp("retrieve", "a", "--strict", "--library", library, "--model", model)
    assert done.returncode == 2 and "1 motions of" in done.stderr


def test_without_a_library_a_sample_is_searched(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("lamp_cli.data.samples.LIBRARY_CLIPS", 4)
    folder = sample_library()
    done = lamp("retrieve", "a person jumps", "-k", "2", "--model", model)
    found = records(done)
    assert len(found) == 2 and all(r["caption"] for r in found)
    assert str(folder) in done.stderr
