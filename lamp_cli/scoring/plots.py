"""Pictures of scores: similarity heatmap, recall curves, intervals of several runs side by side.

The heatmap is Figure 3 of the LaMP paper. Draws given numbers and measures nothing; matplotlib is
imported when something is drawn, and no window or global figure is ever made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ..metrics.measurement import Measurement
from ..storage import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

# Dark enough on white, and apart from each other for colour-blind eyes (Okabe and Ito).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_LONGEST_LABEL = 46
_MOST_LABELS = 40


@dataclass(frozen=True)
class Heatmap:
    """Similarities (texts, motions) with their names; empty names draw none.

    Some dozens of each can be told apart; of more than 40 no names are drawn.
    """

    similarity: np.ndarray
    texts: Sequence[str] = ()
    motions: Sequence[str] = ()


@dataclass(frozen=True)
class Picture:
    """What to draw; whatever is given becomes a row of the picture.

    ``recalls`` holds a curve (K,) in percent for each name, at 1 .. K; ``runs`` the measurements of
    each run by its name.
    """

    heatmap: Heatmap | None = None
    recalls: Mapping[str, np.ndarray] | None = None
    runs: Mapping[str, Sequence[Measurement]] | None = None


def draw(picture: Picture, path: Path) -> Path:
    """Write ``picture`` to ``path``; its suffix chooses the format (png, svg, pdf).

    Raises ``ValueError`` when there is nothing to draw, shapes and names do not agree, or matplotlib
    knows no such format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = _heights(picture)
    if not heights:
        raise ValueError("nothing to draw: expected similarities, recall curves or runs")
    figure = Figure(figsize=(8.5, sum(heights.values())), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in canvas.get_supported_filetypes():
        raise ValueError(f"{path}: expected a picture file such as .png or .svg, found {path.suffix!r}")
    parts = figure.subfigures(len(heights), 1, height_ratios=list(heights.values()), squeeze=False)[:, 0]
    panels = dict(zip(heights, parts, strict=True))
    if picture.heatmap is not None:
        _draw_heatmap(panels["heatmap"], picture.heatmap)
    if picture.recalls:
        _draw_recalls(panels["recalls"], picture.recalls)
    if picture.runs:
        _draw_runs(panels["runs"], picture.runs)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return path


def _heights(picture: Picture) -> dict[str, float]:
    """Inches of each row that is drawn."""
    heights: dict[str, float] = {}
    if picture.heatmap is not None:
        texts = len(np.atleast_1d(picture.heatmap.similarity))
        heights["heatmap"] = float(np.clip(0.24 * texts + 2.6, 4.5, 9.0))
    if picture.recalls:
        heights["recalls"] = 4.2
    if picture.runs:
        heights["runs"] = 0.3 + 2.5 * -(-len(_metrics(picture.runs)) // 3)
    return heights


def _draw_heatmap(panel: SubFigure, heatmap: Heatmap) -> None:
    values = np.asarray(heatmap.similarity, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise ValueError(f"expected finite similarities (texts, motions), found shape {values.shape}")
    axes = panel.subplots()
    image = axes.imshow(values, cmap="viridis", aspect="auto", interpolation="nearest")
    panel.colorbar(image, ax=axes, label="similarity", pad=0.02)
    axes.set_title("text-motion similarity", fontsize=11)
    axes.set_ylabel("texts")
    axes.set_xlabel("motions")
    _label(axes, heatmap.texts, len(values), vertical=True)
    _label(axes, heatmap.motions, values.shape[1], vertical=False)


def _label(axes: Axes, names: Sequence[str], count: int, vertical: bool) -> None:
    """Names along one side, as long as they can be told apart."""
    if not names:
        return
    if len(names) != count:
        raise ValueError(f"expected {count} names beside the similarities, found {len(names)}")
    if count > _MOST_LABELS:
        return
    short = [n if len(n) <= _LONGEST_LABEL else n[: _LONGEST_LABEL - 1] + "…" for n in names]
    axis, turn = (axes.yaxis, 0) if vertical else (axes.xaxis, 60)
    axis.set_ticks(range(count), short, fontsize=8, rotation=turn)
    if not vertical:
        for text in axes.get_xticklabels():
            text.set_horizontalalignment("right")
            text.set_rotation_mode("anchor")


def _draw_recalls(panel: SubFigure, recalls: Mapping[str, np.ndarray]) -> None:
    axes = panel.subplots()
    for number, (name, curve) in enumerate(recalls.items()):
        values = np.asarray(curve, dtype=np.float64)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise ValueError(f"{name}: expected a finite recall curve (K,), found shape {values.shape}")
        ranks = np.arange(1, len(values) + 1)
        marker = "o" if len(values) <= 12 else None
        colour = _COLOURS[number % len(_COLOURS)]
        axes.plot(ranks, values, label=name, color=colour, marker=marker, markersize=4, linewidth=1.8)
    axes.set(xlabel="k", ylabel="R@k (%)", ylim=(0, 101))
    axes.set_xlim(left=1)
    longest = max(len(curve) for curve in recalls.values())
    axes.set_xticks([1, *(k for k in (3, 5, 10, 20, 30, 40, 50) if 1.5 < k <= longest)])
    axes.set_title("recall within the first k", fontsize=11)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower right")


def _metrics(runs: Mapping[str, Sequence[Measurement]]) -> list[tuple[str, str, str | None]]:
    """Figures that can stand beside each other: one metric, protocol and evaluator."""
    keys = [(m.metric, m.protocol, m.evaluator) for run in runs.values() for m in run]
    return list(dict.fromkeys(keys))


def _draw_runs(panel: SubFigure, runs: Mapping[str, Sequence[Measurement]]) -> None:
    """One small plot per figure, one point with its interval per run and subject."""
    metrics = _metrics(runs)
    columns = min(3, len(metrics))
    grid = panel.subplots(-(-len(metrics) // columns), columns, squeeze=False).ravel()
    for axes, key in zip(grid, metrics, strict=False):
        points = [
            (name, number, m)
            for number, (name, run) in enumerate(runs.items())
            for m in run
            if (m.metric, m.protocol, m.evaluator) == key
        ]
        # The same subject of all runs stands together: that is what is compared.
        subjects = list(dict.fromkeys(m.subject for _, _, m in points))
        points.sort(key=lambda point: subjects.index(point[2].subject))
        for place, (_, number, m) in enumerate(points):
            colour = _COLOURS[number % len(_COLOURS)]
            axes.errorbar(m.value, place, xerr=m.interval, fmt="o", color=colour, capsize=3, markersize=5)
        labels = [m.subject if len(runs) == 1 else f"{name}: {m.subject}" for name, _, m in points]
        axes.set_yticks(range(len(points)), labels, fontsize=8)
        axes.set_ylim(len(points) - 0.4, -0.6)
        axes.tick_params(axis="x", labelsize=8)
        axes.set_title("\n".join(fill(part, 24) for part in key if part), fontsize=8)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(metrics) :]:
        axes.set_visible(False)
