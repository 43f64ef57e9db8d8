"""Training curves as a picture. Reads the logs that the training loop writes; knows no stage by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..storage import replacing
from .log import LOG, read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = {"loss": "training loss", "val_loss": "validation loss"}

# What the names of figures beside the losses hold.
FIGURES = ("mpjpe_mm", "_r", "accuracy")

Records = Sequence[Mapping[str, float]]


def draw_curves(folder: Path) -> Path:
    """``curves.png`` of every log in ``folder`` and the folders within: losses and the validation figures.

    A stage within a stage (``captioner/language``) has a row of its own, before the stage it prepares.
    """
    figure = curves_figure(read_logs(folder))
    path = folder / "curves.png"
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return path


def read_logs(folder: Path) -> dict[str, Records]:
    """The records of every log by the stage's folder, relative to ``folder``; inner stages come first."""
    paths = sorted(folder.rglob(LOG), key=lambda path: (path.parts[len(folder.parts)], -len(path.parts)))
    return {
        path.parent.relative_to(folder).as_posix(): read_log(path) for path in paths if path.parent != folder
    }


def curves_figure(logs: Mapping[str, Records]) -> Figure:
    """A row per stage: its losses on the left, its validation figures on the right, over steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = max(len(logs), 1)
    figure = Figure(figsize=(11, 3.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for row, (stage, records) in enumerate(logs.items()):
        names = dict.fromkeys(name for record in records for name in record if name.startswith("val_"))
        figures = {n: n.removeprefix("val_") for n in names if any(part in n for part in FIGURES)}
        left = figure.add_subplot(rows, 2, 2 * row + 1, title=stage, xlabel="step")
        right = figure.add_subplot(rows, 2, 2 * row + 2, title=f"{stage}, validation", xlabel="step")
        _plot(left, records, LOSSES)
        _plot(right, records, figures)
    return figure


def _plot(axes: Axes, records: Records, labels: Mapping[str, str]) -> None:
    for name, label in labels.items():
        points = [(record["step"], record[name]) for record in records if name in record]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, marker=".")
    # Of one validation too the steps are whole numbers.
    axes.locator_params(axis="x", integer=True, min_n_ticks=1)
    # A legend of nothing is a warning.
    if axes.lines:
        axes.legend(fontsize="small")
