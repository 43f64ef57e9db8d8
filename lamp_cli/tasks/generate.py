"""Generate motions from sentences: condition, length, codes, frames.

Source: LaMP section 3 (LaMP-T2M). What a notebook would import; writes no files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..bundle.bundle import Bundle
from ..model.generator import SamplingOptions, sample
from ..motion.footskate import clean_up
from ..motion.representation import features_to_joints
from .lamp_stage import encode_text

BATCH_SIZE = 32


@dataclass(frozen=True)
class Prompt:
    """A sentence and, when it is known, the motion's length in frames."""

    text: str
    frames: int | None = None


@dataclass(frozen=True)
class GenerateOptions:
    """Sampling, how many motions per prompt, and the seed all randomness is drawn from.

    ``clean_up`` holds planted feet, bone lengths and the floor in the joints (``motion/footskate``); the
    features stay the network's.
    """

    seed: int = 0
    samples: int = 1
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    clean_up: bool = True


@dataclass(frozen=True)
class GeneratedMotion:
    """Joints (T, J, 3) in metres and features (T, 12J-1) of one sample of one prompt."""

    prompt: Prompt
    sample: int
    joints: np.ndarray
    features: np.ndarray


def generate(
    bundle: Bundle, prompts: Sequence[Prompt], options: GenerateOptions
) -> Iterator[GeneratedMotion]:
    """Motions for every prompt, ``options.samples`` each, in order; computed in batches.

    Each motion's random stream comes from the seed, its sentence's bytes and its sample number, so
    neither the other prompts nor their order change it. Raises ``ValueError`` for an empty sentence
    or a length the bundle was not made for.
    """
    for prompt in prompts:
        check_prompt(bundle, prompt)
    work = [(prompt, number) for prompt in prompts for number in range(options.samples)]
    for begin in range(0, len(work), BATCH_SIZE):
        yield from _generate_batch(bundle, work[begin : begin + BATCH_SIZE], options)


def frames_range(bundle: Bundle) -> tuple[int, int]:
    """Fewest and most frames the bundle generates."""
    step = bundle.tokenizer.config.frames_per_token
    return step, step * bundle.text_to_motion.generator.config.max_tokens


def check_prompt(bundle: Bundle, prompt: Prompt) -> None:
    """Raise ``ValueError`` for a prompt that cannot be served."""
    if not prompt.text.strip():
        raise ValueError("the prompt is empty; expected a sentence")
    least, most = frames_range(bundle)
    if prompt.frames is not None and not least <= prompt.frames <= most:
        fps = bundle.config.fps
        raise ValueError(
            f"{prompt.frames} frames ({prompt.frames / fps:.4g} s): this model makes motions of "
            f"{least} to {most} frames ({least / fps:.4g} to {most / fps:.4g} s)"
        )


@torch.no_grad()
def _generate_batch(
    bundle: Bundle, work: Sequence[tuple[Prompt, int]], options: GenerateOptions
) -> Iterator[GeneratedMotion]:
    streams = [_stream(options.seed, prompt.text, number) for prompt, number in work]
    limit = bundle.lamp.config.qformer.text_tokens
    text = encode_text(bundle.vocabulary, [prompt.text for prompt, _ in work], limit, bundle.device)
    words = bundle.lamp.qformer.text(text)
    condition = bundle.text_to_motion.condition(bundle.lamp, words, text.mask)
    predicted = bundle.text_to_motion.length.sample(words[:, 0], streams)
    tokens = _token_counts(bundle, [prompt.frames for prompt, _ in work], predicted)
    codes = sample(bundle.text_to_motion.generator, condition, tokens, options.sampling, streams)
    features = bundle.tokenizer.decode(codes, tokens).float().cpu().numpy()
    for row, (prompt, number) in enumerate(work):
        frames = prompt.frames or int(tokens[row]) * bundle.tokenizer.config.frames_per_token
        own = bundle.statistics.denormalise(features[row, :frames])
        joints = features_to_joints(own, bundle.skeleton)
        if options.clean_up:
            joints = clean_up(joints, own[:, -4:], bundle.skeleton)
        yield GeneratedMotion(prompt, number, joints, own)


def _token_counts(bundle: Bundle, frames: Sequence[int | None], predicted: Tensor) -> Tensor:
    step = bundle.tokenizer.config.frames_per_token
    counts = [int(p) if f is None else -(-f // step) for f, p in zip(frames, predicted, strict=True)]
    return torch.tensor(counts, device=bundle.device)


def _stream(seed: int, text: str, number: int) -> torch.Generator:
    key = hashlib.sha256(f"{seed}\n{number}\n{text}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:7], "big"))
