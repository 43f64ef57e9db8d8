"""Draw a span of a motion anew: under a sentence, or as what leads from one side to the other.

What lies beside the span becomes codes, with the features between drawn as a line from side to side: so 83
% of the codes next to a span of 1.6 s are those of the whole motion, of 45 made-up clips, and 50 % where
each side is encoded alone. The generator draws the span's codes beside those. Of several draws the one is
kept that does the sentence, fits it and meets both sides best. Decoded, it is put between the motion's own
frames, which stay as they are. Writes no files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..bundle.bundle import Bundle
from ..model.generator import Condition
from ..model.known_codes import UNKNOWN
from ..model.sampling import SamplingOptions, sample
from ..model.text_to_motion import TextToMotion
from ..motion.clean_up import clean_up
from ..motion.gap import DrawnFrames, Gap, fill_gap, seam_errors
from ..motion.motion import Motion, MotionPart
from ..motion.representation import features_to_joints, joints_to_features, retarget
from ..motion.transform import at_times, resample
from .candidates import embedded_rows, fits, is_undone, ranking, undone_of
from .embed import encode_condition, require_motion_side
from .generate import DrawOptions, random_stream, text_to_motion_of
from .precision import in_precision
from .spelling import as_read

# Tokens on each side of a span that are encoded, and decoded with it: further than convolutions see.
BESIDE = 16
# Of these the generator is told so many. Where nothing is said, they alone say what comes: joints were 12 cm
# from what was there with 4 tokens, 9 with 8 and 7 with 18 (30 made-up clips). A sentence is drowned by many:
# 21 of 32 spans did what theirs says with 4 tokens, 13 with 8.
TOLD, TOLD_UNDER_SENTENCE = 16, 4
# So many draws at most are put between the motion's own frames to see whether they still do their sentence.
MOST_TRIED = 6
# Frames beyond those, which the smoothed facing of the features is of.
LEAD = 20
# What a metre, a radian and a metre of pose at the seams count against the fit to the sentence.
PLACE_WEIGHT, HEADING_WEIGHT, POSE_WEIGHT = 3.0, 2.0, 10.0


@dataclass(frozen=True)
class EditOptions(DrawOptions):
    """How a span is drawn.

    candidates: the one is kept that does most of the sentence, as the check of joints sees it, and of those
        the one that fits it and meets both sides best.
    context_tokens: on each side of the span; None: few under a sentence, many without one.
    """


@dataclass(frozen=True)
class _Window:
    """Codes around a gap, on whole tokens.

    before: codes (K,) of the tokens before it.
    after: codes of those behind it.
    within: first code's number in the gap -> the codes of a token with a kept pose.
    count: tokens of the gap.
    """

    before: Tensor
    after: Tensor
    within: dict[int, Tensor]
    count: int


@dataclass(frozen=True)
class SpanOptions:
    """Which span of a motion is drawn, in seconds.

    between: from one time to another.
    before: so many seconds before the motion begins.
    after: so many seconds after it ends.
    keep: times of poses that are kept; without ``between`` all else is drawn.
    length: of what is drawn ``between``, if another than that of the span.

    Raises ``ValueError`` unless they name one span.
    """

    between: tuple[float, float] | None = None
    before: float | None = None
    after: float | None = None
    keep: tuple[float, ...] = ()
    length: float | None = None

    def __post_init__(self) -> None:
        given = {"between": self.between, "before": self.before, "after": self.after}
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)}: expected one of them; another takes another call")
        if not named and not self.keep:
            raise ValueError(
                "no span; expected two times to draw between, seconds before or after, or poses to keep"
            )
        if self.keep and self.between is None and named:
            raise ValueError(
                f"keep and {named[0]}: expected poses to keep alone, or within what is drawn between"
            )
        if self.length is not None and (self.between is None or self.keep):
            raise ValueError(
                "length is that of what is drawn between two times; expected these, and none to keep"
            )

    def gap_of(self, motion: Motion) -> Gap:
        """The gap in a motion; raises ``ValueError`` for times that are not in order or not the motion's."""
        count, fps = len(motion), motion.fps
        if self.before is not None:
            return Gap(0, 0, _frames(self.before, fps))
        if self.after is not None:
            return Gap(count, count, _frames(self.after, fps))
        start, end = self.between or (0.0, motion.seconds)
        if not 0 <= start <= end <= motion.seconds + 0.5 / fps:
            raise ValueError(
                f"{start:g} to {end:g} s: the motion has {motion.seconds:.4g} s; "
                "expected two times of it in order"
            )
        first, last = round(start * fps), min(round(end * fps), count)
        frames = last - first if self.length is None else _frames(self.length, fps)
        if not frames:
            raise ValueError(
                f"{start:g} to {end:g} s: no frame lies between; expected {1 / fps:.3g} s or more"
            )
        for time in self.keep:
            if not start <= time <= end:
                raise ValueError(f"a pose to keep at {time:g} s: expected a time from {start:g} to {end:g} s")
        kept = {min(round(time * fps), last - 1) for time in self.keep}
        if not kept and (first, last) == (0, count):
            raise ValueError(
                f"{start:g} to {end:g} s: all of the motion would be drawn; expected a part of it, "
                "or poses to keep"
            )
        return Gap(first, last, frames, tuple(sorted(kept)))


