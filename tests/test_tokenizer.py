"""The motion tokenizer: shapes, padding, codebook learning."""

from __future__ import annotations

import torch

from lamp_cli.model.tokenizer import Codebook, MotionTokenizer, TokenizerConfig

SMALL = TokenizerConfig(width=16, code_width=8, codes=32)


def _tokenizer() -> MotionTokenizer:
    torch.manual_seed(0)
    return MotionTokenizer(SMALL).eval()


def test_four_frames_are_one_token() -> None:
    tokenizer = _tokenizer()
    features = torch.randn(2, 24, 263)
    assert tokenizer.latents(features).shape == (2, 6, 8)
    assert tokenizer.encode(features).shape == (2, 6)
    assert tokenizer.reconstruct(features).shape == features.shape


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
