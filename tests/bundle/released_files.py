"""Random weights in the formats of published checkpoints, for tests.

``golden/released_names.txt`` has the names and shapes of the tensors in each file, as the modules of
gentlefress/LaMP and EricGuo5513/momask-codes name them at small widths: three layers of BERT in twelve's
place, 32 and 128 numbers in 512's and 768's. T2M-GPT's names are those of LaMP's ``vq.tar``; those within
``m2t.pth`` are ``peft``'s, of the OPT that ``tests.model.test_decoding`` draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lamp_cli.data.vocabulary import DECODER_TOKEN, Vocabulary, ascii_pieces
from tests.model.test_decoding import save_language_model

NAMES = Path(__file__).parent / "golden" / "released_names.txt"
# 63 pieces, as the golden names have them; [DEC] is the 64th.
PIECES = [
    *ascii_pieces()[:5],
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    *("person", "walks", "jumps", "the", "and", "##s"),
]
VOCABULARY = Vocabulary([*PIECES, DECODER_TOKEN])
State = dict[str, Tensor]


def published_names() -> dict[str, tuple[str, dict[str, tuple[int, ...]]]]:
    """For each file the key of its state dict, and the shapes of the tensors in it by name."""
    found: dict[str, tuple[str, dict[str, tuple[int, ...]]]] = {}
    for line in NAMES.read_text().splitlines():
        words = line.split()
        if words[0] == "#":
            shapes = found.setdefault(words[1], (words[2], {}))[1]
        else:
            shapes[words[0]] = tuple(map(int, words[1:]))
    return found


def random_state(file: str, features: int = 263) -> State:
    """Weights of a size at which signals neither grow nor vanish, the same in every call.

    They read frames of so many ``features``, 251 for KIT-ML.
    """
    return dict(_random_state(file, features))


@cache
def _random_state(file: str, features: int) -> State:
    generator = torch.Generator().manual_seed(7 * len(file))
    shapes = published_names()[file][1]
    own = {name: tuple(features if size == 263 else size for size in shapes[name]) for name in shapes}
    state = {name: _random(name, shape, generator) for name, shape in own.items()}
    for name in state:
        # What the modules keep one tensor for, or copy before training.
        if name.endswith("predictions.decoder.weight"):
            state[name] = state[name.replace("cls.predictions.decoder", "bert.embeddings.word_embeddings")]
        if name.startswith("vq_model."):
            state[name] = _random_state("vq.tar", features)[name.removeprefix("vq_model.")]
        if file == "m2t.pth" and name.startswith("motion_encoder."):
            state[name] = _random_state("h3d-qformer.tar", features)[name]
    return state


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name.endswith("position_ids"):
        return torch.arange(shape[1])[None]
    if name == "temp":
        return torch.tensor(2.6)
    if name.endswith("position_enc.pe"):
        return _sinusoids(*shape)
    drawn = torch.randn(shape, generator=generator)
    if name.endswith("codebook"):
        return drawn
    if len(shape) == 1:
        return 0.1 * drawn + float("norm" in name.lower() and name.endswith("weight"))
    # Residual convolutions add up.
    gain = 0.9 if len(shape) == 3 else 1.3
    return gain * drawn / math.sqrt(math.prod(shape[1:]))


def _sinusoids(length: int, _: int, width: int) -> Tensor:
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, None]


def write_released_files(
    folder: Path,
    change: Callable[[str, State], None] = lambda name, state: None,
    features: int = 263,
) -> None:
    """Every file with its statistics and words; ``change`` alters the state of a file before that."""
    for file, (key, _) in published_names().items():
        state = random_state(file, features)
        change(file, state)
        # As their trainers save them: optimiser, schedule and epoch beside the weights.
        torch.save({key: state, "ep": 3, "opt": {"state": {}, "param_groups": [{"lr": 1e-4}]}}, folder / file)
    for size, name in ((263, ""), (251, "kit_")):
        np.save(folder / f"{name}mean.npy", np.linspace(-1, 1, size))
        np.save(folder / f"{name}std.npy", np.linspace(0.5, 1, size))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES))


def language_model(folder: Path, family: str = "opt") -> Path:
    """The OPT that ``m2t.pth`` adapts, or another; its tokenizer knows the end of a line."""
    import transformers

    save_language_model(folder, family)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["\n"])
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    for each in (tokenizer, model):
        each.save_pretrained(folder)
    return folder
