"""Generate motions from sentences: condition, length, codes, frames, and the best of some candidates.

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
from ..model.lamp import similarity
from ..model.qformer import Text
from ..motion.clean_up import clean_up
from ..motion.representation import features_to_joints
from .embed import encode_text
from .precision import FP32, in_precision

BATCH_SIZE = 32
# Of two draws for a prompt, one right and one wrong, the right one came first in 63 %; by the cosine alone in
# 63 %, by the likelihood alone in 55 % (third prompts of python -m examples.judge.generation, five runs with
# guidance from 1.5 to 3, a generator without ``remaining_tokens``). Which share is best differs by run.
LIKELIHOOD_SHARE = 1 / 3


@dataclass(frozen=True)
class Prompt:
    """A sentence and, when it is known, the motion's length in frames."""

    text: str
    frames: int | None = None


@dataclass(frozen=True)
class GenerateOptions:
    """Sampling, how many motions per prompt, and the seed all randomness is drawn from.

    Each motion is the one of ``candidates`` draws that LaMP itself finds nearest to the sentence; 1, the
    paper's way, keeps whatever is drawn. ``clean_up`` holds planted feet, bone lengths and the floor in the
    joints (``motion/footskate``); the features stay the network's. ``precision`` is that of the generator,
    which takes most of the time: bf16 is about twice as fast where the processor has it.
    """

    seed: int = 0
    samples: int = 1
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    clean_up: bool = True
    candidates: int = 1
    precision: str = FP32


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

    Each candidate's random stream comes from the seed, its sentence's bytes and its number, so neither the
    other prompts nor their order change it. Raises ``ValueError`` for an empty sentence, a length the bundle
    was not made for, or a precision the device does not have.
    """
    in_precision(options.precision, bundle.device)
    for prompt in prompts:
        check_prompt(bundle, prompt)
    work = [(prompt, number) for prompt in prompts for number in range(options.samples)]
    size = max(1, BATCH_SIZE // options.candidates)
    for begin in range(0, len(work), size):
        yield from _generate_batch(bundle, work[begin : begin + size], options)


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
    drawn = [(prompt, number) for prompt, number in work for _ in range(options.candidates)]
    numbers = list(range(options.candidates)) * len(work)
    streams = [
        _stream(options.seed, prompt.text, number, candidate)
        for (prompt, number), candidate in zip(drawn, numbers, strict=True)
    ]
    sentences = list(dict.fromkeys(prompt.text for prompt, _ in drawn))
    whose = torch.tensor([sentences.index(prompt.text) for prompt, _ in drawn], device=bundle.device)
    limit = bundle.lamp.config.qformer.text_tokens
    text = encode_text(bundle.vocabulary, sentences, limit, bundle.device)
    words = bundle.lamp.qformer.text(text)
    condition = bundle.text_to_motion.condition(bundle.lamp, words, text.mask)
    predicted = bundle.text_to_motion.length.sample(words[whose, 0], streams)
    tokens = _token_counts(bundle, [prompt.frames for prompt, _ in drawn], predicted)
    with in_precision(options.precision, bundle.device):
        codes = sample(bundle.text_to_motion.generator, condition, tokens, options.sampling, streams, whose)
    features = bundle.tokenizer.decode(codes, tokens).float()
    said = _Said(Text(text.ids[whose], text.mask[whose]), bundle.lamp.project_words(words)[whose])
    chosen = _nearest(bundle, said, features, tokens, options.candidates)
    for (prompt, number), row in zip(work, chosen, strict=True):
        frames = prompt.frames or int(tokens[row]) * bundle.tokenizer.config.frames_per_token
        own = bundle.statistics.denormalise(features[row, :frames].cpu().numpy())
        joints = features_to_joints(own, bundle.skeleton)
        if options.clean_up:
            joints = clean_up(joints, own[:, -4:], bundle.skeleton)
        yield GeneratedMotion(prompt, number, joints, own)


@dataclass(frozen=True)
class _Said:
    """Each draw's sentence, and its unit vector (B, E) in the space it shares with motions."""

    text: Text
    embedding: Tensor


def _nearest(bundle: Bundle, said: _Said, features: Tensor, tokens: Tensor, candidates: int) -> list[int]:
    """Of every ``candidates`` rows in turn the one whose motion is nearest to its sentence.

    ``features`` (B, T, C) are normalised. Nearness is the contrastive logit, and a share of the sentence's
    log-likelihood given the motion, where LaMP was trained to foretell it: the one is about the sentence as a
    whole, the other about every word.
    """
    if candidates == 1:
        return list(range(len(features)))
    lengths = tokens * bundle.tokenizer.config.frames_per_token
    mask = torch.arange(features.shape[1] // bundle.tokenizer.config.frames_per_token, device=tokens.device)
    motion = bundle.lamp.motion_context(bundle.tokenizer.latents(features, lengths), mask < tokens[:, None])
    lamp = bundle.lamp
    queries, likelihood = lamp.log_likelihood(motion, said.text)
    nearness = similarity(lamp.project_queries(queries), said.embedding).diagonal() / lamp.temperature
    if lamp.config.text_generation:
        nearness = nearness + LIKELIHOOD_SHARE * likelihood
    best = nearness.unflatten(0, (-1, candidates)).argmax(1)
    return (best + candidates * torch.arange(len(best), device=best.device)).tolist()


def _token_counts(bundle: Bundle, frames: Sequence[int | None], predicted: Tensor) -> Tensor:
    step = bundle.tokenizer.config.frames_per_token
    counts = [int(p) if f is None else -(-f // step) for f, p in zip(frames, predicted, strict=True)]
    return torch.tensor(counts, device=bundle.device)


def _stream(seed: int, text: str, number: int, candidate: int) -> torch.Generator:
    # The first candidate is what is drawn when there is only one.
    key = f"{seed}\n{number}\n{text}" if candidate == 0 else f"{seed}\n{number}.{candidate}\n{text}"
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big"))
