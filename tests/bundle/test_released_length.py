"""The length estimator of the release: random weights in its format give its own distribution."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.model.qformer import Text
from tests.bundle.released_files import write_released_files
from tests.bundle.test_sentence_encoder import save_clip
from tests.cli.test_import import words
from tests.command_line import lamp

# As the repositories publish them, a tenth as wide; CLIP's feature has 10 numbers here.
SHAPES = {0: (48, 10), 1: (48,), 4: (24, 48), 5: (24,), 8: (12, 24), 9: (12,), 11: (50, 12)}


def estimator_state() -> dict[str, Tensor]:
    """Random weights by the names in the file."""
    draw = torch.Generator().manual_seed(0)
    return {
        f"output.{number}.{kind}": torch.randn(shape if kind == "weight" else shape[:1], generator=draw)
        for number, shape in SHAPES.items()
        for kind in ("weight", "bias")
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    write_released_files(folder)
    torch.save({"estimator": estimator_state(), "epoch": 3}, folder / "finest.tar")
    save_clip(folder / "clip")
    return folder


def test_lengths_are_drawn_as_the_release_draws_them(files: Path, tmp_path: Path) -> None:
    given = {"length-estimator": files / "finest.tar", "clip": files / "clip"}
    done = lamp(*words(files, tmp_path / "released", **given))
    assert done.returncode == 0 and done.rows[0]["parts"][-1] == "length estimator"

    bundle = load_bundle(tmp_path / "released", "cpu")
    network, sentences = bundle.text_to_motion, ("a person walks", "he turns")
    assert network is not None and network.length is not None
    tokens = network.condition.tokens(sentences, bundle.vocabulary, 32)
    norms = {n: nn.LayerNorm(SHAPES[n]) for n in (1, 5, 9)}
    layers = {n: nn.Linear(*reversed(SHAPES[n])) for n in (0, 4, 8, 11)}
    every = {**norms, **layers, **{n + 1: nn.LeakyReLU(0.2) for n in norms}}
    reference = nn.Sequential(*(every.get(n, nn.Identity()) for n in range(12)))
    reference.load_state_dict({k.removeprefix("output."): v for k, v in estimator_state().items()})
    with torch.no_grad():
        feature = network.condition(bundle.lamp, Text(*map(torch.from_numpy, tokens))).feature
        expected, found = reference(feature), network.length(feature)
    assert feature.shape == (2, 10) and found.shape == (2, 49)
    # A motion of no tokens, which the release may draw, is none.
    torch.testing.assert_close(found, expected[:, 1:], atol=1e-4, rtol=0)

    call = ("generate", *sentences, "--model", tmp_path / "released", "--seed", "1", "--format", "npy")
    rows = lamp(*call, "--output", tmp_path / "clips").rows
    assert [row["frames"] % 4 for row in rows] == [0, 0] and all(4 <= row["frames"] <= 196 for row in rows)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"length-estimator": "finest.tar"}, "--length-estimator, --clip: expected both, or neither"),
        ({"clip": "clip"}, "--length-estimator, --clip: expected both, or neither"),
        ({"length-estimator": "finest.tar", "clip": "clip", "generator": None}, "needs --generator too"),
        ({"length-estimator": "vq.tar", "clip": "clip"}, "expected MoMask's length estimator, a dictionary"),
        ({"length-estimator": "finest.tar", "clip": "./gone"}, "length clip:./gone: no such folder"),
    ],
)
def test_a_mistake_gets_one_sentence(
    given: dict[str, str | None], told: str, files: Path, tmp_path: Path
) -> None:
    paths = {
        name: value if value in (None, "./gone") else files / str(value) for name, value in given.items()
    }
    done = lamp(*words(files, tmp_path / "out", **paths))
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
