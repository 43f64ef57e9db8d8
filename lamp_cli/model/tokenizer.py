"""The motion tokenizer: a VQ-VAE that turns four frames into one code of a codebook, and back.

Source: van den Oord et al. 2017 (VQ-VAE), as Zhang et al. 2023 (T2M-GPT) set it up for motion:
1-D convolutions, exponential moving averages for the codebook, reset of dead codes. With ``upper_joints``
the upper body has an encoder and a codebook of its own, as body parts have in ParCo (Zou et al. 2024), so
that a gait needs no codes for everything that arms can do meanwhile; one decoder reads both codes. With
several ``quantizers`` every code is followed by codes of what those before it leave (residual quantisation:
Zeghidour et al. 2021, SoundStream; MoMask, Guo et al. 2024).
Works on normalised features; knows no files, no text and no skeleton beyond column numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import distributed
from .devices import on_device
from .transformer import length_mask

# Motions that are tokenised at once on a CPU: fewer waste less on the longest of them, and are more calls.
_TOGETHER = 16


@dataclass(frozen=True)
class TokenizerConfig:
    """Sizes and loss weights of the motion tokenizer; the defaults are the paper's.

    features: numbers of a frame.
    joints: of the skeleton.
    width: of the decoder's and, without ``encoder_width``, every encoder's hidden layers.
    codes: vectors of one codebook.
    code_width: of a latent; every codebook has an equal part of it.
    stages: halvings of the frame rate; a token is 2 ** stages frames.
    residual_blocks: of one stage.
    dilation_growth: from one residual block's convolution to the next one's.
    mirrored_dilations: they grow in the decoder's stages and shrink in the encoder's; without, they shrink in
        both, as in the release, MoMask and T2M-GPT.
    codebook_decay: of the exponential moving averages that codebooks learn by.
    commitment_weight: of the commitment loss.
    position_weight: of the loss of joint positions, which the reconstruction loss holds too.
    upper_joints: joints with an encoder and a codebook of their own; none: the paper's one codebook.
    encoder_width: of the encoders' hidden layers; None: ``width``.
    dropout: probability, in training, in residual blocks; 0.2 in the release and MoMask.
    quantizers: codes, coarse to fine, that one latent has of each part of the body; 1: the paper's.
    quantizer_dropout: share of the windows in training of which the decoder reads a part of the quantizers,
        the coarsest ones; 0.2 in MoMask.

    Raises ``ValueError`` for more than 16 blocks, other joints than the skeleton's, a ``code_width`` that
    cannot be shared, no quantizer, or a share outside 0..1.
    """

    features: int = 263
    joints: int = 22
    width: int = 512
    codes: int = 512
    code_width: int = 512
    stages: int = 2
    residual_blocks: int = 3
    dilation_growth: int = 3
    mirrored_dilations: bool = True
    codebook_decay: float = 0.99
    commitment_weight: float = 0.02
    position_weight: float = 0.5
    upper_joints: tuple[int, ...] = ()
    encoder_width: int | None = None
    dropout: float = 0.0
    quantizers: int = 1
    quantizer_dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.quantizers < 1:
            raise ValueError(f"quantizers: expected at least 1, found {self.quantizers}")
        if not 0 <= self.quantizer_dropout <= 1:
            raise ValueError(
                f"quantizer_dropout: expected a share from 0 to 1, found {self.quantizer_dropout}"
            )
        # Dilation grows with every block: beyond, it is more than any motion's frames.
        if not 0 <= self.residual_blocks <= 16:
            raise ValueError(f"residual_blocks: expected 0 to 16, found {self.residual_blocks}")
        if not set(self.upper_joints) <= set(range(1, self.joints)):
            raise ValueError(
                f"upper_joints: expected joints from 1 to {self.joints - 1}, found {self.upper_joints}"
            )
        if self.code_width % self.parts:
            raise ValueError(
                f"code_width: expected an even number for two codebooks, found {self.code_width}"
            )

    @property
    def parts(self) -> int:
        """Parts of the body that have codebooks of their own."""
        return 2 if self.upper_joints else 1

    @property
    def codebooks(self) -> int:
        """Codes that one token has: one of each codebook, of every part the coarsest first."""
        return self.parts * self.quantizers

    @property
    def frames_per_token(self) -> int:
        """Frames that one token stands for."""
        return int(2**self.stages)


class ChannelsLastConv(nn.Conv1d):
    """1-D convolution, on a CPU in channels-last order, in which oneDNN is up to three times as fast."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, D, T)."""
        if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():
            return super().forward(x)
        if self.kernel_size == (1,) and torch.is_autocast_enabled("cpu"):
            # In bf16 a matrix product, its gradient above all, takes three quarters of a convolution's time.
            return F.linear(x.transpose(1, 2), self.weight.squeeze(2), self.bias).transpose(1, 2)
        # Of images of height 1: torch knows this order of images alone.
        images = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        stride, padding, dilation = (self.stride[0], int(self.padding[0]), self.dilation[0])
        return F.conv2d(
            images, self.weight.unsqueeze(2), self.bias, (1, stride), (0, padding), (1, dilation)
        ).squeeze(2)


