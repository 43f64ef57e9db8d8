"""Does a bundle do what it is asked? ``python -m examples.judge.generation --bundle lamp-mini --seeds 5``.

Generates every prompt of ``joints/prompts.jsonl`` with every seed, judges the joints, and prints the share
that passes per group and per prompt, and the physical figures beside those of real clips. Knows no training.
``--prompts`` with ``second_prompts.jsonl`` or ``third_prompts.jsonl`` asks for the same in the words
of others, who had seen neither the corpus nor each other's. What was looked at while a recipe was changed
tells nothing of it any more: the third ones serve for that, the others only count.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamp_cli.checking.checks import does
from lamp_cli.data.layout import FIELD_LIMITS, open_dataset
from lamp_cli.data.prepare.synthetic import read_truth
from lamp_cli.metrics.physics import physical_figures, physical_quality
from lamp_cli.motion.representation import features_to_joints
from lamp_cli.motion.skeleton import HUMANML3D

PROMPTS = Path(__file__).parent / "joints" / "prompts.jsonl"
REAL_CLIPS = 200


@dataclass(frozen=True)
class Asked:
    """A prompt, what must be seen, and its group."""

    prompt: str
    expected: dict[str, Any]
    group: str


@dataclass(frozen=True)
class Judged:
    """One generation's verdict."""

    prompt: str
    group: str
    seed: int
    frames: int
    ok: bool
    reason: str


def read_prompts(file: Path = PROMPTS) -> list[Asked]:
    return [Asked(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def generations(options: argparse.Namespace, asked: Sequence[Asked], seed: int) -> list[np.ndarray]:
    """Joints of one generation of every prompt."""
    from lamp_cli.bundle.bundle import load_bundle
    from lamp_cli.cli.common import device_option
    from lamp_cli.inference.generate import GenerateOptions, Prompt, generate
    from lamp_cli.model.sampling import SamplingOptions
    from lamp_cli.scoring.checked_generation import generate_checked

    loaded = load_bundle(options.bundle, device_option(options.device))
    prompts = [Prompt(one.prompt) for one in asked]
    sampling = SamplingOptions(guidance=options.guidance, temperature=options.temperature)
    how = GenerateOptions(seed=seed, sampling=sampling, candidates=options.candidates)
    if options.draws is None:
        return [motion.joints for motion in generate(loaded, prompts, how)]
    return [kept.motion.joints for kept in generate_checked(loaded, prompts, how, options.draws)]


def judge(asked: Sequence[Asked], motions: Sequence[np.ndarray], seed: int) -> list[Judged]:
    found = []
    for one, joints in zip(asked, motions, strict=True):
        verdict = does(joints, one.expected)
        found.append(Judged(one.prompt, one.group, seed, len(joints), verdict.ok, verdict.reason))
    return found


def shares(judged: Sequence[Judged], key: str) -> dict[str, float]:
    """Share that passes by group or by prompt, in order of appearance."""
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for one in judged:
        passed[getattr(one, key)] += one.ok
        total[getattr(one, key)] += 1
    return {name: passed[name] / total[name] for name in total}


def real_clips(data: Path) -> list[np.ndarray]:
    """Joints of the first real clips of a data set's val split, as their features say them."""
    dataset = open_dataset(data)
    clips, _ = dataset.clips("val", FIELD_LIMITS[dataset.skeleton.name])
    real = [clip for clip in clips if read_truth(data, clip.id) is None]
    return [features_to_joints(clip.features, dataset.skeleton) for clip in real[:REAL_CLIPS]]


def physics(motions: Sequence[np.ndarray]) -> dict[str, float]:
    figures = physical_figures([physical_quality(joints, HUMANML3D.fps) for joints in motions])
    return {name: figure.value for name, figure in figures.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    asked = read_prompts(options.prompts)[: options.limit]
    judged: list[Judged] = []
    motions: list[np.ndarray] = []
    for seed in range(options.seeds):
        made = generations(options, asked, seed)
        judged += judge(asked, made, seed)
        motions += made
    report: dict[str, Any] = {
        "bundle": options.bundle,
        "seeds": options.seeds,
        "overall": float(np.mean([one.ok for one in judged])),
        "groups": shares(judged, "group"),
        "prompts": shares(judged, "prompt"),
        "physics": {"generated": physics(motions)},
        "judged": [asdict(one) for one in judged],
    }
    if options.data:
        report["physics"]["real"] = physics(real_clips(options.data))
    _print(report, judged)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bundle", default="lamp-mini", help="folder, hub name, or lamp-mini")
    parser.add_argument("--seeds", type=int, default=5, help="generations of each prompt")
    parser.add_argument("--guidance", type=float, help="classifier-free guidance scale; the bundle's own")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--candidates", type=int, default=16, help="draws per motion, as in lamp generate")
    parser.add_argument("--draws", type=int, help="most draws until lamp check says yes, as generate --check")
    parser.add_argument("--limit", type=int, help="only the first so many prompts")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps")
    parser.add_argument("--data", type=Path, help="dataset folder whose clips' physics is printed beside")
    parser.add_argument("--prompts", type=Path, default=PROMPTS, help="other prompts of the same form")
    parser.add_argument("--json", type=Path, help="also write everything here")
    return parser.parse_args(arguments)


def _print(report: dict[str, Any], judged: Sequence[Judged]) -> None:
    print(f"{report['bundle']}: {report['overall']:.1%} of {len(judged)} generations do what was asked\n")
    for group, share in report["groups"].items():
        print(f"  {group:12s} {share:6.1%}")
    print()
    for prompt, share in report["prompts"].items():
        reasons = Counter(one.reason for one in judged if one.prompt == prompt and not one.ok)
        why = reasons.most_common(1)[0][0] if reasons else ""
        print(f"  {share:5.0%}  {prompt}" + (f"  [{why}]" if why else ""))
    print()
    sources = report["physics"]
    for name, value in sources["generated"].items():
        beside = f"   real {sources['real'][name]:.3f}" if name in sources.get("real", {}) else ""
        print(f"  {name:24s} generated {value:.3f}{beside}")


if __name__ == "__main__":
    main()
