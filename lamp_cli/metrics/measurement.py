"""One measured figure together with everything that makes it comparable.

A number of this field means nothing without its protocol, evaluator, pool size and repetitions; a
``Measurement`` cannot be made without them. Knows no metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

GENERATED = "generated"
GROUND_TRUTH = "ground-truth"
SHUFFLED = "shuffled"
# Half of the true motions beside the other half: no model can be told from the truth below it.
FLOOR = "floor"
# What a figure is judged by; it cannot get better or worse.
CONTROLS = (GROUND_TRUTH, SHUFFLED, FLOOR)
FEWEST_VALUES = 5


class FigureNotAllowed(ValueError):
    """A figure that its protocol does not allow, e.g. R-precision on 20 clips.

    ``figure`` and ``reason`` are one sentence together; a caller that measures many figures catches
    this, prints the sentence and goes on.
    """

    def __init__(self, figure: str, reason: str):
        super().__init__(f"{figure}: {reason}")
        self.figure = figure
        self.reason = reason


@dataclass(frozen=True)
class Measurement:
    """A figure and how it was measured.

    ``interval`` is the half width of the 95% confidence interval, None where too little is repeated.
    ``pool`` counts what was compared: candidates for a ranking, clips or captions elsewhere.
    ``evaluator`` names whose embeddings were used, None where no network is involved.
    Raises ``ValueError`` for a value that is not finite.
    """

    metric: str
    value: float
    interval: float | None
    protocol: str
    evaluator: str | None
    pool: int
    repetitions: int
    seed: int | None
    subject: str

    def __post_init__(self) -> None:
        for name, number in (("value", self.value), ("interval", self.interval)):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{self.metric}: expected a finite {name}, found {number}")

    def row(self) -> dict[str, Any]:
        """A JSON object with the keys that ``lamp score`` prints."""
        return asdict(self)


def measurement_of_row(row: Mapping[str, Any]) -> Measurement:
    """The measurement of a JSON object; keys it does not know are ignored.

    Raises ``ValueError`` naming the key that is missing or is not what it should be.
    """
    missing = [key for key in ("metric", "value", "protocol", "subject") if key not in row]
    if missing:
        raise ValueError(f"a row of scores lacks {missing[0]!r}")
    return Measurement(
        metric=str(row["metric"]),
        value=_number(row, "value"),
        interval=None if row.get("interval") is None else _number(row, "interval"),
        protocol=str(row["protocol"]),
        evaluator=None if row.get("evaluator") is None else str(row["evaluator"]),
        pool=int(_number({"pool": 0, **row}, "pool")),
        repetitions=int(_number({"repetitions": 1, **row}, "repetitions")),
        seed=None if row.get("seed") is None else int(_number(row, "seed")),
        subject=str(row["subject"]),
    )


def confidence_interval(values: Sequence[float] | np.ndarray) -> float:
    """Half width of the field's 95% interval: 1.96 * std (ddof 0) / sqrt(n).

    Source: Guo et al., CVPR 2022. Raises ``ValueError`` for no values or values that are not finite.
    """
    numbers = _finite(values)
    return float(1.96 * numbers.std() / np.sqrt(len(numbers)))


def wilson_interval(share: float, count: int) -> float:
    """Half width of the 95% interval of a share of ``count`` yes-or-no trials.

    Source: Wilson, J. American Statistical Association 1927. The interval is not centred on the share; its
    half width, unlike that of 1.96 standard errors, is not 0 for a share of 0 or 1. Raises ``ValueError`` for
    no trial or a share out of 0..1.
    """
    if count < 1 or not 0.0 <= share <= 1.0:
        raise ValueError(f"expected a share from 0 to 1 of at least one trial, found {share} of {count}")
    z = 1.96
    return z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)


def mean_and_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float | None]:
    """The mean and its interval; fewer than five values have none: it would look far surer than it is."""
    numbers = _finite(values)
    return float(numbers.mean()), confidence_interval(numbers) if len(numbers) >= FEWEST_VALUES else None


def _finite(values: Sequence[float] | np.ndarray) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not len(numbers) or not np.isfinite(numbers).all():
        raise ValueError(f"expected one or more finite numbers, found {values!r}")
    return numbers


def _number(row: Mapping[str, Any], key: str) -> float:
    value = row[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"a row of scores: expected a number for {key!r}, found {value!r}")
    return value
