"""Searching a library: windows, the life of the index, what is found."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from lamp_cli.bundle.bundle import Bundle, build_networks
from lamp_cli.bundle.config import BundleConfig, ModelConfig
from lamp_cli.data.prepare.takes import find_sources
from lamp_cli.data.samples import sample_library
from lamp_cli.data.statistics import Statistics
from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, ascii_pieces
from lamp_cli.files.arrays import motion_of_array
from lamp_cli.files.reading import Reading
from lamp_cli.inference.embed import embed_motions, embed_texts, encode_text, motion_context, similarity
from lamp_cli.inference.index.index import update_index
from lamp_cli.inference.index.library import (
    caption_beside,
    content_hash,
    motion_files,
    parts_beside,
    window_bounds,
    windows_of_motion,
)
from lamp_cli.inference.index.search import Block
from lamp_cli.inference.query import read_query
from lamp_cli.inference.retrieve import find, joints_of_hit, rank_texts, search_index
from lamp_cli.model.generator import GeneratorConfig
from lamp_cli.model.lamp import LampConfig
from lamp_cli.model.length import LengthConfig
from lamp_cli.model.qformer import QFormerConfig
from lamp_cli.model.tokenizer import TokenizerConfig
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, KIT, Skeleton
from lamp_cli.storage import load_array
from tests.conftest import wandering


def tiny_bundle(skeleton: Skeleton = HUMANML3D) -> Bundle:
    """Networks of a few weights, not trained: enough for everything but the ranking's sense."""
    size = skeleton.feature_size
    torch.manual_seed(0)
    vocabulary = Vocabulary([*ascii_pieces(), DECODER_TOKEN])
    model = ModelConfig(
        TokenizerConfig(size, skeleton.joints, width=16, codes=16, code_width=8),
        LampConfig(QFormerConfig(len(vocabulary), 16, 2, 2, 32, 49, 12, 8), 16, 24),
        GeneratorConfig(16, 16, 16, 1, 2, 32),
        LengthConfig(16, 16),
    )
    networks = build_networks(model, vocabulary.decoder)
    for network in networks:
        network.eval().requires_grad_(False)
    config = BundleConfig("tiny", skeleton.name, skeleton.fps, model)
    statistics = Statistics(np.zeros(size, np.float32), np.ones(size, np.float32))
    return Bundle(config, skeleton, statistics, vocabulary, *networks, torch.device("cpu"))


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
    assert {w.path for w in index.windows} == {"many.npz", *(f"nested/clip{n}.npy" for n in range(3))}
    again, report = update_index(bundle, library, folder)
    assert (report.embedded, report.reused) == (0, 4)
    assert sorted(again.windows, key=str) == sorted(index.windows, key=str)

    (library / "nested/clip0.npy").rename(library / "moved.npy")
    (library / "nested/clip1.npy").unlink()
    np.save(library / "new.npy", wandering(HUMANML3D, 40, seed=9))
    index, report = update_index(bundle, library, folder)
    assert (report.embedded, report.reused) == (1, 3)
    assert {w.path for w in index.windows} == {"many.npz", "moved.npy", "new.npy", "nested/clip2.npy"}


