"""Which joint of somebody's skeleton is which of the corpus's 22, told from names and from the tree.

Names of CMU (MotionBuilder and Daz styles), Mixamo, Rokoko, Xsens, ACCAD, LaFAN1, 100STYLE, Bandai-Namco,
SOMA, SMPL, Unreal, 3ds Max, Motive, VRM and Blender skeletons. Limbs are found by name; pelvis and chest are
where legs and arms come together; what a skeleton lacks (a spine joint, a collar, a neck) is put between its
neighbours. Knows names, parents and places, no format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..motion.skeleton import HUMANML3D, ancestors
from ..storage import read_text_file

END = " end"
# What a part is called, the surest name first. A name is looked for among the parts of one side.
_HIP = ("upleg", "thigh", "upperleg", "femur", "hip")
_KNEE = ("shin", "lowerleg", "calf", "knee", "tibia", "lowleg")
_ANKLE = ("ankle", "foot")
_TOES = ("toebase", "toe", "toe0", "toes", "ball")
_SHOULDER = ("arm", "upperarm", "uparm", "uarm", "shldr", "humerus")
_COLLAR = ("collar", "clavicle", "shoulder")
_ELBOW = ("forearm", "farm", "elbow", "lowerarm", "lowarm", "radius")
_WRIST = ("wrist", "hand")
_HEAD = ("head", "face")
_NECK = ("lowerneck", "neck", "neck1", "neck01", "neck0")


class UnknownSkeletonError(ValueError):
    """A skeleton whose joints cannot be told; the message lists what is missing and what there is."""


def unknown_skeleton(missing: Sequence[str], names: Sequence[str]) -> UnknownSkeletonError:
    """What to raise when joints of ours are found under none of a skeleton's own names."""
    wanted = ", the ".join(missing).replace("_", " ")
    return UnknownSkeletonError(
        f"cannot tell which joint is the {wanted}; the skeleton has {', '.join(names)}; name them in a file "
        f"with lines such as {missing[0]} = {names[-1]} (--map)"
    )


def read_joint_map(path: Path) -> tuple[tuple[str, str], ...]:
    """Pairs of our joint and theirs from a file with a line each: ``left_hip = LeftThigh``.

    Quotes are taken off and ``#`` begins a remark, so that TOML is read too, and a JSON object is. Raises
    ``ValueError`` that names the file and what was found, ``OSError`` when the file cannot be read.
    """
    found: dict[str, str] = {}
    for where, ours, theirs in _map_entries(read_text_file(path), path):
        if ours not in HUMANML3D.joint_names:
            known = ", ".join(HUMANML3D.joint_names)
            raise ValueError(f"{where}: {ours!r} is no joint; expected one of {known}")
        if ours in found:
            raise ValueError(f"{where}: {ours} stands there twice")
        found[ours] = theirs
    if not found:
        raise ValueError(f"{path}: names no joint; expected lines such as left_hip = LeftThigh")
    return tuple(found.items())


def _map_entries(text: str, path: Path) -> Iterator[tuple[str, str, str]]:
    """Where it stands, our joint and theirs, of every entry."""
    if text.lstrip().startswith("{"):
        try:
            yield from ((str(path), ours, str(theirs)) for ours, theirs in json.loads(text).items())
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: not a JSON object ({error})") from None
        return
    for number, line in enumerate(text.split("\n"), 1):
        words = re.sub(r"(^|\s)#.*", "", line).strip()
        if not words:
            continue
        ours, equals, theirs = (part.strip().strip("\"'") for part in words.partition("="))
        if not (equals and ours and theirs):
            raise ValueError(f"{path}, line {number}: expected a line such as left_hip = LeftThigh")
        yield f"{path}, line {number}", ours, theirs


