"""What training does in one step, computed by hand: losses, moving averages, clipping, decay, windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lamp_cli.model.lamp import Lamp, LampConfig, PretrainingBatch
from lamp_cli.model.qformer import QFormerConfig, Text
from lamp_cli.model.tokenizer import MotionTokenizer, TokenizerConfig
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.training.experiment_files import size_named
from lamp_cli.training.loop import TrainingConfig, train
from lamp_cli.training.options import PretrainOptions
from lamp_cli.training.pretrain import pretrain

CPU = torch.device("cpu")


def smooth_l1(a: Tensor, b: Tensor) -> Tensor:
    """Huber's loss with its bend at 1 (Girshick 2015), averaged."""
    distance = (a - b).abs()
    return torch.where(distance < 1, distance.square() / 2, distance - 0.5).mean()


def test_the_tokenizers_loss_is_reconstruction_half_the_positions_and_a_fiftieth_commitment() -> None:
    """T2M-GPT's weights (Zhang et al. 2023): 0.5 for the positions, 0.02 for the commitment."""
    torch.manual_seed(0)
    tokenizer = MotionTokenizer(TokenizerConfig(width=8, codes=16, code_width=8)).eval()
    tokenizer.codebook.vectors.normal_()
    features = 2 * torch.randn(3, 16, 263)
    losses = tokenizer(features, torch.Generator())
    latents, codes = tokenizer.latents(features), tokenizer.encode(features)
    output = tokenizer.decode(codes)
    reconstruction = smooth_l1(output, features)
    position = smooth_l1(output[..., 4:67], features[..., 4:67])
    commitment = (latents - tokenizer.codebook.vectors[codes]).square().mean()
    torch.testing.assert_close(losses["loss"], reconstruction + 0.5 * position + 0.02 * commitment)
    for name, expected in (
        ("reconstruction", reconstruction),
        ("position", position),
        ("commitment", commitment),
    ):
        torch.testing.assert_close(losses[name], expected.detach())


def test_the_commitment_pulls_the_encoder_to_the_chosen_codes() -> None:
    """Its gradient at the encoder's last bias, by hand, where nothing else has one."""
    torch.manual_seed(0)
    tokenizer = MotionTokenizer(TokenizerConfig(width=8, codes=16, code_width=8)).eval()
    tokenizer.codebook.vectors.normal_()
    for parameter in tokenizer.decoder.parameters():
        parameter.data.zero_()
    features = torch.randn(2, 8, 263)
    tokenizer(features, torch.Generator())["loss"].backward()
    latents, codes = tokenizer.latents(features), tokenizer.encode(features)
    away = latents - tokenizer.codebook.vectors[codes]
    expected = 0.02 * 2 * away.sum((0, 1)) / away.numel()
    torch.testing.assert_close(tokenizer.encoder.last.bias.grad, expected.detach())


def test_the_codebooks_moving_averages_keep_99_parts_in_100() -> None:
    codebook = MotionTokenizer(TokenizerConfig(width=8, codes=2, code_width=2)).codebook
    codebook.started.fill_(True)
    codebook.vectors.copy_(torch.tensor([[0.0, 0.0], [10.0, 10.0]]))
    codebook.counts.copy_(torch.tensor([50.0, 200.0]))
    codebook.sums.copy_(torch.tensor([[5.0, -5.0], [2000.0, 2000.0]]))
    # Three latents choose the first code, one the second.
    latents = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [9.0, 12.0]])
    codebook.learn(latents, torch.Generator().manual_seed(0))
    counts = torch.tensor([0.99 * 50 + 0.01 * 3, 0.99 * 200 + 0.01 * 1])
    sums = torch.tensor(
        [
            [0.99 * 5 + 0.01 * 2, 0.99 * -5 + 0.01 * 3],
            [0.99 * 2000 + 0.01 * 9, 0.99 * 2000 + 0.01 * 12],
        ]
    )
    torch.testing.assert_close(codebook.counts, counts)
    torch.testing.assert_close(codebook.sums, sums)
    torch.testing.assert_close(codebook.vectors, sums / counts[:, None])


