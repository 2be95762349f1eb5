"""Waiting for a real server to reach a state, without guessing how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

_Read = TypeVar("_Read")
_POLL_SECONDS = 0.1


def wait_until(read: Callable[[], _Read], is_reached: Callable[[_Read], bool], *, timeout_seconds: float = 60) -> _Read:
    """Read until the condition holds and return what was read; fails the test with the last reading otherwise."""
    give_up_at = time.monotonic() + timeout_seconds
    while not is_reached(found := read()):
        if time.monotonic() > give_up_at:
            pytest.fail(f"not reached within {timeout_seconds} s: {found}")
        time.sleep(_POLL_SECONDS)
    return found
