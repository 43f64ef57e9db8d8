"""Do motions of several sentences do what each part asks? ``python -m examples.judge.parts --real clips/``.

Generates every prompt of ``joints/parts.jsonl`` with the end of the part before as context, of so many
tokens each time, and beside that its sentences alone: as they are, blended over eight frames where the next
is placed behind the one before, and joined by ``lamp.join``, without a model and with one. Prints the share
of parts that pass the checker, by the number of parts, and how the three seconds around the seams are by
FlowMDM's definitions (``lamp_cli.metrics.sequences``): peak jerk, the area under the jerk, and the FID of
LaMP's embeddings of these windows; of motions elsewhere too, and of real ones (``--real``: a file or a
folder), with which the others are then compared.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lamp_cli.bundle.bundle import Bundle
from lamp_cli.checking.checks import does
from lamp_cli.files.load import load_motions
from lamp_cli.inference.direct import join
from lamp_cli.inference.embed import embed_motions
from lamp_cli.inference.generate import GenerateOptions, Prompt, generate
from lamp_cli.inference.index.library import motion_files
from lamp_cli.metrics.distribution import frechet_inception_distance
from lamp_cli.metrics.sequences import TRANSITION_SECONDS, area_under_jerk, jerk_curve, peak_jerk
from lamp_cli.motion import rotation
from lamp_cli.motion.motion import Motion
from lamp_cli.motion.representation import facing_direction, joints_to_features
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.motion.transform import resample
from lamp_cli.notebook import Model, load

PROMPTS = Path(__file__).parent / "joints" / "parts.jsonl"
BLEND, WINDOW = 8, round(TRANSITION_SECONDS * HUMANML3D.fps)
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


def alone(bundle: Bundle, asked: Sequence[Parts], options: GenerateOptions) -> dict[str, np.ndarray]:
    """The joints of every sentence's motion, each made alone."""
    texts = sorted({text for parts in asked for text, _ in parts})
    motions = generate(bundle, [Prompt(text) for text in texts], options)
    return {text: motion.joints for text, motion in zip(texts, motions, strict=True)}


def blended(motions: dict[str, np.ndarray], asked: Sequence[Parts]) -> list[Joined]:
    """Motions made alone, one placed behind the other, their offset blended away."""
    found = []
    for parts in asked:
        joints = motions[parts[0][0]]
        bounds = [0, len(joints)]
        for text, _ in parts[1:]:
            joints = place_behind(joints, motions[text])
            bounds.append(len(joints))
        found.append(Joined(joints, bounds))
    return found


def joined(
    motions: dict[str, np.ndarray], asked: Sequence[Parts], model: Model | None = None
) -> list[Joined]:
    """Motions made alone, as ``lamp.join`` joins them; a part begins with the transition that leads to it.

    A model draws the transitions; without one, poses turn into each other with a step of each foot.
    """
    options: dict[str, Any] = {} if model is None else {"model": model, "seed": 0}
    found = []
    for parts in asked:
        several = [Motion(motions[text], HUMANML3D, HUMANML3D.fps, text=text) for text, _ in parts]
        both = join(*several, **options)
        found.append(Joined(both.joints, [0, *(part.end for part in both.parts)]))
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


def windows(motions: Sequence[Joined], at_seams: bool) -> Iterator[np.ndarray]:
    """Joints (WINDOW, 22, 3) around every seam that has so many; or of stretches of it between seams."""
    half = WINDOW // 2
    for motion in motions:
        inside = zip(motion.bounds, motion.bounds[1:], strict=False)
        between = [c for a, b in inside for c in range(a + half, b - half + 1, WINDOW)]
        for centre in motion.seams if at_seams else between:
            if half <= centre <= len(motion.joints) - half:
                yield motion.joints[centre - half : centre + half]


