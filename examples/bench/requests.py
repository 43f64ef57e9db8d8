"""Random requests to ``lamp serve``: ``python -m examples.bench.requests [--count 500] [--seed 0]``.

Asks the server's app, within this process, what the page and MMCP's clients ask, with bodies that were
changed by chance: values replaced, left out, nested and repeated, bytes cut and damaged. Whatever is asked,
the answer is what was wanted or one sentence of what is wrong, below status 500, and comes within twenty
seconds of the processor. Prints the requests that got anything else and a line of counts; exit code 1 when
there were any.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import random
import sys
import time
from collections import Counter
from typing import Any

from lamp_cli.bundle.bundle import Bundle, load_bundle
from lamp_cli.server.app import ServeOptions, server_app
from lamp_cli.server.worker import Worker

from .mutations import mutated

MOST_SECONDS = 20.0
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2,
    7,
    1e9,
    -1e308,
    float("nan"),
    float("inf"),
    2**70,
    "",
    " ",
    "x" * 5000,
)
ODD += ("a\0b", "\ud800", "../../x", "<script>", "人が歩く", [], {}, [[]], [1, 2, 3], {"a": {}}, "[" * 5000)
# One draw a motion in few rounds: what is asked matters, not how good it is.
QUICK = {"seed": 7, "model_options": {"candidates": 1, "steps": 2}}
WALK = {"type": "text", "prompt": "a person walks", "duration_frames": 40}


class App:
    """The server's app, asked without a network."""

    def __init__(self, bundle: Bundle):
        self._worker = Worker()
        self._app = server_app(bundle, ServeOptions(), self._worker)

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and content of an answer; a ``body`` is posted."""
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        if body is not None:
            headers.append((b"content-length", str(len(body)).encode()))
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET" if body is None else "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": headers,
            "scheme": "http",
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
        }
        messages = [{"type": "http.request", "body": body or b"", "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await asyncio.sleep(3600)

        async def send(message: Any) -> None:
            sent.append(message)

        async def answer() -> None:
            await self._app(scope, receive, send)

        asyncio.run(answer())
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def sound(app: App) -> dict[str, Any]:
    """A body for every address that is posted to; none is refused."""
    model = json.loads(app.ask("/capabilities")[1])["models"][0]
    base = {"protocol_version": "1.4", "model": model["id"], "skeleton": model["canonical_skeleton"]}
    make = {"parts": [{"text": "a person walks", "seconds": 2}], "samples": 1, "candidates": 1, "seed": 1}
    motion = json.loads(app.ask("/page/make", json.dumps(make).encode())[1])["motions"][0]["id"]
    pose = {"motion": motion, "frame": 10, "joints": [[0.0, 0.9, 0.1]] * 22}
    return {
        "/generate": {**base, "segments": [WALK], "options": QUICK},
        "/page/make": make,
        "/page/span": {"motion": motion, "start": 10, "end": 20, "text": "he waves", "samples": 1, "seed": 1},
        "/page/pose": {**pose, "seed": 1},
        "/page/path": {"motion": motion, "points": [[0, 0], [0, 2], [1, 3]]},
        "/page/search": {"text": "a person walks", "top": 2},
    }


def changed(body: Any, rng: random.Random) -> bytes:
    """A body with up to three changes of its values, and now and then of its bytes."""
    body = copy.deepcopy(body)
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        _change(body, rng)
    content = json.dumps(body).encode()
    return mutated(content, rng) if rng.random() < 0.15 else content


def _change(body: Any, rng: random.Random) -> None:
    place = body
    while True:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.25:
            break
        place = place[key]
    kind = rng.randrange(4)
    if kind == 0 and len(place) > 1:
        del place[key]
    elif kind == 1 and isinstance(place, list):
        place.extend([place[key]] * rng.choice([1, 30]))
    else:
        place[key] = copy.deepcopy(rng.choice(ODD))


def wrong_of(app: App, path: str, body: bytes) -> tuple[str, int]:
    """What an answer was that none may be, empty for nothing; and its status."""
    begun = time.process_time()
    try:
        status, content = app.ask(path, body)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}", 0
    if (seconds := time.process_time() - begun) > MOST_SECONDS:
        return f"takes {seconds:.0f} s", status
    if status >= 500:
        return content.decode()[:500], status
    if status >= 400 and "\n" in json.loads(content)["error"]["message"]:
        return f"more than a sentence: {content.decode()[:500]}", status
    return "", status


def attack(bundle: Bundle, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """How ``count`` requests were answered, by address and status, and what was wrong."""
    app, outcomes, wrong = App(bundle), Counter[str](), []
    bases = sound(app)
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        path = rng.choice(list(bases))
        body = changed(bases[path], rng)
        problem, status = wrong_of(app, path, body)
        outcomes[f"{path} {status}"] += 1
        if problem:
            wrong.append(f"{number}: {path} {body[:300]!r}: {problem}")
            print(json.dumps({"request": number, "path": path, "wrong": problem}), flush=True)
    app.close()
    return outcomes, wrong


def main() -> None:
    """Ask, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="lamp-mini")
    options = parser.parse_args()
    outcomes, wrong = attack(load_bundle(options.model, "cpu"), options.count, options.seed)
    print(
        json.dumps(
            {"requests": options.count, "wrong": len(wrong), "outcomes": dict(sorted(outcomes.items()))}
        )
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