class JointPlaces:
    """The 22 joints (T, 22, 3) of a skeleton's own joints (T, N, 3), and what was put in for lack of a joint.

    ``indices`` says of those that it has itself, spine1, spine2 and neck apart, which of the N they are;
    ``added`` names those that were put in.

    ``names`` and ``parents`` (-1: root) describe the N joints; an end site is called by its parent's name and
    :data:`END`. ``joint_map`` says of some of the 22 which they are, see :func:`read_joint_map`. Raises
    :class:`UnknownSkeletonError` when a leg, an arm or the head is not found.
    """

    def __init__(
        self,
        names: Sequence[str],
        parents: Sequence[int],
        places: np.ndarray,
        joint_map: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._names = list(names)
        self._parents = list(parents)
        self._places = places
        prefix = _common_prefix(names)
        self._parts = {index: _side_and_part(name, prefix) for index, name in enumerate(names)}
        self._mapped = {ours: self._mapped_index(ours, theirs) for ours, theirs in joint_map}
        self.added: list[str] = []
        self.indices: dict[str, int] = {}
        self.joints = self._joints()

    def _joints(self) -> np.ndarray:
        found: dict[str, np.ndarray] = {}
        legs = {side: self._leg(side) for side in ("left", "right")}
        arms = {side: self._arm(side) for side in ("left", "right")}
        head = self._mapped.get("head", self._named("", _HEAD))
        self._require(legs, arms, head)
        pelvis = self._mapped.get("pelvis")
        if pelvis is None:
            pelvis = self._common_ancestor(*(legs[side]["hip"] for side in legs))
        chest = self._mapped.get("spine3")
        if chest is None:
            chest = self._common_ancestor(*(arms[side]["shoulder"] for side in arms))
        assert head is not None
        self.indices = {"pelvis": pelvis, "spine3": chest, "head": head}
        for side in ("left", "right"):
            limbs = (*legs[side].items(), *arms[side].items())
            self.indices |= {f"{side}_{part}": joint for part, joint in limbs if joint is not None}
        found |= {ours: self._at(joint) for ours, joint in self.indices.items()}
        found["spine1"], found["spine2"] = self._spine(pelvis, chest)
        found["neck"] = self._neck(chest, head)
        found |= {ours: self._at(joint) for ours, joint in self._mapped.items()}
        for side in ("left", "right"):
            if arms[side].get("collar") is None:
                self._add(f"{side}_collar")
                found[f"{side}_collar"] = 0.65 * found["neck"] + 0.35 * found[f"{side}_shoulder"]
        return np.stack([found[name] for name in HUMANML3D.joint_names], axis=1)

    def _leg(self, side: str) -> dict[str, int | None]:
        hip = self._named(side, _HIP)
        # "Leg" is the shin beside an "UpLeg", and the thigh beside a "Shin".
        knee = self._named(side, _KNEE)
        leg = self._named(side, ("leg",))
        if knee is None:
            knee = leg
        elif leg is not None and self._named(side, ("upleg", "thigh", "upperleg")) is None:
            hip = leg
        ankle = self._named(side, _ANKLE)
        toes = self._named(side, _TOES)
        if toes is None and self._named(side, ("ankle",)) is not None:
            toes = self._named(side, ("foot",))
        ankle = self._mapped.get(f"{side}_ankle", ankle)
        foot = toes if toes is not None else self._end(ankle)
        return self._with_map(side, {"hip": hip, "knee": knee, "ankle": ankle, "foot": foot})

    def _arm(self, side: str) -> dict[str, int | None]:
        shoulder, collar = self._named(side, _SHOULDER), self._named(side, _COLLAR)
        if shoulder is None:
            shoulder, collar = self._named(side, ("shoulder",)), self._named(side, _COLLAR[:2])
        elbow, wrist = self._named(side, _ELBOW), self._named(side, _WRIST)
        wrist = wrist if wrist is not None else self._end(self._mapped.get(f"{side}_elbow", elbow))
        arm = {"collar": collar, "shoulder": shoulder, "elbow": elbow, "wrist": wrist}
        return self._with_map(side, arm)

    def _with_map(self, side: str, limb: dict[str, int | None]) -> dict[str, int | None]:
        return {part: self._mapped.get(f"{side}_{part}", joint) for part, joint in limb.items()}

    def _mapped_index(self, ours: str, theirs: str) -> int:
        for index, name in enumerate(self._names):
            if theirs in (name, _without_prefix(name)):
                return index
        raise UnknownSkeletonError(
            f"--map calls the {ours} {theirs!r}; the skeleton has {', '.join(self._own_names())}"
        )

    def _own_names(self) -> list[str]:
        return [name for name in self._names if not name.endswith(END)]

    def _spine(self, pelvis: int, chest: int) -> tuple[np.ndarray, np.ndarray]:
        """Places of spine1 and spine2; a joint at the pelvis's place is none of them."""
        low_end, high_end = self._at(pelvis), self._at(chest)
        between = self._path(pelvis, chest)[1:-1]
        apart = [joint for joint in between if self._is_apart(joint, pelvis)]
        if len(apart) >= 2:
            return self._at(apart[-2]), self._at(apart[-1])
        if apart and len(between) >= 2:
            self._add("spine1")
            return (low_end + self._at(apart[0])) / 2, self._at(apart[0])
        if apart:
            self._add("spine2")
            return self._at(apart[0]), (self._at(apart[0]) + high_end) / 2
        self._add("spine1 and spine2")
        return (2 * low_end + high_end) / 3, (low_end + 2 * high_end) / 3

    def _is_apart(self, joint: int, other: int) -> bool:
        size = np.ptp(self._places[0], axis=0).max()
        return bool(np.linalg.norm(self._places[0, joint] - self._places[0, other]) > 0.01 * size)

    def _neck(self, chest: int, head: int | None) -> np.ndarray:
        for joint in self._path(chest, head)[1:-1]:
            if self._parts[joint][1] in _NECK:
                return self._at(joint)
        self._add("neck")
        return (2 * self._at(chest) + self._at(head)) / 3

    def _require(
        self, legs: dict[str, dict[str, int | None]], arms: dict[str, dict[str, int | None]], head: int | None
    ) -> None:
        missing = [
            f"{side}_{part}"
            for limbs in (legs, arms)
            for side, limb in limbs.items()
            for part, joint in limb.items()
            if joint is None and part != "collar"
        ]
        missing += ["head"] if head is None else []
        if missing:
            raise unknown_skeleton(missing, self._own_names())

    def _named(self, side: str, names: Sequence[str]) -> int | None:
        for name in names:
            for index, own in self._parts.items():
                if own == (side, name):
                    return index
        return None

    def _end(self, joint: int | None) -> int | None:
        name = None if joint is None else f"{self._names[joint]}{END}"
        return self._names.index(name) if name in self._names else None

    def _at(self, joint: int | None) -> np.ndarray:
        assert joint is not None
        return self._places[:, joint]

    def _add(self, name: str) -> None:
        self.added.append(name.replace("_", " "))

    def _ancestors(self, joint: int | None) -> list[int]:
        assert joint is not None
        return ancestors(joint, self._parents)

    def _common_ancestor(self, first: int | None, second: int | None) -> int:
        others = set(self._ancestors(second))
        common = (joint for joint in self._ancestors(first) if joint in others)
        found = next(common, None)
        if found is None:
            raise UnknownSkeletonError("left and right limbs hang on different roots")
        return found

    def _path(self, above: int, below: int | None) -> list[int]:
        """Joints from ``above`` down to ``below``, both included; only these two where no bones join them."""
        chain = self._ancestors(below)
        return chain[: chain.index(above) + 1][::-1] if above in chain else [above, chain[0]]


def _common_prefix(names: Sequence[str]) -> str:
    """What the names of all joints but the root begin with, such as ``Character1_`` or ``Bip01 ``."""
    own = sorted(name for name in names[1:] if not name.endswith(END)) or [""]
    first, last = own[0], own[-1]
    length = next((k for k, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), 0)
    # The joints of one leg alone begin with their side.
    return "" if length < 3 or first[:length].lower() in ("left", "right") else first[:length]


def _side_and_part(name: str, prefix: str) -> tuple[str, str]:
    """``mixamorig:LeftUpLeg`` is ``left``, ``upleg``; so ``thigh.L`` and ``lShin``; ``Hips`` has no side."""
    if name.endswith(END):
        return "", ""
    own = re.sub(r"^C[_ ]", "", _without_prefix(name.removeprefix(prefix)))
    for pattern in (
        r"(?i:(left|right))[ _.]*(.+)",
        r"(?i:([lr]))[ _.]+(.+)",
        r"([lr])([A-Z].*|femur|tibia|foot|toes|clavicle|humerus|radius|wrist|hand)",
        r"([LR])([A-Z][A-Za-z].*)",
        r"(?P<part>.+?)[ _.]*(?i:(?P<side>left|right))",
        r"(?P<part>.+?)[ _.]+(?i:(?P<side>[lr]))",
    ):
        match = re.fullmatch(pattern, own)
        if match is not None:
            groups = match.groupdict()
            side, part = (groups["side"], groups["part"]) if groups else (match[1], match[2])
            return ("left" if side[0].lower() == "l" else "right"), _letters(part)
    return "", _letters(own)


def _without_prefix(name: str) -> str:
    return re.sub(r"^(.*[:|])|^(Bip\w*|Bone|joint|b|jnt|[mf]_avg|DEF)[ _-]", "", name, flags=re.IGNORECASE)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
