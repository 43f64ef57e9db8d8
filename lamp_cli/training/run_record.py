"""``run.json``: what a training folder holds, so that a run only goes on with its own settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..model import distributed
from ..storage import write_json


def claim(path: Path, identity: dict[str, Any]) -> None:
    """Remember what the run is; refuse a folder that holds another one."""
    identity = json.loads(json.dumps(identity))
    if not path.exists():
        if distributed.rank() == 0:
            write_json(path, identity)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    if before != identity:
        changed = first_difference(before, identity)
        raise ValueError(f"{path}: this folder holds a run with another {changed}; choose another --output")


def first_difference(before: Any, now: Any) -> str:
    """The dotted name of the first setting that differs, as in ``training.lamp.steps``."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return ""
    every = [*now, *before]
    key = next(k for k in every if (k in before) != (k in now) or before[k] != now[k])
    return f"{key}.{first_difference(before.get(key), now.get(key))}".rstrip(".")
