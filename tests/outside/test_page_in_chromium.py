"""The page of ``lamp serve`` in headless Chromium, by clicks, drags and keys, without a part in CI.

Without a ``chromium`` on the path nothing here runs. The browser is driven by its own DevTools protocol.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from lamp_cli.bundle.bundle import load_bundle
from tests.server.server_thread import serving

CHROMIUM = shutil.which("chromium")
KEYS = {"Tab": 9, "Enter": 13, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Browser:
    """One tab of a headless Chromium; what it logs and asks of others is kept in ``seen``."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.seen: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **known: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": known}))
        while True:
            said = json.loads(self._socket.recv(timeout=120))
            if said.get("id") == number:
                assert "error" not in said, said
                return said["result"]
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        known = said.get("params", {})
        if said.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.seen.append(json.dumps(known))
        if said.get("method") == "Network.requestWillBeSent":
            address = known["request"]["url"]
            if not address.startswith(("http://127.0.0.1:", "data:", "blob:")):
                self.seen.append(address)

    def value(self, code: str) -> Any:
        found = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, code: str) -> None:
        for _ in range(1200):
            if self.value(code):
                return
            time.sleep(0.1)
        raise AssertionError(f"never {code}")

    def mouse(self, kind: str, x: float, y: float) -> None:
        buttons = {"button": "left", "buttons": 0 if kind == "mouseReleased" else 1, "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **buttons)

    def drag(self, x: float, y: float, dx: float, dy: float) -> None:
        self.mouse("mousePressed", x, y)
        for share in (0.25, 0.5, 0.75, 1.0):
            self.mouse("mouseMoved", x + share * dx, y + share * dy)
        self.mouse("mouseReleased", x + dx, y + dy)

    def click(self, selector: str) -> None:
        here = f"document.querySelector({selector!r})"
        self.value(f"{here}.scrollIntoView({{ block: 'nearest' }})")
        x, y = self.value(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({here}.getBoundingClientRect())")
        self.drag(x, y, 0, 0)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            known = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            text = {"text": "\r"} if key == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **known, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def tab_to(self, name: str) -> None:
        """Go on with the tabulator to the element of an id or a text."""
        for _ in range(60):
            if name in self.value("[document.activeElement.id, document.activeElement.textContent]"):
                return
            self.press("Tab")
        raise AssertionError(f"the keyboard does not reach {name}")

    def done(self) -> str:
        """Wait for the answer; what the page says of it."""
        self.wait("!asking")
        assert not self.value("document.getElementById('status').classList.contains('wrong')"), self.value(
            "document.getElementById('status').textContent"
        )
        return self.value("document.getElementById('status').textContent")


@contextmanager
def browsing(url: str, folder: Path, width: int, height: int) -> Iterator[Browser]:
    """A tab that shows a page of this size."""
    from websockets.sync.client import connect

    words = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    words += [f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as chromium:
        try:
            port = folder / "DevToolsActivePort"
            for _ in range(600):
                if port.exists() and port.read_text().strip():
                    break
                time.sleep(0.1)
            with urlopen(f"http://127.0.0.1:{port.read_text().split()[0]}/json") as found:
                tab = next(each for each in json.load(found) if each["type"] == "page")
            with connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                browser = Browser(socket)
                browser.call(
                    "Emulation.setDeviceMetricsOverride",
                    width=width,
                    height=height,
                    deviceScaleFactor=1,
                    mobile=False,
                )
                browser.call("Page.navigate", url=url)
                browser.wait("document.getElementById('model')?.textContent === 'lamp-mini'")
                yield browser
        finally:
            chromium.terminate()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(load_bundle("lamp-mini", "cpu")) as address:
        yield address


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_desktop_and_its_mouse(url: str, tmp_path: Path) -> None:
    with browsing(url, tmp_path / "profile", 1280, 800) as page:
        page.click("#first")
        page.type("a person walks forward")
        page.value("document.getElementById('candidates').value = 1")
        page.click("#make")
        page.done()
        assert page.value("clips.length") == 2
        page.click("#redraw")
        page.done()
        page.click("#pose summary")
        page.value("setPlaying(false); frame = 30; 1")
        where = "(p => [p.x + canvas.getBoundingClientRect().left, p.y + canvas.getBoundingClientRect().top])"
        hand = "project(handlePlace(motions[chosen], 'Right hand'))"
        before = page.value("lookAt(chosen); handlePlace(motions[chosen], 'Right hand')")
        x, y = page.value(f"lookAt(chosen); {where}({hand})")
        page.drag(x, y, -20, -60)
        assert page.value("held") == "Right hand"
        raised = page.value("handlePlace(motions[chosen], 'Right hand')")
        assert raised[1] > before[1] + 0.1
        page.click("#apply-pose")
        page.done()
        page.value("setPlaying(false); frame = 30; 1")
        reached = page.value("handlePlace(motions[chosen], 'Right hand')")
        assert max(abs(a - b) for a, b in zip(reached, raised, strict=True)) < 0.02
        page.click("#path summary")
        page.click("#draw-path")
        time.sleep(0.3)
        x, y = page.value(f"lookAt(chosen); {where}(project([0, 0, 0]))")
        page.drag(x, y, 90, 40)
        assert page.value("path.length") >= 3
        page.click("#apply-path")
        page.done()
        picture = page.call("Page.captureScreenshot")["data"]
        (tmp_path / "desktop.png").write_bytes(base64.b64decode(picture))
        assert page.seen == []


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_a_phone_and_the_keyboard_alone(url: str, tmp_path: Path) -> None:
    with browsing(url, tmp_path / "profile", 390, 844) as page:
        page.tab_to("first")
        page.type("a person walks forward")
        page.tab_to("add")
        page.press("Enter")
        page.type("a person sits down")
        page.tab_to("candidates")
        page.type("1")
        page.tab_to("make")
        page.press("Enter")
        page.done()
        assert page.value("clips[0].spans.length") == 2
        page.tab_to("Set a keyframe")
        page.press("Enter")
        page.tab_to("Right hand")
        page.press("ArrowUp", 5)
        page.tab_to("apply-pose")
        page.press("Enter")
        page.done()
        page.tab_to("Walk along a path")
        page.press("Enter")
        page.tab_to("ready")
        page.press("ArrowDown")
        page.wait("path.length > 1")
        page.tab_to("apply-path")
        page.press("Enter")
        page.done()
        assert page.value("document.documentElement.scrollWidth") <= 390
        assert page.seen == []
