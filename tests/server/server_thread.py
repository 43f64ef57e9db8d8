"""A server in a thread of this process, on a free port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from lamp_cli.bundle.bundle import Bundle
from lamp_cli.server.app import ServeOptions, listening_socket, server_app
from lamp_cli.server.library import Library
from lamp_cli.server.worker import Worker


@contextmanager
def serving(
    bundle: Bundle, options: ServeOptions | None = None, library: Library | None = None
) -> Iterator[str]:
    """The address of a server that answers until the block ends."""
    worker = Worker()
    with listening_socket("127.0.0.1", 0) as listening:
        app = server_app(bundle, options or ServeOptions(), worker, library)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            worker.close()
