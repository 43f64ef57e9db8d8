"""Recombined clips: which real clips go together, what is said of them, and what is refused.

A clip depends on the real clips, the seed and its number alone. What skates, sinks or jerks more than
the real clips do is thrown away and drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ...language.english import gerund_of_third_person
from ...language.mirror import mirror_sentence
from ...motion.representation import canonical_joints
from ...motion.skeleton import HUMANML3D
from ...motion.transform import mirror
from ..actions import ACTIONS, WITH_WALKING
from ..body import solve
from ..clips import LEAST_FRAMES, MOST_FRAMES
from ..movement import one_of
from ..style import random_style
from . import clauses
from .body_parts import with_arms
from .clauses import Clause
from .foot_slips import accelerations, has_flights, slips
from .splice import HALF, Match, best_match, splice
from .time_warp import FLIGHT_SPEEDS, SPEEDS, time_warp, warp_times

KINDS = ("splice", "time_warp", "body_parts")
SHARES = (0.5, 0.25, 0.25)
CAPTIONS = 3
ATTEMPTS = 24
CANDIDATES = 60
# What a caption that tells of more than one steady activity may lose at a splice.
LOSS = 0.12
MOST_DISTANCE = 0.12
SKATE_FACTOR, ACCELERATION_FACTOR, PEAK_FACTOR, DEPTH = 1.3, 2.0, 1.3, 0.01
LINKS = (" and then ", ", then ", " then ")
REAL_ARMS = 0.4


@dataclass(frozen=True)
class RealClip:
    """A real training clip: its name, the file of its joints (T, 22, 3) at 20 fps, and its captions."""

    name: str
    path: Path
    captions: tuple[str, ...]


@dataclass(frozen=True)
class RecombinedClip:
    """Joints (T, 22, 3) float32 in metres at 20 fps, sentences that are true of them, and where from.

    ``provenance`` has ``recombined`` (the kind), ``sources`` (names of the real clips, or of a synthetic
    action), ``mirrored``, and the frames or speeds used.
    """

    joints: np.ndarray
    captions: tuple[str, ...]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """A real clip as it is used now: maybe mirrored, its captions parsed where they can be.

    ``steady``: the clauses are true of any part of it.
    """

    name: str
    joints: np.ndarray
    captions: tuple[str, ...]
    clauses: tuple[Clause, ...]
    steady: bool


@dataclass(frozen=True)
class _Arms:
    """What arms do: joints, the sides (0 left, 1 right) that take part, and gerunds that tell of it."""

    name: str
    joints: np.ndarray
    sides: tuple[int, ...]
    ways: list[str]
    mirrored: bool


@dataclass(frozen=True)
class _Splice:
    """A clip that may follow, where, and what may be said of both."""

    second: _Part
    match: Match
    clause_pairs: list[tuple[Clause, Clause]]
    mirrored: bool


class Recombiner:
    """Makes clips from ``sources``; ``mirrored`` allows the mirrored copies of them.

    Raises ``ValueError`` when no source has a caption.
    """

    def __init__(self, sources: Sequence[RealClip], mirrored: bool = True) -> None:
        self._sources = tuple(sorted((s for s in sources if s.captions), key=lambda s: s.name))
        if not self._sources:
            raise ValueError("recombining needs captioned clips in the training split, found none")
        self._mirrored = mirrored
        self._parsed = [_parsed(source.captions) for source in self._sources]
        every = range(len(self._sources))
        self._in_pieces = [n for n in every if any(map(clauses.holds_for_pieces, self._parsed[n]))]
        plain = [n for n in every if any(map(clauses.is_plain_gait, self._parsed[n]))]
        self._gaits = [n for n in plain if not any(map(clauses.speaks_of_arms, self._sources[n].captions))]
        self._arms = [n for n in every if any(map(clauses.is_arms_alone, self._parsed[n]))]
        # Bound to the instance, so that no clip outlives it.
        self._load = lru_cache(maxsize=256)(_load)

    def clip(self, seed: int, number: int) -> RecombinedClip | None:
        """Clip ``number`` of a seed; None when nothing plausible was found."""
        rng = np.random.default_rng([seed, number, len(KINDS)])
        makers: dict[str, Callable[[np.random.Generator], RecombinedClip | None]] = {
            "splice": self._splice,
            "time_warp": self._time_warp,
            "body_parts": self._body_parts,
        }
        first = str(rng.choice(KINDS, p=SHARES))
        for kind in (first, *(kind for kind in KINDS if kind != first)):
            for _ in range(ATTEMPTS):
                made = makers[kind](rng)
                if made is not None:
                    return made
        return None

    def _part(self, number: int, mirrored: bool) -> _Part:
        source = self._sources[number]
        joints, captions = self._load(source.path), source.captions
        if mirrored:
            joints, captions = mirror(joints, HUMANML3D), tuple(mirror_sentence(text) for text in captions)
        parsed = _parsed(captions)
        steady = tuple(filter(clauses.is_steady, parsed))
        return _Part(source.name, joints, captions, steady or parsed, bool(steady))

    def _flip(self, rng: np.random.Generator) -> bool:
        return bool(rng.integers(2)) and self._mirrored

    def _time_warp(self, rng: np.random.Generator) -> RecombinedClip | None:
        mirrored = self._flip(rng)
        part = self._part(int(rng.integers(len(self._sources))), mirrored)
        bounds = FLIGHT_SPEEDS if has_flights(part.joints) else SPEEDS
        speed = float(np.exp(rng.uniform(*np.log(bounds))))
        captions = [text for text in part.captions if clauses.true_at(text, speed)]
        if not captions or not LEAST_FRAMES <= (len(part.joints) - 1) / speed + 1 <= MOST_FRAMES:
            return None
        times = warp_times(len(part.joints), speed, bounds, rng)
        joints = time_warp(part.joints, times)
        if len(joints) > MOST_FRAMES or not _is_plausible(joints, [part.joints], range(len(joints))):
            return None
        facts = {"sources": [part.name], "mirrored": mirrored, "speed": round(speed, 3)}
        return _made("time_warp", joints, _some(captions, rng), facts)

    def _splice(self, rng: np.random.Generator) -> RecombinedClip | None:
        if not self._in_pieces:
            return None
        first = one_of(self._in_pieces, rng)
        mirrored = self._flip(rng)
        a = self._part(first, mirrored)
        best: _Splice | None = None
        for _ in range(CANDIDATES):
            other, flipped = one_of(self._in_pieces, rng), self._flip(rng)
            if other == first or not _sequences(a.clauses, self._parsed[other]):
                continue
            b = self._part(other, flipped)
            match = best_match(a.joints, b.joints, _ends(a), _begins(b))
            if match and match.distance < (best.match.distance if best else MOST_DISTANCE):
                best = _Splice(b, match, _sequences(a.clauses, b.clauses), flipped)
        if best is None or not best.clause_pairs:
            return None
        pieces = _shortened(a, best.second, best.match, rng)
        if pieces is None:
            return None
        before, after, match = pieces
        joints = splice(before, after, match)
        seam = range(match.first - HALF - 1, match.first + 3 * HALF)
        if not _is_plausible(joints, [before, after], seam, at_seam=True):
            return None
        facts = {
            "sources": [a.name, best.second.name],
            "mirrored": [mirrored, best.mirrored],
            "seam": match.first,
            "distance": round(match.distance, 4),
        }
        said = [str(clauses.sequence(*pair, one_of(LINKS, rng))) for pair in best.clause_pairs]
        return _made("splice", joints, _some(said, rng), facts)

    def _body_parts(self, rng: np.random.Generator) -> RecombinedClip | None:
        if not self._gaits:
            return None
        mirrored = self._flip(rng)
        legs = self._part(one_of(self._gaits, rng), mirrored)
        arms = self._real_arms(rng) if self._arms and rng.random() < REAL_ARMS else _synthetic_arms(rng)
        gaits = filter(clauses.is_plain_gait, legs.clauses)
        sentences = [s for clause in gaits for way in arms.ways if (s := clauses.simultaneous(clause, way))]
        frames = len(arms.joints)
        # What is told of the arms must be seen whole, and for at least half of the time.
        if not sentences or frames > len(legs.joints) or len(legs.joints) < LEAST_FRAMES:
            return None
        most = max(min(len(legs.joints), 2 * frames, MOST_FRAMES), LEAST_FRAMES)
        count = int(rng.integers(max(frames, LEAST_FRAMES), most + 1))
        start = int(rng.integers(0, len(legs.joints) - count + 1))
        body = legs.joints[start : start + count]
        joints = with_arms(body, arms.joints, arms.sides, whole=frames == count)
        if _skate(joints) > SKATE_FACTOR * _skate(body):
            return None
        if not _is_plausible(joints, [body, arms.joints], range(len(joints))):
            return None
        facts = {"sources": [legs.name, arms.name], "mirrored": [mirrored, arms.mirrored]}
        return _made("body_parts", joints, _some(sentences, rng), facts)

    def _real_arms(self, rng: np.random.Generator) -> _Arms:
        mirrored = self._flip(rng)
        part = self._part(one_of(self._arms, rng), mirrored)
        alone = list(filter(clauses.is_arms_alone, part.clauses))
        joints = part.joints
        if all(map(clauses.is_steady, alone)) and len(joints) > 2 * LEAST_FRAMES:
            length = int(rng.integers(LEAST_FRAMES, len(joints)))
            start = int(rng.integers(0, len(joints) - length + 1))
            joints = joints[start : start + length]
        ways = [gerund for clause in alone if (gerund := clauses.as_gerund(clause))]
        return _Arms(part.name, joints, (0, 1), ways, mirrored)


def _load(path: Path) -> np.ndarray:
    return canonical_joints(np.load(path, allow_pickle=False), HUMANML3D)


def _parsed(captions: Sequence[str]) -> tuple[Clause, ...]:
    return tuple(clause for text in captions if (clause := clauses.parse(text)) is not None)


def _ends(part: _Part) -> tuple[int, int]:
    """Frames at which a clip may be left so that what is said of it has been seen."""
    last = len(part.joints) - 1
    return (LEAST_FRAMES // 2 if part.steady else last - _loss(part), last)


def _begins(part: _Part) -> tuple[int, int]:
    """Frames at which a clip may be entered so that what is said of it will be seen."""
    return (0, len(part.joints) - LEAST_FRAMES // 2 if part.steady else _loss(part))


def _loss(part: _Part) -> int:
    return max(HALF + 1, round(LOSS * len(part.joints)))


def _shortened(
    a: _Part, b: _Part, match: Match, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Match] | None:
    """Both clips, steady ones cut at their outer ends so that the splice has a fitting length; else None."""
    before, after = match.first, len(b.joints) - match.second
    shortest = LEAST_FRAMES // 2
    if a.steady:
        before = int(rng.integers(min(before, shortest), min(before, MOST_FRAMES // 2) + 1))
    if b.steady:
        after = int(rng.integers(min(after, shortest), min(after, MOST_FRAMES // 2) + 1))
    if not LEAST_FRAMES <= before + after <= MOST_FRAMES or min(before, after) <= HALF:
        return None
    cut = match.first - before
    moved = replace(match, first=before)
    return a.joints[cut:], b.joints[: match.second + after], moved


def _sequences(first: Sequence[Clause], second: Sequence[Clause]) -> list[tuple[Clause, Clause]]:
    pairs = product(filter(clauses.holds_for_pieces, first), tuple(filter(clauses.holds_for_pieces, second)))
    return [(x, y) for x, y in pairs if clauses.sequence(x, y, LINKS[0])]


def _synthetic_arms(rng: np.random.Generator) -> _Arms:
    action = one_of(WITH_WALKING, rng)
    style = random_style(rng)
    movement = ACTIONS[action](style, rng)
    side = movement.truth.get("side", "both")
    sides = {"left": (0,), "right": (1,)}.get(side, (0, 1))
    ways = [
        f"{gerund_of_third_person(verb)} {clauses.with_coordinated_gerunds(rest)}".strip()
        for verb, rest in movement.ways
    ]
    joints = solve(movement.tracks, style.offsets)
    return _Arms(f"synthetic {action} ({side})", joints, sides, ways, False)


def _some(sentences: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    different = list(dict.fromkeys(sentences))
    order = rng.permutation(len(different))[:CAPTIONS]
    return tuple(different[int(n)] for n in sorted(order))


def _made(kind: str, joints: np.ndarray, captions: tuple[str, ...], facts: dict[str, Any]) -> RecombinedClip:
    joints = canonical_joints(joints, HUMANML3D).astype(np.float32)
    return RecombinedClip(joints, captions, {"recombined": kind, **facts})


def _is_plausible(
    joints: np.ndarray, sources: Sequence[np.ndarray], frames: range, at_seam: bool = False
) -> bool:
    """Whether a clip's feet slip no more than its sources', stay above the floor, and nothing jerks.

    Jerks are looked for in ``frames``. Within a clip its sources' own peaks are fair, at a seam they are not.
    """
    if joints[..., 1].min() < -DEPTH:
        return False
    before = np.concatenate([accelerations(source) for source in sources])
    limit = ACCELERATION_FACTOR * float(np.percentile(before, 99))
    if not at_seam:
        limit = max(limit, PEAK_FACTOR * float(before.max()))
    if accelerations(joints)[max(frames.start, 0) : frames.stop].max() > limit:
        return False
    return _skate(joints) <= SKATE_FACTOR * max(_skate(source) for source in sources)


def _skate(joints: np.ndarray) -> float:
    """Mean slip in contact, metres per frame; 0 for feet that never touch the floor."""
    steps, contact = slips(joints)
    return float(steps[contact].mean()) if contact.any() else 0.0