class MaskedConv(ChannelsLastConv):
    """1-D convolution that reads a clip's padding as zeros, whatever it holds."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, C, T) with mask (B, 1, T), 1 on real frames."""
        return super().forward(x if mask is None else x * mask)


class ResidualBlock(nn.Module):
    """Dilated convolution, then a pointwise one, added to the input."""

    def __init__(self, width: int, dilation: int, dropout: float):
        super().__init__()
        self.dilated = MaskedConv(width, width, 3, padding=dilation, dilation=dilation)
        self.pointwise = ChannelsLastConv(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, W, T) -> (B, W, T)."""
        return x + self.dropout(self.pointwise(F.relu(self.dilated(F.relu(x), mask))))


class Encoder(nn.Module):
    """Features (B, C, T) -> latents (B, D, T/4)."""

    def __init__(self, config: TokenizerConfig, features: int, code_width: int):
        super().__init__()
        width = config.encoder_width or config.width
        dilations = [config.dilation_growth**k for k in reversed(range(config.residual_blocks))]
        self.first = MaskedConv(features, width, 3, padding=1)
        self.down = nn.ModuleList(MaskedConv(width, width, 4, 2, 1) for _ in range(config.stages))
        self.blocks = nn.ModuleList(
            nn.ModuleList(ResidualBlock(width, d, config.dropout) for d in dilations)
            for _ in range(config.stages)
        )
        self.last = MaskedConv(width, code_width, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Mask (B, 1, T) is 1 on real frames."""
        x = F.relu(self.first(x, mask))
        for down, blocks in zip(self.down, self.blocks, strict=True):
            x = down(x, mask)
            mask = None if mask is None else mask[..., ::2]
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, mask)
        return self.last(x, mask)


