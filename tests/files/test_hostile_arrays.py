"""Files made to harm: pickles that would run code, and claims that would fill the memory."""

from __future__ import annotations

import io
import json
import pickle
import resource
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lamp_cli.storage import LARGEST_ARRAY, array_archive, load_array
from tests.command_line import lamp

LARGEST_GROWTH = 32 << 20


class Harmful:
    """A pickle of it makes a file when it is read."""

    def __init__(self, path: Path):
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (Path.touch, (self._path,))


def npy(shape: tuple[int, ...], content: bytes = b"", kind: str = "<f4") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue() + content


def zipped(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "."), content)
    return path


def refused(*words: str | Path) -> str:
    done = lamp(*words)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    return done.stderr


@contextmanager
def little_memory() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < LARGEST_GROWTH >> 10


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", ["a.npy", "a.pkl", "a.bvh", "a.npz", "a.glb"])
def test_a_pickle_in_place_of_a_motion_is_not_run(name: str, protocol: int, tmp_path: Path) -> None:
    harmed = tmp_path / "harmed"
    (tmp_path / name).write_bytes(pickle.dumps(Harmful(harmed), protocol))
    refused("check", "a person walks", tmp_path / name)
    array = np.empty(1, object)
    array[0] = Harmful(harmed)
    np.save(tmp_path / "objects.npy", array, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", joints=array)
    for each in ("objects.npy", "objects.npz"):
        assert "a pickled object" in refused("check", "a person walks", tmp_path / each)
    assert not harmed.exists()


@pytest.mark.parametrize("option", ["--tokenizer", "--lamp"])
def test_a_pickle_in_place_of_weights_is_not_run(option: str, tmp_path: Path) -> None:
    harmed, weights = tmp_path / "harmed", tmp_path / "w.pth"
    weights.write_bytes(pickle.dumps(Harmful(harmed)))
    moments = tmp_path / "moments.npy"
    np.save(moments, np.ones(263, np.float32))
    words = [option, weights, *(["--tokenizer", weights] if option != "--tokenizer" else [])]
    words += ["--mean", moments, "--std", moments, "--output", tmp_path / "out"]
    assert str(weights) in refused("import", *words)
    with zipfile.ZipFile(weights, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Harmful(harmed), 2))
        archive.writestr("archive/version", "3")
    assert str(weights) in refused("import", *words)
    assert not harmed.exists() and not (tmp_path / "out").exists()


def test_a_pickle_among_an_evaluators_words_is_not_run(tmp_path: Path) -> None:
    from lamp_cli.bundle.released.evaluator import load_word_vectors

    np.save(tmp_path / "our_vab_data.npy", np.zeros((2, 300), np.float32))
    for name in ("our_vab_words.pkl", "our_vab_idx.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(Harmful(tmp_path / "harmed")))
    with pytest.raises(ValueError, match=r"our_vab_words\.pkl"):
        load_word_vectors(tmp_path)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((10**12, 22, 3), "an array of .* GiB, expected at most 2"),
        ((10**6, 22, 3), "cut short, or of a wrong header"),
        ((10**6, 40, 22, 3), "an array of"),
    ],
)
def test_a_claim_is_refused_before_memory_is_taken(shape: tuple[int, ...], said: str, tmp_path: Path) -> None:
    plain = tmp_path / "claims.npy"
    plain.write_bytes(npy(shape, bytes(100)))
    archive = zipped(tmp_path / "claims.npz", joints__npy=npy(shape, bytes(100)))
    captions = tmp_path / "captions.jsonl"
    captions.write_text('{"motion": "claims", "captions": ["he walks"]}')
    prepare = ("--captions", captions, "--output", tmp_path / "out")
    for path in (plain, archive):
        for words in (("check", "he walks", path), ("prepare", path, *prepare)):
            with little_memory():
                assert str(path) in refused(*words)
    with pytest.raises(ValueError, match=said):
        load_array(plain)


