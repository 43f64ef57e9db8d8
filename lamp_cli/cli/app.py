"""The Typer app: the table of subcommands, and the options before them.

A subcommand's module is imported when it is called or its own help is shown, so that ``lamp --help``
is quick. Knows no task.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from typer.core import CompletionItem, TyperCommand, TyperGroup
from typer.exceptions import TyperException

from .. import __version__
from ..processes import reserve_for_linear_algebra
from .common import note, reported_errors, sigterm_interrupts
from .inputs import readable, set_encodings

# Name -> the module that holds its function NAME_command, and its line in ``lamp --help``.
COMMANDS = {
    "prepare": ("lamp_cli.cli.prepare", "Turn motions and captions into a data set for training."),
    "pretrain": ("lamp_cli.cli.pretrain", "Train every stage on a data set; resumable."),
    "generate": ("lamp_cli.cli.generate", "Generate motions from sentences."),
    "edit": ("lamp_cli.cli.edit", "Draw a span of a motion anew, or what comes before or after it."),
    "retrieve": ("lamp_cli.cli.retrieve", "Search a motion library by words or by example."),
    "caption": ("lamp_cli.cli.caption", "Say in a sentence what each motion shows."),
    "render": ("lamp_cli.cli.render", "Draw motions: videos, pictures, or a page to look around in."),
    "convert": ("lamp_cli.cli.convert", "Convert motion files: joints, BVH, SMPL poses."),
    "import": (
        "lamp_cli.cli.import_weights",
        "Published weights into a bundle: LaMP's own, tokenizers of others.",
    ),
    "info": ("lamp_cli.cli.info", "Say what a bundle is, and how it was trained."),
    "check": ("lamp_cli.cli.check", "Say whether motions do what sentences say, clause by clause."),
    "serve": ("lamp_cli.cli.serve", "Serve motions to Blender and others, and a page to try them in."),
    "score": ("lamp_cli.cli.score", "Measure motions and models by the field's protocols."),
}


class LazyGroup(TyperGroup):
    """A group that lists its subcommands from the table and imports only the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The subcommand of that name, imported now; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        # The import takes seconds where it brings torch: an error in it is reported like any other.
        with reported_errors(_debug(ctx)):
            module = importlib.import_module(COMMANDS[cmd_name][0])
            reserve_for_linear_algebra()
        function = getattr(module, f"{cmd_name}_command")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(cmd_name, cls=PanelCommand, help=function.__doc__)(function)
        return typer.main.get_command(alone)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in ``lamp --help``, which imports no subcommand."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As the group's own, but of a mistyped name the nearest one is suggested."""
        # The group's own suggestions come from commands that are imported already.
        if args[0] not in COMMANDS and (near := get_close_matches(args[0], COMMANDS, n=1)):
            ctx.fail(f"No such command {args[0]!r}, did you mean {near[0]!r}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[CompletionItem]:
        """Names of subcommands with their lines, then options; imports no subcommand."""
        found = {name: line for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)}
        names = [CompletionItem(name, help=line) for name, line in found.items()]
        # The method above the group's own, which imports every command.
        return names + super(TyperGroup, self).shell_complete(ctx, incomplete)

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand; here, because the runner around it has its own idea of exit codes."""
        with reported_errors(_debug(ctx)):
            return super().invoke(ctx)


def _debug(ctx: Any) -> bool:
    return bool(ctx.params.get("debug"))


class PanelCommand(TyperCommand):
    """A subcommand whose help groups the options by their ``rich_help_panel``."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """A section for every panel, in the order of the options."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            own = "Arguments" if parameter.param_type_name == "argument" else "Options"
            if row := parameter.get_help_record(ctx):
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or own, []).append(row)
        for name, rows in panels.items():
            with formatter.section(name):
                formatter.write_dl(rows)


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    epilog="lamp help COMMAND shows the options of a command.",
    help="Human motion and language, linked: generate, find, describe and score motions.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        # The parser has its own idea of a closed pipe.
        with reported_errors(debug=False):
            print(f"lamp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options before the subcommand."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Console script ``lamp``; always ends in ``SystemExit`` with the promised code.

    ``lamp help COMMAND`` is ``lamp COMMAND --help``.
    """
    if arguments is None and sys.getfilesystemencoding() == "ascii":
        # Neither sentences nor names of files are ASCII: this process begins anew and reads them as UTF-8.
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, sys.orig_argv)
    words = [readable(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    set_encodings()
    command: Any = typer.main.get_command(app)
    with reported_errors(debug=False):
        try:
            with sigterm_interrupts():
                code = command.main(words or ["--help"], prog_name="lamp", standalone_mode=False)
        except TyperException as error:
            code = _bad_usage(error)
    raise SystemExit(code)


def _bad_usage(error: Any) -> int:
    """One sentence in place of the parser's three lines."""
    where = error.ctx.command_path if getattr(error, "ctx", None) else "lamp"
    note(f"lamp: {error.format_message().rstrip('.')}; see {where} --help")
    return 2
