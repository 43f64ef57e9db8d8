"""A bundle's ``config.json``: read back as it was written, also by a later version."""

from __future__ import annotations

from lamp_cli.bundle.config import from_json, to_json
from lamp_cli.model.lamp import LampConfig


def test_an_objective_of_a_former_version_is_no_unknown_field() -> None:
    config = LampConfig(codes=7)
    assert from_json(LampConfig, {**to_json(config), "contradiction": True}) == config
