"""The gate and the worker alone: who is let in, how much, in which order, and what is dropped."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from motionmcp.backbone import Backbone
from motionmcp.null_backbone import NullBackbone
from motionmcp.server import build_app

from lamp_cli.server.access import AccessRules, Gate, is_loopback
from lamp_cli.server.worker import AbandonedError, TooManyWaitingError, Worker

LOCAL = AccessRules(frozenset({"localhost", "127.0.0.1", "::1"}), None, frozenset(), 1000)


def asked(
    gate: Gate, path: str = "/capabilities", body: bytes = b"", method: str = "GET", **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer to a request given in pieces of 100 bytes."""
    sent: list[dict[str, Any]] = []
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)] or [b""]
    given = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, start=1)
    ]

    async def receive() -> dict[str, Any]:
        return given.pop(0) if given else await asyncio.Future()

    async def send(message: Any) -> None:
        sent.append(message)

    named = {"host": "localhost:8000", **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()],
    }
    asyncio.run(gate(scope, receive, send))
    content = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(content)


def gate(rules: AccessRules = LOCAL, backbone: Backbone | None = None) -> Gate:
    return Gate(build_app(backbone or NullBackbone()), rules)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_this_machine_is_let_in_by_its_names(host: str) -> None:
    assert asked(gate(), host=host)[0] == 200
    assert asked(gate(), host=host, origin=f"http://{host}")[0] == 200


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"}, {"host": ""}]
)
def test_other_sites_are_kept_out(headers: dict[str, str]) -> None:
    status, said = asked(gate(), **headers)
    assert (status, said["error"]["code"]) == (403, "forbidden")


def test_a_token_is_asked_for_but_where_the_page_is() -> None:
    guarded = gate(AccessRules(frozenset(), "secret", frozenset({"/openapi.json"}), 1000))
    for given in ({}, {"authorization": "Bearer other"}, {"authorization": "secret"}):
        status, said = asked(guarded, **given)
        assert (status, said["error"]["code"]) == (401, "unauthorized")
    assert asked(guarded, host="anything", authorization="Bearer secret")[0] == 200
    assert asked(guarded, path="/openapi.json")[0] == 200


def test_too_much_is_refused_before_and_while_it_is_read() -> None:
    for headers in ({"content_length": "1001"}, {}, {"content_length": "what"}):
        status, said = asked(gate(), "/generate", b" " * 1001, "POST", **headers)
        assert (status, said["error"]["code"]) == (413, "payload_too_large")
    assert asked(gate(), "/generate", b"{}", "POST")[1]["error"]["code"] == "schema_validation"


def test_a_client_that_leaves_cancels_its_request() -> None:
    class Waiting(NullBackbone):
        cancelled = False

        async def generate(self, request: Any) -> Any:
            try:
                await asyncio.Future()
            except asyncio.CancelledError:
                self.cancelled = True
                raise

    waiting, began = Waiting(), asyncio.Event()
    model = waiting.capabilities()
    request = {
        "protocol_version": "1.4",
        "model": model.id,
        "skeleton": model.canonical_skeleton.model_dump(mode="json"),
        "segments": [{"type": "text", "prompt": "a person waits", "duration_frames": 10}],
    }
    messages = [{"type": "http.request", "body": json.dumps(request).encode()}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        if len(messages) == 1:
            await asyncio.sleep(0.05)
        return messages.pop(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/generate",
        "raw_path": b"/generate",
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", b"localhost")],
    }
    rules = AccessRules(LOCAL.hosts, None, frozenset(), 10_000)

    async def send(message: Any) -> None:
        began.set()

    asyncio.run(Gate(build_app(waiting), rules)(scope, receive, send))
    assert waiting.cancelled and not began.is_set()


@pytest.mark.parametrize(
    "host, local",
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("192.168.1.2", False)],
)
def test_which_addresses_are_this_machines_own(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_work_is_done_in_order_and_dropped_when_nobody_waits() -> None:
    worker, done, hold = Worker(most_waiting=3), list[str](), threading.Event()

    def slow() -> None:
        while not hold.wait(0.001):
            worker.check()
        done.append("slow")

    async def scene() -> None:
        first = asyncio.ensure_future(worker.run(slow))
        await asyncio.sleep(0.02)
        others = [asyncio.ensure_future(worker.run(lambda n=n: done.append(n))) for n in "abc"]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWaitingError, match="4 requests wait"):
            await worker.run(lambda: done.append("too many"))
        others[1].cancel()
        await asyncio.gather(others[1], return_exceptions=True)
        hold.set()
        await asyncio.gather(first, others[0], others[2])
        hold.clear()
        left = asyncio.ensure_future(worker.run(slow))
        await asyncio.sleep(0.02)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        await worker.run(lambda: done.append("after"))

    asyncio.run(scene())
    assert done == ["slow", "a", "c", "after"]
    assert worker.unfinished == 0
    worker.close()


def test_a_closing_worker_ends_what_it_does() -> None:
    worker = Worker()

    async def scene() -> None:
        def forever() -> None:
            while True:
                worker.check()

        running = asyncio.ensure_future(worker.run(forever))
        await asyncio.sleep(0.02)
        await asyncio.to_thread(worker.close)
        with pytest.raises(AbandonedError):
            await running

    asyncio.run(scene())