class Planes(nn.Module):
    """A weight of two columns and a bias whose gradients are the numbers of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, -2.0]]))
        self.bias = nn.Parameter(torch.tensor([3.0]))

    def forward(self, slope: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": (self.weight[0] * slope[:2]).sum() + (self.bias * slope[2:]).sum()}


class PlaneStage:
    """Every step has the same gradient."""

    name = "planes"

    def __init__(self, slope: list[float]):
        self.network = Planes()
        self._slope = slope

    def draw(self, step: int) -> list[float]:
        return self._slope

    def batch(self, drawn: list[float]) -> tuple[Tensor]:
        return (torch.tensor(drawn),)

    def validate(self) -> dict[str, float]:
        return {"loss": 0.0}


def one_step(slope: list[float], folder: Path, **settings: float) -> dict[str, Tensor]:
    """The checkpoint after one step at a learning rate of 0.1: parameters and moments."""
    config = TrainingConfig(1, 1, 0.1, 0.1, 0, **{"weight_decay": 0.0, **settings})
    train(PlaneStage(slope), config, folder, 0, CPU, lambda *_: None)
    return load_file(folder / "last.safetensors")


def test_gradients_longer_than_1_are_shortened_to_it(tmp_path: Path) -> None:
    """By Adam's first moment, a tenth of the gradient: (20, 30, 60) has the length 70."""
    for name, slope, shrink in (("long", (20.0, 30.0, 60.0), 1 / 70), ("short", (0.2, 0.3, 0.6), 1.0)):
        saved = one_step(list(slope), tmp_path / name)
        moments = torch.cat([saved[f"optimizer.{number}.exp_avg"].flatten() for number in range(2)])
        torch.testing.assert_close(moments, 0.1 * shrink * torch.tensor(slope), rtol=1e-4, atol=0)


def test_weights_decay_and_biases_do_not(tmp_path: Path) -> None:
    """AdamW without a gradient: a weight loses the learning rate times the decay of itself."""
    saved = one_step([0.0, 0.0, 0.0], tmp_path, weight_decay=0.5)
    torch.testing.assert_close(saved["network.weight"], torch.tensor([[1.0, -2.0]]) * (1 - 0.1 * 0.5))
    assert saved["network.bias"].tolist() == [3.0]


def test_the_distance_to_the_pretrained_text_encoder_counts_ten_times() -> None:
    torch.manual_seed(0)
    sizes = QFormerConfig(40, 16, 2, 4, 32, 6, 8, context_width=8, dropout=0.0)
    weights = size_named("mini", HUMANML3D).lamp.weights
    only = {"retention": weights["retention"]}
    lamp = Lamp(LampConfig(qformer=sizes, codes=10, embedding_width=12, weights=only), decoder_token=4).eval()
    text = Text(torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.bool))
    mean = lamp.qformer.text(text)[0].mean(0).detach()
    # At an angle of 60 degrees to what the text transformer says: a distance of 1 - 1/2.
    across = torch.randn(16)
    across = across - mean * (across @ mean) / (mean @ mean)
    turned = 0.5 * mean / mean.norm() + 0.75**0.5 * across / across.norm()
    none = torch.zeros(1, dtype=torch.long)
    pairs = PretrainingBatch(
        torch.zeros(1, 6, 8), torch.ones(1, 6, dtype=torch.bool), none[:, None], text, none, none
    )
    pairs = PretrainingBatch(**{**vars(pairs), "retention_targets": (turned[None],)})
    torch.testing.assert_close(lamp(pairs, torch.Generator())["loss"], torch.tensor(10 * 0.5))


def test_the_tokenizer_is_trained_on_windows_of_64_frames(tmp_path: Path) -> None:
    """T2M-GPT's; a corpus whose longest clip has one frame less has none."""
    for folder in ("new_joint_vecs", "texts"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        (tmp_path / f"{split}.txt").write_text(f"{split}\n")
        features = rng.normal(size=(63, HUMANML3D.feature_size)).astype(np.float32)
        np.save(tmp_path / "new_joint_vecs" / f"{split}.npy", features)
        (tmp_path / "texts" / f"{split}.txt").write_text(
            "a person walks#a/DET person/NOUN walk/VERB#0.0#0.0\n"
        )
    for name, value in (("Mean", 0.0), ("Std", 1.0)):
        np.save(tmp_path / f"{name}.npy", np.full(HUMANML3D.feature_size, value, np.float32))
    options = PretrainOptions(stages=("tokenizer",), text_encoder="none")
    with pytest.raises(ValueError, match="no clip has 64 frames"):
        pretrain(tmp_path, tmp_path / "out", options, CPU, lambda *_: None)
