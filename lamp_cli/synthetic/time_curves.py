"""Curves over time: quintic splines, keyframes, low-frequency noise, smoothing.

Knows numbers and seconds, nothing of bodies. A quintic segment is the minimum-jerk path between its
ends (Flash and Hogan, "The coordination of arm movements", J. Neuroscience 1985).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FPS = 20.0
GRAVITY = 9.81


def frame_times(seconds: float) -> np.ndarray:
    """Times (T,) of the frames of a piece that lasts ``seconds``; at least two frames."""
    return np.arange(max(2, round(seconds * FPS) + 1)) / FPS


def snap(seconds: float) -> float:
    """The nearest whole frame: where contacts begin and end, so that no frame is half in contact."""
    return round(seconds * FPS) / FPS


def quintic(
    t: np.ndarray,
    times: Sequence[float] | np.ndarray,
    values: Sequence[float] | Sequence[Sequence[float]] | np.ndarray,
    speeds: Sequence[float] | np.ndarray | None = None,
    accelerations: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """Quintic Hermite spline at ``t`` (T,) through ``values`` (K,) or (K, D) at ascending ``times`` (K,).

    Speeds and accelerations at the knots are zero unless given, which makes each segment a minimum-jerk
    move. Constant before the first and after the last knot. Two knots of a free fall give the exact
    parabola between them.
    """
    knots = np.asarray(times, dtype=np.float64)
    p = np.asarray(values, dtype=np.float64)
    v = np.zeros_like(p) if speeds is None else np.asarray(speeds, dtype=np.float64)
    a = np.zeros_like(p) if accelerations is None else np.asarray(accelerations, dtype=np.float64)
    k = np.clip(np.searchsorted(knots, t, side="right") - 1, 0, len(knots) - 2)
    d = np.maximum(knots[k + 1] - knots[k], 1e-9)
    u = np.clip((t - knots[k]) / d, 0.0, 1.0)
    if p.ndim == 2:
        u, d = u[:, None], d[:, None]
    u2 = u * u
    u3 = u2 * u
    u4 = u3 * u
    u5 = u4 * u
    s = 10 * u3 - 15 * u4 + 6 * u5
    curve = p[k] * (1 - s) + p[k + 1] * s
    if speeds is not None:
        curve += v[k] * d * (u - 6 * u3 + 8 * u4 - 3 * u5) + v[k + 1] * d * (-4 * u3 + 7 * u4 - 3 * u5)
    if accelerations is not None:
        curve += a[k] * d * d * 0.5 * (u2 - 3 * u3 + 3 * u4 - u5) + a[k + 1] * d * d * 0.5 * (
            u3 - 2 * u4 + u5
        )
    return curve


def keys(t: np.ndarray, *frames: tuple[float, Sequence[float] | float]) -> np.ndarray:
    """Minimum-jerk moves between keyframes ``(seconds, value or values)``; holds between equal values."""
    return quintic(t, [f[0] for f in frames], np.array([f[1] for f in frames], dtype=np.float64))


def through(t: np.ndarray, *frames: tuple[float, Sequence[float] | float]) -> np.ndarray:
    """A smooth path that passes keyframes without stopping at them (stops at the first and the last)."""
    times = np.array([f[0] for f in frames])
    p = np.array([f[1] for f in frames], dtype=np.float64)
    v = np.zeros_like(p)
    if len(p) > 2:
        span = (times[2:] - times[:-2]).reshape(-1, *([1] * (p.ndim - 1)))
        v[1:-1] = (p[2:] - p[:-2]) / np.maximum(span, 1e-9)
        # A knot that is a turning point is reached at rest, so that the curve does not overshoot it.
        v[1:-1] *= (p[2:] - p[1:-1]) * (p[1:-1] - p[:-2]) > 0
    return quintic(t, times, p, v)


def in_turn(
    t: np.ndarray,
    begins: np.ndarray,
    *frames: tuple[float, Sequence[float] | float],
    rest: Sequence[float] | float = 0.0,
) -> np.ndarray:
    """``rest``, and from each of ``begins`` on ``through`` the keyframes, whose seconds count from there."""
    curve = np.asarray(rest, dtype=np.float64)
    for at in begins:
        curve = curve + through(t, *((at + seconds, value) for seconds, value in frames))
    return curve


def ease(u: np.ndarray) -> np.ndarray:
    """Minimum-jerk step from 0 to 1 as u goes from 0 to 1; constant outside."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (10.0 + u * (-15.0 + 6.0 * u))


def window(t: np.ndarray, start: float, end: float, rise: float, fall: float) -> np.ndarray:
    """Rises from 0 to 1 during ``start``..``start+rise`` and back to 0 during ``end-fall``..``end``."""
    return ease((t - start) / max(rise, 1e-6)) * (1.0 - ease((t - end + fall) / max(fall, 1e-6)))


def windows(
    t: np.ndarray, first: float, period: float, count: int, rise: float, fall: float, filled: float = 1.0
) -> np.ndarray:
    """Windows in a row, one a ``period``; ``rise``, ``fall`` and what is ``filled`` are shares of it."""
    begins = ((first + k * period, first + (k + filled) * period) for k in range(count))
    return np.sum([window(t, *ends, rise * period, fall * period) for ends in begins], axis=0)


def bump(u: np.ndarray, peak: float = 0.5) -> np.ndarray:
    """A smooth arc 0 -> 1 -> 0 over u in 0..1 with its top at ``peak``; flat at both ends."""
    u = np.clip(u, 0.0, 1.0)
    u = np.where(u < peak, u / (2 * peak), 0.5 + (u - peak) / (2 * (1 - peak)))
    return (4.0 * u * (1.0 - u)) ** 2


def smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing along axis 0 (sigma in frames), ends repeated."""
    radius = max(1, int(np.ceil(2.5 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([values[:1].repeat(radius, 0), values, values[-1:].repeat(radius, 0)])
    result = np.zeros_like(values)
    for k, weight in enumerate(kernel):
        result += weight * padded[k : k + len(values)]
    return result


def lagged(values: np.ndarray, frames: float) -> np.ndarray:
    """``values`` (T, ...) delayed by a fraction of frames: how distal joints follow proximal ones."""
    index = np.clip(np.arange(len(values)) - frames, 0, len(values) - 1)
    low = index.astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    part = (index - low).reshape(-1, *([1] * (values.ndim - 1)))
    return values[low] * (1 - part) + values[high] * part


def drift(t: np.ndarray, rng: np.random.Generator, size: int, period: float = 2.5) -> np.ndarray:
    """Slow aimless noise (T, size), about unit variance: sums of sines of unrelated periods."""
    periods = period * rng.uniform(0.6, 2.2, (3, size))
    phases = rng.uniform(0, 2 * np.pi, (3, size))
    return np.sin(2 * np.pi * t[:, None, None] / periods + phases).sum(1) * 0.8


def falling_below(limit: np.ndarray) -> np.ndarray:
    """A smooth curve (T,) that never exceeds ``limit`` (T,): erosion, then smoothing within its reach."""
    radius = 3
    padded = np.concatenate([limit[:1].repeat(radius), limit, limit[-1:].repeat(radius)])
    eroded = np.min([padded[k : k + len(limit)] for k in range(2 * radius + 1)], axis=0)
    return smooth(eroded, radius / 2.5)
