"""What the names of ACCAD's takes say, as sentences: labels for ``python -m examples.judge.agreement``.

"Male2_G9_RoundhouseRight" is a kick with the right leg. Names of two actions in a row, and of what no check
knows, give none; nor do side steps of the E takes, whose sides are those of a fighter who stands side on to
another, not the body's. The takes are of the Advanced Computing Center for the Arts and Design, The Ohio
State University.
"""

from __future__ import annotations

import re

_SENTENCES = (
    (
        r"(?:Body)?Jab(?P<side>Left|Right)|Cross(?P<side_2>Left|Right)",
        "a person punches with the {side} hand",
    ),
    (
        r"(?:Roundhouse|Side ?kick|Push ?Kick|Crescent)(?:Leading|Body)?(?P<side>Left|Right)(?:T2)?",
        "a person kicks with the {side} leg",
    ),
    (r"AxeKick|DoubleKick", "a person kicks"),
    (r"BackKick", "a person does a back kick"),
    (r"(?:Quick)?Side[Ss]tep(?P<side>Left|Right)", "a person sidesteps to the {side}"),
    (r"WalkT(?:o|urn)?(?:Turn)?(?P<side>Left|Right)\d+", "a person walks in a curve to the {side}"),
    (r"Walk(?:ToStand(?:T2)?|WithBox)?|StandToWalk", "a person walks"),
    (r"Run(?:ToStand|WithBox)?|(?:Stand|Ready)ToRun", "a person runs"),
    (r"Walk(?:Back(?:wards?)?)(?:ToStand)?|StandToWalkBack(?:wards)?", "a person walks backward"),
    (r"Crouch", "a person squats"),
    (r"CrouchToLie", "a person lies down"),
    (r"CrawlForward", "a person crawls"),
    (r"Stand", "a person stands still"),
    (r"Look(?:Around)?", "a person looks around"),
    (r"PickUpBox", "a person picks up a box"),
    (r"BowToReady", "a person bows"),
    (r"TurnAround(?P<side>Left|Right)", "a person turns to the {side}"),
)


def sentence_of_name(name: str) -> str | None:
    """The sentence of a take's name, as "Female1_C24_SideStepLeft"; None where it says none."""
    series, words = re.sub(r"^(?:.*_)?([A-Z])\d+_", r"\1 ", name).partition(" ")[::2]
    if series == "E" and words.startswith("SideStep"):
        return None
    for pattern, sentence in _SENTENCES:
        if found := re.fullmatch(pattern, words):
            side = next((value for value in found.groups() if value), "")
            return sentence.format(side=side.lower())
    return None
