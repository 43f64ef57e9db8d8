"""Every action by name: a function of a body's style and a random stream that gives a movement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..movement import Movement
from ..style import Style
from . import jumping, legs, standing, walking

Action = Callable[[Style, np.random.Generator], Movement]

ACTIONS: dict[str, Action] = {
    "stand": standing.stand,
    "walk": walking.walk_forward,
    "walk backward": walking.walk_backward,
    "sidestep": walking.sidestep,
    "jog": walking.jog,
    "run": walking.run,
    "walk in a circle": walking.walk_circle,
    "jog in a circle": walking.jog_circle,
    "walk in a curve": walking.walk_curve,
    "zigzag": walking.zigzag,
    "turn": walking.turn,
    "turn around and walk back": walking.there_and_back,
    "tiptoe": walking.tiptoe,
    "crouch walk": walking.crouch_walk,
    "march": walking.march,
    "limp": walking.limp,
    "jump": jumping.jump,
    "jump forward": jumping.jump_forward,
    "jump sideways": jumping.jump_sideways,
    "jumping jacks": jumping.jumping_jacks,
    "squat": legs.squat,
    "sit down": legs.sit_down,
    "stand up": legs.stand_up,
    "pick up": legs.pick_up,
    "kick": legs.kick,
    "balance": legs.lift_knee,
    "lunge": legs.lunge,
    "wave": standing.wave,
    "raise arms": standing.raise_arms,
    "arms out": standing.arms_out,
    "clap": standing.clap,
    "punch": standing.punch,
    "throw": standing.throw,
    "drink": standing.drink,
    "phone": standing.phone,
    "bow": standing.bow,
    "nod": standing.nod,
    "shake head": standing.shake_head,
    "look around": standing.look_around,
    "stretch": standing.stretch,
    "dance": standing.sway,
}

# Actions that end as they began, standing, so that others may follow them.
ENDS_STANDING = tuple(name for name in ACTIONS if name not in ("sit down",))
STARTS_STANDING = tuple(name for name in ACTIONS if name not in ("stand up", "stand"))
# Actions of the arms that go with walking.
WITH_WALKING = ("wave", "raise arms", "arms out", "clap", "drink", "phone")