def test_a_file_that_the_system_does_not_give_is_left_out_and_asked_for_again(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, folder, refused = tiny_bundle(), tmp_path / "index", "nested/clip0.npy"
    for module, function in (("inference.index.index", content_hash), ("files.arrays", load_array)):

        def refuse(path: Path, *more: Any, ask: Any = function) -> Any:
            if path == library / refused:
                raise PermissionError(13, "Permission denied", str(path))
            return ask(path, *more)

        with monkeypatch.context() as patch:
            patch.setattr(f"lamp_cli.{module}.{function.__name__}", refuse)
            index, report = update_index(bundle, library, folder)
        assert report.unreadable[refused] == "permission denied" and len({w.path for w in index.windows}) == 3
    index, report = update_index(bundle, library, folder)
    assert report.embedded == 1 and refused in {w.path for w in index.windows}


def test_a_file_that_changed_since_the_search_is_named(library: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle()
    index, _ = update_index(bundle, library, tmp_path / "index")
    for path in library.rglob("*.np?"):
        np.save(path, wandering(HUMANML3D, 3).astype(np.float32))
    with pytest.raises(ValueError, match="has changed since the library was searched"):
        search_index(bundle, index, "a", 2, rerank=2)


def test_changed_content_of_equal_size_and_time_is_noticed(library: Path, tmp_path: Path) -> None:
    bundle, path = tiny_bundle(), library / "nested/clip0.npy"
    update_index(bundle, library, tmp_path / "index")
    before = path.stat()
    np.save(path, wandering(HUMANML3D, 60, seed=99).astype(np.float32))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert update_index(bundle, library, tmp_path / "index")[1].embedded == 1


def in_parts(folder: Path, *lines: str) -> Path:
    """A motion of 12 s with the texts beside it."""
    np.save(folder / "long.npy", wandering(HUMANML3D, 240).astype(np.float32))
    (folder / "long.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder / "long.npy"


def test_parts_are_moments_of_a_library(tmp_path: Path) -> None:
    texts = ("walks#walk/VERB#0.0#2.5", "sits#sit/VERB#2.5#4.0", "waves#wave/VERB#4.0#12.0")
    path = in_parts(tmp_path, *texts)
    hits = find(tiny_bundle(), "someone kicks", tmp_path, top=9)
    assert sorted((hit.start, hit.end) for hit in hits) == [(0.0, 2.45), (2.5, 3.95), (4.0, 11.95)]
    assert sorted((hit.start, caption_beside(path, hit.start, hit.end)) for hit in hits) == [
        (0.0, "walks"),
        (2.5, "sits"),
        (4.0, "waves"),
    ]
    assert {hit.cut().text: len(hit.cut()) for hit in hits} == {"walks": 50, "sits": 30, "waves": 160}
    # Other times are other moments, although the motion is the same.
    in_parts(tmp_path, "walks#walk/VERB#0.0#6.0", "sits#sit/VERB#6.0#12.0")
    hits = find(tiny_bundle(), "someone kicks", tmp_path, top=9)
    assert sorted((hit.start, hit.end) for hit in hits) == [(0.0, 5.95), (6.0, 11.95)]


@pytest.mark.parametrize(
    "texts",
    [
        ("walks#walk/VERB#0.0#0.0",),
        ("walks",),
        ("walks#walk/VERB#0.0#3.0", "sits#sit/VERB#2.0#4.0"),
        ("walks#walk/VERB#3.0#inf",),
    ],
)
def test_sentences_without_times_or_that_overlap_are_no_parts(texts: tuple[str, ...], tmp_path: Path) -> None:
    assert parts_beside(in_parts(tmp_path, *texts), 20.0) == ()


def test_parts_of_a_large_file_are_hashed_with_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(3 << 20))
    whole = content_hash(path)
    monkeypatch.setattr("lamp_cli.inference.index.library.LARGE_FILE", 1 << 20)
    parts = content_hash(path)
    assert parts != whole and parts == content_hash(path)
    os.utime(path, ns=(0, 0))
    assert content_hash(path) != parts


def test_what_embeddings_depend_on_means_embedding_anew(library: Path, tmp_path: Path) -> None:
    bundle, folder = tiny_bundle(), tmp_path / "index"
    update_index(bundle, library, folder)
    shard = next(folder.glob("shard-*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:100])
    assert update_index(bundle, library, folder)[1].embedded == 4
    bundle.lamp.motion_projection.weight.mul_(1.5)
    assert update_index(bundle, library, folder)[1].embedded == 4
    lamp = replace(bundle.config.model.lamp, label_smoothing=0.3)
    config = replace(bundle.config, model=replace(bundle.config.model, lamp=lamp))
    assert update_index(replace(bundle, config=config), library, folder)[1].embedded == 4
    assert update_index(bundle, library, folder, Reading(fps=60.0))[1].embedded == 4


def test_a_version_of_the_index_means_embedding_anew(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_index(tiny_bundle(), library, tmp_path / "index")
    monkeypatch.setattr("lamp_cli.inference.index.index.INDEX_VERSION", 999)
    assert update_index(tiny_bundle(), library, tmp_path / "index")[1].embedded == 4


def test_shards_that_nothing_uses_are_deleted(library: Path, tmp_path: Path) -> None:
    bundle, folder = tiny_bundle(), tmp_path / "index"
    update_index(bundle, library, folder)
    (folder / "files.json").write_text("[]")
    first = set(folder.glob("shard-*"))
    bundle.lamp.motion_projection.weight.mul_(1.5)
    update_index(bundle, library, folder)
    second = set(folder.glob("shard-*"))
    assert len(second) == 1 and not first & second
    for path in [*library.rglob("clip*.npy"), library / "many.npz"]:
        path.unlink()
    np.save(library / "new.npy", wandering(HUMANML3D, 40, seed=9))
    update_index(bundle, library, folder)
    assert len(set(folder.glob("shard-*"))) == 1 and not second & set(folder.glob("shard-*"))
    assert not (folder / "files.json").exists()


def test_embeddings_that_are_no_numbers_are_said_not_ranked(library: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle()
    index, _ = update_index(bundle, library, tmp_path / "index")
    damaged = [Block(np.full_like(block.embeddings, np.nan), block.rows) for block in index.blocks]
    with pytest.raises(ValueError, match="a deleted index is made again"):
        search_index(bundle, replace(index, blocks=damaged), "walk", 2)


def test_nothing_is_noted_of_a_file_that_is_gone(library: Path, tmp_path: Path) -> None:
    bundle, gone = tiny_bundle(), library / "gone.npz"
    np.savez(gone, joints=wandering(HUMANML3D, 60) * 100, fps=20.0)
    first = update_index(bundle, library, tmp_path / "index")[1].notes
    assert "gone.npz" in str(first)
    gone.unlink()
    second = update_index(bundle, library, tmp_path / "index")[1].notes
    assert all(second.values()) and "gone.npz" not in str(second)


def test_who_waits_for_another_process_is_told(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamp_cli.inference.index.index.SECONDS_UNTIL_NOTICE", 0.01)
    folder, lines = tmp_path / "index", []
    folder.mkdir()
    (folder / "lock-holder").write_text("process 17 on a machine")
    other = FileLock(folder / "lock")
    other.acquire()

    def notify(message: str) -> None:
        lines.append(message)
        other.release()

    update_index(tiny_bundle(), library, folder, notify=notify)
    assert lines == [f"{folder}: waiting for process 17 on a machine, which is updating this index"]
    assert not (folder / "lock-holder").exists()


def test_joints_and_features_of_one_motion_are_one(tmp_path: Path) -> None:
    names = [f"new_joint{kind}/{name}.npy" for kind in ("s", "_vecs") for name in ("000001", "M000001")]
    names += ["new_joint_vecs/000002.npy", "Mean.npy", "Std.npy", "texts/000001.txt"]
    names += ["made/walk.npy", "made/walk_features.npy", "made/alone_features.npy", "made/Mean.npy"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in motion_files(tmp_path)] == [
        "made/Mean.npy",
        "made/alone_features.npy",
        "made/walk.npy",
        "new_joint_vecs/000002.npy",
        "new_joints/000001.npy",
        "new_joints/M000001.npy",
    ]


def test_a_motion_in_several_formats_is_one(tmp_path: Path) -> None:
    motion = motion_of_array(wandering(HUMANML3D, 40), "a")
    written = "walk.npy walk.bvh walk.glb walk.npz run.bvh run.npz takes.bvh n.bvh"
    for name in written.split():
        motion.save(tmp_path / name)
    np.savez(tmp_path / "takes.npz", first=motion.joints, second=motion.joints)
    np.save(tmp_path / "n.npy", np.zeros(7))
    kept = ["n.bvh", "n.npy", "run.bvh", "takes.bvh", "takes.npz", "walk.npy"]
    assert [path.name for path in motion_files(tmp_path)] == kept
    (tmp_path / "n.npy").unlink()
    sources, _ = find_sources(tmp_path)
    assert {source.path.name for source in sources} == {*kept} - {"n.npy"}


def test_a_motion_finds_itself_and_scores_are_those_of_the_model(library: Path) -> None:
    bundle, at_20 = tiny_bundle(), Reading(fps=20.0)
    joints = np.load(library / "nested/clip1.npy")
    with pytest.warns(UserWarning, match="many.npz:broken"):
        best = find(bundle, motion_of_array(joints, "query"), library, top=1, reading=at_20)[0]
    assert (best.motion, best.start, best.end) == (str(library / "nested/clip1.npy"), 0.0, 89 / 20)
    assert best.score == pytest.approx(1.0, abs=1e-3)
    with pytest.warns(UserWarning):
        assert find(bundle, best.motion, str(library), top=1) == [best]
        hits = find(bundle, "a person walks", library, top=10)
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert f"{library / 'many.npz'}:good" in [h.motion for h in hits]
    own = next(h for h in hits if h.motion == best.motion)
    windows = windows_of_motion(motion_of_array(joints, "a"), HUMANML3D)
    exact = similarity(
        embed_motions(bundle, [f for *_, f in windows]), embed_texts(bundle, ["a person walks"])
    )
    assert own.score == pytest.approx(float(exact[0, 0]), abs=2e-3)


def test_a_frame_rate_gives_true_seconds(tmp_path: Path) -> None:
    np.save(tmp_path / "fast.npy", wandering(HUMANML3D, 361))
    bundle, fast = tiny_bundle(), Reading(fps=120.0)
    assert [(h.start, h.end) for h in find(bundle, "a walk", tmp_path, reading=fast)] == [(0.0, 3.0)]
    assert find(bundle, str(tmp_path / "fast.npy"), tmp_path, reading=fast)[0].score == pytest.approx(
        1, abs=1e-3
    )
    hit = find(bundle, "a walk", tmp_path, reading=fast)[0]
    assert len(joints_of_hit(bundle, hit, fast)) == 61


def test_overlapping_windows_of_one_take_are_one_hit(library: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle()
    index, _ = update_index(bundle, library, tmp_path / "index")
    hits = search_index(bundle, index, "a person walks", 50)
    spans = sorted((h.start, h.end) for h in hits if h.motion.endswith("clip2.npy"))
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


def test_reranking_judges_the_window_that_scored_best(library: Path, tmp_path: Path) -> None:
    bundle, text = tiny_bundle(), "a man jumps"
    index, _ = update_index(bundle, library, tmp_path / "index")
    # Of the long take the last window is made the best, then the one before it, and so on: the hit widens.
    vector = embed_texts(bundle, [text])[0]
    scale = np.array([0.91 + w.start / 4000 if "clip2" in w.path else 0.5 for w in index.windows])[
        :, None, None
    ]
    table = np.broadcast_to(vector, (len(scale), 49, len(vector))) * scale
    crafted = replace(index, blocks=[Block(table.astype(np.float16), np.arange(len(scale)))])
    hit = search_index(bundle, crafted, text, 1, rerank=1)[0]
    assert (hit.start, hit.end) == (0.0, 499 / 20) and hit.window == (303 / 20, 499 / 20)
    joints = np.load(library / "nested/clip2.npy")[303:500]
    context = motion_context(bundle, [joints_to_features(joints, HUMANML3D)])
    tokens = encode_text(bundle.vocabulary, [text], 12, bundle.device)
    judged = bundle.lamp.matching_logits(context, tokens).softmax(-1)[0, 1]
    assert hit.matching == pytest.approx(float(judged), abs=1e-5)


def test_reranked_hits_keep_their_scores_and_have_one_order(library: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle()
    index, _ = update_index(bundle, library, tmp_path / "index")
    plain = {(h.motion, h.window): h.score for h in search_index(bundle, index, "a man jumps", 9)}
    hits = search_index(bundle, index, "a man jumps", 9, rerank=9)
    assert {(h.motion, h.window): h.score for h in hits} == plain
    sums = [h.score + h.matching for h in hits if h.matching is not None]
    assert len(sums) == len(hits) and sums == sorted(sums, reverse=True)
    with pytest.raises(ValueError, match="re-ranking 3 of 5"):
        find(bundle, "a man jumps", library, top=5, rerank=3)
    with pytest.raises(ValueError, match="needs a captioner, or a motion with a sentence of its own"):
        find(bundle, str(library / "nested/clip1.npy"), library, rerank=9)


def test_hits_of_an_example_are_judged_by_its_sentence(library: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle()
    index, _ = update_index(bundle, library, tmp_path / "index")
    example = motion_of_array(np.load(library / "nested/clip1.npy"), "clip1")
    plain = {(h.motion, h.window): h.score for h in search_index(bundle, index, example, 9)}
    of_words = search_index(bundle, index, "a man jumps", 9, rerank=9)
    matching = {(h.motion, h.window): h.matching for h in of_words}
    hits = search_index(bundle, index, replace(example, text="a man jumps"), 9, rerank=9)
    assert {(h.motion, h.window): h.score for h in hits} == plain
    found = {(h.motion, h.window): h.matching for h in hits}
    both = found.keys() & matching.keys()
    assert len(both) > 2
    for place in both:
        assert found[place] == pytest.approx(matching[place], abs=1e-5)
    sums = [h.score + h.matching for h in hits if h.matching is not None]
    assert len(sums) == len(hits) and sums == sorted(sums, reverse=True)


@pytest.mark.parametrize(
    "query", ["gone.npy", "clips/jump_017.NPZ", "take one.bvh", "clips/jump", "..\\clips\\jump"]
)
def test_what_looks_like_a_path_and_is_none_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r"no such file; expected a motion file or a sentence"):
        read_query(query)


@pytest.mark.parametrize("query", ["a person walks", "走路", "he jumps and/or hops", "word " * 100, "a\0b"])
def test_a_sentence_is_a_sentence(query: str) -> None:
    assert read_query(query) == query


def test_sentences_are_ranked_for_a_motion() -> None:
    motion = motion_of_array(wandering(HUMANML3D, 80), "a")
    ranked = rank_texts(tiny_bundle(), motion, ["a person jumps", "someone walks", "he sits"])
    assert sorted(each.text for each in ranked) == ["a person jumps", "he sits", "someone walks"]
    assert [each.score for each in ranked] == sorted((each.score for each in ranked), reverse=True)
    best = rank_texts(tiny_bundle(), motion, [each.text for each in ranked], rerank=2)
    # The two best, with their scores, in the order of both.
    assert {(each.text, round(each.score, 5)) for each in best} == {
        (each.text, round(each.score, 5)) for each in ranked[:2]
    }
    both = [each.score + (each.matching or 0) for each in best]
    assert both == sorted(both, reverse=True) and all(0 < (each.matching or 0) < 1 for each in best)
    with pytest.raises(ValueError, match="a kit motion"):
        rank_texts(tiny_bundle(), motion_of_array(wandering(KIT, 80), "a"), ["x"])


def test_a_sample_library_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("lamp_cli.data.samples.LIBRARY_CLIPS", 4)
    folder = sample_library()
    assert len(list(folder.glob("*.npy"))) == 4
    stamps = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert sample_library() == folder and {p: p.stat().st_mtime_ns for p in folder.iterdir()} == stamps
    assert all(caption_beside(p) for p in folder.glob("*.npy"))
