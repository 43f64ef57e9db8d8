"""Whether an edited motion keeps what should stay, and meets what it was given.

Source: GMD (Karunratanakul et al., ICCV 2023) and OmniControl (Xie et al., ICLR 2024) for keyframes: their
trajectory and location errors at 20 and 50 cm are one minus the hit rates here; Kimodo (2026) has 10 cm.
Joints (T, J, 3) are metres, y up. Knows no model.
"""

from __future__ import annotations

import numpy as np

DEVIATION = "deviation outside the span (cm)"
LARGEST_DEVIATION = "largest deviation outside the span (cm)"
ROOT_ERROR = "root error at keyframes (cm)"
KEYFRAME_ERROR = "joint error at keyframes (cm)"
HIT_DISTANCES = (0.10, 0.20, 0.50)
EVERY_HIT = "all keyframes hit at {:.0f} cm (%)"
HIT = "keyframes hit at {:.0f} cm (%)"
HIT_FIGURES = tuple(name.format(100 * d) for name in (HIT, EVERY_HIT) for d in HIT_DISTANCES)


def deviation_outside(made: np.ndarray, source: np.ndarray, start: int, stop: int) -> dict[str, float]:
    """How far joints (T, J, 3) are from ``source`` (S, J, 3) before frame ``start`` and from ``stop`` on, cm.

    Frames from ``stop`` on are counted from the end: a span may be drawn longer or shorter than it was.
    Nothing where the span is all there is. Raises ``ValueError`` for other shapes or a span that the motion
    has not.
    """
    made, source = _joints(made, "the edited motion"), _joints(source, "the source")
    after = len(made) - stop
    if made.shape[1] != source.shape[1] or not 0 <= start <= stop <= len(made) or start + after > len(source):
        found = f"{len(made)} frames, {len(source)} of the source, span {start} to {stop}"
        raise ValueError(f"expected a span of the motion and a source with what is beside it, found {found}")
    kept = np.concatenate([made[:start], made[stop:]])
    meant = np.concatenate([source[:start], source[len(source) - after :]])
    if not len(kept):
        return {}
    distances = 100.0 * np.linalg.norm(kept - meant, axis=-1)
    return {DEVIATION: float(distances.mean()), LARGEST_DEVIATION: float(distances.max())}


def keyframe_errors(made: np.ndarray, meant: np.ndarray) -> dict[str, float]:
    """Errors of joints (K, J, 3) at keyframes from those that were ``meant`` (K, J, 3), by printed name.

    The root (joint 0) counts along the floor; a keyframe is hit when its root is as near as that. ``all
    keyframes hit`` is 0 or 100 for one motion: averaged over motions it is one minus GMD's trajectory error.
    Raises ``ValueError`` for other shapes or no keyframe.
    """
    made, meant = _joints(made, "the keyframes"), _joints(meant, "the keyframes that were meant")
    if made.shape != meant.shape:
        raise ValueError(f"expected as many keyframes and joints, found {made.shape} and {meant.shape}")
    roots = np.linalg.norm((made - meant)[:, 0, [0, 2]], axis=-1)
    hits = [roots <= distance for distance in HIT_DISTANCES]
    values = [100.0 * hit.mean() for hit in hits] + [100.0 * hit.all() for hit in hits]
    return {
        ROOT_ERROR: float(100.0 * roots.mean()),
        KEYFRAME_ERROR: float(100.0 * np.linalg.norm(made - meant, axis=-1).mean()),
        **dict(zip(HIT_FIGURES, map(float, values), strict=True)),
    }


def _joints(joints: np.ndarray, name: str) -> np.ndarray:
    array = np.asarray(joints, dtype=np.float64)
    if array.ndim != 3 or array.shape[2] != 3 or not len(array) or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite joints (T, J, 3), found shape {array.shape}")
    return array
