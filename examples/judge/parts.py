"""Do motions of several sentences do what each part asks? ``python -m examples.judge.parts --context 0,1,4``.

Generates every prompt of ``joints/parts.jsonl`` with the end of the part before as context, of so many
tokens each time, and beside that its sentences alone, the next placed where the one before ends and blended
over eight frames. Prints the share of parts that pass the checker, the share of those after the first, and
the jerk around the seams beside that of the motions elsewhere: peak jerk and area under the jerk after
Barquero et al. 2024 (FlowMDM), over 30 frames, of the joint that jerks most.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.inference.generate import GenerateOptions, Prompt, generate
from lamp_cli.motion import rotation
from lamp_cli.motion.representation import facing_direction
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.scoring.check.checks import does

PROMPTS = Path(__file__).parent / "joints" / "parts.jsonl"
BLEND, SEAM = 8, 30
Parts = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Joined:
    """Joints (T, 22, 3), and the frames at which its parts begin and the last ends."""

    joints: np.ndarray
    bounds: list[int]

    @property
    def seams(self) -> list[int]:
        return self.bounds[1:-1]


def chained(bundle: Bundle, asked: Sequence[Parts], options: GenerateOptions) -> list[Joined]:
    """The prompts' motions, each part made with the end of the one before as context."""
    prompts = [Prompt(parts[0][0], then=tuple(Prompt(text) for text, _ in parts[1:])) for parts in asked]
    motions = generate(bundle, prompts, options)
    return [Joined(m.joints, [0, *(part.end for part in m.parts)]) for m in motions]


def blended(bundle: Bundle, asked: Sequence[Parts], options: GenerateOptions) -> list[Joined]:
    """The sentences' motions, each made alone, placed one behind the other."""
    texts = sorted({text for parts in asked for text, _ in parts})
    motions = generate(bundle, [Prompt(text) for text in texts], options)
    alone = {text: motion.joints for text, motion in zip(texts, motions, strict=True)}
    found = []
    for parts in asked:
        joints = alone[parts[0][0]]
        bounds = [0, len(joints)]
        for text, _ in parts[1:]:
            joints = place_behind(joints, alone[text])
            bounds.append(len(joints))
        found.append(Joined(joints, bounds))
    return found


def place_behind(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Both as one; ``after`` turned and moved to where ``before`` ends, its offset blended away."""
    turn = rotation.between(facing_direction(after[:1], HUMANML3D), facing_direction(before[-1:], HUMANML3D))
    moved = rotation.rotate(turn[:, None], after - after[0, 0] * [1.0, 0.0, 1.0])
    moved = moved + before[-1, 0] * [1.0, 0.0, 1.0]
    share = np.linspace(1.0, 0.0, BLEND + 1)[:BLEND, None, None]
    count = min(BLEND, len(moved))
    moved[:count] += (share * (before[-1] - moved[0]))[:count]
    return np.concatenate([before, moved])


def jerk(joints: np.ndarray) -> np.ndarray:
    """Of the joint that jerks most (T-3,), m / s^3."""
    third = np.diff(joints, n=3, axis=0) * HUMANML3D.fps**3
    return np.asarray(np.linalg.norm(third, axis=-1).max(1))


def windows(motions: Sequence[Joined], at_seams: bool) -> Iterator[np.ndarray]:
    """Jerk of the 30 frames around every seam; or of every 30 frames that are a second from any."""
    for motion in motions:
        values = jerk(motion.joints)
        half = SEAM // 2
        centres = motion.seams if at_seams else range(half, len(values) - half, SEAM)
        for centre in centres:
            near = min(abs(centre - seam) for seam in motion.seams)
            if at_seams or near >= SEAM:
                yield values[max(0, centre - half) : centre + half]


def figures(motions: Sequence[Joined], asked: Sequence[Parts], usual: float) -> dict[str, float]:
    """Shares of parts that pass, and the mean peak and area of the jerk; ``usual`` is motions' mean jerk."""
    verdicts, later = [], []
    for motion, parts in zip(motions, asked, strict=True):
        for number, (_, expected) in enumerate(parts):
            ok = does(motion.joints[motion.bounds[number] : motion.bounds[number + 1]], expected).ok
            verdicts.append(ok)
            later += [ok] if number else []
    seams, inside = list(windows(motions, True)), list(windows(motions, False))
    return {
        "parts": float(np.mean(verdicts)),
        "later parts": float(np.mean(later)),
        "peak at seams": float(np.mean([window.max() for window in seams])),
        "peak elsewhere": float(np.mean([window.max() for window in inside])),
        "area at seams": float(np.mean([np.abs(window - usual).sum() for window in seams])),
        "area elsewhere": float(np.mean([np.abs(window - usual).sum() for window in inside])),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bundle", default="lamp-mini", help="folder, hub name, or lamp-mini")
    parser.add_argument("--context", default="1", help="numbers of tokens, with commas between")
    parser.add_argument("--candidates", type=int, default=16, help="draws per part, as in lamp generate")
    parser.add_argument("--seeds", type=int, default=1, help="generations of each prompt")
    options = parser.parse_args(arguments)
    bundle = load_bundle(options.bundle, "cpu")
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()
    asked = [[(text, expected) for text, expected in json.loads(line)["parts"]] for line in lines]
    how = [GenerateOptions(seed, candidates=options.candidates) for seed in range(options.seeds)]
    made = {"alone, blended": [m for one in how for m in blended(bundle, asked, one)]}
    usual = float(np.mean(np.concatenate(list(windows(made["alone, blended"], False)))))
    for context in options.context.split(","):
        name = f"context {context}"
        made[name] = [
            m for one in how for m in chained(bundle, asked, replace(one, context_tokens=int(context)))
        ]
        for source in [*(["alone, blended"] if len(made) == 2 else []), name]:
            found = figures(made[source], asked * options.seeds, usual)
            print(source, *(f"{key} {value:.3g}" for key, value in found.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
