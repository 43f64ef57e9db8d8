"""``lamp info``: what a bundle is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .common import AsJson, emit

if TYPE_CHECKING:
    from ..bundle.description import BundleDescription


def info_command(
    model: Annotated[str, typer.Argument(help="Bundle: folder, hub name, or lamp-mini.")] = "lamp-mini",
    as_json: AsJson = False,
) -> None:
    """Say what a bundle is: networks, sizes, stages and figures, licence, checksum, and how it was trained.

    The training is shown as the experiment file that `lamp pretrain --config` reads.
    """
    from ..bundle.description import describe_bundle

    description = describe_bundle(model)
    emit(description.record(), _for_people(description), as_json)


def _for_people(description: BundleDescription) -> str:
    from ..storage import toml_text

    record, parameters = description.record(), description.parameters
    parts = [*description.parts, *(["evaluator"] if description.evaluator else [])]
    lines = [
        f"{record['model']}: {', '.join(parts)}",
        f"motions: {record['skeleton']}, {record['fps']:g} frames per second",
        f"folder: {record['folder']} ({description.size / 1e6:.1f} MB)",
        f"licence: {description.licence or 'not stated'}",
        f"checksum: {description.checksum}",
    ]
    provenance = description.config.provenance
    if provenance is not None:
        lines.append(f"weights of: {provenance.source}")
        lines += [f"  {name}: SHA-256 {digest}" for name, digest in provenance.files.items()]
    counts = ", ".join(f"{name} {count:,}" for name, count in parameters.items())
    lines.append(f"parameters: {sum(parameters.values()):,} ({counts})")
    for stage, step in record["steps"].items():
        figures = record["figures"].get(stage, {})
        values = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        lines.append(f"{stage}: best at step {step}{', ' + values if values else ''}")
    if description.training is None:
        return "\n".join([*lines, "training: this bundle does not say how it was trained"])
    training = ["", "# training: what `lamp pretrain --config` reads", toml_text(description.training)]
    return "\n".join([*lines, *training])
