"""Captions judged: ``python -m examples.judge.captions --bundle lamp-mini --data DIR --split val``.

Clips of a data set are captioned as ``lamp caption`` does. Printed are BLEU, ROUGE-L and CIDEr-D of the
clips without truth (real) and with truth (synthetic), the share of captions that are sentences rather than
labels of a corpus ("run/jog"), and of the latter the share that agrees with what is true, beside the same for
the captions that people or the grammar wrote, which is the most to be had. ``--round-trip FILE`` adds
prompts -> motion -> caption: the share that names the action asked for. Each line of the file is
``{"prompt": ..., "expected": {"action": ...}}``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.data.layout import FIELD_LIMITS, Clip, open_dataset
from lamp_cli.data.prepare.synthetic import read_truth
from lamp_cli.inference.caption import CaptionOptions, caption_features
from lamp_cli.inference.generate import GenerateOptions, Prompt, generate
from lamp_cli.metrics.captioning import RAW, caption_figures
from lamp_cli.metrics.captions import references
from lamp_cli.model.decoding import DecodingOptions
from lamp_cli.motion.clip_length import LONGEST_CLIP
from lamp_cli.motion.representation import joints_to_features
from lamp_cli.synthetic.corpus import ACTIONS, Agreement, agrees, meaning_of_label, synthetic_clip_of

Truth = Mapping[str, Any]
# A determiner or adjective or two, and who moves.
SUBJECT = re.compile(
    r"(?:(?:a|an|the|this|that|one|same)\s+)?(?:\w+\s+){0,2}?(?:person|man|woman|someone|somebody|figure|guy|individual|"
    r"people|human|character|he|she|they|dancer|boy|girl|robot|body)\b\W+\w+",
    re.IGNORECASE,
)
JUDGED = ("side", "direction", "count")

# Draws per motion, as in lamp generate.
CANDIDATES = 16


@dataclass(frozen=True)
class Captioned:
    """A clip's captions, the model's and those in the data set; ``truth`` is None for a real clip."""

    id: str
    caption: str
    references: tuple[str, ...]
    truth: Truth | None


@dataclass(frozen=True)
class Shares:
    """Percent of sentences that agree with a truth, and of how many each.

    A side, direction or count is judged where the truth has one and the sentence names one.
    """

    sentences: int
    action: float
    side: float | None
    sides: int
    direction: float | None
    directions: int
    count: float | None
    counts: int


@dataclass(frozen=True)
class RoundTrip:
    """A prompt, what it asks for, and the caption of the motion that was generated from it."""

    prompt: str
    expected: Truth
    caption: str
    agrees: bool


def captioned_clips(
    bundle: Bundle, data: Path, split: str, limit: int | None, options: CaptionOptions
) -> list[Captioned]:
    """Captions of the split's clips, at most ``limit`` real and as many synthetic ones, whole takes only.

    Clips are those of the field's evaluation, 40 to 199 frames. Raises ``ValueError`` for no data set.
    """
    clips, _ = open_dataset(data).clips(split, FIELD_LIMITS[bundle.skeleton.name])
    truths = {clip.id: read_truth(data, clip.id) for clip in clips}
    real = [clip for clip in clips if clip.captions and truths[clip.id] is None][:limit]
    synthetic = [clip for clip in clips if clip.captions and truths[clip.id] is not None][:limit]
    chosen: list[Clip] = real + synthetic
    captions = captions_of(bundle, [clip.features for clip in chosen], options)
    return [
        Captioned(clip.id, text, clip.captions, truths[clip.id])
        for clip, text in zip(chosen, captions, strict=True)
    ]


def captions_of(bundle: Bundle, features: Sequence[np.ndarray], options: CaptionOptions) -> list[str]:
    """The best caption of each of features (T, C); what is beyond the model's window is left out."""
    cut = [one[:LONGEST_CLIP] for one in features]
    return [candidates[0].text for candidates in caption_features(bundle, cut, options)]


