"""How sure a figure of two sets is that was measured once.

Source: the delete-half jackknife (Shao and Wu, Annals of Statistics 1989), a bootstrap without copies. The
plain bootstrap draws clips twice, and these figures mistake copies: a clip's nearest neighbour is then
itself, and FID takes them for a narrower set. The spread of a figure over halves of the clips is the standard
error of the figure of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

HALVES = 20


def half_sample_intervals(
    figures: Callable[[np.ndarray, np.ndarray], Mapping[str, float]],
    first: np.ndarray,
    second: np.ndarray,
    rng: np.random.Generator,
    draws: int = HALVES,
) -> dict[str, float]:
    """Half widths of the 95% intervals of ``figures(first, second)`` by name, of sets (N, D) and (M, D).

    Raises ``ValueError`` for fewer than two draws or clips, and what ``figures`` raises of half the clips.
    """
    if draws < 2 or min(len(first), len(second)) < 2:
        found = f"{draws} of {min(len(first), len(second))} clips"
        raise ValueError(f"expected at least two halves of two clips, found {found}")
    found_values: dict[str, list[float]] = {}
    for _ in range(draws):
        halves = [each[rng.permutation(len(each))[: len(each) // 2]] for each in (first, second)]
        for name, value in figures(*halves).items():
            found_values.setdefault(name, []).append(value)
    return {name: float(1.96 * np.std(values, ddof=1)) for name, values in found_values.items()}
