"""Ends recorded parts, from those that need others down to those that need nothing."""

from __future__ import annotations

import signal
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from scripts.stack import processes
from scripts.stack.home import Home
from scripts.stack.record import PartRecord, Record


def end_parts(known: Record, names: Collection[str], home: Home) -> list[str]:
    """End the recorded parts ``names`` with all that they started, and take them out of ``known``; returns their names.

    A process that merely has a recorded pid is left alone: pid and start time must both match.
    """
    ending = sorted((known.parts[name] for name in names if name in known.parts), key=_level, reverse=True)
    for _, level in groupby(ending, key=_level):
        same_level = list(level)
        with ThreadPoolExecutor(max_workers=len(same_level)) as pool:
            list(pool.map(lambda part: _end(part, home), same_level))
    for part in ending:
        del known.parts[part.name]
    return [part.name for part in ending]


def _level(part: PartRecord) -> int:
    return part.level


def _end(part: PartRecord, home: Home) -> None:
    family = processes.offspring(part.pid, part.started_at, home.root)
    process = processes.find(part.pid, part.started_at)
    if process is not None:
        processes.end(process, signal.Signals(part.stop_signal), part.grace_seconds, family)
    processes.kill([*family, *processes.offspring(part.pid, part.started_at, home.root)])
