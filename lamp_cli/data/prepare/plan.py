"""From requested clips to the exact spans of frames that become training examples.

Decides splits, keeps held-out motion out of the training set, cuts long takes into windows. Pure
functions on names and seconds: no file is read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ...storage import safe_stem
from .requests import ClipRequest

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
    """The clips to write and, for each request that becomes none, the reason."""

    clips: list[ClipPlan] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    trimmed: int = 0


def plan_clips(
    requests: Iterable[ClipRequest], seconds: Mapping[str, float], fps: float, val_fraction: float
) -> Plan:
    """Plan the clips of motions with the given durations (``seconds`` by name).

    Motions that nobody asked for become clips without captions. Where no request names a split, a
    share of whole motions is held out for val. Training clips lose every second that a held-out
    clip of the same motion covers; the number of clips so trimmed is in ``Plan.trimmed``.
    """
    asked = list(requests)
    plan = Plan()
    known = [r for r in asked if _motion_known(r, seconds, plan)]
    silent = sorted(set(seconds) - {r.motion for r in known})
    known += [ClipRequest(name, name, ()) for name in silent]
    known = _with_splits(known, val_fraction)
    held_out: dict[str, list[tuple[float, float]]] = {}
    for request in known:
        if request.split != "train":
            held_out.setdefault(request.motion, []).append(_span(request, seconds))
    taken: set[str] = set()
    for request in known:
        forbidden = held_out.get(request.motion, []) if request.split == "train" else []
        _plan_request(request, _span(request, seconds), forbidden, fps, plan, taken)
    return plan


def _motion_known(request: ClipRequest, seconds: Mapping[str, float], plan: Plan) -> bool:
    if request.motion in seconds:
        return True
    plan.dropped[request.id] = "no such motion"
    return False


def _with_splits(requests: list[ClipRequest], val_fraction: float) -> list[ClipRequest]:
    if any(r.split for r in requests):
        return [r if r.split else replace(r, split="train") for r in requests]
    captioned = sorted({r.motion for r in requests if r.captions}, key=_stable_order)
    count = min(max(1, round(val_fraction * len(captioned))), len(captioned) - 1) if val_fraction > 0 else 0
    val = set(captioned[: max(count, 0)])
    return [replace(r, split="val" if r.motion in val else "train") for r in requests]


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
    # A request without times is a whole take: its description holds for any part, clip captions do not.
    whole_take = request.start is None and request.end is None
    for piece in pieces:
        share = (piece[1] - piece[0]) / (span[1] - span[0])
        captions = request.captions if whole_take or share >= CAPTIONED_SHARE else ()
        for start, end in _windows(piece, MOST_FRAMES / fps):
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
    return [(start + k * step, start + (k + 1) * step) for k in range(count)]


def _free_name(name: str, taken: set[str]) -> str:
    stem = safe_stem(name)
    candidate, number = stem, 2
    while candidate in taken:
        candidate, number = f"{stem}_w{number:02d}", number + 1
    taken.add(candidate)
    return candidate
