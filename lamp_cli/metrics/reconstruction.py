"""How far reconstructed joints are from the true ones.

Source: Ionescu et al. 2014 (MPJPE and its aligned variants), Kanazawa et al. 2019 (acceleration), as
MotionGPT and MoMask report tokenizers. Joints (T, J, 3) are metres; figures are millimetres, means
over joints and frames; accelerations are given per frame of 20 frames per second. Knows no model.
"""

from __future__ import annotations

import numpy as np

from .physics import FRAME_RATE

MPJPE = "MPJPE (mm)"
ROOT_RELATIVE_MPJPE = "root-relative MPJPE (mm)"
PA_MPJPE = "PA-MPJPE (mm)"
ACCELERATION_ERROR = "acceleration error (mm/frame² at 20 fps)"


def reconstruction(predicted: np.ndarray, true: np.ndarray, fps: float) -> dict[str, float]:
    """Every figure of one clip by printed name; acceleration only from 3 frames on."""
    figures = {
        MPJPE: mpjpe(predicted, true),
        ROOT_RELATIVE_MPJPE: root_relative_mpjpe(predicted, true),
        PA_MPJPE: pa_mpjpe(predicted, true),
    }
    if len(true) > 2:
        figures[ACCELERATION_ERROR] = acceleration_error(predicted, true, fps)
    return figures


def mpjpe(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean distance of joints in the world, mm: wrong paths count."""
    predicted, true = _pair(predicted, true, 1)
    return _millimetres(predicted - true)


def root_relative_mpjpe(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean distance with both roots (joint 0) at the origin in every frame, mm (MoMask's MPJPE)."""
    predicted, true = _pair(predicted, true, 1)
    return _millimetres((predicted - predicted[:, :1]) - (true - true[:, :1]))


def pa_mpjpe(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean distance after the best similarity (rotation, scale, shift) of every frame, mm."""
    predicted, true = _pair(predicted, true, 1)
    return _millimetres(procrustes(predicted, true) - true)


def acceleration_error(predicted: np.ndarray, true: np.ndarray, fps: float) -> float:
    """Mean distance of the joints' accelerations (second differences), mm per squared frame of 20 fps."""
    predicted, true = _pair(predicted, true, 3)
    return _millimetres(np.diff(predicted - true, n=2, axis=0)) * (fps / FRAME_RATE) ** 2


def procrustes(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """``moving`` (T, J, 3) laid onto ``fixed`` frame by frame by rotation, scale and shift.

    Source: Umeyama 1991, equations 38-42: mirroring is no rotation. A frame whose joints all coincide is
    only shifted.
    """
    centre, target = moving.mean(1, keepdims=True), fixed.mean(1, keepdims=True)
    a, b = moving - centre, fixed - target
    u, singular, vt = np.linalg.svd(np.swapaxes(b, 1, 2) @ a)
    signs = np.ones_like(singular)
    signs[:, 2] = np.where(np.linalg.det(u) * np.linalg.det(vt) < 0.0, -1.0, 1.0)
    rotation = (u * signs[:, None]) @ vt
    spread = np.sum(a**2, axis=(1, 2))
    scale = np.sum(singular * signs, 1) / np.where(spread > 0.0, spread, 1.0)
    return scale[:, None, None] * (a @ np.swapaxes(rotation, 1, 2)) + target


def _millimetres(difference: np.ndarray) -> float:
    return float(1000.0 * np.linalg.norm(difference, axis=-1).mean())


def _pair(predicted: np.ndarray, true: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = (np.asarray(x, dtype=np.float64) for x in (predicted, true))
    if a.shape != b.shape or a.ndim != 3 or a.shape[2] != 3 or not a.shape[1]:
        raise ValueError(f"expected joints (T, J, 3) of one shape, found {a.shape} and {b.shape}")
    if len(a) < frames:
        raise ValueError(f"expected at least {frames} frames, found {len(a)}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("joints hold NaN or infinite numbers")
    return a, b