def test_an_honest_bomb_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    bomb, piece = tmp_path / "bomb.npz", bytes(22 * 3 * 4 * 10_000)
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("joints.npy", "w") as stream,
    ):
        stream.write(npy((300_000, 22, 3)))
        for _ in range(30):
            stream.write(piece)
    with little_memory():
        assert f"{bomb}: " in (said := refused("check", "he walks", bomb)) and "as no motion is" in said


def test_poses_that_claim_too_much_are_named_as_poses(tmp_path: Path) -> None:
    claims = zipped(tmp_path / "claims.npz", poses__npy=npy((10**10, 156)), trans__npy=npy((10**10, 3)))
    assert "SMPL poses that cannot be read (an array of" in refused("check", "he walks", claims)


def test_a_zip_bomb_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    frames = LARGEST_ARRAY // (22 * 3 * 4) + 1
    piece, left = bytes(1 << 20), frames * 22 * 3 * 4
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_STORED) as archive:
        info = zipfile.ZipInfo("joints.npy")
        with archive.open(info, "w", force_zip64=True) as stream:
            stream.write(npy((frames, 22, 3)))
            stream.write(piece)
    # As a bomb would, the directory claims what unpacking it would give.
    content = bytearray(bomb.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, place + 24, min(left + 128, 2**32 - 2))
    bomb.write_bytes(content)
    with little_memory(), array_archive(bomb) as found:
        with pytest.raises(ValueError, match="an array of 2 GiB, expected at most 2"):
            found["joints"]
        refused("check", "he walks", bomb)


def test_entries_that_are_no_arrays_are_not_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", joints=b"0" * (64 << 20))
    assert path.stat().st_size < 1 << 20
    with little_memory(), array_archive(path) as archive, pytest.raises(ValueError, match="magic"):
        archive["joints"]


@pytest.mark.parametrize("claimed", [2**63, 10**9, 100])
def test_a_safetensors_header_that_claims_too_much_is_refused(claimed: int, tmp_path: Path) -> None:
    from lamp_cli.inference.index.index import _read_shard
    from lamp_cli.training.checkpoint import load_best_weights

    path = tmp_path / "best.safetensors"
    header = b'{"x": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]}}'
    path.write_bytes(struct.pack("<Q", claimed if claimed != 100 else len(header)) + header)
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        load_best_weights(path, None)  # type: ignore[arg-type]
    assert _read_shard(path, "key") is None


def test_names_within_archives_and_lines_stay_in_the_folder(tmp_path: Path) -> None:
    from lamp_cli.motion.skeleton import HUMANML3D
    from tests.conftest import wandering

    joints = wandering(HUMANML3D, 60, 0).astype(np.float32)
    file = io.BytesIO()
    np.save(file, joints)
    inside = tmp_path / "inside"
    inside.mkdir()
    names = ("../../up.npy", "/abs.npy", "a/../../b.npy", "..npy")
    with zipfile.ZipFile(inside / "takes.npz", "w") as archive:
        for name in names:
            archive.writestr(name, file.getvalue())
    before = set(tmp_path.rglob("*"))
    done = lamp("convert", inside / "takes.npz", "--format", "npy", "--output", inside / "out")
    assert len(done.rows) == len(names)
    lines = [
        {"motion": name.removesuffix(".npy"), "id": f"../{number}", "captions": ["he walks"]}
        for number, name in enumerate(names)
    ]
    captions = inside / "captions.jsonl"
    captions.write_text("\n".join(map(json.dumps, lines)))
    before.add(captions)
    prepared = lamp("prepare", inside / "takes.npz", "--captions", captions, "--output", inside / "data")
    assert prepared.returncode == 0, prepared.stderr
    made = set(tmp_path.rglob("*")) - before
    outputs = {inside / "out", inside / "data"}
    assert made and all(outputs & {path, *path.parents} for path in made)
