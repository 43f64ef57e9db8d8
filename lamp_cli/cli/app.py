"""The Typer app. Subcommands are imported when they are called, so that ``lamp --help`` is quick."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from .. import __version__
from .common import reported_errors

COMMANDS = {
    "generate": "Generate motions from sentences.",
    "prepare": "Turn motions and captions into a data set for training.",
    "pretrain": "Train every stage on a data set; resumable.",
}


class LazyGroup(TyperGroup):
    """Knows the subcommands by name and help; imports the module of the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The subcommand; for the list in ``--help`` only its name and help."""
        if cmd_name not in COMMANDS:
            return None
        if not _is_called(cmd_name):
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        module = importlib.import_module(f"lamp_cli.cli.{cmd_name}")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(cmd_name, help=module.command.__doc__)(module.command)
        return typer.main.get_command(alone)


def _is_called(name: str) -> bool:
    return name in sys.argv[1:]


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Human motion and language, linked: generate, find, describe and score motions.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        print(f"lamp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Options before the subcommand."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Console script ``lamp``."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command: Any = typer.main.get_command(app)
    with reported_errors(debug="--debug" in words):
        command.main(words, prog_name="lamp")
