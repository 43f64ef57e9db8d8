"""Checkpoints that others published: read without running them, taken whole, what is left over named.

Source: ``torch.save`` of a dictionary of state dicts, as the field's repositories write it.
"""

from __future__ import annotations

import itertools
import pickle
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MOST_NAMED = 3


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The dictionary in a file of ``torch.save``, tensors on the CPU and read when they are used.

    Raises ``ValueError`` for a file that is missing, cut short, no dictionary, or holds more than tensors,
    numbers and names, of which nothing is run.
    """
    try:
        # What the reader warns of is an odd file, which is read or refused.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ValueError(f"{path}: is a folder; expected a checkpoint") from None
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: {_refusal(str(error))}") from None
    # What the reader raises depends on the bytes that it takes for instructions: any error means the same.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0]
        raise ValueError(f"{path}: no whole checkpoint of torch.save, perhaps cut short ({reason})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected a dictionary of tensors, found {type(found).__name__}")
    return found


def _refusal(message: str) -> str:
    code = re.search(r"GLOBAL:? ([\w.]+)", message)
    if code is None:
        return "no whole checkpoint of torch.save, perhaps cut short"
    return f"refused, it holds {code[1]} where only weights belong; loading it would run code"


@dataclass
class StateDict:
    """The tensors of one published network, by their names there, and which of them have been taken.

    path: the file they come from.
    tensors: by name.
    taken: names that a network has been given.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    taken: set[str] = field(default_factory=set)

    def shape(self, name: str, axes: int) -> tuple[int, ...]:
        """Of a tensor with so many axes; raises ``ValueError`` when it is missing or has others."""
        value = self.tensors.get(name)
        if not isinstance(value, Tensor):
            raise ValueError(f"{self.path}: lacks the tensor {name}")
        if value.ndim != axes:
            raise ValueError(
                f"{self.path}: {name} has the shape {tuple(value.shape)}; expected {axes} numbers"
            )
        return tuple(value.shape)

    def count(self, pattern: str, first: int = 0) -> int:
        """How many tensors there are of a pattern with numbers from ``first`` on."""
        return next(n for n in itertools.count() if pattern.format(first + n) not in self.tensors)

    def take(self, name: str, shape: Sequence[int]) -> Tensor:
        """A tensor of that shape in fp32; raises ``ValueError`` when it is missing or of another."""
        found = self.shape(name, len(shape))
        if found != tuple(shape):
            raise ValueError(f"{self.path}: {name} has the shape {found}; expected {tuple(shape)}")
        self.taken.add(name)
        return self.tensors[name].float()

    def fill(self, network: nn.Module, names: Mapping[str, str]) -> None:
        """Give ``network`` the tensors that ``names`` tells for its own, some or all of them.

        Raises ``ValueError`` naming those that are missing, or the first that is of another shape.
        """
        missing = sorted({name for name in names.values() if name not in self.tensors})
        if missing:
            raise ValueError(f"{self.path}: lacks {name_some(missing)}")
        own = network.state_dict()
        with torch.no_grad():
            for ours, theirs in names.items():
                own[ours].copy_(self.take(theirs, own[ours].shape))

    def left_over(self, prefixes: Sequence[str] = ("",)) -> list[str]:
        """Names that begin with one of ``prefixes`` and have not been taken."""
        return sorted(
            name for name in self.tensors if name.startswith(tuple(prefixes)) and name not in self.taken
        )

    def unused_parts(self) -> list[str]:
        """The modules of which no tensor has been taken, each with the count of its tensors."""
        used = {prefix for name in self.taken for prefix in _prefixes(name)}
        parts = Counter(next(p for p in _prefixes(name) if p not in used) for name in self.left_over())
        return [f"{part} ({count} tensors)" for part, count in parts.items()]

    def require_whole(self, prefixes: Sequence[str]) -> None:
        """Raise ``ValueError`` when a part that is used holds tensors which ours has no place for.

        Left out, they would change what the part computes.
        """
        if rest := self.left_over(prefixes):
            raise ValueError(f"{self.path}: holds {name_some(rest)}, for which ours has no place")


def _prefixes(name: str) -> Iterable[str]:
    """``a``, ``a.b``, ``a.b.c`` of ``a.b.c``."""
    return itertools.accumulate(name.split("."), "{}.{}".format)


def name_some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
