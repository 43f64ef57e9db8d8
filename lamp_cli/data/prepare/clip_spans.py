"""From requested clips to the exact spans of frames that become training examples.

Decides splits, keeps held-out motion out of the training set, cuts long takes into windows. Pure
functions on names and seconds: no file is read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from ...files.load import MOTION_SUFFIXES
from ...storage import safe_stem
from .caption_files import ClipRequest

# Ten seconds: the longest clips of the field hold 199 feature frames, which take 200 frames of joints.
MOST_FRAMES = 200
# Under a second there is hardly an action; the field's own filter (40 frames) applies at evaluation.
LEAST_FRAMES = 20
# A piece of a clip keeps the clip's captions when it holds at least this share of it.
CAPTIONED_SHARE = 0.8


@dataclass(frozen=True)
class ClipPlan:
    """One clip to write: ``start``..``end`` seconds of ``motion``, in ``split``."""

    id: str
    motion: str
    start: float
    end: float
    split: str
    captions: tuple[str, ...]


@dataclass
class Plan:
    """The clips to write and what became of the requests.

    clips: clips to write.
    dropped: the reason for each request that becomes none, by id.
    trimmed: training clips that lost the seconds of held-out ones.
    windowed: clips over ten seconds that were cut into windows.
    captions_left_out: captions of clips whose pieces are too short for them to be true of.
    """

    clips: list[ClipPlan] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    trimmed: int = 0
    windowed: int = 0
    captions_left_out: int = 0


def plan_clips(
    requests: Iterable[ClipRequest],
    seconds: Mapping[str, float],
    fps: float,
    val_fraction: float,
    reserved: Iterable[str] = (),
    test: Sequence[str] = (),
) -> Plan:
    """Plan the clips of motions with the given durations (``seconds`` by name).

    Motions that nobody asked for become clips without captions. Where no request names a split, a
    share of whole motions is held out for val. Training clips lose every second that a held-out
    clip of the same motion covers. Captions stay with a piece or window that holds 80 % of what they
    describe, steady ones with every piece. ``reserved`` are names that clips must not take, ``test`` patterns
    of names of motions that go to the test split whatever the requests say.
    """
    plan = Plan()
    copies = _mirrored_copies(seconds)
    plan.dropped |= dict.fromkeys(sorted(copies), "mirrored copy of another motion")
    motions = {name: length for name, length in seconds.items() if name not in copies}
    asked = [replace(r, motion=motion_named(r.motion, seconds)) for r in _one_request_each(requests)]
    known = [r for r in asked if r.motion not in copies and _is_within_motion(r, motions, plan)]
    silent = sorted(set(motions) - {r.motion for r in asked})
    known += [ClipRequest(name, name, ()) for name in silent]
    known = _with_test(_with_splits(known, val_fraction), test)
    held_out: dict[str, list[tuple[float, float]]] = {}
    for request in known:
        if request.split != "train":
            held_out.setdefault(request.motion, []).append(_span(request, motions))
    taken = set(reserved)
    for request in known:
        forbidden = held_out.get(request.motion, []) if request.split == "train" else []
        _plan_request(request, _span(request, motions), forbidden, fps, plan, taken)
    return plan


def motion_named(name: str, motions: Container[str]) -> str:
    """The motion that a caption file names, with or without the suffix of its file."""
    if name in motions:
        return name
    path = PurePosixPath(name.replace("\\", "/"))
    plain = path.with_suffix("") if path.suffix.lower() in MOTION_SUFFIXES else path
    return plain.as_posix() if plain.as_posix() in motions else name


def _one_request_each(requests: Iterable[ClipRequest]) -> list[ClipRequest]:
    """Requests for the same clip (files with one caption a line) become one with all their captions."""
    found: dict[ClipRequest, tuple[str, ...]] = {}
    for request in requests:
        clip = replace(request, captions=())
        found[clip] = tuple(dict.fromkeys(found.get(clip, ()) + request.captions))
    return [replace(clip, captions=captions) for clip, captions in found.items()]


def _mirrored_copies(seconds: Mapping[str, float]) -> set[str]:
    """Motions named M + the name of another of the same length, as HumanML3D names mirror images.

    They would put a clip and its image on two sides of a split, and be mirrored once more.
    """
    folders = {name: name.rpartition("/") for name in seconds}
    images = {name: f"{folder}{slash}M{tail}" for name, (folder, slash, tail) in folders.items()}
    return {image for name, image in images.items() if seconds.get(image) == seconds[name]}


def _is_within_motion(request: ClipRequest, seconds: Mapping[str, float], plan: Plan) -> bool:
    if request.motion not in seconds:
        plan.dropped[request.id] = "no such motion"
        return False
    start, end = _span(request, seconds)
    asked = (end if request.end is None else request.end) - start
    if end - start < CAPTIONED_SHARE * asked or end <= start:
        plan.dropped[request.id] = "times beyond the motion"
        return False
    return True


def _with_splits(requests: list[ClipRequest], val_fraction: float) -> list[ClipRequest]:
    if any(r.split for r in requests):
        return [r if r.split else replace(r, split="train") for r in requests]
    captioned = sorted({r.motion for r in requests if r.captions}, key=_stable_order)
    count = min(max(1, round(val_fraction * len(captioned))), len(captioned) - 1) if val_fraction > 0 else 0
    val = set(captioned[: max(count, 0)])
    return [replace(r, split="val" if r.motion in val else "train") for r in requests]


def _with_test(requests: list[ClipRequest], patterns: Sequence[str]) -> list[ClipRequest]:
    def is_test(request: ClipRequest) -> bool:
        return any(fnmatchcase(request.motion, pattern) for pattern in patterns)

    return [replace(r, split="test") if is_test(r) else r for r in requests]


def _stable_order(name: str) -> str:
    # A hash, so that the held-out motions are spread over the corpus yet the same on every run.
    return hashlib.sha256(name.encode()).hexdigest()


def _span(request: ClipRequest, seconds: Mapping[str, float]) -> tuple[float, float]:
    total = seconds[request.motion]
    end = total if request.end is None else min(request.end, total)
    return (request.start or 0.0, end)


def _plan_request(
    request: ClipRequest,
    span: tuple[float, float],
    forbidden: list[tuple[float, float]],
    fps: float,
    plan: Plan,
    taken: set[str],
) -> None:
    least = LEAST_FRAMES / fps
    if span[1] - span[0] < least:
        plan.dropped[request.id] = f"shorter than {LEAST_FRAMES} frames"
        return
    pieces = _subtract(span, forbidden)
    if pieces != [span]:
        plan.trimmed += 1
    pieces = [piece for piece in pieces if piece[1] - piece[0] >= least]
    if not pieces:
        plan.dropped[request.id] = "overlaps a held-out clip"
        return
    windows = [window for piece in pieces for window in _windows(piece, MOST_FRAMES / fps)]
    plan.windowed += len(windows) > len(pieces)
    # What is said of the whole need not be true of a part: he walks, then he sits down.
    least_told = CAPTIONED_SHARE * (span[1] - span[0])
    true_of = [request.steady or end - start >= least_told for start, end in windows]
    plan.captions_left_out += 0 if any(true_of) else len(request.captions)
    for (start, end), is_true in zip(windows, true_of, strict=True):
        captions = request.captions if is_true else ()
        name = _free_name(request.id, taken)
        plan.clips.append(ClipPlan(name, request.motion, start, end, str(request.split), captions))


def _subtract(span: tuple[float, float], forbidden: list[tuple[float, float]]) -> list[tuple[float, float]]:
    pieces = [span]
    for start, end in forbidden:
        cut = []
        for a, b in pieces:
            if end <= a or start >= b:
                cut.append((a, b))
                continue
            cut += [(x, y) for x, y in ((a, start), (end, b)) if y > x]
        pieces = cut
    return pieces


def _windows(span: tuple[float, float], most: float) -> list[tuple[float, float]]:
    start, end = span
    count = max(1, -int(-(end - start - 1e-6) // most))
    step = (end - start) / count
    return [(start + k * step, min(start + (k + 1) * step, end)) for k in range(count)]


def _free_name(name: str, taken: set[str]) -> str:
    stem = safe_stem(name)
    candidate, number = stem, 2
    # A clip's mirror image is written as M + its name.
    while candidate in taken or f"M{candidate}" in taken:
        candidate, number = f"{stem}_w{number:02d}", number + 1
    taken |= {candidate, f"M{candidate}"}
    return candidate
