"""The motion tokenizer: shapes, padding, codebook learning."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from lamp_cli.model import distributed
from lamp_cli.model.tokenizer import (
    ChannelsLastConv,
    Codebook,
    MotionTokenizer,
    ResidualBlock,
    TokenizerConfig,
    joint_columns,
)
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D, Skeleton
from lamp_cli.training.experiment_files import size_named
from tests.conftest import wandering

SMALL = TokenizerConfig(width=16, code_width=8, codes=32)


def upper_body(skeleton: Skeleton) -> tuple[int, ...]:
    """Trunk, head and arms: the joints that are neither the root nor of a leg, in rising order."""
    legs = {j for chain in skeleton.chains if {*skeleton.leg, *skeleton.feet} & {*chain} for j in chain}
    return tuple(joint for joint in range(1, skeleton.joints) if joint not in legs)


def _tokenizer() -> MotionTokenizer:
    torch.manual_seed(0)
    return MotionTokenizer(SMALL).eval()


def test_residual_blocks_drop_what_they_add_in_training_alone() -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(4, 1, 0.5), torch.randn(2, 4, 400)
    added = block.eval()(x, None) - x
    dropped = block.train()(x, None) - x
    kept = dropped != 0
    assert 0.4 < float(kept.float().mean()) < 0.6
    torch.testing.assert_close(dropped[kept], 2 * added[kept])
    modules = MotionTokenizer(replace(SMALL, dropout=0.2)).modules()
    assert {module.p for module in modules if isinstance(module, nn.Dropout)} == {0.2}


def test_four_frames_are_one_token() -> None:
    tokenizer = _tokenizer()
    features = torch.randn(2, 24, 263)
    assert tokenizer.latents(features).shape == (2, 6, 8)
    assert tokenizer.encode(features).shape == (2, 6)
    assert tokenizer.decode(tokenizer.encode(features)).shape == features.shape


@pytest.mark.parametrize(("mirrored", "expected"), [(True, [1, 3, 9]), (False, [9, 3, 1])])
def test_dilations_of_the_decoder_are_mirrored_or_those_of_the_encoder(
    mirrored: bool, expected: list[int]
) -> None:
    tokenizer = MotionTokenizer(replace(SMALL, mirrored_dilations=mirrored))
    for half, dilations in ((tokenizer.encoder, [9, 3, 1]), (tokenizer.decoder, expected)):
        for blocks in half.blocks:
            assert [block.dilated.dilation[0] for block in blocks] == dilations


def test_codes_are_the_same_under_autocast() -> None:
    """Inference computes them in fp32; what learns from codes must meet the same ones in training."""
    tokenizer = _tokenizer()
    features = torch.randn(8, 96, 263)
    latents = tokenizer.latents(features)
    # Codes among the latents, so that many are nearly as near as the nearest.
    tokenizer.codebook.vectors.copy_(latents.flatten(0, 1)[::6])
    lengths = torch.tensor([96, 40] * 4)
    outside = tokenizer.tokenize(features, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        assert tokenizer.latents(features).dtype == torch.bfloat16
        inside = tokenizer.tokenize(features, lengths)
        assert torch.equal(tokenizer.encode(features, lengths), outside[1])
        assert torch.equal(tokenizer.codebook.nearest(latents), tokenizer.encode(features))
    for expected, found in zip(outside, inside, strict=True):
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)


def test_of_many_motions_those_of_like_length_are_tokenised_together() -> None:
    tokenizer, calls = _tokenizer(), []
    torch.manual_seed(1)
    lengths = 4 * torch.randint(1, 25, (40,))
    features = torch.randn(40, 96, 263) * (torch.arange(96) < lengths[:, None])[..., None]
    each = [tokenizer.tokenize(row[None, :own]) for row, own in zip(features, lengths.tolist(), strict=True)]
    tokenizer.encoder.register_forward_pre_hook(lambda _, inputs: calls.append(tuple(inputs[0].shape)))
    latents, codes = tokenizer.tokenize(features, lengths)
    assert latents.shape[:2] == codes.shape == (40, 24)
    ordered = sorted(lengths.tolist())
    assert [(shape[0], shape[2]) for shape in calls] == [
        (16, ordered[15]),
        (16, ordered[31]),
        (8, ordered[39]),
    ]
    for row, (own_latents, own_codes) in enumerate(each):
        torch.testing.assert_close(latents[row, : own_latents.shape[1]], own_latents[0], atol=1e-5, rtol=1e-4)
        assert torch.equal(codes[row, : own_codes.shape[1]], own_codes[0])


def test_the_codebook_learns_the_same_under_autocast() -> None:
    latents = torch.randn(64, 4, generator=torch.Generator().manual_seed(0)) * 10
    outside, inside = Codebook(8, 4, 0.99), Codebook(8, 4, 0.99)
    outside.learn(latents, torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        inside.learn(latents, torch.Generator().manual_seed(1))
    for name, expected in outside.state_dict().items():
        assert torch.equal(inside.state_dict()[name], expected), name


def test_padding_does_not_change_a_clip() -> None:
    tokenizer = _tokenizer()
    short, long = torch.randn(1, 20, 263), torch.randn(1, 48, 263)
    batch = torch.zeros(2, 48, 263)
    # Whatever stands beyond a clip's end must not matter, not even garbage.
    batch[0, 20:] = 7.0
    batch[0, :20], batch[1] = short[0], long[0]
    lengths = torch.tensor([20, 48])
    together = tokenizer.latents(batch, lengths)
    torch.testing.assert_close(together[0, :5], tokenizer.latents(short)[0])
    torch.testing.assert_close(together[1], tokenizer.latents(long)[0])
    codes = torch.randint(32, (2, 12), generator=torch.Generator().manual_seed(1))
    decoded = tokenizer.decode(codes, torch.tensor([5, 12]))
    torch.testing.assert_close(decoded[0, :20], tokenizer.decode(codes[:1, :5])[0], rtol=1e-4, atol=1e-5)


def test_nearest_agrees_with_brute_force() -> None:
    book = Codebook(16, 4, 0.99)
    book.vectors.copy_(torch.randn(16, 4, generator=torch.Generator().manual_seed(0)))
    latents = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))
    expected = torch.cdist(latents.reshape(-1, 4), book.vectors).argmin(1).reshape(3, 5)
    assert torch.equal(book.nearest(latents), expected)


def test_codebook_moves_by_its_moving_average_to_the_cluster_centres() -> None:
    book = Codebook(2, 1, decay=0.5)
    latents = torch.tensor([[-1.1], [-0.9], [0.9], [1.1]]).repeat(8, 1)
    for step in range(30):
        book.learn(latents, torch.Generator().manual_seed(step))
    torch.testing.assert_close(book.vectors.sort(0).values, torch.tensor([[-1.0], [1.0]]), atol=1e-3, rtol=0)


def test_dead_codes_come_back_to_life() -> None:
    book = Codebook(8, 2, decay=0.9)
    generator = torch.Generator().manual_seed(0)
    book.learn(torch.zeros(64, 2), generator)
    spread = torch.randn(512, 2, generator=generator)
    for _ in range(80):
        book.learn(spread, generator)
    assert len(book.nearest(spread).unique()) == 8


def test_training_reduces_the_reconstruction_error() -> None:
    torch.manual_seed(0)
    tokenizer = MotionTokenizer(SMALL)
    features = torch.randn(8, 16, 263).cumsum(1) / 4
    optimizer = torch.optim.AdamW(tokenizer.parameters(), 3e-3)
    losses = []
    for step in range(60):
        loss = tokenizer(features, torch.Generator().manual_seed(step))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_the_columns_of_a_joint_are_those_that_change_with_it_alone() -> None:
    # A wrist moves no other joint, a trunk's joint would move those above it.
    still = wandering(HUMANML3D, 60)
    moved = still.copy()
    wrist = HUMANML3D.joint_names.index("left_wrist")
    moved[:, wrist] += 0.05
    changed = (joints_to_features(still, HUMANML3D) != joints_to_features(moved, HUMANML3D)).any(0)
    own = joint_columns(HUMANML3D.joints, [wrist])
    assert len(own) == 12
    assert {int(k) for k in changed.nonzero()[0]} <= set(own)


def test_each_body_part_has_codes_of_its_own() -> None:
    torch.manual_seed(0)
    sizes = replace(SMALL, upper_joints=upper_body(HUMANML3D), encoder_width=12)
    tokenizer = MotionTokenizer(sizes).eval()
    # Codes among the latents: of an untrained encoder those lie close together.
    latents = tokenizer.latents(torch.randn(4, 32, 263)).detach().flatten(0, 1)
    tokenizer.codebook.vectors.copy_(torch.cat(latents.chunk(2, -1)))
    features = torch.randn(2, 24, 263)
    codes = tokenizer.encode(features)
    assert codes.shape == (2, 12)
    upper = joint_columns(22, upper_body(HUMANML3D))
    other = features.clone()
    other[..., upper] = torch.randn(2, 24, len(upper))
    assert torch.equal(tokenizer.encode(other)[:, 0::2], codes[:, 0::2])
    assert not torch.equal(tokenizer.encode(other)[:, 1::2], codes[:, 1::2])
    vectors = tokenizer.codebook.lookup(codes)
    assert torch.equal(vectors[0, 3, :4], tokenizer.codebook.vectors[codes[0, 6]])
    assert torch.equal(vectors[0, 3, 4:], tokenizer.codebook.vectors[32 + codes[0, 7]])
    assert tokenizer.decode(codes, torch.tensor([6, 4])).shape == features.shape


def test_sizes_that_fit_no_body_are_refused() -> None:
    with pytest.raises(ValueError, match="upper_joints: expected joints from 1 to 21"):
        replace(SMALL, upper_joints=(3, 22))
    with pytest.raises(ValueError, match="code_width: expected an even number"):
        replace(SMALL, upper_joints=(3,), code_width=7)
    model = size_named("mini", HUMANML3D).model()
    with pytest.raises(ValueError, match=r"codebooks: expected the same .* found 1 and 8"):
        replace(model, generator=replace(model.generator, codebooks=1))


def test_two_codebooks_learn_as_one_each_would() -> None:
    latents = torch.randn(256, 6, generator=torch.Generator().manual_seed(0))
    both, first = Codebook(8, 6, 0.9, parts=2), Codebook(8, 3, 0.9)
    for step in range(5):
        both.learn(latents, torch.Generator().manual_seed(step))
        first.learn(latents[:, :3], torch.Generator().manual_seed(step))
    torch.testing.assert_close(both.vectors[:8], first.vectors)
    assert (both.vectors[8:] != 0).any()
    found = both.nearest(latents).unflatten(-1, (-1, 2))
    assert torch.equal(found[:, 0], first.nearest(latents[:, :3]))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), [(3, 1, 9, 9), (4, 2, 1, 1), (1, 1, 0, 1)]
)
def test_convolutions_in_channels_last_order_are_torchs_own(
    kernel: int, stride: int, padding: int, dilation: int
) -> None:
    torch.manual_seed(0)
    ours = ChannelsLastConv(6, 8, kernel, stride, padding, dilation)
    own = torch.nn.Conv1d(6, 8, kernel, stride, padding, dilation)
    own.load_state_dict(ours.state_dict())
    x = torch.randn(3, 6, 20)
    found = []
    for conv in (ours, own):
        given = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            output = conv(given)
        output.float().square().sum().backward()
        found.append([output.float(), given.grad, conv.weight.grad, conv.bias.grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2 * float(other.detach().abs().max()))
    torch.testing.assert_close(ours(x), own(x), rtol=0, atol=1e-6)


def test_a_pointwise_convolution_in_half_precision_is_that_in_full() -> None:
    torch.manual_seed(0)
    convolution, x = ChannelsLastConv(8, 6, 1), torch.randn(2, 8, 5)
    with torch.autocast("cpu", torch.bfloat16):
        half = convolution(x)
    assert half.dtype == torch.bfloat16 and half.shape == (2, 6, 5)
    torch.testing.assert_close(half.float(), convolution(x), atol=0.03, rtol=0.03)


def test_ranks_drop_the_quantizers_that_one_process_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(SMALL, quantizers=3, quantizer_dropout=0.5)
    tokenizer = MotionTokenizer(config).train()
    levels = [torch.full((8, 2, 8), float(level)) for level in range(3)]

    def read(rows: slice) -> torch.Tensor:
        some = [level[rows] for level in levels]
        return tokenizer._without_some_quantizers(some, torch.Generator().manual_seed(1))

    alone = read(slice(None))
    assert len(alone[:, 0, 0].unique()) == 3
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        rows = slice(4 * rank, 4 * rank + 4)
        assert torch.equal(read(rows), alone[rows])
