"""The rooms of the package: each knows only those above it, and no name stands for two things."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lamp_cli

PACKAGE = Path(lamp_cli.__file__).parent
# From the ground up: a room may import those before it, and ``storage`` and ``processes`` beside them.
ROOMS = (
    "motion",
    "language",
    "files",
    "metrics",
    "render",
    "synthetic",
    "checking",
    "data",
    "model",
    "bundle",
    "inference",
    "training",
    "scoring",
    "server",
    "cli",
)
SHARED = ("storage", "processes")
# Imported within functions only, so that a motion in a notebook can be saved, shown and edited in a word.
LAZY = {("motion/motion.py", room) for room in ("files", "render", "notebook")}
# Scoring and the command line stand beside training or above it; what runs a model must not need it.
FORBIDDEN = {("scoring", "training")}


def _imports(path: Path) -> set[tuple[str, int]]:
    """The rooms that a file imports from, with the line; type-checking imports count too.

    Those of ``LAZY`` do not count where they stand within a function.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    within = {
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
    }
    name = path.relative_to(PACKAGE).as_posix()
    return {
        (room, line)
        for room, line in _imports_of(tree, path)
        if (name, room) not in LAZY or line not in within
    }


def _imports_of(tree: ast.Module, path: Path) -> set[tuple[str, int]]:
    return {(name.split(".")[1], line) for name, line in _names(tree, path) if name.startswith("lamp_cli.")}


def _names(tree: ast.Module, path: Path) -> set[tuple[str, int]]:
    """Every name that a file imports, with its module in full, and the line."""
    package = ["lamp_cli", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            targets = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        found |= {(target, node.lineno) for target in targets}
    return found


def _room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_the_notebooks_door_stands_beside_the_command_line() -> None:
    assert "cli" not in {room for room, _ in _imports(PACKAGE / "notebook.py")}
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__", "notebook", *SHARED}


def test_every_folder_is_a_room_of_the_plan() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_those_above_it(room: str) -> None:
    known = {*ROOMS[: ROOMS.index(room) + 1], *SHARED, "__version__"}
    known -= {other for below, other in FORBIDDEN if below == room}
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {other}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for other, line in sorted(_imports(path))
        if other not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_the_synthetic_room_has_one_door() -> None:
    outside = (path for path in sorted(PACKAGE.rglob("*.py")) if _room_of(path) != "synthetic")
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in outside
        for name, line in sorted(_names(ast.parse(path.read_text(encoding="utf-8")), path))
        if name.startswith("lamp_cli.synthetic") and not name.startswith("lamp_cli.synthetic.corpus.")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", SHARED)
def test_what_every_room_shares_knows_no_room(name: str) -> None:
    assert not {other for other, _ in _imports(PACKAGE / f"{name}.py")} & set(ROOMS)


def test_no_two_public_classes_or_functions_have_one_name() -> None:
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(path.relative_to(PACKAGE).as_posix())
    twice = [f"{name}: {', '.join(files)}" for name, files in found.items() if len(files) > 1]
    assert not twice, "\n".join(twice)
