"""lamp: human motion and language, linked (LaMP, ICLR 2025).

    import lamp_cli as lamp
    model = lamp.load("lamp-mini")
    motion = model.generate("a person jumps", seed=7)

What stands here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking.sentence import check
    from .files.load import load_motion
    from .inference.direct import along, in_place, join, loop
    from .motion.motion import Motion
    from .notebook import Model, load

__version__ = "0.1.0"
__all__ = [
    "Model",
    "Motion",
    "__version__",
    "along",
    "check",
    "in_place",
    "join",
    "load",
    "load_motion",
    "loop",
]

_PLACES = {
    "along": "inference.direct",
    "check": "checking.sentence",
    "in_place": "inference.direct",
    "join": "inference.direct",
    "load": "notebook",
    "load_motion": "files.load",
    "loop": "inference.direct",
    "Model": "notebook",
    "Motion": "motion.motion",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
