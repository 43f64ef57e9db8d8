"""``lamp serve``: motions for animation programs over HTTP, and a page to try them in."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from .common import UsageError, device_option, emit, note


def serve_command(
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            help="What clients must send; drawn and shown where other machines may ask.", envvar="LAMP_TOKEN"
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Bundle: folder, hub name, or lamp-mini.")] = "lamp-mini",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    library: Annotated[Path | None, typer.Option(help="Folder of motions that the page searches.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout even on a terminal.")] = False,
) -> None:
    """Serve motions over MMCP for Blender and other programs, and a page to try them in; Ctrl-C ends it."""
    if token is not None and not token.strip():
        raise UsageError("--token: expected some characters, found none")
    # Threads that spin while they wait cost seven times the processor's time beside a Blender at work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        from ..server.app import ServeOptions, listening_socket, run_server, server_app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("lamp_cli"):
            raise
        raise UsageError(f"serving needs the package {error.name}; pip install 'lamp-cli[serve]'") from None
    from ..bundle.bundle import load_bundle
    from ..server.access import is_loopback
    from ..server.library import Library
    from ..server.worker import Worker

    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    with listening_socket(host, port) as listening:
        bundle = load_bundle(model, device_option(device))
        searched = None if library is None else Library(bundle, library, note)
        worker = Worker()
        app = server_app(bundle, ServeOptions(host, token), worker, searched)
        found = listening.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{found}"
        record = {"url": url, "model": bundle.config.name, "device": str(bundle.device), "token": token}

        def ready() -> None:
            emit(record, f"{bundle.config.name} at {url}" + (f"/#token={token}" if token else ""), as_json)
            if sys.stdout.isatty():
                note("Ctrl-C stops it")

        try:
            run_server(app, listening, ready)
        finally:
            worker.close()
