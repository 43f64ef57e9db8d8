"""The whole server: MMCP's endpoints, the page, and the gate before them; and how it is run."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from motionmcp.errors import ProtocolError
from motionmcp.server import build_app
from starlette.exceptions import HTTPException

from .. import __version__
from ..bundle.bundle import Bundle
from .access import AccessRules, App, Gate, is_loopback
from .backbone import MOST_REQUEST_BYTES, LampBackbone
from .library import Library
from .page import FILES, PageBackend, add_page
from .worker import Worker

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
# Answers that wait for the client to take them, and clients that wait for an answer.
MOST_CONNECTIONS = 64


@dataclass(frozen=True)
class ServeOptions:
    """How a server is reached.

    host: the address it listens on.
    token: what clients must send; None lets everyone in who can reach it.
    """

    host: str = "127.0.0.1"
    token: str | None = None


def server_app(bundle: Bundle, options: ServeOptions, worker: Worker, library: Library | None = None) -> App:
    """What answers requests; raises ``ValueError`` for a bundle that cannot be served."""
    app = build_app(LampBackbone(bundle, worker), title="lamp")
    # These pages load their programs from elsewhere.
    app.router.routes[:] = [r for r in app.routes if getattr(r, "path", "") not in ("/docs", "/redoc")]
    _add_health(app, worker)
    add_page(app, PageBackend(bundle, worker, library))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _internal_error)
    hosts = frozenset({*LOOPBACK_NAMES, options.host.lower()}) if is_loopback(options.host) else frozenset()
    return Gate(app, AccessRules(hosts, options.token, frozenset({"/health", *FILES}), MOST_REQUEST_BYTES))


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that waits for connections; ``port`` 0 takes a free one.

    Raises ``ValueError`` where there can be none.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host.strip("[]"), port))
        found.listen(128)
    except OSError as error:
        found.close()
        reason = error.strerror or str(error)
        raise ValueError(
            f"{host}, port {port}: {reason.lower()}; expected an address of this machine and a free port"
        ) from None
    return found


def run_server(app: App, listening: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Answer until interrupted; ``ready`` is called when it does, and ends as it should from then on."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=3,
    )
    _Server(config, ready).run(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that says when it has taken over signals and answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]):
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _add_health(app: FastAPI, worker: Worker) -> None:
    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "lamp": __version__, "retargeting": "ready", "unfinished": worker.unfinished}


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = "internal_error" if error.status_code >= 500 else "invalid_request"
    envelope = {"error": {"code": code, "message": str(error.detail), "details": {}}}
    return JSONResponse(status_code=error.status_code, content=envelope, headers=error.headers)


async def _internal_error(_: Request, error: Exception) -> JSONResponse:
    found = ProtocolError("internal_error", f"{type(error).__name__}: {error}")
    return JSONResponse(status_code=found.status_code, content=found.to_envelope())
