"""Damaged files of every reader: a motion or one sentence. The long form is examples/bench/mutations.py."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from examples.bench.mutations import attack, read, samples

READERS = ("take.bvh", "take.glb", "amc", "asf", "joints.npy", "joints.npz", "features.npy", "amass.npz")


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_read_or_refused_in_a_sentence(reader: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)
        report = attack(reader, 60, seed=5000)
    assert report["wrong"] == []
    assert report["refused"] > 15


def test_another_seed_makes_other_files() -> None:
    seen: dict[int, list[bytes]] = {0: [], 1: []}
    for seed, files in seen.items():

        def keep(path: Path, files: list[bytes] = files) -> str:
            files.append(path.read_bytes())
            return "refused"

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("examples.bench.mutations.read", keep)
            attack("joints.npy", 5, seed)
    assert len(seen[0]) == 5 and not set(seen[0]) & set(seen[1])


def test_what_is_damaged_is_sound_before(tmp_path: Path) -> None:
    found = samples(tmp_path)
    assert tuple(sorted(found)) == tuple(sorted(READERS))
    assert {read(path) for name, (path, _) in found.items() if name != "asf"} == {"motion"}
