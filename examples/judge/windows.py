"""Windows of a second and a half of seven actions: of real people, made-up, decoded and generated motions.

What the judges of posture compare. A window is joints (30, 22, 3) in metres at 20 fps on HumanML3D's
skeleton, turned so that its middle faces +z. Knows data sets, bundles and prompts; measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lamp_cli.bundle.bundle import Bundle
from lamp_cli.checking.sentence import claims
from lamp_cli.data.layout import Clip, Dataset, FramesLimit, open_dataset
from lamp_cli.data.prepare.synthetic import read_truth
from lamp_cli.inference.generate import GenerateOptions, Prompt, generate
from lamp_cli.motion.representation import canonical_joints, facing_direction, features_to_joints
from lamp_cli.motion.skeleton import HUMANML3D
from lamp_cli.synthetic.corpus import synthetic_clip_of

from .agreement import label_of

FRAMES, STRIDE = 30, 15
FPS = HUMANML3D.fps
SPLITS = ("train", "val", "test")
# Metres a second that the pelvis keeps up, or stays under, all through a window that shows the action.
LEAST_PACE = {"walk": 0.45, "run": 1.3}
MOST_PACE = {"walk": 2.2, "stand": 0.12}
# Of people who do something else, too, those windows show them running or standing whose pace alone tells it;
# standing are those whose wrists go no faster (metres a second) and whose pelvis is no lower (metres).
TOLD_BY_PACE = ("run", "stand")
RESTING_WRISTS, UPRIGHT = 0.15, 0.8


@dataclass(frozen=True)
class Action:
    """What counts as an action: names of the claims a caption makes, made-up actions, prompts."""

    claimed: tuple[str, ...]
    made_up: tuple[str, ...]
    prompts: tuple[str, ...]


ACTIONS: Mapping[str, Action] = {
    "walk": Action(
        ("walk",),
        ("walk",),
        (
            "a person walks forward",
            "someone is walking",
            "a man walks straight ahead at a normal pace",
            "a person walks",
            "a woman takes several steps forward",
        ),
    ),
    "run": Action(
        ("run", "jog"),
        ("run", "jog"),
        ("a person runs forward", "someone is running", "a man jogs", "a person runs", "a woman is jogging"),
    ),
    "stand": Action(
        ("stand",),
        ("stand",),
        (
            "a person stands still",
            "someone is standing",
            "a man stands and waits",
            "a person is standing idle",
        ),
    ),
    "jump": Action(
        ("jump", "jump forward"),
        ("jump", "jump forward"),
        (
            "a person jumps",
            "someone jumps up and down",
            "a man jumps forward",
            "a person is jumping in place",
        ),
    ),
    "sit": Action(
        ("sit down",),
        ("sit down",),
        (
            "a person sits down",
            "someone sits down on a chair",
            "a man takes a seat",
            "a person is sitting down",
        ),
    ),
    "kick": Action(
        ("kick", "side kick", "back kick"),
        ("kick", "side kick", "back kick"),
        ("a person kicks", "someone kicks with the right leg", "a man kicks forward with the left foot"),
    ),
    "wave": Action(
        ("wave",),
        ("wave",),
        (
            "a person waves",
            "someone waves with the right hand",
            "a man waves both hands",
            "a person waves hello",
        ),
    ),
}


@dataclass(frozen=True)
class Window:
    """Joints (30, 22, 3), the action, and the motion it was cut from."""

    joints: np.ndarray
    action: str
    motion: str


def windows_of(joints: np.ndarray, action: str, motion: str) -> Iterator[Window]:
    """The windows of joints (T, 22, 3), half over each other, in which the action goes on."""
    for start in range(0, len(joints) - FRAMES + 1, STRIDE):
        part = joints[start : start + FRAMES]
        if _shows(part, action):
            yield Window(_placed(part), action, motion)


def _shows(joints: np.ndarray, action: str) -> bool:
    half = FRAMES // 4
    paces = np.linalg.norm((joints[half:, 0] - joints[:-half, 0])[:, [0, 2]], axis=1) * FPS / half
    return LEAST_PACE.get(action, 0.0) <= paces.min() and paces.max() <= MOST_PACE.get(action, np.inf)


def _placed(joints: np.ndarray) -> np.ndarray:
    """Joints turned so that the middle frame faces +z, its pelvis over the origin."""
    middle = FRAMES // 2
    x, _, z = facing_direction(joints, HUMANML3D)[middle]
    turn = np.array([[z, 0.0, x], [0.0, 1.0, 0.0], [-x, 0.0, z]])
    return (joints - joints[middle, 0] * [1.0, 0.0, 1.0]) @ turn


@dataclass(frozen=True)
class RealMotion:
    """A clip of real people, an action that it shows and its split."""

    clip: Clip
    action: str
    split: str

    def windows_of(self, joints: np.ndarray) -> Iterator[Window]:
        """The windows of its joints (T, 22, 3), or of another version of them, that show the action."""
        found = windows_of(joints, self.action, self.clip.id)
        if self.action == "stand" and action_named(self.clip.captions) != "stand":
            return (window for window in found if _rests(window.joints))
        return found


def real_motions(data: Path) -> list[RealMotion]:
    """Real clips of a data set and the actions they show, mirror images left out."""
    dataset = open_dataset(data)
    found = [
        RealMotion(clip, action, split)
        for split in SPLITS
        for clip in _real_clips(dataset, split)
        for action in actions_shown(clip.captions)
    ]
    if all(action_named(one.clip.captions) is None for one in found):
        raise ValueError(f"{data}: no real clip whose captions name one of {', '.join(ACTIONS)}")
    return found


def _real_clips(dataset: Dataset, split: str) -> list[Clip]:
    if not (dataset.root / f"{split}.txt").is_file():
        return []
    clips = dataset.clips(split, FramesLimit(FRAMES, 10**6))[0]
    unique = {clip.id: clip for clip in clips}
    images = {name for name in unique if name.startswith("M") and name[1:] in unique}
    return [c for name, c in unique.items() if name not in images and read_truth(dataset.root, name) is None]


def action_named(captions: Sequence[str]) -> str | None:
    """The action that every one of the captions names; None where they name none, or several."""
    if not captions:
        return None
    named = label_of(captions)
    actions = [name for name, action in ACTIONS.items() if named & set(action.claimed)]
    return actions[0] if len(actions) == 1 else None


def actions_shown(captions: Sequence[str]) -> tuple[str, ...]:
    """The action that captions name, and what a clip may show beside it: running that is named among other
    actions, and standing, which nobody mentions.
    """
    named = action_named(captions)
    if not captions:
        return ()
    said = [frozenset().union(*(part.actions for part in claims(text).parts)) for text in captions]
    runs = bool(frozenset.intersection(*said) & set(ACTIONS["run"].claimed))
    shown = [named] if named is not None else []
    shown += [name for name, told in zip(TOLD_BY_PACE, (runs, True), strict=True) if told and name != named]
    return tuple(shown)


def _rests(joints: np.ndarray) -> bool:
    speed = np.linalg.norm(np.diff(joints[:, [20, 21]], axis=0), axis=-1).mean() * FPS
    return bool(speed < RESTING_WRISTS and joints[:, 0, 1].min() > UPRIGHT)


def real_windows(motions: Iterable[RealMotion]) -> list[Window]:
    """Windows of real motions as their features say them."""
    return [
        window
        for one in motions
        for window in one.windows_of(features_to_joints(one.clip.features, HUMANML3D))
    ]


@torch.no_grad()
def decoded_windows(bundle: Bundle, motions: Iterable[RealMotion]) -> list[Window]:
    """Windows of real motions through the codes of the bundle's tokenizer: the most a generator can reach."""
    found: list[Window] = []
    frames = bundle.tokenizer.config.frames_per_token
    for one in motions:
        length = len(one.clip.features) // frames * frames
        normalised = bundle.statistics.normalise(one.clip.features[:length])
        codes = bundle.tokenizer.encode(torch.from_numpy(normalised[None]).float().to(bundle.device))
        output = bundle.tokenizer.decode(codes).float().cpu().numpy()[0]
        joints = features_to_joints(bundle.statistics.denormalise(output), HUMANML3D)
        found += one.windows_of(joints)
    return found


def made_up_windows(count: int, seed: int) -> list[Window]:
    """Windows of ``count`` made-up motions of every action."""
    found: list[Window] = []
    for number, (name, action) in enumerate(ACTIONS.items()):
        for n in range(count):
            made = action.made_up[n % len(action.made_up)]
            clip = synthetic_clip_of(made, np.random.default_rng([seed, number, n]))
            joints = canonical_joints(clip.joints, HUMANML3D)
            found += windows_of(joints, name, f"{name} {n}")
    return found


def generated_windows(bundle: Bundle, samples: int, seed: int) -> list[Window]:
    """Windows of motions generated from every action's prompts, ``samples`` of each, as delivered."""
    found: list[Window] = []
    for name, action in ACTIONS.items():
        prompts = [Prompt(text) for text in action.prompts]
        motions = generate(bundle, prompts, GenerateOptions(seed=seed, samples=samples))
        for n, motion in enumerate(motions):
            found += windows_of(np.asarray(motion.joints, dtype=np.float64), name, f"{name} {n}")
    return found
