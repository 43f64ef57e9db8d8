"""An experiment of a few weights: tests train every stage in a second.

The shipped sizes are trained as subprocesses by the commands of the README.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.command_line import Done, lamp

SMALL = Path(__file__).with_name("small.toml")


def of_stages(**values: Mapping[str, float]) -> dict[str, float]:
    """Fields of an experiment from values by stage, as in ``steps={"lamp": 3}``."""
    return {f"training.{stage}.{name}": v for name, each in values.items() for stage, v in each.items()}


def pretrain(*words: str | Path) -> Done:
    """``lamp pretrain`` of the small networks, within this process."""
    return lamp("pretrain", *words, "--config", SMALL)