class BodyPartEncoder(nn.Module):
    """An encoder for the root and the legs and one for the upper joints; their latents are concatenated."""

    lower: Tensor
    upper: Tensor

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        upper = joint_columns(config.joints, config.upper_joints)
        lower = sorted(set(range(config.features)) - set(upper))
        # On the device, where they are used, but no part of what is learned.
        self.register_buffer("lower", torch.tensor(lower), persistent=False)
        self.register_buffer("upper", torch.tensor(upper), persistent=False)
        self.parts = nn.ModuleList(
            Encoder(config, len(columns), config.code_width // 2) for columns in (lower, upper)
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Features (B, C, T) -> latents (B, D, T/4); mask (B, 1, T) is 1 on real frames."""
        parts = zip(self.parts, (self.lower, self.upper), strict=True)
        return torch.cat([part(x.index_select(1, columns), mask) for part, columns in parts], 1)


def joint_columns(joints: int, chosen: Sequence[int]) -> list[int]:
    """The columns of some joints, none the root, among the features of a body of ``joints`` joints.

    Positions, 6-D rotations and displacements, as HumanML3D orders them (Guo et al. 2022).
    """
    others = joints - 1
    rotations, displacements = 4 + 3 * others, 4 + 9 * others
    found = [4 + 3 * (joint - 1) + k for joint in chosen for k in range(3)]
    found += [rotations + 6 * (joint - 1) + k for joint in chosen for k in range(6)]
    return found + [displacements + 3 * joint + k for joint in chosen for k in range(3)]


class Decoder(nn.Module):
    """Latents (B, D, L) -> features (B, C, 4L), the encoder mirrored."""

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        width = config.width
        growing = [config.dilation_growth**k for k in range(config.residual_blocks)]
        dilations = growing if config.mirrored_dilations else growing[::-1]
        self.first = MaskedConv(config.code_width, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.ModuleList(ResidualBlock(width, d, config.dropout) for d in dilations)
            for _ in range(config.stages)
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
            # As images of height 1: other than that of series, it leaves channels last.
            x = F.interpolate(x.unsqueeze(2), scale_factor=(1.0, 2.0), mode="nearest").squeeze(2)
            x = up(x, mask)
        return self.last(F.relu(self.refine(x, mask)), mask)


class Codebook(nn.Module):
    """Nearest-code quantiser, learned by exponential moving averages (no gradients).

    ``parts`` codebooks of ``codes`` codes each quantise equal parts of a latent; as many further ones for
    every further one of ``quantizers`` quantise what those before leave. The codes of one latent follow each
    other, and so do the codebooks' rows in ``vectors``.
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor
    started: Tensor

    def __init__(self, codes: int, width: int, decay: float, parts: int = 1, quantizers: int = 1):
        super().__init__()
        self.decay = decay
        self.parts = parts
        self.codebooks = parts * quantizers
        self._seen_started = False
        self.register_buffer("vectors", torch.zeros(self.codebooks * codes, width // parts))
        self.register_buffer("counts", torch.ones(self.codebooks * codes))
        self.register_buffer("sums", torch.zeros(self.codebooks * codes, width // parts))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def nearest(self, latents: Tensor) -> Tensor:
        """Indices (..., L * codebooks) of the codes closest to latents (..., L, D)."""
        rests, found = list(latents.float().chunk(self.parts, -1)), []
        for number, vectors in enumerate(self.vectors.chunk(self.codebooks)):
            part = number % self.parts
            found.append(nearest_rows(rests[part], vectors))
            rests[part] = rests[part] - vectors[found[-1]]
        return torch.stack(found, -1).flatten(-2)

    def lookup(self, codes: Tensor) -> Tensor:
        """Vectors (..., L, D) of codes (..., L * codebooks)."""
        return self.lookup_coarse_to_fine(codes)[-1]

    def lookup_coarse_to_fine(self, codes: Tensor) -> list[Tensor]:
        """Vectors (..., L, D) of codes (..., L * codebooks) by the first quantizer alone, by the first two
        and so on.
        """
        codes_by_codebook = codes.unflatten(-1, (-1, self.codebooks)).unbind(-1)
        tables = zip(self.vectors.chunk(self.codebooks), codes_by_codebook, strict=True)
        looked_up = [vectors[chosen] for vectors, chosen in tables]
        by_quantizer = [
            torch.cat(looked_up[first : first + self.parts], -1)
            for first in range(0, self.codebooks, self.parts)
        ]
        return list(itertools.accumulate(by_quantizer))

    @torch.no_grad()
    def learn(self, latents: Tensor, generator: torch.Generator) -> Tensor:
        """Move the codes towards what they are to quantise of the latents (..., L, D) that chose them.

        Codes that fewer than one latent chooses (on average) are put on latents of this batch. Returns the
        latents' indices (..., L * codebooks) as :meth:`nearest` then gives them.
        """
        rests, found = list(latents.flatten(0, -2).float().chunk(self.parts, -1)), []
        tables = zip(
            *(table.chunk(self.codebooks) for table in (self.vectors, self.counts, self.sums)), strict=True
        )
        with torch.autocast(latents.device.type, enabled=False):
            for number, (vectors, counts, sums) in enumerate(tables):
                part = number % self.parts
                self._learn(rests[part], vectors, counts, sums, generator)
                found.append(nearest_rows(rests[part], vectors))
                rests[part] = rests[part] - vectors[found[-1]]
        self.started.fill_(True)
        return torch.stack(found, -1).unflatten(0, latents.shape[:-1]).flatten(-2)

    def _learn(
        self, latents: Tensor, vectors: Tensor, counts: Tensor, sums: Tensor, generator: torch.Generator
    ) -> None:
        """One codebook, in fp32; changes ``vectors`` (K, D), ``counts`` (K,) and ``sums`` (K, D)."""
        if not self._has_started():
            vectors.copy_(_random_rows(latents, len(vectors), generator))
            sums.copy_(vectors)
        chosen_by, sum_of = _counts_and_sums(latents, nearest_rows(latents, vectors), len(vectors))
        counts.mul_(self.decay).add_(distributed.sum_over_ranks(chosen_by), alpha=1 - self.decay)
        sums.mul_(self.decay).add_(distributed.sum_over_ranks(sum_of), alpha=1 - self.decay)
        dead = counts < 1
        resets = _random_rows(latents, len(vectors), generator)
        vectors.copy_(torch.where(dead[:, None], resets, sums / counts[:, None]))
        sums.copy_(torch.where(dead[:, None], resets, sums))
        counts.clamp_(min=1)

    def _has_started(self) -> bool:
        """Whether the codes have been put on latents; once they have, an accelerator is not asked again."""
        self._seen_started = self._seen_started or bool(self.started)
        return self._seen_started


def nearest_rows(points: Tensor, rows: Tensor) -> Tensor:
    """Index (...,) of the row of (K, D) closest to each point (..., D), in fp32 also under autocast."""
    flat = points.reshape(-1, points.shape[-1]).float()
    with torch.autocast(points.device.type, enabled=False):
        distance = torch.addmm(rows.square().sum(1), flat, rows.T, alpha=-2)
    # Of the same rows argmin tells the same, on a CPU in more than twice the time.
    return distance.min(1).indices.reshape(points.shape[:-1])


def _counts_and_sums(latents: Tensor, chosen: Tensor, codes: int) -> tuple[Tensor, Tensor]:
    """How many latents (N, D) chose each code, (K,), and their sums (K, D); ``chosen`` (N,) are indices."""
    if latents.device.type == "cpu":
        sums = torch.zeros(codes, latents.shape[1]).index_add_(0, chosen, latents)
        return torch.bincount(chosen, minlength=codes).float(), sums
    # An accelerator adds rows in no fixed order; a product is the same in every run.
    one_hot = F.one_hot(chosen, codes).to(latents.dtype)
    return one_hot.sum(0), one_hot.T @ latents


def _random_rows(latents: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Rows (``count``, D) drawn from the latents (N, D) of all ranks, the same on every rank."""
    draw = torch.randint(distributed.world_size() * len(latents), (count,), generator=generator)
    owner, row = (on_device(each, latents.device) for each in (draw // len(latents), draw % len(latents)))
    own = latents[row] * (owner == distributed.rank())[:, None]
    return distributed.sum_over_ranks(own)


class MotionTokenizer(nn.Module):
    """Encoder, codebook and decoder.

    A token stands for four frames and has one code of every codebook. The codes of a token follow each
    other: N = L * codebooks codes for L tokens.
    """

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.config = config
        self.encoder = (
            BodyPartEncoder(config)
            if config.upper_joints
            else Encoder(config, config.features, config.code_width)
        )
        self.codebook = Codebook(
            config.codes, config.code_width, config.codebook_decay, config.parts, config.quantizers
        )
        self.decoder = Decoder(config)

    def latents(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Encoder output (B, L, D) of normalised features (B, T, C); ``lengths`` (B,) in frames.

        T and the lengths must be multiples of ``frames_per_token``.
        """
        mask = None if lengths is None else _convolution_mask(lengths, features.shape[1])
        return self.encoder(features.transpose(1, 2), mask).transpose(1, 2)

    def tokenize(self, features: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Latents (B, L, D) and codes (B, N) of normalised features (B, T, C), in fp32 also under autocast.

        In bf16 some codes would be others, and networks trained on those would meet different ones in use. On
        padding they may be anything.
        """
        if lengths is not None and features.device.type == "cpu" and len(features) > _TOGETHER:
            return self._tokenize_by_length(features, lengths)
        with torch.autocast(features.device.type, enabled=False):
            latents = self.latents(features.float(), lengths)
            return latents, self.codebook.nearest(latents)

    def _tokenize_by_length(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """As ``tokenize``, some motions of like length at once."""
        tokens, order = features.shape[1] // self.config.frames_per_token, lengths.argsort(stable=True)
        latents = features.new_zeros(len(features), tokens, self.config.code_width, dtype=torch.float32)
        codes = lengths.new_zeros(len(features), tokens * self.config.codebooks)
        for rows in order.split(_TOGETHER):
            own = lengths[rows]
            some_latents, some_codes = self.tokenize(features[rows, : int(own.max())], own)
            latents[rows, : some_latents.shape[1]] = some_latents
            codes[rows, : some_codes.shape[1]] = some_codes
        return latents, codes

    def encode(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Codes (B, N) of normalised features (B, T, C), as :meth:`tokenize` gives them."""
        return self.tokenize(features, lengths)[1]

    def decode(self, codes: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Normalised features (B, 4L, C) of codes (B, N); ``lengths`` (B,) in tokens.

        Codes beyond a clip's length may be anything.
        """
        vectors = self.codebook.lookup(codes.clamp(0, self.config.codes - 1))
        mask = None if lengths is None else _convolution_mask(lengths, vectors.shape[1])
        return self.decoder(vectors.transpose(1, 2), mask).transpose(1, 2)

    def forward(self, features: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Training losses of windows (B, T, C); moves the codebook as a side effect in training mode."""
        latents = self.latents(features)
        fixed = latents.detach()
        codes = self.codebook.learn(fixed, generator) if self.training else self.codebook.nearest(fixed)
        coarse_to_fine = self.codebook.lookup_coarse_to_fine(codes)
        vectors = self._without_some_quantizers(coarse_to_fine, generator)
        # Straight-through: the decoder gets the code, the encoder gets the decoder's gradient.
        passed = latents + (vectors - latents).detach()
        output = self.decoder(passed.transpose(1, 2), None).transpose(1, 2).float()
        positions = slice(4, 4 + 3 * (self.config.joints - 1))
        reconstruction = F.smooth_l1_loss(output, features)
        position = F.smooth_l1_loss(output[..., positions], features[..., positions])
        commitment = torch.stack([F.mse_loss(latents.float(), each) for each in coarse_to_fine]).mean()
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

    def _without_some_quantizers(self, coarse_to_fine: list[Tensor], generator: torch.Generator) -> Tensor:
        """Vectors (B, L, D) that the decoder reads in training, by all quantizers save in some windows."""
        count = len(coarse_to_fine)
        if not self.training or count == 1 or not self.config.quantizer_dropout:
            return coarse_to_fine[-1]
        size = len(coarse_to_fine[0])
        # Drawn for the windows of all ranks, as one process would.
        of_all = size * distributed.world_size()
        dropped = torch.rand(of_all, generator=generator) < self.config.quantizer_dropout
        fewer = torch.randint(count - 1, (of_all,), generator=generator)
        last = torch.where(dropped, fewer, count - 1)[distributed.rows_of_rank(of_all)]
        device = coarse_to_fine[0].device
        return torch.stack(coarse_to_fine)[on_device(last, device), on_device(torch.arange(size), device)]


def _convolution_mask(lengths: Tensor, size: int) -> Tensor:
    """(B, 1, ``size``), 1 on real positions, 0 on padding."""
    return length_mask(lengths, size)[:, None].float()
