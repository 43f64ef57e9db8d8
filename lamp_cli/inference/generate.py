"""Generate motions from sentences: condition, length, codes, frames, and the best of some candidates.

A motion of several sentences is made part by part: the last tokens of what is there stand as known codes
before those that are drawn for the next sentence, and the codes of all parts are decoded together.

Source: LaMP section 3 (LaMP-T2M). Writes no files.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise

import torch
from torch import Tensor

from ..bundle.bundle import Bundle
from ..data.batches import batched
from ..model.generator import GeneratorConfig
from ..model.sampling import SamplingOptions, sample
from ..model.text_to_motion import TextToMotion
from ..motion.clean_up import clean_up
from ..motion.motion import Motion, MotionPart
from ..motion.representation import features_to_joints
from . import BATCH_SIZE
from .candidates import best_candidates, embedded_rows, fits, is_undone, undone_of
from .embed import encode_condition, require_motion_side
from .precision import FP32, in_precision
from .sequence import plain_sentences, sentences_in_a_row
from .spelling import as_read

# Of a sentence of several actions that is to be of a given length no part is shorter.
LEAST_PART_SECONDS = 1.0
# How often a sentence is drawn anew in its plainest words where no draw has done all of it.
FURTHER_ROUNDS = 2
# More of them last longer than the check of joints looks for actions in a row.
MOST_IN_A_ROW = 5


@dataclass(frozen=True)
class Prompt:
    """A sentence and, when it is known, the motion's length in frames.

    text: the sentence.
    frames: the length; None: predicted. Of a part that another follows, it is rounded up to whole tokens; of
        one of several it may be any.
    then: what follows in the same motion, each from the pose, place and heading in which the one before ends.
    seed: of this part alone; None: that of the options.
    unconditioned: there is no sentence: the generator makes what it will, by its logits without a condition.
    goes_on: whether it is more of the part before, which was too long to be made at once.
    """

    text: str
    frames: int | None = None
    then: tuple[Prompt, ...] = ()
    seed: int | None = None
    unconditioned: bool = False
    goes_on: bool = False

    @property
    def parts(self) -> tuple[Prompt, ...]:
        """The sentence alone and what follows it, in order."""
        return (replace(self, then=()), *(part for prompt in self.then for part in prompt.parts))

    @property
    def sentence(self) -> str:
        """The sentences of all parts as one."""
        return ", then ".join(part.text for part in self.parts if part.text and not part.goes_on)


@dataclass(frozen=True)
class DrawOptions:
    """How something is drawn.

    seed: all randomness is drawn from it.
    samples: results of one prompt or span.
    sampling: steps, guidance and temperature of the generator.
    candidates: draws per result, of which the best is kept; None is the generator's own number.
    precision: of the generator, which takes most of the time: fp32, or bf16 where the device has it.
    context_tokens: of what lies beside, which the generator is told; None: as many as suit.

    Raises ``ValueError`` for fewer than one sample or candidate, or context tokens below 0.
    """

    seed: int = 0
    samples: int = 1
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    candidates: int | None = None
    precision: str = FP32
    context_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.context_tokens is not None and self.context_tokens < 0:
            raise ValueError(f"context_tokens: expected 0 or more, found {self.context_tokens}")
        for name, number in (("samples", self.samples), ("candidates", self.candidates)):
            if number is not None and number < 1:
                raise ValueError(f"{name}: expected at least 1, found {number}")


@dataclass(frozen=True)
class GenerateOptions(DrawOptions):
    """How motions are generated.

    clean_up: hold planted feet, bone lengths and the floor in the joints; features stay the network's.
    candidates: the one is kept that does most of what its sentence asks for, as the check of joints sees it,
        and of those the one that LaMP finds nearest to the sentence. Where none does all of it, as many are
        drawn again: of several actions one after the other, then of what is asked for in the plainest words
        that the model has learned, and what does more is kept. 1, the paper's way, keeps whatever is drawn.
    context_tokens: of the part before, from which the next part of a motion goes on. More of them hold
        lamp-mini in what it did: its clips begin standing. The decoder smooths the seam.
    """

    context_tokens: int = 1
    clean_up: bool = field(default=True, kw_only=True)

    def for_generator(self, config: GeneratorConfig | None) -> GenerateOptions:
        """These options with the generator's own number of candidates where they give none."""
        return replace(self, candidates=self.candidates or (1 if config is None else config.candidates))


