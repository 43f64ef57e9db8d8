"""Experiments as files: a TOML file on top of a named size, single fields on top of both.

Every field of every config dataclass has a dotted name, as in ``lamp.qformer.layers``: its place in a file's
tables. What follows from another field or from the data cannot be set. Later layers replace earlier ones: the
size, the file, the single fields.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

from ..bundle.config import checked_value, from_json, to_json
from ..model.lamp import OBJECTIVES
from ..model.tokenizer import TokenizerConfig
from ..motion.clip_length import LONGEST_CLIP
from ..motion.skeleton import SKELETONS, Skeleton
from ..storage import parse_toml, read_toml, toml_text
from .experiment import CAPTIONER, Experiment
from .selection import FIGURES, require_selectable

SIZES = {path.stem: path for path in sorted((Path(__file__).parent / "sizes").glob("*.toml"))}
DEFAULT_SIZE = "mini"
# Said of a field that may be left out.
NONE = "none"
# What cannot be set, and what it follows from.
FOLLOWS = {
    "tokenizer.features": "the data's skeleton",
    "tokenizer.joints": "the data's skeleton",
    "lamp.qformer.vocabulary": "data.word_pieces",
    "lamp.qformer.context_width": "tokenizer.code_width",
    "lamp.codes": "tokenizer.codes",
    "lamp.codebooks": "tokenizer.upper_joints",
    "generator.codes": "tokenizer.codes",
    "generator.codebooks": "tokenizer.upper_joints",
    "generator.quantizers": "tokenizer.quantizers",
    "generator.condition_width": "lamp.qformer.width",
    "generator.condition_encoder": "generator.condition",
    "generator.condition_digest": "generator.condition",
    "length.text_width": "lamp.qformer.width",
    "length.encoder": "lamp import",
    "length.encoder_digest": "lamp import",
    "captioner.query_width": "lamp.qformer.width",
    "captioner.embedded.vocabulary": "data.word_pieces",
    "captioner.adapter.qformer": "lamp.qformer",
    "evaluator.features": "the data's skeleton",
    "evaluator.words": "data.evaluator_words",
}
# A captioner has one decoder: who asks for one does without the other.
ALTERNATIVES = {
    "captioner.language_model": "captioner.embedded",
    "captioner.embedded": "captioner.language_model",
}
# Fields that are shares or probabilities, by their last names.
SHARES = frozenset(
    {"dropout", "condition_dropout", "label_smoothing", "codebook_decay", "average_decay"}
    | {"matching_share", "motion_generation_share", "drawn_share", "reworded_share", "misspelt_share"}
    | {"learning_rate", "final_learning_rate"}
)
# Whole numbers that may be 0, by their last names.
MAYBE_NONE = frozenset({"warmup_steps", "seen", "consensus"})
# Learning rates by what of a language model is trained: a projection alone bears the highest.
LANGUAGE_MODEL_RATES = {"frozen": 5e-4, "lora": 2e-4, "full": 2e-5}


@dataclass(frozen=True)
class _Layer:
    """Fields by their dotted names; those of a skeleton hold for its data alone and replace the others."""

    fields: Mapping[str, Any]
    of_skeleton: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def settings(self, skeleton: Skeleton) -> dict[str, Any]:
        return {**self.fields, **self.of_skeleton.get(skeleton.name, {})}


def read_experiment(
    size: str | None, config: Path | None, settings: Mapping[str, Any], skeleton: Skeleton
) -> Experiment:
    """The experiment of a size, a file and single ``settings`` by their dotted names, for one skeleton.

    Without a ``size`` it is that which the file names, else ``mini``. Its vocabulary is not known yet. Raises
    ``ValueError`` naming a field that is unknown, with the nearest known one, or of another type.
    """
    base, own = (None, _Layer({})) if config is None else _read_layer(config)
    if size is not None and base is not None and base != size:
        raise ValueError(f"--size {size}: {config} says size = {base!r}; expected the same, or one of them")
    merged: dict[str, Any] = {}
    for layer in _layers_of_size(size or base or DEFAULT_SIZE):
        _apply(merged, layer.settings(skeleton))
    given: set[str] = set()
    for layer in (own, _Layer(dict(_checked(settings, "--set ")))):
        _apply(merged, layer.settings(skeleton))
        given |= layer.settings(skeleton).keys()
    _follow(merged, given)
    _require_fitting(merged)
    return from_json(Experiment, _filled(_nested(merged), skeleton), "experiment")


def size_named(name: str, skeleton: Skeleton) -> Experiment:
    """The experiment that a size is."""
    return read_experiment(name, None, {}, skeleton)


def settings_from(words: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Fields by name from words ``FIELD=VALUE``, values as TOML has them; bare words are strings."""
    found = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name.strip():
            raise ValueError(f"{option} {word}: expected FIELD=VALUE")
        found[name.strip()] = _value_of(text.strip(), _settable().get(name.strip()))
    return found


