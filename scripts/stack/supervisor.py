"""Starts parts in the order of their needs, side by side where possible, and waits until each is ready.

It knows nothing of particular parts. What it has started stays started when
another part fails: the caller decides what becomes of it.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from scripts.errors import PartFailed
from scripts.progress import Reporter
from scripts.stack import logs, processes
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import is_ready
from scripts.stack.record import PartRecord

_POLL_SECONDS = 0.05
LOG_END_LINES = 20
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "USER", "LOGNAME")


@dataclass(slots=True)
class Supervisor:
    """Starts ``parts`` (by name) in ``context``; ``remember`` is called from several threads with each started part."""

    parts: Mapping[str, Part]
    context: Context
    reporter: Reporter
    remember: Callable[[PartRecord], None]
    _is_stopping: threading.Event = field(default_factory=threading.Event)

    def bring_up(self, running: Mapping[str, PartRecord]) -> None:
        """Start what is not in ``running`` and wait for everything; raises the first failure after the rest settled."""
        sorter = TopologicalSorter({part.name: needs_within(part, self.parts) for part in self.parts.values()})
        sorter.prepare()
        pending: dict[Future[None], str] = {}
        failures: list[BaseException] = []
        with ThreadPoolExecutor(max_workers=max(1, len(self.parts)), thread_name_prefix="part") as pool:
            try:
                while sorter.is_active() and (pending or not failures):
                    for name in () if failures else sorter.get_ready():
                        pending[pool.submit(self._bring_up_one, self.parts[name], running.get(name))] = name
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        error = future.exception()
                        if error is not None:
                            failures.append(error)
                            self._is_stopping.set()
                        sorter.done(pending.pop(future))
            except BaseException:
                self._is_stopping.set()
                raise
        if failures:
            raise failures[0]

    def _bring_up_one(self, part: Part, running: PartRecord | None) -> None:
        with self.reporter.step(part.name):
            record = running or self._start(part)
            self._wait_until_ready(part, record)
            if part.finish is not None:
                part.finish(self.context)

    def _start(self, part: Part) -> PartRecord:
        if part.prepare is not None:
            part.prepare(self.context)
        log_file = self.context.home.log_file(part.name)
        offset = logs.begin(log_file)
        command = part.command(self.context)
        pid, started_at = processes.start(
            command.argv,
            environment=_environment(command, self.context),
            folder=self.context.home.root,
            log_file=log_file,
        )
        record = PartRecord(
            name=part.name,
            pid=pid,
            started_at=started_at,
            level=level_of(part, self.parts),
            probe=part.probe(self.context),
            log_offset=offset,
            stop_signal=int(part.stop_signal),
            grace_seconds=part.grace_seconds,
            address=part.address(self.context),
            fingerprint=fingerprint(command, self.context),
        )
        self.remember(record)
        return record

    def _wait_until_ready(self, part: Part, record: PartRecord) -> None:
        give_up_at = time.monotonic() + part.ready_within_seconds
        while not is_ready(record.probe):
            if processes.find(record.pid, record.started_at) is None:
                raise self._failure(record, "crashed")
            if time.monotonic() > give_up_at:
                raise self._failure(record, f"was not ready within {part.ready_within_seconds:.0f} s")
            if self._is_stopping.wait(_POLL_SECONDS):
                raise self._failure(record, "was still starting when another part failed")
            self.reporter.tick()

    def _failure(self, record: PartRecord, what: str) -> PartFailed:
        log_file = self.context.home.log_file(record.name)
        return PartFailed(
            record.name,
            what,
            log_end=logs.end_of(log_file, offset=record.log_offset, lines=LOG_END_LINES),
            next_step=f"the whole log is {log_file}; when the cause is gone, start the stack again",
        )


def needs_within(part: Part, parts: Mapping[str, Part]) -> set[str]:
    """The needs of ``part`` that are among ``parts``."""
    return {name for name in part.needs if name in parts}


def level_of(part: Part, parts: Mapping[str, Part]) -> int:
    """Depth in the graph of needs: 0 for a part that needs nothing."""
    return 1 + max((level_of(parts[name], parts) for name in needs_within(part, parts)), default=-1)


def fingerprint(command: Command, context: Context) -> str:
    """What makes a part this one: command line and settings. Other variables (how git logs in) may vary."""
    known = context.settings().keys()
    counted = {name: value for name, value in command.environment.items() if name in known or name.startswith("ADX_")}
    return hashlib.sha256(repr((command.argv, sorted(counted.items()))).encode()).hexdigest()


def _environment(command: Command, context: Context) -> dict[str, str]:
    inherited = (
        dict(os.environ)
        if command.inherits_environment
        else {name: os.environ[name] for name in _INHERITED if name in os.environ}
    )
    return {**inherited, **command.environment, processes.HOME_VARIABLE: str(context.home.root)}
