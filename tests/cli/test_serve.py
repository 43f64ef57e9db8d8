"""``lamp serve`` as the shell calls it: where it listens, what it asks for, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.command_line import imported_by, lamp


def test_it_says_where_it_listens_asks_for_a_token_and_ends_when_interrupted() -> None:
    command = [sys.executable, "-m", "lamp_cli", "serve", "--host", "0.0.0.0", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stderr is not None
        said = json.loads(server.stdout.readline())
        assert said["model"] == "lamp-mini" and len(said["token"]) > 20
        here = said["url"].replace("0.0.0.0", "127.0.0.1")
        with pytest.raises(HTTPError, match="401"):
            urlopen(f"{here}/capabilities", timeout=60)
        asking = Request(f"{here}/capabilities", headers={"Authorization": f"Bearer {said['token']}"})
        with urlopen(asking, timeout=60) as found:
            assert json.load(found)["models"][0]["id"] == "lamp-mini"
        server.send_signal(signal.SIGINT)
        assert server.wait(60) in (0, 130)
        assert "Traceback" not in server.stderr.read()


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = lamp("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert done.stderr.startswith("lamp: 127.0.0.1, port") and "in use" in done.stderr


def test_an_empty_token_is_refused() -> None:
    done = lamp("serve", "--token", " ")
    assert (done.returncode, done.stderr) == (2, "lamp: --token: expected some characters, found none\n")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "lamp_cli.server.app", raising=False)
    done = lamp("serve")
    assert done.returncode == 2
    assert "pip install 'lamp-cli[serve]'" in done.stderr


def test_the_web_is_imported_by_this_command_alone() -> None:
    found, _ = imported_by(
        "import lamp_cli.cli.generate, lamp_cli.notebook", "fastapi", "motionmcp", "uvicorn"
    )
    assert found == []
