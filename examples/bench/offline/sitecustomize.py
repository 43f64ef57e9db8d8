"""No network, for every Python process whose ``PYTHONPATH`` begins with this folder.

A process that makes a socket, or looks for another machine, ends at once with exit code 125 and the stack
on stderr: an exception could be caught by a library that goes on without the network. ``lamp serve`` may make
sockets to listen on. Imports nothing but Python's own library, before everything else.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback

NETWORK = 125
SEARCHES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "create_connection")
_MAKE = socket.socket


class NoSocket(_MAKE):
    """A socket that is not made, and is still a class to inherit from, as ``ssl`` does."""

    def __init__(self, *given: object, **named: object):
        end(*given, **named)


def end(*given: object, **named: object) -> None:
    """End the process, saying who asked for the network."""
    traceback.print_stack(limit=12)
    print(f"asks for the network: {given} {named}", file=sys.stderr, flush=True)
    os._exit(NETWORK)


def forbid_network(listening: bool) -> None:
    """From here on nobody makes a socket, unless ``listening``, or connects or looks for a machine."""
    for name in SEARCHES:
        setattr(socket, name, end)
    if not listening:
        socket.socket = NoSocket  # type: ignore[misc]
        return
    for name in ("connect", "connect_ex", "sendto"):
        setattr(_MAKE, name, end)


if __name__ == "sitecustomize":
    forbid_network("serve" in sys.orig_argv)
