"""Where a stage's weights come from: trained by this call, by an earlier one, or those of another bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..bundle.bundle import Bundle
from ..bundle.trained_tokenizer import TrainedTokenizer
from .experiment import CAPTIONER, CORE
from .options import PretrainOptions
from .run_record import StageRecord, read_stage


class Origin(Enum):
    """Where a stage's weights come from."""

    TRAINED_NOW = "trained by this call, or trained on"
    TRAINED_BEFORE = "finished by an earlier call of the same run"
    START_FROM = "those of the bundle to start from"


# The stages whose networks a stage is built on; it uses them frozen.
FROZEN = {
    "tokenizer": (),
    "lamp": ("tokenizer",),
    "generator": ("tokenizer", "lamp"),
    CAPTIONER: ("tokenizer", "lamp"),
}


@dataclass(frozen=True)
class StartFrom:
    """The bundle to start from, or the tokenizer alone.

    name: what the user calls it.
    bundle: its networks, without the captioner.
    taken: stages whose weights this run takes over; the networks of the others are drawn anew.
    fitting: those of them whose networks there are of this run's sizes.
    fingerprints: of the weights that are taken, by stage.
    same_skeleton: whether its motions are of this run's skeleton; if not, its LaMP still reads sentences.
    """

    name: str
    bundle: Bundle | TrainedTokenizer
    taken: tuple[str, ...]
    fitting: tuple[str, ...]
    fingerprints: Mapping[str, str]
    same_skeleton: bool = True

    def misfit(self, stage: str) -> str:
        """Why its network of a stage that it does not fit cannot stay as it is."""
        if stage in self.taken:
            return f"its {stage} is of another kind than this run's"
        if stage not in self.bundle.networks():
            return f"it has no {stage}"
        if self.same_skeleton:
            return f"its {stage} is not taken over"
        return f"its {stage} is of {self.bundle.skeleton.name}'s skeleton, the data have another"


def plan_stages(
    training: Path,
    options: PretrainOptions,
    start_from: StartFrom | None,
    announce: Callable[[str], None],
    text_stays: bool = False,
) -> dict[str, Origin]:
    """The origin of every stage of the core, of ``options.stages`` and of what they are built on.

    ``training`` is the folder of the run's checkpoints. Where ``text_stays``, all that the generator to start
    from reads of LaMP is as it was, however LaMP is trained. A later stage that an earlier call left
    unfinished, or that was built on other weights, is left out and announced. Raises ``ValueError`` naming
    the first that is needed and neither trained nor to be taken from the bundle to start from.
    """
    origins: dict[str, Origin] = {}
    weights: dict[str, str | None] = {}
    needed = max(CORE.index(stage if stage in CORE else "lamp") for stage in options.stages)
    for number, name in enumerate(CORE):
        record = read_stage(training / name)
        problem = _problem(record, {each: weights.get(each) for each in FROZEN[name]})
        # LaMP's text side, which the generator reads, can stay where the skeleton and its tokenizer change.
        text_side = name == "lamp" and start_from is not None and not start_from.same_skeleton
        needs = [each for each in FROZEN[name] if not (text_stays and (name, each) == ("generator", "lamp"))]
        below = text_side or all(origins.get(each) is Origin.START_FROM for each in needs)
        weights[name] = record.weights if record is not None and problem is None else None
        if name in options.stages:
            origins[name] = Origin.TRAINED_NOW
        elif problem is None:
            origins[name] = Origin.TRAINED_BEFORE
        elif record is None and start_from is not None and name in start_from.fitting and below:
            origins[name] = Origin.START_FROM
            weights[name] = start_from.fingerprints[name]
        elif number <= needed and start_from is not None and name not in start_from.fitting:
            what = start_from.misfit(name)
            raise ValueError(f"{start_from.name}: {what}; train stage {name} too")
        elif number <= needed:
            raise ValueError(f"{training / name}: stage {name} {problem}; train it first, or all stages")
        elif record is not None:
            announce(f"{name}: {problem}; it is left out, and no bundle is written until it is trained")
    return origins


def lamp_reads_motions(start_from: StartFrom | None, origins: Mapping[str, Origin]) -> bool:
    """Whether LaMP is trained with this run's tokenizer, or was, and not with another skeleton's alone."""
    if start_from is None or origins.get("lamp") is not Origin.START_FROM:
        return True
    assert isinstance(start_from.bundle, Bundle)
    return start_from.same_skeleton and start_from.bundle.config.lamp_reads_motions


def _problem(record: StageRecord | None, frozen: Mapping[str, str | None]) -> str | None:
    """Why a stage cannot be used as it is; None when it can."""
    if record is None:
        return "is not trained yet"
    if record.weights is None:
        return "was stopped before its last step"
    return other_weights(record.built_on, frozen)


def other_weights(before: Mapping[str, str], now: Mapping[str, str | None]) -> str | None:
    """A clause naming the first stage whose weights were others ``before``; None when there is none."""
    names: Sequence[str] = [*now, *before]
    changed = next((each for each in names if before.get(each) != now.get(each)), None)
    return None if changed is None else f"was built on another {changed}"