def experiment_text(experiment: Experiment) -> str:
    """The whole experiment as a file that ``read_experiment`` reads, without what ``FOLLOWS`` names."""
    return toml_text(_written(to_json(experiment)))


def _written(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if path in FOLLOWS:
            continue
        inner = isinstance(value, Mapping)
        result[name] = NONE if value is None else _written(value, f"{path}.") if inner else value
    return result


def _value_of(text: str, hint: Any) -> Any:
    if hint is str:
        return text.strip("\"'")
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text


def _layers_of_size(name: str) -> list[_Layer]:
    if name not in SIZES:
        raise ValueError(f"size {name}: expected one of {', '.join(SIZES)}")
    base, layer = _read_layer(SIZES[name])
    return [*(_layers_of_size(base) if base else []), layer]


def _read_layer(path: Path) -> tuple[str | None, _Layer]:
    """The size that a file starts from, if it names one, and its fields."""
    table = read_toml(path)
    base = table.pop("size", None)
    if base is not None and base not in SIZES:
        raise ValueError(f"{path}: size: expected one of {', '.join(SIZES)}, found {base!r}")
    names = [skeleton.name for skeleton in SKELETONS if isinstance(table.get(skeleton.name), dict)]
    of_skeleton = {name: table.pop(name) for name in names}
    overlays = {name: dict(_checked(fields, f"{path}: {name}.")) for name, fields in of_skeleton.items()}
    return base, _Layer(dict(_checked(table, f"{path}: ")), overlays)


def _checked(table: Mapping[str, Any], where: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of a table by their dotted names, each known and of its type."""
    for name, value in table.items():
        path = f"{prefix}{name}"
        if path in FOLLOWS:
            raise ValueError(f"{where}{path}: follows from {FOLLOWS[path]} and cannot be set")
        hint = _settable().get(path)
        is_table = any(known.startswith(f"{path}.") for known in _settable())
        if is_table and isinstance(value, Mapping):
            yield from _checked(value, where, f"{path}.")
        elif hint is not None and value == NONE and _is_optional(hint):
            yield path, None
        elif is_table:
            raise ValueError(f"{where}{path}: expected a table of fields, found {value!r}")
        elif hint is None:
            raise ValueError(f"{where}{path}: unknown{_nearest(path)}")
        else:
            value = checked_value(hint, value, f"{where}{path}")
            _require_range(path.rsplit(".", 1)[-1], value, f"{where}{path}")
            yield path, value


def _require_range(name: str, value: Any, where: str) -> None:
    """Raise ``ValueError`` for a number that no network and no training can have."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    least = 1 if isinstance(value, int) and name not in MAYBE_NONE else 0
    if name in SHARES and not 0 <= value <= 1:
        raise ValueError(f"{where}: expected a share from 0 to 1, found {value:g}")
    if not least <= value < math.inf:
        what = f"at least {least}" if isinstance(value, int) else "a finite number from 0"
        raise ValueError(f"{where}: expected {what}, found {value:g}")


def _require_fitting(merged: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for fields that are each possible and together not."""
    for part in ("lamp.qformer", "generator", "captioner.embedded"):
        width, heads = merged.get(f"{part}.width", 0), merged.get(f"{part}.heads", 1)
        if width % heads:
            raise ValueError(f"{part}.heads: expected a divisor of the width {width}, found {heads}")
    for stage in FIGURES:
        require_selectable(stage, merged[f"training.{stage}.select"], merged["judge"])
    queries, longest = merged["lamp.qformer.query_tokens"], LONGEST_CLIP // 2 ** merged["tokenizer.stages"]
    if queries < longest and merged["lamp.weights.motion_generation"]:
        raise ValueError(
            f"lamp.qformer.query_tokens: expected at least {longest}, one for each token of the longest clip"
            f", found {queries}"
        )


def _nearest(path: str) -> str:
    known = list(_settable())
    last = path.rsplit(".", 1)[-1]
    same = [name for name in known if name.rsplit(".", 1)[-1] == last]
    found = get_close_matches(path, same or known, 1, cutoff=0.0 if same else 0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _settable() -> dict[str, Any]:
    """The type of every field that can be set, by its dotted name."""
    return _settable_with(tuple(OBJECTIVES))


@cache
def _settable_with(objectives: tuple[str, ...]) -> dict[str, Any]:
    return dict(_fields_of(Experiment, "", objectives))


def _fields_of(kind: type[Any], prefix: str, objectives: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, hint in typing.get_type_hints(kind).items():
        path = f"{prefix}{name}"
        if path in FOLLOWS:
            continue
        inner: Any = next((each for each in _kinds(hint) if dataclasses.is_dataclass(each)), None)
        if inner is not None:
            yield from _fields_of(inner, f"{path}.", objectives)
            if _is_optional(hint):
                yield path, hint
        elif typing.get_origin(hint) is dict:
            yield from ((f"{path}.{objective}", typing.get_args(hint)[1]) for objective in objectives)
        else:
            yield path, hint


def _kinds(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)


def _is_optional(hint: Any) -> bool:
    return NoneType in _kinds(hint)


def _apply(merged: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Replace fields; a table that is left out goes with all its fields, and comes with the first of them."""
    for path, value in settings.items():
        parent = path.rsplit(".", 1)[0]
        if value is None:
            _remove(merged, path)
        elif merged.get(parent, "") is None:
            del merged[parent]
        if value is not None and parent in ALTERNATIVES:
            _remove(merged, ALTERNATIVES[parent])
            merged[ALTERNATIVES[parent]] = None
        merged[path] = value


def _remove(merged: dict[str, Any], path: str) -> None:
    for each in [name for name in merged if name == path or name.startswith(f"{path}.")]:
        del merged[each]


def _follow(merged: dict[str, Any], given: set[str]) -> None:
    """Change what was not ``given`` where it no longer fits what was."""
    for path in [name for name in given if name.startswith("training.") and name.endswith(".steps")]:
        warmup = path.replace(".steps", ".warmup_steps")
        if warmup not in given:
            merged[warmup] = min(merged[warmup], merged[path] // 10)
    rate = f"training.{CAPTIONER}.learning_rate"
    if "captioner.language_model.name" in merged and rate not in given:
        merged[rate] = LANGUAGE_MODEL_RATES.get(merged.get("captioner.language_model.tuning", "frozen"), 0.0)


def _nested(merged: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in merged.items():
        *parents, last = path.split(".")
        table = tree
        for name in parents:
            table = table.setdefault(name, {})
        table[last] = value
    return tree


def _filled(tree: dict[str, Any], skeleton: Skeleton) -> dict[str, Any]:
    """With what follows from other fields; the vocabulary has one piece yet."""
    tokenizer, lamp, captioner = tree["tokenizer"], tree["lamp"], tree["captioner"]
    tokenizer |= {"features": skeleton.feature_size, "joints": skeleton.joints}
    sizes = from_json(TokenizerConfig, tokenizer, "experiment.tokenizer")
    codes = {"codes": sizes.codes, "codebooks": sizes.codebooks}
    width = lamp["qformer"]["width"]
    lamp |= codes
    lamp["qformer"] |= {"vocabulary": 1, "context_width": sizes.code_width}
    tree["generator"] |= {**codes, "quantizers": sizes.quantizers, "condition_width": width}
    tree["length"] |= {"text_width": width}
    tree["evaluator"] |= {"features": skeleton.feature_size}
    captioner |= {"query_width": width}
    if captioner["embedded"] is not None:
        captioner["embedded"] |= {"vocabulary": 1}
    if captioner["adapter"] is not None:
        captioner["adapter"] |= {"qformer": lamp["qformer"]}
    return tree