@dataclass(frozen=True)
class Draw:
    """One motion to make: the prompt and the number that, with seed and sentence, names its random stream."""

    prompt: Prompt
    sample: int


@dataclass(frozen=True)
class _Round:
    """A prompt that asks for the same in other words or parts; the number of the round tells draws apart."""

    prompt: Prompt
    number: int = 0


@dataclass(frozen=True)
class Kept:
    """The candidate that was kept.

    codes: (N,).
    features: normalised, (T, C).
    undone: how much of its sentence the check of joints does not find done; None: nothing was checked.
    """

    codes: Tensor
    features: Tensor
    undone: float | None


def draws_of(prompts: Sequence[Prompt], samples: int) -> list[Draw]:
    """``samples`` draws of every prompt, in order.

    A sentence that occurs again counts on: its draws are those that more samples of the first would have
    been, so that a sentence three times in a list gives three motions.
    """
    seen: Counter[str] = Counter()
    draws = []
    for prompt in prompts:
        draws += [Draw(prompt, seen[prompt.sentence] + number) for number in range(samples)]
        seen[prompt.sentence] += samples
    return draws


def generate(bundle: Bundle, prompts: Sequence[Prompt], options: GenerateOptions) -> Iterator[Motion]:
    """Motions for every prompt, in the order of :func:`draws_of`; computed in batches.

    Each motion carries its sentence as ``text`` and the network's own ``features`` (T, C). Each candidate's
    random stream comes from the seed, the bytes of its sentence as it is read, and its number, so neither
    other sentences nor their order change it. Raises ``ValueError`` for an empty sentence, a length the
    bundle was not made for, a precision the device does not have, or several candidates where LaMP cannot
    judge them.
    """
    for prompt in prompts:
        check_prompt(bundle, prompt, options.context_tokens)
    yield from generate_draws(bundle, draws_of(prompts, options.samples), options)


