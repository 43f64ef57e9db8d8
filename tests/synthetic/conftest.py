"""Clips that the tests of this room share: making them is most of what these tests cost."""

from __future__ import annotations

import numpy as np
import pytest

from lamp_cli.synthetic.corpus import ACTIONS, SyntheticClip, synthetic_clip_of


@pytest.fixture(scope="session")
def clips() -> dict[str, list[SyntheticClip]]:
    """Three clips of every action."""
    return {
        action: [synthetic_clip_of(action, np.random.default_rng([7, seed])) for seed in range(3)]
        for action in ACTIONS
    }
