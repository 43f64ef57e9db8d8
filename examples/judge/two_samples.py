"""A two-sample test by classifier: how well a small network tells two kinds of windows apart.

After Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017: it is trained on the windows
of half of the motions and asked of the other half's, and then the other way round. Knows windows, no bundle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .windows import ACTIONS, Window

STEPS, RATE, WIDTH, BATCH = 200, 4e-3, 32, 64
# Of so few windows an area under the curve says nothing.
LEAST_WINDOWS = 8


def auc(real: np.ndarray, other: np.ndarray) -> float:
    """The area under the ROC curve: how often a real window scores above another one; ties count half."""
    difference = real[:, None] - other[None]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def aucs(
    real: Sequence[Window], other: Sequence[Window], seed: int = 0, steps: int = STEPS
) -> dict[str, float]:
    """AUC by action, of actions with enough windows of both kinds, and their ``mean``."""
    kept, labels = _balanced(real, other, np.random.default_rng([seed, 0]))
    if not kept:
        return {}
    scores = _scores(kept, labels, seed, steps)
    found = {}
    for action in ACTIONS:
        own = np.array([window.action == action for window in kept])
        if own.any():
            found[action] = auc(scores[own & (labels == 1)], scores[own & (labels == 0)])
    return {**found, "mean": float(np.mean(list(found.values())))}


def _balanced(
    real: Sequence[Window], other: Sequence[Window], rng: np.random.Generator
) -> tuple[list[Window], np.ndarray]:
    """As many windows of either kind of every action, and 1 for the real ones (N,)."""
    kept: list[Window] = []
    labels: list[int] = []
    for action in ACTIONS:
        kinds = [[w for w in windows if w.action == action] for windows in (other, real)]
        count = min(map(len, kinds))
        if count < LEAST_WINDOWS:
            continue
        for label, windows in enumerate(kinds):
            kept += [windows[int(n)] for n in rng.permutation(len(windows))[:count]]
            labels += [label] * count
    return kept, np.array(labels)


def _scores(windows: Sequence[Window], labels: np.ndarray, seed: int, steps: int) -> np.ndarray:
    """Scores (N,) of windows by a network that has not seen the motions they are cut from."""
    # A real clip and its decoded copy share a name, and so a half.
    motions = sorted({window.motion for window in windows})
    halves = dict(zip(motions, np.random.default_rng([seed, 1]).permutation(len(motions)) % 2, strict=True))
    half = np.array([halves[window.motion] for window in windows])
    inputs = torch.from_numpy(np.stack([_seen(window.joints) for window in windows])).float()
    scores = np.zeros(len(windows))
    for held_out in (0, 1):
        learned, asked = half != held_out, half == held_out
        network = _trained(inputs[learned], torch.from_numpy(labels[learned]).float(), seed, steps)
        with torch.no_grad():
            scores[asked] = network(inputs[asked]).squeeze(1).numpy()
    return scores


def _seen(joints: np.ndarray) -> np.ndarray:
    """What the network sees of a window: joints about the pelvis and its steps, (channels, T)."""
    about = joints - joints[:, :1] * [1.0, 0.0, 1.0]
    steps = np.gradient(joints[:, 0], axis=0) * 5
    return np.concatenate([about.reshape(len(joints), -1), steps], axis=1).T


def _trained(inputs: Tensor, labels: Tensor, seed: int, steps: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.BatchNorm1d(inputs.shape[1]),
            nn.Conv1d(inputs.shape[1], WIDTH, 5, stride=2),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Conv1d(WIDTH, WIDTH, 5, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(WIDTH, 1),
        )
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
        for _ in range(steps):
            rows = torch.randint(len(inputs), (BATCH,))
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(inputs[rows]).squeeze(1), labels[rows]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()
