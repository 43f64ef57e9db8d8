"""Random calls, the short form of examples/bench/invocations.py; and that what it looks for is noticed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.bench import calls
from examples.bench.invocations import Call, Playground, attack, wrong_of


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_odd_calls_end_in_a_sentence(tmp_path: Path) -> None:
    outcomes, wrong = attack(tmp_path, 24, 7, ("check", "convert"))
    assert wrong == []
    assert sum(outcomes.values()) == 24 and {"check 2", "convert 2"} < set(outcomes)


def _leave(name: str) -> None:
    Path(name).write_text("x")


@pytest.mark.parametrize(
    ("act", "noticed"),
    [
        (lambda: sys.exit(3), "exit code 3"),
        (lambda: sys.exit(2), "exit code 2 without a word"),
        (lambda: 1 / 0, "raises: "),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "exit code -9"),
        (lambda: print("internal error, KeyError", file=sys.stderr), "internal error"),
        (lambda: print("not JSON"), "no JSON line"),
        (lambda: _leave(".lamp-abcd"), "left "),
        (lambda: _leave("../../sound/clips/take.bvh"), "changed "),
        (lambda: print("x: RuntimeWarning: y", file=sys.stderr), "Warning:"),
        (lambda: socket.create_connection(("192.0.2.1", 80)), "asks for the network: "),
        (lambda: socket.socket(socket.AF_INET), "asks for the network: "),
        (lambda: [None for _ in iter(int, 1)], "does not end"),
    ],
)
def test_what_no_call_may_do_is_noticed(
    act: Callable[[], object], noticed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MOST_SECONDS", 0.2)
    playground = Playground(tmp_path, trained=False)
    monkeypatch.setattr(calls, "lamp", lambda words: act())
    problem, _ = wrong_of(Call(["check"], b""), playground)
    playground.close()
    assert problem.startswith(noticed)
