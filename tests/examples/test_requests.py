"""Random requests, the short form of examples/bench/requests.py; and that what it looks for is noticed."""

from __future__ import annotations

import pytest

pytest.importorskip("motionmcp")

from examples.bench.requests import attack, wrong_of
from lamp_cli.bundle.bundle import load_bundle


def test_odd_requests_get_a_sentence() -> None:
    outcomes, wrong = attack(load_bundle("lamp-mini", "cpu"), 16, 3)
    assert wrong == []
    assert sum(outcomes.values()) == 16
    assert {"200", "422"} <= {status for _, status in map(str.split, outcomes)}


class _Answering:
    def __init__(self, status: int, content: bytes):
        self._answer = status, content

    def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        if not self._answer[0]:
            raise RuntimeError("out of order")
        return self._answer


@pytest.mark.parametrize(
    ("status", "content", "noticed"),
    [
        (500, b"internal", "internal"),
        (422, b'{"error": {"message": "two\\nlines"}}', "more than a sentence"),
        (422, b'{"error": {"message": "one"}}', ""),
        (0, b"", "raises RuntimeError: out of order"),
    ],
)
def test_what_no_answer_may_be_is_noticed(status: int, content: bytes, noticed: str) -> None:
    problem, _ = wrong_of(_Answering(status, content), "/generate", b"{}")  # type: ignore[arg-type]
    assert problem.startswith(noticed) and bool(problem) == bool(noticed)
