"""Where a server may listen without asking who calls, and how it learns that it is to end."""

from __future__ import annotations

import asyncio
import signal

LOOPBACK = ("127.0.0.1", "[::1]", "localhost", "")


def is_loopback(listen: str) -> bool:
    """Whether only this machine reaches ``host:port``, ``:port`` or ``port``."""
    return listen.rpartition(":")[0] in LOOPBACK


def stopped() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event
