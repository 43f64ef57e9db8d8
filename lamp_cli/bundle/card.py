"""The model card of a bundle: what a person wants to know before using it."""

from __future__ import annotations

from pathlib import Path

from .config import BundleConfig

FIRST_WORDS = "A `lamp` bundle:"


def is_model_card(path: Path) -> bool:
    """Whether a README.md is a model card of a bundle, so that a newer one may replace it."""
    try:
        return FIRST_WORDS in path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return False


def model_card(config: BundleConfig) -> str:
    """Markdown: sizes, steps and validation figures of every stage."""
    lines = [
        f"# {config.name}",
        "",
        f"{FIRST_WORDS} motion tokenizer, language-motion model (LaMP, Li et al., ICLR 2025), generator,",
        f"length head{_captioner(config)}.",
        "",
        f"Skeleton: {config.skeleton}, {config.fps:g} frames per second.",
        "",
        "| stage | best step | figure on the validation split | value |",
        "|---|---|---|---|",
    ]
    for stage, figures in config.figures.items():
        rows = [
            f"| {stage} | {config.steps[stage]} | {name} | {value:.4g} |" for name, value in figures.items()
        ]
        lines += rows
    return "\n".join([*lines, "", "The best step of each stage was chosen on the validation split.", ""])


def _captioner(config: BundleConfig) -> str:
    captioner = config.model.captioner
    if captioner is None:
        return " (and no captioner)"
    language_model = captioner.language_model
    if language_model is None:
        return " and captioner, whose decoder is embedded"
    return f" and captioner, whose decoder is {language_model.name} ({language_model.tuning})"
