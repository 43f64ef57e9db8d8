"""Training curves as a picture."""

from __future__ import annotations

import json
from pathlib import Path

from ..storage import replacing


def draw_curves(folder: Path) -> Path:
    """``curves.png`` of every ``STAGE/log.jsonl`` in ``folder``: losses and the validation figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    logs = {p.parent.name: _read(p) for p in sorted(folder.glob("*/log.jsonl"))}
    figure = Figure(figsize=(11, 3.2 * max(len(logs), 1)), layout="constrained")
    FigureCanvasAgg(figure)
    for row, (stage, records) in enumerate(logs.items()):
        steps = [record["step"] for record in records]
        losses = {"loss": "training loss", "val_loss": "validation loss"}
        left = figure.add_subplot(len(logs), 2, 2 * row + 1, title=stage, xlabel="step")
        for name, label in losses.items():
            if records and name in records[0]:
                left.plot(steps, [record[name] for record in records], label=label)
        left.legend()
        right = figure.add_subplot(len(logs), 2, 2 * row + 2, title=f"{stage}, validation", xlabel="step")
        for name in (k for k in records[0] if _is_figure(k)) if records else ():
            right.plot(steps, [record[name] for record in records], label=name.removeprefix("val_"))
        right.legend(fontsize="small")
    path = folder / "curves.png"
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return path


def _is_figure(name: str) -> bool:
    return name.startswith("val_") and ("mpjpe_mm" in name or "_r" in name or "accuracy" in name)


def _read(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
