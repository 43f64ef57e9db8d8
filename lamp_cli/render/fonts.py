"""Fonts for titles in any script: the one that ships with matplotlib, or one of the system's."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any


def font_for(text: str, size: int) -> Any:
    """The Pillow font, ``size`` pixels high, that has most signs of ``text``."""
    from PIL import ImageFont

    return ImageFont.truetype(_best_font(_signs(text))[0], size)


def missing_signs(text: str) -> str:
    """The signs of ``text`` that no font on this machine draws; empty when there is one that has all."""
    return "".join(sorted(_best_font(_signs(text))[1]))


def _signs(text: str) -> frozenset[str]:
    """What must be drawn: neither spaces nor signs that only join or select others."""
    return frozenset(s for s in text if not s.isspace() and unicodedata.category(s) not in ("Cc", "Cf", "Mn"))


@lru_cache(maxsize=64)
def _best_font(signs: frozenset[str]) -> tuple[str, frozenset[str]]:
    """The file of the font that has most of ``signs``, and those that it lacks."""
    own = _shipped_font()
    best, lacking = own, signs - _signs_of(own)
    if not lacking:
        return best, lacking
    for path in _system_fonts():
        missing = signs - _signs_of(path)
        if len(missing) < len(lacking) and _can_be_drawn(path):
            best, lacking = path, missing
        if not lacking:
            break
    return best, lacking


def _shipped_font() -> str:
    from matplotlib import get_data_path

    return str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf")


def _system_fonts() -> list[str]:
    from matplotlib.font_manager import findSystemFonts

    # Plain faces first: a title in bold or italics is better than one in boxes, and no more.
    return sorted(findSystemFonts(), key=lambda path: ("Regular" not in path, len(path), path))


@lru_cache(maxsize=512)
def _signs_of(path: str) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (RuntimeError, OSError, ValueError):
        return frozenset()


def _can_be_drawn(path: str) -> bool:
    from PIL import ImageFont

    try:
        ImageFont.truetype(path, 20)
    except OSError:
        # Coloured pictures of one size, as of emoji.
        return False
    return True
