"""Fixtures that every test may use live in plugins; this file only names them."""

from __future__ import annotations

import signal

pytest_plugins = ("tests.support.local_stack",)


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a shell that starts the tests in the background has it ignored, by all."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
