"""A captioner with a language model of OPT's smallest real size, from training to a caption, on the CPU.

Outside CI, because it takes a minute and a gigabyte: ``LAMP_LARGE_TESTS=1 python -m pytest`` runs it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lamp_cli.bundle.bundle import load_bundle
from lamp_cli.motion.skeleton import HUMANML3D
from tests.command_line import lamp
from tests.conftest import wandering
from tests.small_size import pretrain
from tests.training.test_pretrain import dataset

pytestmark = pytest.mark.skipif("LAMP_LARGE_TESTS" not in os.environ, reason="set LAMP_LARGE_TESTS to run it")
SENTENCES = ["a person walks", "he turns", "someone jumps twice"]


def save_opt(folder: Path) -> int:
    """OPT of 125 million weights, drawn at random, with a small byte-pair tokenizer; how many weights."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    torch.manual_seed(0)
    model = transformers.OPTForCausalLM(transformers.OPTConfig(hidden_size=768, num_hidden_layers=12))
    model.save_pretrained(folder)
    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    # The ids that OPT's configuration gives its special tokens.
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    words.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=300, special_tokens=special))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="</s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    return sum(weight.numel() for weight in model.parameters())


def test_opt_of_125_million_weights_learns_with_lora_and_captions(tmp_path: Path) -> None:
    weights = save_opt(tmp_path / "opt")
    assert 125_000_000 < weights < 126_000_000
    each = [f"{stage}=2" for stage in ("tokenizer", "lamp", "generator", "captioner")]
    short = [word for option in ("--steps", "--batch-size") for value in each for word in (option, value)]
    output, data = tmp_path / "out", dataset(tmp_path / "data", HUMANML3D)
    words = ("--text-encoder", "none", "--llm", tmp_path / "opt", "--lora", *short)
    done = pretrain("--data", data, "--output", output, *words)
    assert [row["stage"] for row in done.rows] == ["tokenizer", "lamp", "generator", "captioner"]
    saved = load_file(output / "captioner.safetensors")
    lora = [name for name in saved if "lora_" in name]
    # Query and value of twelve layers, two thin matrices of rank 16 each.
    assert len(lora) == 12 * 2 * 2 and sum(saved[name].numel() for name in lora) == 12 * 2 * 2 * 16 * 768
    assert any(saved[name].abs().max() > 0 for name in lora if "lora_B" in name)
    assert (output / "captioner.safetensors").stat().st_size < 5e6
    np.save(tmp_path / "clip.npy", wandering(HUMANML3D, 60).astype(np.float32))
    (row,) = lamp("caption", tmp_path / "clip.npy", "--model", output).rows
    assert isinstance(row["caption"], str)
    captioner = load_bundle(output, "cpu", captioner=True).captioner
    assert captioner is not None and captioner.decoder.width == 768
