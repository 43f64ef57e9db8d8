"""Does a bundle find what is asked for? ``python -m examples.judge.search --data DIR --bundle lamp-mini``.

DIR is a data set in HumanML3D's layout. First: real clips of the split (``test``: people that nobody trained
on) whose captions all tell of one of eleven actions are ranked for sentences that ask for it, as ``lamp
retrieve`` ranks them; printed is each action's average precision, the mean over its sentences, and the mean
over the actions. Second: of made-up clips of two actions in a row, the share that is nearer to the sentence
in their order than to the one with the actions swapped; guessing gives 50 %. Knows no training.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.data.layout import Clip, FramesLimit, open_dataset
from lamp_cli.data.prepare.synthetic import read_truth
from lamp_cli.inference.embed import embed_motions, embed_texts, similarity
from lamp_cli.motion.clip_length import LONGEST_CLIP
from lamp_cli.synthetic.corpus import further_wordings

LEAST_CLIPS = 2
SHORTEST = 16
# Wordings of each action in a row that are tried in both orders.
WORDINGS = 3


@dataclass(frozen=True)
class Sought:
    """An action: what every caption of its clips matches, and sentences that ask for it."""

    told: str
    asked: tuple[str, ...]


ACTIONS: Mapping[str, Sought] = {
    "walk": Sought(
        r"\bwalk(s|ing)?\b(?!.*(turn|stop|run|back|box|then))",
        ("a person walks forward", "someone is walking", "walking"),
    ),
    "run": Sought(
        r"\b(run(s|ning)?|jog(s|ging)?)\b(?!.*(turn|stop|walk|back|box|then))",
        ("a person runs forward", "someone is jogging", "running"),
    ),
    "jump in place": Sought(
        r"\b(jump(s|ing)?|hops) (up and down|in place|straight up)|jumping straight up|up and down with both",
        ("a person jumps in place", "someone jumps up and down", "jumping on the spot"),
    ),
    "jumping jacks": Sought(
        r"jumping jack|spreading arms and legs",
        ("a person does jumping jacks", "someone is doing jumping jacks", "jumping jacks"),
    ),
    "box": Sought(
        r"\b(box(es|ing)?|punch(es|ing)?)\b",
        ("a person boxes", "someone throws punches with both hands", "boxing"),
    ),
    "wave both hands": Sought(
        r"\bwav\w+.*\b(both|two)\b|\b(both|two)\b.*\bwav",
        ("a person waves both hands", "someone waves with two hands over the head", "waving both arms"),
    ),
    "wave right hand": Sought(
        r"\bwav\w+.*\bright\b|\bright\b.*\bwav",
        (
            "a person waves the right hand",
            "someone raises the right arm and waves",
            "waving with the right hand",
        ),
    ),
    "clap": Sought(r"\bclap|applaud", ("a person claps", "someone is clapping the hands", "clapping")),
    "throw": Sought(
        r"\bthrow(s|ing)?\b(?!.*punch)", ("a person throws a ball", "someone throws", "throwing")
    ),
    "sit down": Sought(
        r"\b(sits? down|into a seat|takes? a seat)\b(?!.*stands? up)",
        ("a person sits down", "someone sits down on a chair", "sitting down"),
    ),
    "stand up": Sought(
        r"\b(stands? up|gets? up from a seat|rises from sitting)\b",
        ("a person stands up", "someone gets up from a chair", "standing up from a seat"),
    ),
}


def average_precision(relevant: Sequence[bool]) -> float:
    """Average precision of a ranking, best first: the mean precision at every hit; 0 without one."""
    hits = np.flatnonzero(relevant)
    return float(np.mean(np.arange(1, len(hits) + 1) / (hits + 1))) if len(hits) else 0.0


def action_told(captions: Sequence[str]) -> str | None:
    """The one action that all captions tell of; None where there is none, or more than one."""
    told = [n for n, one in ACTIONS.items() if captions and all(re.search(one.told, c) for c in captions)]
    return told[0] if len(told) == 1 else None


def labelled_takes(data: Path, split: str) -> list[tuple[Clip, str]]:
    """Real clips of the split that tell of one of the actions, cut to the model's longest.

    Raises ``ValueError`` where fewer than two actions have such clips.
    """
    clips = open_dataset(data).clips(split, FramesLimit(SHORTEST, 10**6))[0]
    real = [clip for clip in {c.id: c for c in clips}.values() if read_truth(data, clip.id) is None]
    found = [(clip, action) for clip in real if (action := action_told(clip.captions)) is not None]
    if len({action for _, action in found}) < 2:
        raise ValueError(f"{data}: expected real clips of at least two actions in the {split} split")
    return found


def search_figures(bundle: Bundle, takes: Sequence[tuple[Clip, str]]) -> dict[str, float]:
    """Average precision by action, and the mean of the actions as ``mean``."""
    motions = embed_motions(bundle, [clip.features[:LONGEST_CLIP] for clip, _ in takes])
    found = {}
    for name, sought in ACTIONS.items():
        relevant = np.array([action == name for _, action in takes])
        if relevant.sum() < LEAST_CLIPS:
            continue
        scores = similarity(motions, embed_texts(bundle, sought.asked))
        orders = [np.argsort(-scores[:, n], kind="stable") for n in range(len(sought.asked))]
        found[name] = float(np.mean([average_precision(relevant[order].tolist()) for order in orders]))
    return {**found, "mean": float(np.mean(list(found.values())))}


def ordered_pairs(data: Path, split: str, seed: int) -> Iterator[tuple[Clip, str, str]]:
    """Made-up clips of two actions in a row, a sentence in their order and one with the actions swapped."""
    for number, clip in enumerate(open_dataset(data).clips(split, FramesLimit(SHORTEST, 10**6))[0]):
        truth = read_truth(data, clip.id) or {}
        if truth.get("action") != "sequence":
            continue
        rng = np.random.default_rng([seed, number])
        first, second = (further_wordings(part, WORDINGS, rng) for part in truth["parts"])
        for one, other in zip(first, second, strict=False):
            yield clip, f"{one}, then {other}", f"{other}, then {one}"


def order_figure(bundle: Bundle, pairs: Sequence[tuple[Clip, str, str]]) -> float:
    """The share of pairs whose motion is nearer to the sentence in its order."""
    clips = {clip.id: clip for clip, _, _ in pairs}
    embedded = dict(
        zip(clips, embed_motions(bundle, [c.features[:LONGEST_CLIP] for c in clips.values()]), strict=True)
    )
    texts = embed_texts(bundle, [text for _, right, wrong in pairs for text in (right, wrong)])
    nearer = [
        np.diff(similarity(embedded[clip.id][None], texts[2 * n : 2 * n + 2])[0])[0] < 0
        for n, (clip, _, _) in enumerate(pairs)
    ]
    return float(np.mean(nearer))


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    bundle = load_bundle(options.bundle, torch.device(options.device))
    takes = labelled_takes(options.data, options.split)
    figures = search_figures(bundle, takes)
    counts = {name: sum(action == name for _, action in takes) for name in ACTIONS}
    print(
        f"{len(takes)} real clips of the {options.split} split, {len(figures) - 1} actions: average precision"
    )
    for name, value in figures.items():
        print(f"  {name:18s}{counts.get(name, len(takes)):5d} {value:6.2f}")
    record: dict[str, object] = {"bundle": options.bundle, "search": figures, "clips": counts}
    pairs = list(ordered_pairs(options.data, options.split, options.seed))
    if pairs:
        record["order"] = order_figure(bundle, pairs)
        print(f"order of two actions: {record['order']:.1%} of {len(pairs)} sentences")
    if options.json:
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data set folder")
    parser.add_argument("--bundle", default="lamp-mini", help="folder, hub name, or lamp-mini")
    parser.add_argument("--split", default="test", help="train, val or test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="also write everything here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
