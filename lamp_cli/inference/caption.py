"""Say in a sentence what a motion shows.

Source: LaMP section 3 (LaMP-M2T): the motion transformer's query outputs are the prefix of a causal
language model. A take longer than the model's window is cut into equal pieces, each captioned alone.
Reads and writes no files.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..bundle.bundle import Bundle
from ..data.batches import batched
from ..model.captioner import Captioner
from ..model.decoding import DecodingOptions
from ..motion.clip_length import FRAMES_PER_TOKEN, LONGEST_CLIP
from ..motion.motion import Motion
from ..motion.representation import joints_to_features
from . import BATCH_SIZE
from .caption_tokens import CaptionTokenizer, caption_tokenizer
from .embed import embed_motions, embed_texts, motion_context, similarity
from .index.library import part_bounds


@dataclass(frozen=True)
class CaptionOptions:
    """How motions are captioned.

    decoding: beams, candidates, and whether words are drawn.
    prompt: what every caption begins with.
    moments: keep the captions of a long take's pieces apart.
    seed: of words that are drawn.
    batch_size: windows captioned at once.
    """

    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    prompt: str = ""
    moments: bool = False
    seed: int = 0
    batch_size: int = BATCH_SIZE


@dataclass(frozen=True)
class ScoredCaption:
    """A sentence and its mean log-probability per token."""

    text: str
    score: float


@dataclass(frozen=True)
class Piece:
    """Features (T, C) of frames ``start``..``end`` of a take at the model's rate; ``part`` names whose."""

    start: int
    end: int
    features: np.ndarray
    part: str = ""


@dataclass(frozen=True)
class Moment:
    """What happens from ``start`` to ``end`` (seconds); ``captions`` are its candidates, the best first."""

    start: float
    end: float
    captions: tuple[ScoredCaption, ...]

    @property
    def text(self) -> str:
        """The best caption."""
        return self.captions[0].text


def caption(bundle: Bundle, motions: Iterable[Motion], options: CaptionOptions) -> Iterator[list[Moment]]:
    """The moments of every motion, in order; one moment, the whole, unless ``options.moments``.

    The caption of a long take as a whole is that of its pieces which LaMP finds truest of all of them:
    the highest mean similarity. Raises ``ValueError`` for a motion that cannot be captioned or a bundle
    that holds no captioner.
    """
    takes = (pieces_of(bundle, motion, options.moments) for motion in motions)
    yield from caption_pieces(bundle, takes, options)


