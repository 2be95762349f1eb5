"""The processes of this machine, which come and go while they are looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import psutil


def found(
    matches: Callable[[psutil.Process], bool], among: Iterable[psutil.Process] | None = None
) -> list[psutil.Process]:
    """Those that ``matches`` says yes to, of ``among`` or of all; whoever ends, or is private, meanwhile is none."""
    kept = []
    for process in psutil.process_iter() if among is None else among:
        with contextlib.suppress(psutil.Error):
            if matches(process):
                kept.append(process)
    return kept