def word_figures(clips: Sequence[Captioned]) -> dict[str, float]:
    """BLEU-1, BLEU-4, ROUGE-L (0..1) and CIDEr-D (0..10), captions as written cut into plain words."""
    several = [references(clip.references, (), "raw") for clip in clips]
    figures = caption_figures([clip.caption for clip in clips], several, RAW)
    return {name: figures[name] for name in ("BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr-D")}


def is_sentence(caption: str) -> bool:
    """Whether a caption says of somebody what they do, and is no label such as corpora give to takes."""
    meaning = meaning_of_label(caption)
    # Some labels are sentences already, and stand among those that they become.
    is_label = meaning is not None and caption not in meaning.sentences
    return not is_label and SUBJECT.match(caption) is not None


def shares(pairs: Iterable[tuple[str, Truth]]) -> Shares:
    """Shares of sentences that agree with their truths; raises ``ValueError`` for none at all."""
    found = [agrees(sentence, truth) for sentence, truth in pairs]
    if not found:
        raise ValueError("no sentence to judge; expected at least one clip with truth")
    values: dict[str, Any] = {"sentences": len(found), "action": _percent([one.action for one in found])}
    for name in JUDGED:
        known = _known(found, name)
        values |= {name: _percent(known), f"{name}s": len(known)}
    return Shares(**values)


def shares_by_action(pairs: Iterable[tuple[str, Truth]]) -> dict[str, Shares]:
    """Shares of every action; sequences and walking with busy arms are rows of their own."""
    groups: dict[str, list[tuple[str, Truth]]] = defaultdict(list)
    for sentence, truth in pairs:
        groups["walk while ..." if "while" in truth else truth["action"]].append((sentence, truth))
    return {action: shares(group) for action, group in sorted(groups.items())}


