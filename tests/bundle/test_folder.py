"""A bundle is saved into a folder of its own: what belongs to somebody else stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamp_cli.bundle.bundle import require_bundle_folder, save_bundle
from tests.inference.test_retrieve import tiny_bundle


def test_a_readme_of_ones_own_stays_and_a_model_card_is_renewed(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# My experiments\n")
    save_bundle(tmp_path, tiny_bundle())
    assert readme.read_text() == "# My experiments\n"
    readme.write_text("# old\n\nA `lamp` bundle: of yesterday\n")
    save_bundle(tmp_path, tiny_bundle())
    assert "yesterday" not in readme.read_text() and "A `lamp` bundle:" in readme.read_text()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", '{"model_type": "bert"}'),
        ("config.json", "no json"),
        ("vocab.txt", "[PAD]\n"),
        ("Mean.npy", ""),
    ],
)
def test_files_of_something_else_are_not_replaced(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name}: is not a lamp bundle's"):
        save_bundle(tmp_path, tiny_bundle())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, content)]


def test_new_folders_and_saves_that_were_cut_short_are_accepted(tmp_path: Path) -> None:
    require_bundle_folder(tmp_path / "new")
    for name in ("tokenizer.safetensors", "vocab.txt"):
        (tmp_path / name).touch()
    require_bundle_folder(tmp_path)
