"""The motion tokenizer: a VQ-VAE that turns four frames into one code of a codebook, and back.

Source: van den Oord et al. 2017 (VQ-VAE), as Zhang et al. 2023 (T2M-GPT) set it up for motion:
1-D convolutions, exponential moving averages for the codebook, reset of dead codes.
Works on normalised features; knows no files, no text and no skeleton beyond column numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import ranks


@dataclass(frozen=True)
class TokenizerConfig:
    """Sizes and loss weights of the motion tokenizer (defaults: the paper's)."""

    features: int = 263
    joints: int = 22
    width: int = 512
    codes: int = 512
    code_width: int = 512
    stages: int = 2
    residual_blocks: int = 3
    dilation_growth: int = 3
    codebook_decay: float = 0.99
    commitment_weight: float = 0.02
    position_weight: float = 0.5

    @property
    def frames_per_token(self) -> int:
        """Frames that one token stands for."""
        return int(2**self.stages)


class MaskedConv(nn.Conv1d):
    """1-D convolution that sees zeros beyond a clip's end, whatever the batch is padded with."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, C, T) with mask (B, 1, T), 1 on real frames."""
        return super().forward(x if mask is None else x * mask)


class ResidualBlock(nn.Module):
    """Dilated convolution, then a pointwise one, added to the input."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.dilated = MaskedConv(width, width, 3, padding=dilation, dilation=dilation)
        self.pointwise = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, W, T) -> (B, W, T)."""
        return x + self.pointwise(F.relu(self.dilated(F.relu(x), mask)))


class Encoder(nn.Module):
    """Features (B, C, T) -> latents (B, D, T/4)."""

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        width = config.width
        dilations = [config.dilation_growth**k for k in reversed(range(config.residual_blocks))]
        self.first = MaskedConv(config.features, width, 3, padding=1)
        self.down = nn.ModuleList(MaskedConv(width, width, 4, 2, 1) for _ in range(config.stages))
        self.blocks = nn.ModuleList(
            nn.ModuleList(ResidualBlock(width, d) for d in dilations) for _ in range(config.stages)
        )
        self.last = MaskedConv(width, config.code_width, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Mask (B, 1, T) is 1 on real frames."""
        x = F.relu(self.first(x, mask))
        for down, blocks in zip(self.down, self.blocks, strict=True):
            x = down(x, mask)
            mask = None if mask is None else mask[..., ::2]
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, mask)
        return self.last(x, mask)


class Decoder(nn.Module):
    """Latents (B, D, L) -> features (B, C, 4L), the encoder mirrored."""

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        width = config.width
        dilations = [config.dilation_growth**k for k in range(config.residual_blocks)]
        self.first = MaskedConv(config.code_width, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.ModuleList(ResidualBlock(width, d) for d in dilations) for _ in range(config.stages)
        )
        self.up = nn.ModuleList(MaskedConv(width, width, 3, padding=1) for _ in range(config.stages))
        self.refine = MaskedConv(width, width, 3, padding=1)
        self.last = MaskedConv(width, config.features, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Mask (B, 1, L) is 1 on real tokens."""
        x = F.relu(self.first(x, mask))
        for up, blocks in zip(self.up, self.blocks, strict=True):
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, mask)
            mask = None if mask is None else mask.repeat_interleave(2, dim=-1)
            x = up(F.interpolate(x, scale_factor=2.0, mode="nearest"), mask)
        return self.last(F.relu(self.refine(x, mask)), mask)


class Codebook(nn.Module):
    """Nearest-code quantiser, learned by exponential moving averages (no gradients)."""

    vectors: Tensor
    counts: Tensor
    sums: Tensor
    started: Tensor

    def __init__(self, codes: int, width: int, decay: float):
        super().__init__()
        self.decay = decay
        self.register_buffer("vectors", torch.zeros(codes, width))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", torch.zeros(codes, width))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def nearest(self, latents: Tensor) -> Tensor:
        """Index (...,) of the code closest to each latent (..., D)."""
        flat = latents.reshape(-1, latents.shape[-1]).float()
        distance = self.vectors.square().sum(1) - 2 * flat @ self.vectors.T
        return distance.argmin(1).reshape(latents.shape[:-1])

    @torch.no_grad()
    def learn(self, latents: Tensor, generator: torch.Generator) -> None:
        """Move the codes towards the latents (N, D) that chose them.

        Codes that fewer than one latent chooses (on average) are put on latents of this batch.
        """
        latents = latents.float()
        if not self.started:
            self.vectors.copy_(self._drawn(latents, generator))
            self.sums.copy_(self.vectors)
            self.started.fill_(True)
        chosen = F.one_hot(self.nearest(latents), len(self.vectors)).to(latents.dtype)
        counts = ranks.sum_over_ranks(chosen.sum(0))
        sums = ranks.sum_over_ranks(chosen.T @ latents)
        self.counts.mul_(self.decay).add_(counts, alpha=1 - self.decay)
        self.sums.mul_(self.decay).add_(sums, alpha=1 - self.decay)
        dead = self.counts < 1
        fresh = self._drawn(latents, generator)
        self.vectors.copy_(torch.where(dead[:, None], fresh, self.sums / self.counts[:, None]))
        self.sums.copy_(torch.where(dead[:, None], fresh, self.sums))
        self.counts.clamp_(min=1)

    def _drawn(self, latents: Tensor, generator: torch.Generator) -> Tensor:
        draw = torch.randint(len(latents), (len(self.vectors),), generator=generator)
        return latents[draw.to(latents.device)]


class MotionTokenizer(nn.Module):
    """Encoder, codebook and decoder."""

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.codebook = Codebook(config.codes, config.code_width, config.codebook_decay)
        self.decoder = Decoder(config)

    def latents(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encoder output (B, L, D) of normalised features (B, T, C); ``lengths`` (B,) in frames.

        T and the lengths must be multiples of ``frames_per_token``.
        """
        mask = None if lengths is None else _mask(lengths, features.shape[1])
        return self.encoder(features.transpose(1, 2), mask).transpose(1, 2)

    def encode(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Codes (B, L) of normalised features (B, T, C)."""
        return self.codebook.nearest(self.latents(features, lengths))

    def decode(self, codes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Normalised features (B, 4L, C) of codes (B, L); ``lengths`` (B,) in tokens.

        Codes beyond a clip's length may be anything.
        """
        mask = None if lengths is None else _mask(lengths, codes.shape[1])
        vectors = self.codebook.vectors[codes.clamp(0, self.config.codes - 1)]
        return self.decoder(vectors.transpose(1, 2), mask).transpose(1, 2)

    def reconstruct(self, features: Tensor) -> Tensor:
        """Features (B, T, C) through the codes and back."""
        return self.decode(self.encode(features))

    def forward(self, features: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Training losses of windows (B, T, C); moves the codebook as a side effect in training mode."""
        latents = self.latents(features)
        if self.training:
            self.codebook.learn(latents.detach().reshape(-1, latents.shape[-1]), generator)
        codes = self.codebook.nearest(latents.detach())
        vectors = self.codebook.vectors[codes]
        # Straight-through: the decoder sees the code, the encoder gets the decoder's gradient.
        passed = latents + (vectors - latents).detach()
        output = self.decoder(passed.transpose(1, 2), None).transpose(1, 2).float()
        positions = slice(4, 4 + 3 * (self.config.joints - 1))
        reconstruction = F.smooth_l1_loss(output, features)
        position = F.smooth_l1_loss(output[..., positions], features[..., positions])
        commitment = F.mse_loss(latents.float(), vectors)
        loss = (
            reconstruction
            + self.config.position_weight * position
            + self.config.commitment_weight * commitment
        )
        return {
            "loss": loss,
            "reconstruction": reconstruction.detach(),
            "position": position.detach(),
            "commitment": commitment.detach(),
        }


def _mask(lengths: Tensor, size: int) -> Tensor:
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None].float()
