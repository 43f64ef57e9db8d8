"""What a bundle is made of, as plain data: the content of its ``config.json``."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..model.captioner import CaptionerConfig
from ..model.generator import GeneratorConfig
from ..model.lamp import LampConfig
from ..model.length import LengthConfig
from ..model.qformer import QFormerConfig
from ..model.tokenizer import TokenizerConfig
from ..motion.skeleton import skeleton_named

FORMAT = 1
# Networks as the authors' code has them.
RELEASED = "released"
Config = TypeVar("Config")


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of every network.

    tokenizer: motion tokenizer.
    lamp: language-motion model.
    generator: masked transformer; None in a bundle without one.
    length: length head; None in a bundle without one.
    captioner: None in a bundle without one.
    compat: empty for the paper's networks, ``released`` for those of the authors' code (``model.released``).

    Raises ``ValueError`` for sizes that do not fit each other.
    """

    tokenizer: TokenizerConfig
    lamp: LampConfig
    generator: GeneratorConfig | None
    length: LengthConfig | None
    captioner: CaptionerConfig | None = None
    compat: str = ""

    def __post_init__(self) -> None:
        if self.compat not in ("", RELEASED):
            raise ValueError(f"compat: expected {RELEASED} or nothing, found {self.compat!r}")
        parts = [part for part in (self.tokenizer, self.lamp, self.generator) if part is not None]
        for name in ("codes", "codebooks"):
            each = {getattr(part, name) for part in parts}
            if len(each) > 1:
                found = " and ".join(map(str, sorted(each)))
                raise ValueError(f"{name}: expected the same in tokenizer, lamp and generator, found {found}")
        adapter = None if self.captioner is None else self.captioner.adapter
        if adapter is not None and _without_dropout(adapter.qformer) != _without_dropout(self.lamp.qformer):
            raise ValueError("captioner.adapter: is for another motion transformer than lamp's")


def _without_dropout(qformer: QFormerConfig) -> QFormerConfig:
    return dataclasses.replace(qformer, dropout=0.0)


@dataclass(frozen=True)
class Provenance:
    """Where imported weights come from.

    source: whose they are.
    licence: as far as the source states it.
    files: SHA-256 of every file that was imported, by what it is and its name.
    left_out: what of the files no network here has a place for.
    """

    source: str
    licence: str
    files: dict[str, str]
    left_out: str = ""


@dataclass(frozen=True)
class BundleConfig:
    """Content of ``config.json``.

    name: of the bundle.
    skeleton: its name.
    fps: frames per second of the motions.
    model: sizes of the networks.
    figures: of each stage on the validation split.
    steps: at which each stage was best, the one that is kept.
    lamp_reads_motions: False where LaMP was trained with another skeleton's tokenizer: it reads sentences for
        the generator, and neither finds, describes nor judges motions.
    provenance: of imported weights; None for those that lamp trained.
    format: version of the bundle's files.

    Raises ``ValueError`` for an unknown skeleton.
    """

    name: str
    skeleton: str
    fps: float
    model: ModelConfig
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    lamp_reads_motions: bool = True
    provenance: Provenance | None = None
    format: int = FORMAT

    def __post_init__(self) -> None:
        skeleton_named(self.skeleton)


def to_json(config: Any) -> dict[str, Any]:
    """Nested dictionaries of a config dataclass."""
    return dataclasses.asdict(config)


def from_json(kind: type[Config], data: Any, where: str = "config") -> Config:
    """A config dataclass from nested dictionaries.

    Raises ``ValueError`` naming the first field that is missing, unknown or of another type.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected an object, found {type(data).__name__}")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(data.keys() - fields.keys()):
        raise ValueError(f"{where}.{unknown[0]}: unknown; made by another version of lamp?")
    for name, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise ValueError(f"{where}.{name}: missing")
    values = {name: checked_value(hints[name], value, f"{where}.{name}") for name, value in data.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def object_in(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty when there is none or it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def read_config_file(path: Path, kind: type[Config], what: str) -> Config:
    """The config of ``what`` in a JSON file, of the ``kind`` and ``format`` that its dataclass says.

    Raises ``ValueError`` naming the file and what is wrong in it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {path.parent} is not {what} that `lamp pretrain` wrote") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    fixed = {f.name: f.default for f in dataclasses.fields(kind) if f.name in ("kind", "format")}  # type: ignore[arg-type]
    for name, expected in fixed.items():
        if isinstance(data, dict) and data.get(name) != expected:
            raise ValueError(f"{path}: not {what}, {name}: expected {expected!r}, found {data.get(name)!r}")
    try:
        return from_json(kind, data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def checked_value(hint: Any, value: Any, where: str) -> Any:
    """A value of a field with this type hint, from JSON or TOML; raises ``ValueError`` for another."""
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value, where)  # type: ignore[arg-type]
    origin = typing.get_origin(hint) or hint
    if origin in (types.UnionType, typing.Union):
        kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
        return None if value is None else checked_value(kinds[0], value, where)
    if origin is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is tuple and isinstance(value, list | tuple):
        return _checked_items(typing.get_args(hint), value, where)
    if origin is dict and isinstance(value, dict):
        kind = typing.get_args(hint)[1]
        return {key: checked_value(kind, each, f"{where}.{key}") for key, each in value.items()}
    if not isinstance(value, origin) or (isinstance(value, bool) and origin is not bool):
        raise ValueError(f"{where}: expected {origin.__name__}, found {value!r}")
    return value


def _checked_items(kinds: tuple[Any, ...], values: Sequence[Any], where: str) -> tuple[Any, ...]:
    if kinds[1:] == (...,):
        kinds = kinds[:1] * len(values)
    if len(kinds) != len(values):
        raise ValueError(f"{where}: expected {len(kinds)} values, found {len(values)}")
    return tuple(checked_value(kind, value, where) for kind, value in zip(kinds, values, strict=True))