def generate_draws(bundle: Bundle, draws: Sequence[Draw], options: GenerateOptions) -> Iterator[Motion]:
    """As :func:`generate`, of draws whose prompts the bundle serves; ``options.samples`` is not looked at."""
    in_precision(options.precision, bundle.device)
    options = options.for_generator(bundle.config.model.generator)
    assert options.candidates is not None
    if options.candidates > 1:
        require_motion_side(bundle, "expected --candidates 1")
    size = max(1, BATCH_SIZE // options.candidates)
    kinds = groupby(draws, lambda draw: (bool(draw.prompt.then), draw.prompt.unconditioned))
    for (of_parts, unconditioned), group in kinds:
        if of_parts:
            yield from (_generate_parts(bundle, draw, options) for draw in group)
            continue
        for batch in batched(list(group), BATCH_SIZE if unconditioned else size):
            yield from _generate_batch(bundle, batch, _options_of(batch[0].prompt, options))


def _options_of(prompt: Prompt, options: GenerateOptions) -> GenerateOptions:
    """Those for a part: without a sentence nothing guides, and nothing tells the best of several draws."""
    if not prompt.unconditioned:
        return options
    return replace(options, candidates=1, sampling=replace(options.sampling, guidance=0.0))


def frames_of_seconds(seconds: float, fps: float) -> int:
    """The frames of a length in seconds; raises ``ValueError`` unless it is above 0 and finite."""
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds {seconds:g}: expected a length above 0")
    return max(1, round(seconds * fps))


def frames_range(bundle: Bundle) -> tuple[int, int]:
    """Fewest and most frames the bundle generates for a sentence."""
    step = bundle.tokenizer.config.frames_per_token
    return step, step * text_to_motion_of(bundle).generator.config.max_tokens


def in_pieces(bundle: Bundle, prompt: Prompt, context_tokens: int = GenerateOptions.context_tokens) -> Prompt:
    """The prompt with every part that is too long to be made at once in pieces of about the same length."""
    step, longest = frames_range(bundle)
    most = longest - step * _context(bundle, context_tokens)
    pieces: list[Prompt] = []
    for part in prompt.parts:
        frames = part.frames
        if frames is None or frames <= (most if pieces else longest):
            pieces.append(part)
            continue
        count = -(-frames // most)
        bounds = [*(step * round(number * frames / count / step) for number in range(count)), frames]
        lengths = [end - start for start, end in pairwise(bounds)]
        pieces += [replace(part, frames=n, goes_on=part.goes_on or k > 0) for k, n in enumerate(lengths)]
    return replace(pieces[0], then=tuple(pieces[1:]))


def _context(bundle: Bundle, tokens: int) -> int:
    """So many tokens of the part before, or fewer where they would leave less than half to the next."""
    return min(tokens, text_to_motion_of(bundle).generator.config.max_tokens // 2)


def text_to_motion_of(bundle: Bundle) -> TextToMotion:
    if bundle.text_to_motion is None:
        raise ValueError(f"{bundle.config.name}: this bundle has no generator")
    return bundle.text_to_motion


def check_prompt(
    bundle: Bundle, prompt: Prompt, context_tokens: int = GenerateOptions.context_tokens
) -> None:
    """Raise ``ValueError`` for a prompt that cannot be served, or one of whose parts cannot be.

    A part of several may be of any length: it is made in pieces.
    """
    if prompt.then:
        prompt = in_pieces(bundle, prompt, context_tokens)
    for number, part in enumerate(prompt.parts):
        try:
            _check_part(bundle, part, _context(bundle, context_tokens) if number else 0)
        except ValueError as error:
            raise ValueError(f"part {number + 1}: {error}" if prompt.then else str(error)) from None


def _check_part(bundle: Bundle, prompt: Prompt, context: int) -> None:
    if not prompt.text.strip() and not prompt.unconditioned:
        raise ValueError("the prompt is empty; expected a sentence")
    least, most = frames_range(bundle)
    most -= least * context
    if prompt.frames is None and text_to_motion_of(bundle).length is None:
        raise ValueError(
            f"{bundle.config.name}: this model predicts no lengths; expected one in frames or seconds"
        )
    if prompt.frames is not None and not least <= prompt.frames <= most:
        fps = bundle.config.fps
        raise ValueError(
            f"{prompt.frames} frames ({prompt.frames / fps:.4g} s): this model makes "
            f"{'parts after the first' if context else 'motions'} of "
            f"{least} to {most} frames ({least / fps:.4g} to {most / fps:.4g} s)"
        )


def _generate_batch(bundle: Bundle, draws: Sequence[Draw], options: GenerateOptions) -> Iterator[Motion]:
    streams = [stream for draw in draws for stream in _streams(bundle, draw, 1, options)]
    kept = _best_of_candidates(bundle, [draw.prompt for draw in draws], streams, options)
    for draw, one in zip(draws, kept, strict=True):
        motion = _motion(bundle, draw, one.features, options)
        yield _drawn_further(bundle, draw, options, motion) if is_undone(one.undone) else motion


def _drawn_further(bundle: Bundle, draw: Draw, options: GenerateOptions, best: Motion) -> Motion:
    """Of a motion that does not do all of its sentence and of those of further rounds the best.

    A round is drawn only where none before has done all; of equals the first is kept. Motions are compared as
    they are handed out, with feet and bones held.
    """
    [sentence] = as_read(bundle, [draw.prompt.text])
    [left] = undone_of(bundle.skeleton, [best.joints], [sentence])
    assert best.candidates is not None
    drawn = best.candidates
    for further in _rounds(bundle, draw.prompt, sentence):
        if not is_undone(left):
            break
        motion = _generate_round(bundle, draw, further, options)
        assert motion.candidates is not None
        drawn += motion.candidates
        [undone] = undone_of(bundle.skeleton, [motion.joints], [sentence])
        if undone is not None and undone < left:
            best, left = replace(motion, text=draw.prompt.text), undone
    return replace(best, candidates=drawn)


def _rounds(bundle: Bundle, prompt: Prompt, sentence: str) -> Iterator[_Round]:
    """The rounds in which the same is drawn again: several actions one by one, then in plainer words."""
    rows = dict.fromkeys((sentences_in_a_row(sentence), plain_sentences(sentence)))
    prompts = [_divided(bundle, prompt, row) for row in rows if row and row != (sentence,)]
    asked = [one for one in prompts if one is not None]
    yield from (_Round(one) for one in asked)
    for number in range(1, FURTHER_ROUNDS):
        yield from (_Round(one, number) for one in (asked or [prompt])[-1:])


def _generate_round(bundle: Bundle, draw: Draw, further: _Round, options: GenerateOptions) -> Motion:
    draw = replace(draw, prompt=further.prompt)
    if further.prompt.then:
        return _generate_parts(bundle, draw, options, further.number)
    streams = _streams(bundle, draw, 1, options, further.number)
    [kept] = _best_of_candidates(bundle, [further.prompt], streams, options)
    return _motion(bundle, draw, kept.features, options)


def _divided(bundle: Bundle, prompt: Prompt, sentences: Sequence[str]) -> Prompt | None:
    """A prompt with a part for each sentence, as long together; None for too many or too short ones."""
    if len(sentences) > MOST_IN_A_ROW:
        return None
    if len(sentences) == 1:
        return replace(prompt, text=sentences[0])
    counts: list[int | None] = [None] * len(sentences)
    if prompt.frames is not None:
        step = bundle.tokenizer.config.frames_per_token
        each = prompt.frames // len(sentences) // step * step
        counts = [*[each] * (len(sentences) - 1), prompt.frames - each * (len(sentences) - 1)]
        if each < LEAST_PART_SECONDS * bundle.config.fps:
            return None
    parts = [replace(prompt, text=t, frames=n) for t, n in zip(sentences, counts, strict=True)]
    return replace(parts[0], then=tuple(parts[1:]))


@torch.no_grad()
def _generate_parts(bundle: Bundle, draw: Draw, options: GenerateOptions, further: int = 0) -> Motion:
    """The motion of a prompt of several parts, in a ``further`` round."""
    draw = replace(draw, prompt=in_pieces(bundle, draw.prompt, options.context_tokens))
    step, codebooks = bundle.tokenizer.config.frames_per_token, bundle.tokenizer.config.codebooks
    context = _context(bundle, options.context_tokens)
    codes = torch.empty(0, dtype=torch.long, device=bundle.device)
    parts: list[MotionPart] = []
    for number, prompt in enumerate(draw.prompt.parts, start=1):
        known = codes[max(0, len(codes) - context * codebooks) :]
        own = _options_of(prompt, options)
        streams = _streams(bundle, draw, number, own, further)
        [kept] = _best_of_candidates(bundle, [prompt], streams, own, known)
        start = step * len(codes) // codebooks
        codes = torch.cat([codes, kept.codes])
        last = number == len(draw.prompt.parts)
        end = start + len(kept.features) if last else step * len(codes) // codebooks
        if prompt.goes_on:
            start = parts.pop().start
        parts.append(MotionPart(prompt.text, start, end))
    # The decoder is convolutional: of any length, and it reads both sides of a seam.
    features = bundle.tokenizer.decode(codes[None])[0, : parts[-1].end].float()
    assert options.candidates is not None
    motion = _motion(bundle, draw, features, options)
    return replace(motion, parts=tuple(parts), candidates=options.candidates * len(parts))


@torch.no_grad()
def _best_of_candidates(
    bundle: Bundle,
    prompts: Sequence[Prompt],
    streams: Sequence[torch.Generator],
    options: GenerateOptions,
    known: Tensor | None = None,
) -> list[Kept]:
    """Each prompt's best candidate.

    ``streams`` has one generator for every candidate, a prompt's following each other. ``known`` (K,) are
    codes that come before; what is made, and judged, is what follows them.
    """
    assert options.candidates is not None
    known = None if known is None or not len(known) else known
    codebooks = bundle.tokenizer.config.codebooks
    before = 0 if known is None else len(known) // codebooks
    rows = [prompt for prompt in prompts for _ in range(options.candidates)]
    read_as = dict(zip(written := [p.text for p in prompts], as_read(bundle, written), strict=True))
    sentences = list(dict.fromkeys(read_as.values()))
    numbers = [sentences.index(read_as[prompt.text]) for prompt in rows]
    sentence_of_row = torch.tensor(numbers, device=bundle.device)
    network = text_to_motion_of(bundle)
    text = encode_condition(network, bundle.lamp, bundle.vocabulary, sentences, bundle.device)
    read = network.condition(bundle.lamp, text)
    predicted = None
    if network.length is not None:
        predicted = network.length.sample(read.feature[sentence_of_row], streams)
        predicted = predicted.clamp(max=network.generator.config.max_tokens - before)
    tokens = _token_counts(bundle, [prompt.frames for prompt in rows], predicted)
    with in_precision(options.precision, bundle.device):
        codes = sample(
            network.generator,
            read.condition,
            before + tokens,
            options.sampling,
            streams,
            sentence_of_row,
            None if known is None else known.expand(len(rows), -1),
        )
    step = bundle.tokenizer.config.frames_per_token
    features = bundle.tokenizer.decode(codes, before + tokens).float()[:, step * before :]
    counts = tokens.tolist()
    frames = [row.frames or step * count for row, count in zip(rows, counts, strict=True)]
    own = [one[:n] for one, n in zip(features, frames, strict=True)]
    chosen = list(range(len(rows)))
    left: list[float | None] = [None] * len(rows)
    if options.candidates > 1:
        made = [bundle.statistics.denormalise(one.cpu().numpy()) for one in own]
        joints = [features_to_joints(one, bundle.skeleton) for one in made]
        left = undone_of(bundle.skeleton, joints, [read_as[row.text] for row in rows])
        fit = fits(bundle, embedded_rows(bundle, sentences, sentence_of_row), features, tokens)
        chosen = best_candidates(left, fit, options.candidates)
    begin = before * codebooks
    return [Kept(codes[n, begin : begin + counts[n] * codebooks], own[n], left[n]) for n in chosen]


def _motion(bundle: Bundle, draw: Draw, normalised: Tensor, options: GenerateOptions) -> Motion:
    features = bundle.statistics.denormalise(normalised.cpu().numpy())
    joints = features_to_joints(features, bundle.skeleton)
    if options.clean_up:
        joints = clean_up(joints, features[:, -4:], bundle.skeleton)
    source = f"{bundle.config.name}, seed {options.seed}, sample {draw.sample}"
    return Motion(
        joints,
        bundle.skeleton,
        bundle.config.fps,
        source,
        features,
        text=draw.prompt.sentence,
        candidates=options.candidates,
    )


def _token_counts(bundle: Bundle, frames: Sequence[int | None], predicted: Tensor | None) -> Tensor:
    """Those of the frames that are asked for, the ``predicted`` ones (B,) elsewhere."""
    step = bundle.tokenizer.config.frames_per_token
    counts = [0] * len(frames) if predicted is None else predicted.tolist()
    counts = [count if f is None else -(-f // step) for f, count in zip(frames, counts, strict=True)]
    return torch.tensor(counts, device=bundle.device)


def _streams(
    bundle: Bundle, draw: Draw, parts: int, options: GenerateOptions, further: int = 0
) -> list[torch.Generator]:
    """The random stream of every candidate, named by the draw's first ``parts`` sentences and the round."""
    assert options.candidates is not None
    text = "\n".join(as_read(bundle, [part.text for part in draw.prompt.parts[:parts]]))
    own = draw.prompt.parts[parts - 1].seed
    seed = options.seed if own is None else own
    first = further * options.candidates
    numbers = range(first, first + options.candidates)
    return [random_stream(seed, draw.sample, candidate, text) for candidate in numbers]


def random_stream(seed: int, sample_number: int, candidate: int, text: str) -> torch.Generator:
    # The first candidate is what is drawn when there is only one.
    number = f"{sample_number}" if candidate == 0 else f"{sample_number}.{candidate}"
    key = f"{seed}\n{number}\n{text}"
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big"))