def _frames(seconds: float, fps: float) -> int:
    if not 0 < seconds < np.inf:
        raise ValueError(f"{seconds:g} s to be drawn: expected a length above 0")
    return max(1, round(seconds * fps))


def check_gap(bundle: Bundle, motion: Motion, gap: Gap) -> None:
    """Raise ``ValueError`` for a motion or a gap that the bundle cannot serve."""
    if motion.skeleton is not bundle.skeleton:
        found, own = motion.skeleton.name, bundle.skeleton.name
        raise ValueError(f"{bundle.config.name} draws motions of {own}'s joints, found those of {found}")
    most = text_to_motion_of(bundle).generator.config.max_tokens - 2
    if _token_count(bundle, motion, gap) > most:
        longest = most * bundle.tokenizer.config.frames_per_token / bundle.config.fps
        raise ValueError(
            f"{gap.frames / motion.fps:.4g} s to be drawn: this model draws up to {longest:.4g} s at once; "
            "expected a shorter span, or several after each other"
        )


@torch.no_grad()
def edit(bundle: Bundle, motion: Motion, gap: Gap, text: str, options: EditOptions) -> Iterator[Motion]:
    """The motion with the gap drawn anew, once for every sample; what is kept is its own, bit by bit.

    ``text`` says what happens in the gap; without one it leads from side to side. ``parts`` of the result is
    the span. Raises ``ValueError`` as :func:`check_gap`, for a precision the device does not have, or
    several candidates where LaMP cannot judge them.
    """
    check_gap(bundle, motion, gap)
    text = text.strip()
    candidates = options.candidates or text_to_motion_of(bundle).generator.config.candidates
    if candidates > 1 and text:
        require_motion_side(bundle, "expected --candidates 1")
    window = _window(bundle, motion, gap)
    [read] = as_read(bundle, [text])
    for number in range(options.samples):
        streams = [random_stream(options.seed, number, candidate, read) for candidate in range(candidates)]
        codes = _draw(bundle, window, read, streams, options)
        joints = _first_that_does(motion, gap, _ranked(bundle, motion, gap, window, codes, read), read)
        yield Motion(
            joints,
            motion.skeleton,
            motion.fps,
            f"{bundle.config.name}, seed {options.seed}, sample {number}",
            text=text,
            candidates=candidates,
            parts=(MotionPart(text, gap.start, gap.stop),),
        )


def _token_count(bundle: Bundle, motion: Motion, gap: Gap) -> int:
    """The nearest number of whole tokens to a gap's length; frames last a little longer or shorter to fit."""
    frames = gap.frames / motion.fps * bundle.config.fps
    return max(1, round(frames / bundle.tokenizer.config.frames_per_token))