def pieces_of(bundle: Bundle, motion: Motion, by_parts: bool = False) -> list[Piece]:
    """A motion as pieces of at most 196 frames, as long as each other, each facing +z at its start.

    by_parts: pieces of a motion that has parts are those, or lie within one.

    Raises ``ValueError`` for another skeleton or too few frames.
    """
    skeleton, where = bundle.skeleton, f"{motion.source}: " if motion.source else ""
    if motion.skeleton.name != skeleton.name:
        known = f"{bundle.config.name} was trained on {skeleton.name}"
        raise ValueError(f"{where}a {motion.skeleton.name} motion ({motion.skeleton.joints} joints); {known}")
    joints = motion.joints_at(skeleton.fps)
    frames = len(joints) - 1 if motion.features is None else len(motion.features)
    if frames < FRAMES_PER_TOKEN:
        least = FRAMES_PER_TOKEN + 1 if motion.features is None else FRAMES_PER_TOKEN
        plural = "" if len(joints) == 1 else "s"
        raise ValueError(f"{where}{len(joints)} frame{plural}; a caption needs at least {least}")
    spans = part_bounds(motion, skeleton) if by_parts else []
    if motion.features is not None and frames <= LONGEST_CLIP and not spans:
        return [Piece(0, frames, motion.features)]
    pieces = []
    for number, (first, last) in enumerate(spans or [(0, len(joints) - 1)]):
        bounds = np.linspace(first, last, -(-(last - first) // LONGEST_CLIP) + 1).astype(int).tolist()
        for start, end in itertools.pairwise(bounds):
            features = joints_to_features(joints[start : end + 1], skeleton)
            pieces.append(Piece(start, end, features, f"{number}" if spans else ""))
    return pieces


def caption_pieces(
    bundle: Bundle,
    takes: Iterable[Sequence[Piece]],
    options: CaptionOptions,
    advance: Callable[[float, str], None] = lambda count, detail: None,
) -> Iterator[list[Moment]]:
    """As :func:`caption`, of motions already cut by :func:`pieces_of`.

    ``advance(count, detail)`` is told after every batch how many motions were done meanwhile: of a long one
    the share of its pieces.
    """
    waiting: list[Sequence[Piece]] = []
    for take in takes:
        waiting.append(take)
        if sum(map(len, waiting)) >= options.batch_size:
            yield from _moments_of_takes(bundle, waiting, options, advance)
            waiting = []
    yield from _moments_of_takes(bundle, waiting, options, advance)


def caption_features(
    bundle: Bundle,
    features: Sequence[np.ndarray],
    options: CaptionOptions,
    show: Callable[[int], None] = lambda done: None,
) -> list[tuple[ScoredCaption, ...]]:
    """Candidates, the best first, for features (T_i, C), T_i up to 196; computed in batches.

    ``show(done)`` is told after each how many there are. Drawn words depend on the seed and the motion alone,
    so neighbours and order change nothing beyond rounding. Raises ``ValueError`` when the bundle holds no
    captioner or the prompt is too long.
    """
    captioner = bundle.captioner
    if captioner is None:
        raise ValueError(f"{bundle.config.name}: this bundle was loaded without a captioner")
    tokenizer = caption_tokenizer(captioner, bundle.vocabulary)
    found: list[tuple[ScoredCaption, ...]] = []
    for part in batched(features, options.batch_size):
        found += _caption_batch(bundle, captioner, tokenizer, part, options)
        show(len(found))
    return found


@torch.no_grad()
def _caption_batch(
    bundle: Bundle,
    captioner: Captioner,
    tokenizer: CaptionTokenizer,
    features: Sequence[np.ndarray],
    options: CaptionOptions,
) -> list[tuple[ScoredCaption, ...]]:
    queries = captioner.queries(bundle.lamp, motion_context(bundle, features))
    prompt = tokenizer.encode([options.prompt])[0] if options.prompt.strip() else []
    streams = [_stream(options.seed, motion) for motion in features]
    return [
        tuple(ScoredCaption(tokenizer.decode([*prompt, *s.ids]), s.score) for s in sentences)
        for sentences in captioner.captions(queries, prompt, options.decoding, streams)
    ]


def _moments_of_takes(
    bundle: Bundle,
    takes: Sequence[Sequence[Piece]],
    options: CaptionOptions,
    advance: Callable[[float, str], None],
) -> Iterator[list[Moment]]:
    features = [piece.features for take in takes for piece in take]
    shares = np.cumsum([0.0, *(1 / len(take) for take in takes for _ in take)])
    before = 0

    def show(done: int) -> None:
        nonlocal before
        detail = f"{done} of {len(features)} pieces" if len(features) > len(takes) else ""
        advance(float(shares[done] - shares[before]), detail)
        before = done

    captions = iter(caption_features(bundle, features, options, show))
    for take in takes:
        own = list(itertools.islice(captions, len(take)))
        yield _moments(bundle, take, own) if options.moments else [_whole(bundle, take, own)]


def _moments(
    bundle: Bundle, take: Sequence[Piece], captions: Sequence[tuple[ScoredCaption, ...]]
) -> list[Moment]:
    """One moment per piece; neighbours with the same caption are one, with the better score's candidates.

    Those of two parts stay two.
    """
    fps = bundle.skeleton.fps
    moments: list[Moment] = []
    last = ""
    for piece, own in zip(take, captions, strict=True):
        moment, before_part, last = Moment(piece.start / fps, piece.end / fps, own), last, piece.part
        if moments and moments[-1].text == moment.text and piece.part == before_part:
            before = moments.pop()
            better = max(before.captions, own, key=lambda candidates: candidates[0].score)
            moment = Moment(before.start, moment.end, better)
        moments.append(moment)
    return moments


def _whole(bundle: Bundle, take: Sequence[Piece], captions: Sequence[tuple[ScoredCaption, ...]]) -> Moment:
    seconds = take[0].start / bundle.skeleton.fps, take[-1].end / bundle.skeleton.fps
    if len(take) == 1:
        return Moment(*seconds, captions[0])
    texts = embed_texts(bundle, [own[0].text for own in captions])
    # A few pieces at a time: an hour of motion has hundreds.
    similarities = [
        similarity(embed_motions(bundle, [piece.features for piece in part]), texts)
        for part in batched(take, BATCH_SIZE)
    ]
    return Moment(*seconds, captions[int(np.concatenate(similarities).mean(0).argmax())])


def _stream(seed: int, features: np.ndarray) -> torch.Generator:
    key = hashlib.sha256(f"{seed}\n".encode() + np.ascontiguousarray(features, np.float32).tobytes()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:7], "big"))
