"""The way one body holds and moves itself: drawn once per clip, so that clips differ like people do.

Knows poses at rest; knows no action.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .body import ANKLE_HEIGHT, SHIN, SIDES, THIGH, Tracks, place_foot, trunk_offsets
from .time_curves import drift, frame_times

# How often bodies have each kind of skeleton: markers, SMPL, optical, animators', level hips.
TRUNK_SHARES = (0.35, 0.25, 0.15, 0.1, 0.15)
# Metres by which feet stand behind the pelvis.
FEET_BACK = 0.02


@dataclass(frozen=True)
class BodyStyle:
    """A body at rest and its temper. Lengths in metres, angles in radians.

    ``tempo`` multiplies durations (above 1 is slow), ``energy`` amplitudes; ``arms`` (2, 4) is how the
    arms hang (see ``Tracks.arm``); ``width`` the distance between the feet.
    """

    offsets: np.ndarray
    height: float
    width: float
    toe_out: tuple[float, float]
    bend: float
    chin: float
    lean: float
    arms: np.ndarray
    tempo: float
    energy: float
    swing: float
    sway: float

    def feet(self) -> np.ndarray:
        """Flat position x, z and yaw (2, 3) of both feet of a body that stands at the origin."""
        return np.array([[SIDES[s] * self.width / 2, -FEET_BACK, SIDES[s] * self.toe_out[s]] for s in (0, 1)])

    def stand(self, seconds: float, rng: np.random.Generator) -> Tracks:
        """Tracks of standing still for so long: breathing and swaying a little, feet planted."""
        t = frame_times(seconds)
        frames = len(t)
        noise = drift(t, rng, 14)
        faded = np.minimum(1.0, np.minimum(t, t[-1] - t) / 0.4)[:, None]
        noise = noise * self.sway * faded
        root = noise[:, :3] * [0.008, 0.001, 0.006]
        root[:, 1] += self.height
        arm = np.tile(self.arms, (frames, 1, 1))
        arm[..., 0] += 0.025 * noise[:, 9:11]
        arm[..., 2] += 0.006 * noise[:, 11:13]
        tracks = Tracks(
            root=root,
            yaw=np.zeros(frames),
            pelvis=np.zeros((frames, 3)),
            spine=0.02 * noise[:, 3:6] + [0.0, self.bend, self.lean],
            head=0.04 * noise[:, 6:9] + [0.0, self.chin, -self.lean],
            ankle=np.zeros((frames, 2, 3)),
            foot=np.zeros((frames, 2, 2)),
            knee=np.full((frames, 2), 0.06),
            planted=np.ones((frames, 2), dtype=bool),
            arm=arm,
            shrug=np.zeros((frames, 2)),
            grip=np.zeros((frames, 2, 3)),
            hold=np.zeros((frames, 2)),
            kneel=np.zeros((frames, 2, 3)),
            kneeling=np.zeros((frames, 2)),
        )
        for side, foot in enumerate(self.feet()):
            place_foot(tracks, side, *foot)
        return tracks


def random_style(rng: np.random.Generator) -> BodyStyle:
    """A body drawn at random: posture, temper, asymmetry."""
    offsets = trunk_offsets(_two_trunks(rng))
    width = rng.uniform(0.13, 0.27)
    toes = rng.uniform(0.02, 0.25)
    hang = np.radians([rng.uniform(3, 12), rng.uniform(25, 85), 0.0, rng.uniform(-35, 5)])
    hang[2] = rng.uniform(0.94, 0.988)
    arms = np.stack([hang, hang])
    arms += rng.normal(0, 1, (2, 4)) * [0.02, 0.12, 0.008, 0.05]
    arms[:, 2] = np.clip(arms[:, 2], 0.9, 0.99)
    return BodyStyle(
        offsets=offsets,
        height=_standing_height(offsets, width, np.radians(rng.uniform(2, 8))),
        width=width,
        toe_out=(toes + rng.normal(0, 0.05), toes + rng.normal(0, 0.05)),
        bend=rng.normal(0.05, 0.05),
        chin=rng.normal(0.0, 0.08),
        lean=rng.normal(0, 0.012),
        arms=arms,
        tempo=float(np.exp(rng.normal(0, 0.13))),
        energy=float(np.exp(rng.normal(0, 0.12))),
        swing=rng.uniform(0.7, 1.3),
        sway=float(np.clip(np.exp(rng.normal(-0.2, 0.6)), 0.2, 2.0)),
    )


def _two_trunks(rng: np.random.Generator) -> np.ndarray:
    """Shares (5,) of the kinds of skeleton: of one, or between two."""
    shares = np.zeros(len(TRUNK_SHARES))
    first, second = rng.choice(len(TRUNK_SHARES), 2, p=TRUNK_SHARES)
    mix = rng.uniform(0, 1)
    shares[first] += 1 - mix
    shares[second] += mix
    return shares


def _standing_height(offsets: np.ndarray, width: float, knee: float) -> float:
    """Height of the pelvis over feet so far apart when the knees are bent by ``knee`` radians."""
    heights = []
    for side in (0, 1):
        hip = offsets[1 + side]
        leg = THIGH[side] ** 2 + SHIN[side] ** 2 + 2 * THIGH[side] * SHIN[side] * np.cos(knee)
        flat = (SIDES[side] * width / 2 - hip[0]) ** 2 + (hip[2] + FEET_BACK) ** 2
        heights.append(ANKLE_HEIGHT + np.sqrt(leg - flat) - hip[1])
    return float(min(heights))