def _window(bundle: Bundle, motion: Motion, gap: Gap) -> _Window:
    step, codebooks = bundle.tokenizer.config.frames_per_token, bundle.tokenizer.config.codebooks
    ratio = motion.fps / bundle.config.fps
    count = _token_count(bundle, motion, gap)
    before = min(BESIDE, int(gap.start / ratio / step + 1e-6))
    after = min(BESIDE, int((len(motion) - gap.end) / ratio / step + 1e-6))
    size = before + count + after
    known = np.zeros(size * step, dtype=bool)
    rows = np.zeros((size * step, bundle.skeleton.feature_size), dtype=np.float32)
    pieces = [(0, before, gap.start - before * step * ratio, ratio)]
    pieces += [(before + count, after, float(gap.end), ratio)]
    stretch = gap.frames / (count * step)
    tokens = sorted({int((frame - gap.start) / stretch / step) for frame in gap.kept})
    pieces += [(before + token, 1, gap.start + token * step * stretch, stretch) for token in tokens]
    for first, tokens_of_piece, start, stride in pieces:
        place = slice(first * step, (first + tokens_of_piece) * step)
        rows[place] = _rows(motion, start, stride, tokens_of_piece * step)
        known[place] = True
    if not known.any():
        empty = torch.empty(0, dtype=torch.long, device=bundle.device)
        return _Window(empty, empty, {}, count)
    normalised = _line_between(bundle.statistics.normalise(rows), known)
    codes = bundle.tokenizer.encode(torch.from_numpy(normalised)[None].to(bundle.device))[0]
    of_token = codes.unflatten(0, (-1, codebooks))
    within = {token * codebooks: of_token[before + token] for token in tokens}
    return _Window(of_token[:before].flatten(), of_token[before + count :].flatten(), within, count)


def _rows(motion: Motion, start: float, stride: float, count: int) -> np.ndarray:
    """Features (``count``, C) of the frames at ``start``, ``start + stride``, ... of the motion."""
    if not count:
        return np.empty((0, motion.skeleton.feature_size), dtype=np.float32)
    lead = min(LEAD, int(start / stride))
    behind = max(1, min(LEAD, int((len(motion) - 1 - start) / stride) + 1 - count))
    times = start + stride * np.arange(-lead, count + behind)
    joints = at_times(motion.joints, times)
    rows = joints_to_features(joints, motion.skeleton)[lead : lead + count]
    # These few frames stand on their own lowest joint; the motion stands on its own.
    scaled = [retarget(each, motion.skeleton)[..., 1].min() for each in (joints, motion.joints)]
    rows[:, [3, *range(5, 4 + 3 * (motion.skeleton.joints - 1), 3)]] += (
        scaled[0] - scaled[1]
    ) * motion.skeleton.feature_units_per_metre
    return rows


