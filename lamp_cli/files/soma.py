"""NVIDIA's SOMA body, as Kimodo writes its joints: which of its joints are those of the corpus.

Source: Kimodo's documentation of its NPZ format: ``posed_joints`` (T, J, 3), metres, y up, 30 frames per
second; J is 77, or 30 without most of the hands.
"""

from __future__ import annotations

import numpy as np

from .joint_names import JointPlaces

KIMODO_RATE = 30.0


def _hand(side: str, whole: bool) -> list[tuple[str, str]]:
    """A hand's joints with their parents."""
    hand = f"{side}Hand"
    if not whole:
        return [(f"{hand}ThumbEnd", hand), (f"{hand}MiddleEnd", hand)]
    found = []
    for finger, count in (("Thumb", 3), ("Index", 4), ("Middle", 4), ("Ring", 4), ("Pinky", 4)):
        names = [f"{hand}{finger}{number}" for number in range(1, count + 1)] + [f"{hand}{finger}End"]
        found += list(zip(names, [hand, *names], strict=False))
    return found


def _tree(whole: bool) -> list[tuple[str, str]]:
    """Every joint with its parent, in the order of the arrays."""
    found = [("Hips", ""), ("Spine1", "Hips"), ("Spine2", "Spine1"), ("Chest", "Spine2"), ("Neck1", "Chest")]
    found += [("Neck2", "Neck1"), ("Head", "Neck2"), *([("HeadEnd", "Head")] if whole else [])]
    found += [("Jaw", "Head"), ("LeftEye", "Head"), ("RightEye", "Head")]
    for side in ("Left", "Right"):
        arm = [f"{side}{part}" for part in ("Shoulder", "Arm", "ForeArm", "Hand")]
        found += [*zip(arm, ["Chest", *arm], strict=False), *_hand(side, whole)]
    for side in ("Left", "Right"):
        leg = [f"{side}{part}" for part in ("Leg", "Shin", "Foot", "ToeBase", *(["ToeEnd"] if whole else []))]
        found += list(zip(leg, ["Hips", *leg], strict=False))
    return found


_TREES = {len(tree): tree for tree in (_tree(True), _tree(False))}
SOMA_JOINTS = tuple(_TREES)


def joints_of_soma(positions: np.ndarray) -> np.ndarray:
    """The corpus's joints (T, 22, 3) of SOMA's (T, 77, 3) or (T, 30, 3)."""
    tree = _TREES[positions.shape[1]]
    names = [name for name, _ in tree]
    parents = [names.index(parent) if parent else -1 for _, parent in tree]
    return JointPlaces(names, parents, positions).joints
