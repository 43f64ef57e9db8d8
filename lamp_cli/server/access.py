"""Who may ask, how much may be posted, and what happens when the client leaves: an ASGI layer around the app.

A page of another site may send requests to this machine from a browser here, and name this machine by a host
name of its own (DNS rebinding). So the ``Host`` of a request must be ours while only this machine may ask,
and its ``Origin``, where it has one, the same host. Errors have the protocol's envelope.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from motionmcp.errors import STATUS_FOR, ProtocolError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class AccessRules:
    """What is let through.

    hosts: names by which this machine may be called; empty: any.
    token: what ``Authorization: Bearer`` must say; None: nothing.
    open_paths: what is shown without a token.
    most_bytes: of a request's body.
    """

    hosts: frozenset[str]
    token: str | None
    open_paths: frozenset[str]
    most_bytes: int


class Gate:
    """Lets requests through to an app by some rules, and cancels it when the client leaves."""

    def __init__(self, app: App, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
            body = await _body(receive, _headers(scope), self._rules.most_bytes)
        except ProtocolError as error:
            await _send_error(send, error)
            return
        if body is not None:
            await _run_while_connected(self._app, scope, body, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = _headers(scope)
        host = headers.get("host", "")
        if self._rules.hosts and _host_name(host) not in self._rules.hosts:
            raise ProtocolError(
                "forbidden", f"host {host!r}: expected {' or '.join(sorted(self._rules.hosts))}"
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise ProtocolError("forbidden", f"a page of {origin} asks; expected one of this server")
        if self._rules.token is None or scope["path"] in self._rules.open_paths:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            given.strip().encode(), self._rules.token.encode()
        ):
            raise ProtocolError("unauthorized", "expected the server's token as Authorization: Bearer TOKEN")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on ``host``."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _host_name(host: str) -> str:
    """The name of a ``Host`` header, without its port."""
    return (urlsplit(f"//{host}").hostname or "").lower()


async def _body(receive: Receive, headers: dict[str, str], most: int) -> bytes | None:
    """The whole body; None when the client leaves before its end. Raises ``ProtocolError`` for too much."""
    declared = headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        raise _too_large(most)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        if not message.get("more_body"):
            return bytes(body)


def _too_large(most: int) -> ProtocolError:
    return ProtocolError(
        "payload_too_large", f"expected a request of at most {most} bytes", {"max_request_bytes": most}
    )


async def _run_while_connected(app: App, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """The app's answer to a request whose body is read; cancelled when the client leaves before."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await asyncio.Future()  # Nothing comes any more; the client's leaving is waited for below.
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    answer = asyncio.ensure_future(app(scope, replay, send))
    left = asyncio.ensure_future(_disconnected(receive))
    await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        answer.cancel()
    left.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await answer


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_error(send: Send, error: ProtocolError) -> None:
    content = json.dumps(error.to_envelope()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if error.code == "unauthorized":
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": STATUS_FOR[error.code], "headers": headers})
    await send({"type": "http.response.body", "body": content})
