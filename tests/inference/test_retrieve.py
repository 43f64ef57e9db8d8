"""Searching a library: windows, the index's life, and the real command line."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lamp_cli.bundle.bundle import Bundle, build_networks, save_bundle
from lamp_cli.bundle.config import BundleConfig, ModelConfig
from lamp_cli.data.samples import sample_library
from lamp_cli.data.statistics import Statistics
from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, english_pieces
from lamp_cli.files.arrays import motion_of_array
from lamp_cli.inference.embed import embed_motions, embed_texts, similarity
from lamp_cli.inference.index.index import update_index
from lamp_cli.inference.index.library import window_bounds, windows_of_motion
from lamp_cli.inference.retrieve import find_by_motion, find_by_text, rank_texts
from lamp_cli.model.generator import GeneratorConfig
from lamp_cli.model.lamp import LampConfig
from lamp_cli.model.length import LengthConfig
from lamp_cli.model.qformer import QFormerConfig
from lamp_cli.model.tokenizer import TokenizerConfig
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.skeleton import HUMANML3D, KIT
from tests.conftest import wandering


def tiny_bundle() -> Bundle:
    """Networks of a few weights, not trained: enough for everything but the ranking's sense."""
    torch.manual_seed(0)
    vocabulary = Vocabulary([*english_pieces(), DECODER_TOKEN])
    model = ModelConfig(
        TokenizerConfig(width=16, codes=16, code_width=8),
        LampConfig(QFormerConfig(len(vocabulary), 16, 2, 2, 32, 49, 12, 8), 16, 24),
        GeneratorConfig(16, 16, 16, 1, 2, 32),
        LengthConfig(16, 16),
    )
    networks = build_networks(model, vocabulary.decoder)
    for network in networks:
        network.eval().requires_grad_(False)
    config = BundleConfig("tiny", "humanml3d", 20.0, model)
    statistics = Statistics(np.zeros(263, np.float32), np.ones(263, np.float32))
    return Bundle(config, HUMANML3D, statistics, vocabulary, *networks, torch.device("cpu"))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Three clips, one of them long, in nested folders, and an archive with a broken entry."""
    root = tmp_path / "library"
    (root / "nested").mkdir(parents=True)
    for number, frames in enumerate((60, 90, 500)):
        joints = wandering(HUMANML3D, frames, seed=number).astype(np.float32)
        np.save(root / "nested" / f"clip{number}.npy", joints)
    np.savez(root / "many.npz", good=wandering(HUMANML3D, 50, seed=7), broken=np.zeros((3, 3)))
    return root


@pytest.mark.parametrize("frames", [4, 196, 197, 300, 392, 1000])
def test_windows_cover_every_frame_and_overlap(frames: int) -> None:
    bounds = window_bounds(frames)
    covered = {frame for start, end in bounds for frame in range(start, end)}
    assert covered == set(range(frames))
    assert all(end - start <= 196 for start, end in bounds)
    assert all(a[1] > b[0] for a, b in itertools.pairwise(bounds))
    assert len(bounds) == len(set(bounds))


def test_embeddings_are_unit_vectors_that_do_not_depend_on_the_batch() -> None:
    bundle = tiny_bundle()
    clips = [
        features
        for n in (60, 120)
        for *_, features in windows_of_motion(Motion(wandering(HUMANML3D, n), HUMANML3D, 20.0), HUMANML3D)
    ]
    together = embed_motions(bundle, clips)
    np.testing.assert_allclose(np.linalg.norm(together, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(embed_motions(bundle, clips[:1])[0], together[0], atol=1e-5)
    texts = embed_texts(bundle, ["a person jumps", "someone walks in a circle"])
    np.testing.assert_allclose(embed_texts(bundle, ["a person jumps"])[0], texts[0], atol=1e-5)
    by_hand = np.array([[max(q @ t for q in m) for t in texts] for m in together])
    np.testing.assert_allclose(similarity(together, texts), by_hand, atol=1e-6)


def test_the_index_is_updated_not_rebuilt(library: Path, tmp_path: Path) -> None:
    bundle, folder = tiny_bundle(), tmp_path / "index"
    index, report = update_index(bundle, library, folder)
    assert (report.files, report.embedded, report.reused) == (4, 4, 0)
    assert list(report.unreadable) == ["many.npz:broken"]
    assert {p.path for p in index.places} == {"many.npz", *(f"nested/clip{n}.npy" for n in range(3))}
    again, report = update_index(bundle, library, folder)
    assert (report.embedded, report.reused) == (0, 4)
    assert sorted(again.places, key=str) == sorted(index.places, key=str)

    (library / "nested/clip0.npy").rename(library / "moved.npy")
    (library / "nested/clip1.npy").unlink()
    np.save(library / "new.npy", wandering(HUMANML3D, 40, seed=9))
    index, report = update_index(bundle, library, folder)
    assert (report.embedded, report.reused) == (1, 3)
    assert {p.path for p in index.places} == {"many.npz", "moved.npy", "new.npy", "nested/clip2.npy"}


def test_another_bundle_or_a_damaged_shard_means_embedding_anew(library: Path, tmp_path: Path) -> None:
    bundle, folder = tiny_bundle(), tmp_path / "index"
    update_index(bundle, library, folder)
    shard = next(folder.glob("shard-*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:100])
    assert update_index(bundle, library, folder)[1].embedded == 4
    bundle.lamp.motion_projection.weight.mul_(1.5)
    assert update_index(bundle, library, folder)[1].embedded == 4


def test_a_motion_finds_itself_and_scores_are_those_of_the_model(library: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle()
    index, _ = update_index(bundle, library, tmp_path / "index")
    joints = np.load(library / "nested/clip1.npy")
    best = find_by_motion(bundle, index, motion_of_array(joints, "query"), 1)[0]
    assert (best.path, best.start, best.end) == ("nested/clip1.npy", 0, 89)
    assert best.score == pytest.approx(1.0, abs=1e-3)
    hits = find_by_text(bundle, index, "a person walks", 10, library)
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    own = next(h for h in hits if h.path == "nested/clip1.npy")
    windows = windows_of_motion(motion_of_array(joints, "a"), HUMANML3D)
    exact = similarity(
        embed_motions(bundle, [f for *_, f in windows]), embed_texts(bundle, ["a person walks"])
    )
    assert own.score == pytest.approx(float(exact[0, 0]), abs=2e-3)


def test_overlapping_windows_of_one_take_are_one_hit(library: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle()
    index, _ = update_index(bundle, library, tmp_path / "index")
    hits = find_by_text(bundle, index, "a person walks", 50, library)
    spans = sorted((h.start, h.end) for h in hits if h.path == "nested/clip2.npy")
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


def test_reranking_adds_the_matching_probability(library: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle()
    index, _ = update_index(bundle, library, tmp_path / "index")
    plain = {h.path: h.score for h in find_by_text(bundle, index, "a man jumps", 9, library)}
    for hit in find_by_text(bundle, index, "a man jumps", 9, library, rerank=9):
        assert 0 < hit.score - plain[hit.path] < 1


def test_sentences_are_ranked_for_a_motion() -> None:
    motion = motion_of_array(wandering(HUMANML3D, 80), "a")
    ranked = rank_texts(tiny_bundle(), motion, ["a person jumps", "someone walks", "he sits"])
    assert sorted(text for text, _ in ranked) == ["a person jumps", "he sits", "someone walks"]
    assert [s for _, s in ranked] == sorted((s for _, s in ranked), reverse=True)
    with pytest.raises(ValueError, match="a kit motion"):
        rank_texts(tiny_bundle(), motion_of_array(wandering(KIT, 80), "a"), ["x"])


def lamp(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lamp_cli", *map(str, words)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)


def test_the_command_line_searches_copies_and_refuses(library: Path, tmp_path: Path) -> None:
    save_bundle(tmp_path / "tiny", tiny_bundle())
    rest = ["--library", library, "--model", tmp_path / "tiny"]
    done = lamp("retrieve", "a person walks", *rest, "-k", "2", "--copy-to", tmp_path / "found")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["rank"] for r in records] == [1, 2]
    assert all(Path(r["motion"]).is_file() and r["query"] == "a person walks" for r in records)
    assert len(list((tmp_path / "found").iterdir())) in (1, 2)
    assert done.stderr.count("broken") == 1
    by_motion = lamp("retrieve", *rest, "-k", "1", stdin=json.dumps({"motion": records[0]["motion"]}))
    assert json.loads(by_motion.stdout)["rank"] == 1
    assert lamp("retrieve", "a", *rest, "--strict").returncode == 2
    for words in (
        ["retrieve", "--build-only"],
        ["retrieve", "", *rest],
        ["retrieve", "a", "--library", "/nowhere"],
    ):
        refused = lamp(*words, *([] if rest[0] in words else ["--model", tmp_path / "tiny"]))
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr


def test_without_a_library_a_sample_is_made_and_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("lamp_cli.data.samples.LIBRARY_CLIPS", 4)
    folder = sample_library()
    assert len(list(folder.glob("*.npy"))) == 4
    stamps = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert sample_library() == folder and {p: p.stat().st_mtime_ns for p in folder.iterdir()} == stamps
    save_bundle(tmp_path / "tiny", tiny_bundle())
    command = [
        sys.executable,
        "-m",
        "lamp_cli",
        "retrieve",
        "a person jumps",
        "-k",
        "2",
        "--model",
        tmp_path / "tiny",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) == 2 and all(r["caption"] for r in records)
    assert str(folder) in done.stderr