def real_windows(path: Path) -> list[np.ndarray]:
    """All windows of the HumanML3D motions of a file or a folder, one behind the other."""
    found = []
    for file in motion_files(path):
        for motion in load_motions(file):
            if motion.skeleton.name == HUMANML3D.name:
                joints = resample(motion.joints, motion.fps, HUMANML3D.fps)
                found += list(windows([Joined(joints, [0, len(joints)])], False))
    return found


def verdicts(motions: Sequence[Joined], asked: Sequence[Parts]) -> dict[str, float]:
    """Shares of parts that pass the checker: of prompts of so many parts, of all, of all but the first."""
    by: dict[str, list[bool]] = {}
    for motion, parts in zip(motions, asked, strict=True):
        for number, (_, expected) in enumerate(parts):
            ok = does(motion.joints[motion.bounds[number] : motion.bounds[number + 1]], expected).ok
            for name in (f"of {len(parts)}", "parts", *(["later parts"] if number else [])):
                by.setdefault(name, []).append(ok)
    return {name: float(np.mean(found)) for name, found in sorted(by.items())}


def transitions(found: Sequence[np.ndarray], level: float) -> dict[str, float]:
    """How many windows, their peak jerk, and their area under the jerk beside true motions' ``level``."""
    curves = [jerk_curve(window, HUMANML3D.fps) for window in found]
    area = area_under_jerk(curves, level, HUMANML3D.fps)
    return {"windows": len(curves), "peak jerk": peak_jerk(curves), "area under jerk": area}


def embedded(bundle: Bundle, found: Sequence[np.ndarray]) -> np.ndarray:
    """LaMP's embeddings (N, E) of windows, the mean of their query tokens."""
    features = [joints_to_features(window, HUMANML3D) for window in found]
    return np.asarray(embed_motions(bundle, features).mean(1))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bundle", default="lamp-mini", help="folder, hub name, or lamp-mini")
    parser.add_argument("--context", default="1", help="numbers of tokens, with commas between")
    parser.add_argument("--candidates", type=int, default=16, help="draws per part, as in lamp generate")
    parser.add_argument("--real", type=Path, help="real motions, a file or a folder; else those made alone")
    parser.add_argument("--seeds", type=int, default=1, help="generations of each prompt")
    options = parser.parse_args(arguments)
    model = load(options.bundle, "cpu")
    bundle = model.bundle
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()
    asked = [[(text, expected) for text, expected in json.loads(line)["parts"]] for line in lines]
    how = [GenerateOptions(seed, candidates=options.candidates) for seed in range(options.seeds)]
    singles = [alone(bundle, asked, one) for one in how]
    made = {"alone, blended": [m for each in singles for m in blended(each, asked)]}
    made["alone, joined"] = [m for each in singles for m in joined(each, asked)]
    made["alone, joined by the model"] = [m for each in singles for m in joined(each, asked, model)]
    each_part = [[part] for parts in asked for part in parts]
    own = [Joined(each[text], [0, len(each[text])]) for each in singles for [(text, _)] in each_part]
    _say("alone", verdicts(own, each_part * options.seeds))
    elsewhere = list(windows(made["alone, blended"], False))
    true = elsewhere if options.real is None else real_windows(options.real)
    level = float(np.mean([jerk_curve(window, HUMANML3D.fps) for window in true]))
    reference = embedded(bundle, true)
    for context in options.context.split(","):
        chosen = [replace(one, context_tokens=int(context)) for one in how]
        made[f"context {context}"] = [m for one in chosen for m in chained(bundle, asked, one)]
    for source, motions in made.items():
        found = list(windows(motions, True))
        fid = {"FID": frechet_inception_distance(embedded(bundle, found), reference)}
        _say(source, verdicts(motions, asked * options.seeds) | transitions(found, level) | fid)
    _say("made alone, elsewhere", transitions(elsewhere, level))
    if options.real is not None:
        _say("real", transitions(true, level))


def _say(name: str, figures: dict[str, float]) -> None:
    print(name, *(f"{key} {value:.3g}" for key, value in figures.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