def read_prompts(path: Path) -> list[tuple[str, Truth]]:
    """Prompts with what they ask for; raises ``ValueError`` naming a line that is none."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        record = json.loads(line)
        if not isinstance(record.get("prompt"), str) or "action" not in record.get("expected", {}):
            raise ValueError(f"{path}:{number}: expected a prompt and expected with an action")
        found.append((record["prompt"], record["expected"]))
    return found


def round_trip(
    bundle: Bundle, prompts: Sequence[tuple[str, Truth]], seed: int, options: CaptionOptions
) -> list[RoundTrip]:
    """One motion and its caption for every prompt."""
    asked = [Prompt(text) for text, _ in prompts]
    made = generate(bundle, asked, GenerateOptions(seed, candidates=CANDIDATES))
    motions = [motion.features for motion in made if motion.features is not None]
    return [
        RoundTrip(text, expected, caption, agrees(caption, expected).action)
        for (text, expected), caption in zip(prompts, captions_of(bundle, motions, options), strict=True)
    ]


def true_motions(
    bundle: Bundle, prompts: Sequence[tuple[str, Truth]], seed: int, options: CaptionOptions
) -> list[RoundTrip]:
    """As :func:`round_trip`, of synthetic clips of the same actions in place of generated motions.

    A prompt for actions in a row is left out, as is an action that the corpus does not have.
    """
    kept = [(text, e["action"]) for text, e in prompts if e["action"] in ACTIONS and "while" not in e]
    clips = [
        synthetic_clip_of(action, np.random.default_rng([seed, number]))
        for number, (_, action) in enumerate(kept)
    ]
    features = [joints_to_features(clip.joints, bundle.skeleton) for clip in clips]
    captions = captions_of(bundle, features, options)
    return [
        RoundTrip(text, clip.truth, sentence, agrees(sentence, clip.truth).action)
        for (text, _), clip, sentence in zip(kept, clips, captions, strict=True)
    ]


def _known(found: Sequence[Agreement], name: str) -> list[bool]:
    return [value for one in found if (value := getattr(one, name)) is not None]


def _percent(values: Sequence[bool]) -> float | None:
    return round(100 * sum(values) / len(values), 1) if values else None


def _cell(value: float | None, of: int) -> str:
    return "-".rjust(12) if value is None else f"{value:6.1f} /{of:4d}"


def _row(name: str, own: Shares) -> str:
    cells = [_cell(own.action, own.sentences)]
    cells += [_cell(getattr(own, judged), getattr(own, f"{judged}s")) for judged in JUDGED]
    return f"{name:26s}" + "  ".join(cells)


def _report_words(name: str, clips: Sequence[Captioned]) -> dict[str, Any]:
    common = Counter(clip.caption for clip in clips).most_common(1)
    figures: dict[str, Any] = {"clips": len(clips), "different": len({clip.caption for clip in clips})}
    if clips:
        figures["sentences, %"] = 100 * sum(is_sentence(clip.caption) for clip in clips) / len(clips)
    # Of one clip CIDEr-D says nothing.
    figures |= word_figures(clips) if len(clips) > 1 else {}
    print(f"{name}: " + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()))
    if common:
        print(f"  most often, {common[0][1]} times: {common[0][0]}")
    return figures


def _report_truth(clips: Sequence[Captioned]) -> dict[str, Any]:
    known = [(clip, clip.truth) for clip in clips if clip.truth is not None]
    own = [(clip.caption, truth) for clip, truth in known]
    ceiling = [(reference, truth) for clip, truth in known for reference in clip.references]
    print(f"{'percent of sentences':26s}" + "  ".join(f"{n:>12s}" for n in ("action", *JUDGED)))
    print(_row("the data set's", shares(ceiling)))
    print(_row("captions", shares(own)))
    table = shares_by_action(own)
    for action, row in table.items():
        print(_row(f"  {action}", row))
    return {
        "captions": asdict(shares(own)),
        "data_set": asdict(shares(ceiling)),
        "by_action": {action: asdict(row) for action, row in table.items()},
    }


def _report_round_trip(bundle: Bundle, path: Path, seed: int, options: CaptionOptions) -> dict[str, Any]:
    prompts = read_prompts(path)
    legible = [agrees(text, expected).action for text, expected in prompts]
    made, true = round_trip(bundle, prompts, seed, options), true_motions(bundle, prompts, seed, options)
    record: dict[str, Any] = {"prompts": len(prompts), "prompts_legible_to_the_judge": _percent(legible)}
    print(f"round trip, the prompts themselves: {_percent(legible)} % of {len(prompts)} name the action")
    for name, trips in (("generated", made), ("synthetic clips of the same actions", true)):
        percent = _percent([trip.agrees for trip in trips])
        print(f"round trip, {name}: {percent} % of {len(trips)} captions name the action")
        record[name] = {"percent": percent, "trips": [asdict(trip) for trip in trips]}
    return record


def main() -> None:
    """Print the tables, and write everything with every caption to ``--json``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", default="lamp-mini")
    parser.add_argument("--data", type=Path, help="data set folder; none for the round trip alone")
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, help="real clips at most, and synthetic clips at most")
    parser.add_argument("--round-trip", type=Path, metavar="PROMPTS.jsonl")
    parser.add_argument("--beams", type=int, help="of a search; none: as the model is used")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--show", type=int, default=0, help="captions of real clips to show beside theirs")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    bundle = load_bundle(given.bundle, torch.device(given.device), captioner=True)
    options = CaptionOptions(DecodingOptions(beams=given.beams))
    record: dict[str, Any] = {"bundle": given.bundle, "split": given.split}
    if given.data is not None:
        clips = captioned_clips(bundle, given.data, given.split, given.limit, options)
        real = [clip for clip in clips if clip.truth is None]
        synthetic = [clip for clip in clips if clip.truth is not None]
        for name, some in (("real", real), ("synthetic", synthetic)):
            record[name] = _report_words(name, some)
        if synthetic:
            record["truth"] = _report_truth(synthetic)
        for clip in real[: given.show]:
            print(f"{clip.id}\t{clip.caption}\t({clip.references[0]})")
        record["clips"] = [asdict(clip) for clip in clips]
    if given.round_trip is not None and not given.round_trip.is_file():
        print(f"{given.round_trip}: missing, no round trip")
    elif given.round_trip is not None:
        record["round_trip"] = _report_round_trip(bundle, given.round_trip, given.seed, options)
    if given.json is not None:
        given.json.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
