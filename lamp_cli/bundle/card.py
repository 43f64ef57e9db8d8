"""The model card of a bundle: what a person wants to know before using it."""

from __future__ import annotations

from pathlib import Path

from ..model.captioner import CaptionerConfig
from .config import BundleConfig, Provenance

FIRST_WORDS = "A `lamp` bundle:"


def is_model_card(path: Path) -> bool:
    """Whether a README.md is a model card of a bundle, so that a newer one may replace it."""
    try:
        return FIRST_WORDS in path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return False


def model_card(config: BundleConfig) -> str:
    """Markdown: parts, where imported weights come from, steps and validation figures of every stage."""
    lines = [
        f"# {config.name}",
        "",
        f"{FIRST_WORDS} {', '.join(bundle_parts(config))}.",
        "",
        f"Skeleton: {config.skeleton}, {config.fps:g} frames per second.",
        "",
    ]
    lines += [] if config.provenance is None else _imported(config.provenance)
    lines += _figures(config) if config.figures else []
    return "\n".join(lines)


def bundle_parts(config: BundleConfig) -> list[str]:
    """What the bundle holds, a phrase each."""
    model = config.model
    lamp = "language-motion model (LaMP, Li et al., ICLR 2025)"
    if not config.lamp_reads_motions:
        lamp += " of another skeleton, which reads sentences alone"
    parts = ["motion tokenizer", lamp]
    if model.generator is not None:
        other, name = model.generator.condition_encoder, model.generator.condition
        parts.append("generator" + (f", which reads sentences with {name}:{other}" if other else ""))
    parts += [] if model.length is None else ["length head"]
    return [*parts, "no captioner" if model.captioner is None else _captioner(model.captioner)]


def _captioner(captioner: CaptionerConfig) -> str:
    language_model = captioner.language_model
    if language_model is None:
        return "captioner, whose decoder is embedded"
    return f"captioner, whose decoder is {language_model.name} ({language_model.tuning})"


def _imported(provenance: Provenance) -> list[str]:
    files = [f"- `{name}`, SHA-256 {digest}" for name, digest in provenance.files.items()]
    return [f"Holds weights of {provenance.source}. Licence: {provenance.licence}.", "", *files, ""]


def _figures(config: BundleConfig) -> list[str]:
    rows = [
        f"| {stage} | {config.steps[stage]} | {name} | {value:.4g} |"
        for stage, figures in config.figures.items()
        for name, value in figures.items()
    ]
    return [
        "| stage | best step | figure on the validation split | value |",
        "|---|---|---|---|",
        *rows,
        "",
        "The best step of each stage was chosen on the validation split.",
        "",
    ]