def _line_between(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Rows (T, C) with those that are not ``known`` (T,) on lines between their neighbours that are."""
    times, at = np.arange(len(rows)), np.flatnonzero(known)
    return np.stack([np.interp(times, at, column[at]) for column in rows.T], axis=1).astype(np.float32)


def _draw(
    bundle: Bundle, window: _Window, text: str, streams: Sequence[torch.Generator], options: EditOptions
) -> Tensor:
    """Codes (B, K) of the gap, one row for every stream.

    A generator that was not trained to know what comes after is told what comes before alone.
    """
    network, codebooks = text_to_motion_of(bundle), bundle.tokenizer.config.codebooks
    config = network.generator.config
    before, after = len(window.before) // codebooks, len(window.after) // codebooks
    told = options.context_tokens
    told = told if told is not None else TOLD_UNDER_SENTENCE if text else TOLD
    room = config.max_tokens - window.count
    before, after = _shares(min(before, told), min(after, told) if config.known_share else 0, room)
    known = torch.full(((before + window.count + after) * codebooks,), UNKNOWN, device=bundle.device)
    begin, end = before * codebooks, (before + window.count) * codebooks
    known[:begin] = window.before[len(window.before) - begin :]
    if config.known_share:
        known[end:] = window.after[: len(known) - end]
        for first, codes in window.within.items():
            known[begin + first : begin + first + codebooks] = codes
    condition, sampling = _condition(bundle, network, text, options.sampling)
    with in_precision(options.precision, bundle.device):
        codes = sample(
            network.generator,
            condition,
            torch.full((len(streams),), len(known) // codebooks, device=bundle.device),
            sampling,
            streams,
            torch.zeros(len(streams), dtype=torch.long, device=bundle.device),
            known.expand(len(streams), -1),
        )
    return codes[:, begin:end]


def _shares(before: int, after: int, room: int) -> tuple[int, int]:
    """How many of the tokens on each side the generator is told, which has ``room`` for so many."""
    before = min(before, max(room // 2, room - after))
    return before, min(after, room - before)


def _condition(
    bundle: Bundle, network: TextToMotion, text: str, sampling: SamplingOptions
) -> tuple[Condition, SamplingOptions]:
    """The condition of a sentence; without one the null condition, for which there is no guidance."""
    words = encode_condition(network, bundle.lamp, bundle.vocabulary, [text], bundle.device)
    condition = network.condition(bundle.lamp, words).condition
    if text:
        return condition, sampling
    nothing = condition.with_dropout(torch.tensor([False], device=bundle.device))
    return nothing, replace(sampling, guidance=1.0)


@dataclass(frozen=True)
class _RankedDraw:
    """A draw, its contacts (M, 4), and how much of the sentence it leaves undone (None: not judged)."""

    drawn: DrawnFrames
    contacts: np.ndarray
    undone: float | None


def _ranked(
    bundle: Bundle, motion: Motion, gap: Gap, window: _Window, codes: Tensor, text: str
) -> list[_RankedDraw]:
    """The draws of codes (B, K): those that do most of the sentence first, then by fit and by both sides."""
    step = bundle.tokenizer.config.frames_per_token
    first, count = step * len(window.before) // bundle.tokenizer.config.codebooks, step * window.count
    sides = [side.expand(len(codes), -1) for side in (window.before, window.after)]
    features = bundle.tokenizer.decode(torch.cat([sides[0], codes, sides[1]], 1)).float()
    score = torch.zeros(len(codes))
    if text and len(codes) > 1:
        sentences = embedded_rows(
            bundle, [text], torch.zeros(len(codes), dtype=torch.long, device=bundle.device)
        )
        lengths = torch.full((len(codes),), window.count, device=bundle.device)
        score = fits(bundle, sentences, features[:, first : first + count], lengths).cpu()
    made = bundle.statistics.denormalise(features.cpu().numpy())
    drawn = [DrawnFrames(features_to_joints(each, bundle.skeleton), first, count) for each in made]
    errors = np.array([seam_errors(motion.joints, each, gap, motion.skeleton, motion.fps) for each in drawn])
    costs = errors @ [PLACE_WEIGHT, HEADING_WEIGHT, POSE_WEIGHT]
    left = undone_of(
        bundle.skeleton, [each.joints[first : first + count] for each in drawn], [text] * len(drawn)
    )
    order = ranking(left, score - torch.from_numpy(costs))
    return [_RankedDraw(drawn[row], made[row][:, -4:], left[row]) for row in order]


def _things(undone: float | None) -> int:
    """Without what a pace is off."""
    return int(undone or 0)


def _first_that_does(motion: Motion, gap: Gap, ranked: Sequence[_RankedDraw], text: str) -> np.ndarray:
    """The joints of the motion with the first of the draws that does its sentence there, too.

    Place and heading of both sides may undo what was drawn. Where none does it: that which does most.
    """
    best = ranked[0]
    tried = [draw for draw in ranked if _things(draw.undone) == _things(best.undone)][:MOST_TRIED]
    found: list[tuple[float, np.ndarray]] = []
    for draw in tried:
        cleaned = replace(draw.drawn, joints=clean_up(draw.drawn.joints, draw.contacts, motion.skeleton))
        joints = fill_gap(motion.joints, cleaned, gap, motion.skeleton, motion.fps)
        span = resample(joints[gap.start : gap.stop], motion.fps, motion.skeleton.fps)
        [left] = undone_of(motion.skeleton, [span], [text])
        found.append((left or 0, joints))
        if not is_undone(left):
            break
    return min(found, key=lambda each: each[0])[1]
