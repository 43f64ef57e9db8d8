"""``lamp retrieve`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.bundle.bundle import save_bundle
from lamp_cli.data.samples import sample_library
from lamp_cli.motion.skeleton import HUMANML3D
from tests.command_line import lamp
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


def test_it_searches_by_words_and_copies(library: Path, model: Path, tmp_path: Path) -> None:
    rest = ["--library", library, "--model", model]
    done = lamp("retrieve", "a person walks", *rest, "-k", "2", "--copy-to", tmp_path / "found")
    found = done.rows
    assert [r["rank"] for r in found] == [1, 2]
    assert all(Path(r["motion"]).is_file() and r["query"] == "a person walks" for r in found)
    assert all(r["ranked_by"] == "score" and "matching" not in r for r in found)
    assert len(list((tmp_path / "found").iterdir())) in (1, 2)
    assert done.stderr.count("broken") == 1
    reranked = lamp("retrieve", "a person walks", *rest, "-k", "2", "--rerank", "3").rows
    assert all(r["ranked_by"] == "score + matching" and 0 < r["matching"] < 1 for r in reranked)
    long_query = lamp("retrieve", "a person walks " * 30, *rest, "-k", "1").rows
    assert len(long_query) == 1


def test_lines_of_stdin_are_queries_with_a_rate_of_their_own(
    library: Path, model: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "fast.npy", wandering(HUMANML3D, 241))
    lines = [{"motion": str(tmp_path / "fast.npy"), "fps": 120, "mine": 3}, {"text": "a person walks"}]
    rest = ["--library", library, "--model", model, "-k", "1"]
    found = lamp("retrieve", *rest, stdin="\n".join(map(json.dumps, lines))).rows
    assert [(r["query"], r.get("mine")) for r in found] == [(lines[0]["motion"], 3), ("a person walks", None)]
    given = lamp("retrieve", tmp_path / "fast.npy", "--fps", "120", *rest).rows
    assert given[0]["end"] < 250 / 120 + 0.1
    wrong = [{"motion": "x.npy", "fps": "fast"}, {"motion": "absent.npy"}, {"other": 1}, lines[1]]
    done = lamp("retrieve", *rest, stdin="\n".join(map(json.dumps, wrong)))
    assert done.returncode == 1 and json.loads(done.stdout)["query"] == "a person walks"
    left_out = [line for line in done.stderr.splitlines() if line.startswith("left out")]
    reasons = [
        "the object has no 'query' or 'motion' or 'text'",
        "'fps' is 'fast'",
        "absent.npy: no such file",
    ]
    assert all(any(reason in line for line in left_out) for reason in reasons)


def test_a_motion_file_itself_on_stdin_is_a_query(library: Path, model: Path, tmp_path: Path) -> None:
    content = (library / "walk.npy").read_bytes()
    done = lamp("retrieve", "-", "--library", library, "--model", model, "-k", "1", stdin=content)
    [found] = done.rows
    assert found["query"] == "-" and "-: no frame rate given" in done.stderr.splitlines()[0]


def test_what_reading_a_library_assumed_is_said_every_time(library: Path, model: Path) -> None:
    rest = ["a person walks", "--library", library, "--model", model, "-k", "1"]
    np.save(library / "high.npy", wandering(HUMANML3D, 60, seed=1) + np.array([0, 1, 0]))
    (library / "other.fbx").write_bytes(b"Kaydara")
    for _ in range(2):
        said = lamp("retrieve", *rest).stderr
        assert "high.npy and 3 more: no frame rate given, 20 frames per second assumed" in said
        assert "m above the floor, moved onto it" in said
        assert "left out: other.fbx: an FBX file" in said
    given = lamp("retrieve", *rest, "--fps", "20").stderr
    assert "no frame rate" not in given and "above the floor" in given


def test_pictures_and_copies_replace_nothing(library: Path, model: Path, tmp_path: Path) -> None:
    rest = ["a person walks", "--library", library, "--model", model, "-k", "1"]
    places = ["--render", tmp_path / "match.png", "--copy-to", tmp_path / "copies"]
    for _ in range(2):
        done = lamp("retrieve", *rest, *places)
        assert done.returncode == 0, done.stderr
    assert "match.png: exists; written to" in done.stderr
    assert sorted(path.name for path in tmp_path.glob("match*")) == ["match.png", "match_2.png"]
    assert len(list((tmp_path / "copies").iterdir())) == 2
    refused = lamp("retrieve", *rest, "--render", tmp_path / "match.xyz")
    assert refused.returncode == 2 and "expected a name ending in .mp4, .gif, .webp, .png" in refused.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--build-only"], "expected --library FOLDER"),
        (["a", "--build-only"], "a query has no effect"),
        ([""], "the query is empty"),
        (["a", "--library", "/nowhere"], "/nowhere: no such folder"),
        (["clips/jump_017.npy"], "clips/jump_017.npy: no such file"),
        (["a", "--fps", "0"], "--fps 0: expected frames per second above 0"),
        (["a", "--force"], "--force overwrites"),
        (["a", "--rerank", "2"], "re-ranking 2 of 5 matches"),
        (["{walk}", "--rerank", "2"], "re-ranking 2 of 5 matches"),
        (["{walk}", "--texts", "{texts}", "--threshold", "0.5"], "--threshold has no effect"),
        (["{walk}", "--texts", "{texts}", "--rerank", "2"], "re-ranking 2 of 5 matches"),
        (["--build-only", "--library", ".", "--rerank", "9"], "--rerank has no effect"),
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


def test_an_example_is_reranked_by_its_caption(library: Path, model: Path) -> None:
    rest = ["--library", library, "-k", "2", "--rerank", "3"]
    refused = lamp("retrieve", library / "walk.npy", *rest, "--model", model)
    assert refused.returncode == 2 and "this bundle has no captioner" in refused.stderr
    done = lamp("retrieve", library / "walk.npy", *rest)
    assert [row["ranked_by"] for row in done.rows] == ["score + matching"] * 2
    assert "walk.npy: the matching head is told '" in done.stderr


def test_sentences_are_ranked_for_a_motion_file_only(library: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a person walks\nhe sits\n")
    rest = ["--texts", tmp_path / "texts.txt", "--model", model]
    ranked = lamp("retrieve", library / "walk.npy", *rest).rows
    assert sorted(r["text"] for r in ranked) == ["a person walks", "he sits"]
    judged = lamp("retrieve", library / "walk.npy", *rest, "--rerank", "9").rows
    assert {r["text"]: r["score"] for r in judged} == {r["text"]: r["score"] for r in ranked}
    both = [r["score"] + r["matching"] for r in judged]
    assert both == sorted(both, reverse=True) and [r["rank"] for r in judged] == [1, 2]
    text = f"{'very ' * 40}slowly"
    (tmp_path / "texts.txt").write_bytes(f"{text}\r\nun caf\u00e9\r\n".encode("cp1252"))
    cut = lamp("retrieve", library / "walk.npy", *rest)
    assert {r["text"] for r in cut.rows} == {text, "un caf\u00e9"}
    assert "more word pieces than this model reads" in cut.stderr
    assert sum("truncated_to" in r for r in cut.rows) == 1
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
    found = done.rows
    assert len(found) == 2 and all(r["caption"] for r in found)
    assert str(folder) in done.stderr


def test_a_stopped_index_says_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lamp_cli.inference.index.index.update_index", stop)
    done = lamp("retrieve", "a person walks", "--library", tmp_path)
    assert done.returncode == 130
    assert done.stderr == "lamp: stopped; the same command goes on from what is saved\n"
