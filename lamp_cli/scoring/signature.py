"""One line that says how figures were measured, to be printed beside them in a paper.

Source: Post, "A call for clarity in reporting BLEU scores", WMT 2018: a number without such a line cannot be
compared with another. Whoever has the same line and the same motions gets the same figures. Names of folders
do not identify what is in them: data and networks stand with eight digits of their SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import __version__
from .figures import (
    BERTSCORE,
    CAPTIONS,
    CONTRASTS,
    FID,
    MATCHING,
    MULTIMODALITY,
    OF_GENERATED,
    OF_MOTIONS,
    RECONSTRUCTION,
    RETRIEVAL,
    SEQUENCES,
    ScoreOptions,
)

if TYPE_CHECKING:
    from ..inference.generate import GenerateOptions
    from .models import Models
    from .scored_motions import Example, Split


def split_signature(split: Split, models: Models, options: ScoreOptions, how: GenerateOptions) -> str:
    """Of a bundle on a split, whose motions are generated as ``how`` says."""
    clips = split.clips.clips
    content = hashlib.sha256()
    for clip in clips:
        content.update("\n".join([clip.id, *(caption.text for caption in clip.captions)]).encode())
        content.update(clip.features.tobytes())
    parts = {
        "data": f"{split.dataset.root.name}/{split.split}#{content.hexdigest()[:8]}",
        "clips": str(len(clips)),
        **_networks(models, options),
    }
    if options.wants(*OF_GENERATED):
        sampling, network = how.sampling, models.config.model.generator
        guidance = sampling.guidance
        if guidance is None and network is not None:
            guidance = network.guidance
        parts |= {
            "model": f"{models.config.name}#{models.digest}",
            "draws": str(how.candidates),
            "guidance": f"{guidance:g}",
            "steps": str(sampling.steps),
            "temperature": f"{sampling.temperature:g}",
            "top": f"{sampling.top_fraction:g}",
            "precision": how.precision,
            "clean-up": "yes" if how.clean_up else "no",
        }
    return _line(options, parts)


def pairs_signature(examples: Sequence[Example], models: Models, options: ScoreOptions) -> str:
    """Of given motions with their sentences."""
    texts = "\n".join(caption.text for example in examples for caption in example.captions)
    digest = hashlib.sha256(texts.encode()).hexdigest()[:8]
    truths = sum(example.truth is not None for example in examples)
    parts = {"data": f"pairs#{digest}", "clips": str(len(examples)), "truths": str(truths)}
    return _line(options, {**parts, **_networks(models, options)})


def motions_signature(count: int, options: ScoreOptions, models: Models | None = None) -> str:
    """Of motions without sentences."""
    parts = {"data": "motions", "clips": str(count)}
    if models is not None and options.wants(RECONSTRUCTION):
        parts["model"] = f"{models.config.name}#{models.digest}"
    return _line(options, parts)


def _networks(models: Models, options: ScoreOptions) -> dict[str, str]:
    """The evaluators that are asked, who reads sentences, and who writes them."""
    names: list[str] = []
    judged = options.wants(*MATCHING, MULTIMODALITY, CAPTIONS, SEQUENCES, CONTRASTS)
    for asked, metric in ((judged, FID), (options.wants(RETRIEVAL), RETRIEVAL)):
        if asked:
            names += [
                evaluator.name.replace(" (", "#").rstrip(")") for evaluator in models.evaluators(metric)
            ]
    found = {"evaluator": "+".join(dict.fromkeys(names))} if names else {}
    if options.wants(BERTSCORE, CAPTIONS):
        found["bertscore"] = models.encoder.name
        if (digest := models.captioner_digest) is not None:
            found["captioner"] = f"{models.config.name}#{digest}"
    return found


def _line(options: ScoreOptions, parts: dict[str, str]) -> str:
    whole = {"lamp": __version__}
    if options.protocols:
        whole["protocols"] = "+".join(options.protocols)
    whole |= parts
    if set(options.metrics) - set(OF_MOTIONS):
        whole |= {"repetitions": str(options.repetitions), "seed": str(options.seed)}
    if options.rerank and options.wants(RETRIEVAL):
        whole["rerank"] = str(options.rerank)
    return "|".join(f"{key}:{value}" for key, value in whole.items())
