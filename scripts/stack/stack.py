"""The local stack of one home: up, down, status, logs and the settings that lead to it.

``up`` starts what is down and leaves alone what runs; ``down`` ends what the
record names and nothing else. Worker and receiver are not known here: callers
pass them as extra parts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock, Timeout

from scripts.errors import StackError
from scripts.progress import Reporter, Silent
from scripts.stack import logs, processes, record
from scripts.stack.contexts import write_kubeconfig_of_context
from scripts.stack.ending import end_parts
from scripts.stack.files import write_private
from scripts.stack.home import Home
from scripts.stack.part import Context, Part
from scripts.stack.probes import is_ready
from scripts.stack.record import PartRecord, Record
from scripts.stack.selection import KUBERNETES_PARTS, assign_ports, changed_parts, dependants, optional_in_use, select
from scripts.stack.settings import ensure_secrets, settings
from scripts.stack.supervisor import LOG_END_LINES, Supervisor
from scripts.toolchain import Toolchain

_PATIENCE_SECONDS = 1.0

State = Literal["ready", "not ready", "crashed"]


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part: ``started_at`` in seconds since the epoch; ``log_end`` only for a part that crashed."""

    name: str
    state: State
    pid: int
    started_at: float
    address: str
    log_file: Path
    log_end: str = ""


@dataclass(slots=True)
class Stack:
    """The stack in ``home``; ``extra`` parts are started after the built-in ones that they need."""

    home: Path
    extra: Sequence[Part] = ()
    toolchain: Toolchain = field(default_factory=Toolchain)
    reporter: Reporter = field(default_factory=Silent)
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def up(
        self,
        parts: Iterable[str] | None = None,
        *,
        with_parts: Iterable[str] = (),
        context: str | None = None,
        kubeconfig: Path | None = None,
    ) -> list[PartStatus]:
        """Start what is down of ``parts`` (default: all but the optional ones) and ``with_parts``.

        ``context`` names a context of the user's own ``kubeconfig`` (default: $KUBECONFIG, ~/.kube/config) to be
        used instead of the local control plane, until ``down``. Raises PartFailed, StackError or ToolchainError.
        """
        self._home.create()
        with self._locked():
            ensure_secrets(self._home)
            known = record.load(self._home)
            self._choose_context(known, context, kubeconfig)
            chosen = select(parts, with_parts, extra=self.extra, known=known)
            if parts is None:
                known.toolchain_path = str(self.toolchain.bin_folder())
            tools = {name: self.toolchain.resolve(name).path for part in chosen.values() for name in part.tools}
            supervisor = self._supervisor(known, chosen, tools)
            self._prepare_record(known, chosen, supervisor.context)
            supervisor.bring_up(dict(known.parts))
        return self.status()

    def down(self, parts: Iterable[str] | None = None) -> list[str]:
        """End what runs (or only ``parts``), all that it started included; returns the names of what was ended."""
        if not self._home.record_file.exists():
            return []
        with self._locked():
            known = record.load(self._home)
            names = set(known.parts) if parts is None else set(parts) & set(known.parts)
            ended = end_parts(known, names, self._home)
            known.optional = optional_in_use(known, {})
            known.context = known.context if known.parts else ""
            record.save(self._home, known)
        return ended

    def status(self) -> list[PartStatus]:
        """Every part that was started and not ended, in the order of starting."""
        started = sorted(record.load(self._home).parts.values(), key=lambda part: (part.level, part.name))
        with ThreadPoolExecutor(max_workers=max(1, len(started))) as pool:
            return list(pool.map(self._status_of, started))

    def logs(self, name: str, *, lines: int | None = None) -> str:
        """The log of ``name``, or its last ``lines`` lines; StackError when there is none."""
        return logs.end_of(self.log_file(name), lines=lines)

    def log_file(self, name: str) -> Path:
        """The file that ``name`` logs to, for following it; StackError when there is none."""
        path = self._home.log_file(name)
        known = sorted(file.stem for file in path.parent.glob("*.log"))
        if name not in known:
            raise StackError(f"no part called {name!r} has a log", next_step=f"choose one of: {', '.join(known)}")
        return path

    def environment(self) -> dict[str, str]:
        """The settings that lead to this stack, secrets among them (see settings.py). Meaningful after ``up``."""
        return settings(self._home, record.load(self._home))

    def write_environment(self, more: Mapping[str, str] | None = None) -> Path:
        """Write the settings and ``more`` to ``<home>/env.json``, mode 0600."""
        write_private(
            self._home.environment_file,
            msgspec.json.format(msgspec.json.encode({**self.environment(), **(more or {})}), indent=2),
        )
        return self._home.environment_file

    def port(self, part: str, name: str) -> int:
        """A port that was chosen for ``part``; StackError before it was ever started."""
        known = record.load(self._home).ports
        if f"{part}.{name}" not in known:
            raise StackError(f"{part} has no port {name!r} yet", next_step=f"start {part} first")
        return known[f"{part}.{name}"]

    def leftovers(self) -> list[int]:
        """Pids of living processes that were started for this home, whether recorded or not."""
        return [process.pid for process in processes.of_home(self._home.root)]

    @property
    def _home(self) -> Home:
        return Home(self.home.expanduser().absolute())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One caller at a time starts or ends parts; says so when it has to wait for another one."""
        lock = FileLock(self._home.lock_file)
        try:
            lock.acquire(timeout=_PATIENCE_SECONDS)
        except Timeout:
            self.reporter.note(f"waiting: another process starts or ends parts of {self._home.root}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _choose_context(self, known: Record, context: str | None, kubeconfig: Path | None) -> None:
        if context is None:
            return
        if any(name in known.parts for name in KUBERNETES_PARTS) or known.context not in {"", context}:
            raise StackError(
                f"this stack already uses {known.context or 'its local control plane'}, not the context {context!r}",
                next_step="end it first (`adx down`), or use another home (ADX_HOME)",
            )
        write_kubeconfig_of_context(context, kubeconfig, self._home.kubeconfig)
        known.context = context

    def _prepare_record(self, known: Record, chosen: Mapping[str, Part], context: Context) -> None:
        """Forget what crashed, choose ports, end what must be started anew: its needs moved or its settings changed."""
        crashed = {part.name for part in known.parts.values() if processes.find(part.pid, part.started_at) is None}
        end_parts(known, crashed, self._home)
        while moved := assign_ports(known, chosen):
            end_parts(known, dependants(moved, chosen), self._home)
        known.optional = optional_in_use(known, chosen)
        changed = changed_parts(known, chosen, context)
        end_parts(known, changed | dependants(changed, chosen), self._home)
        record.save(self._home, known)

    def _supervisor(self, known: Record, chosen: Mapping[str, Part], tools: Mapping[str, Path]) -> Supervisor:
        def remember(part: PartRecord) -> None:
            with self._writing:
                known.parts[part.name] = part
                record.save(self._home, known)

        context = Context(
            home=self._home,
            port=lambda part, name: known.ports[f"{part}.{name}"],
            tool=lambda name: tools[name],
            settings=lambda: settings(self._home, known),
        )
        return Supervisor(chosen, context, self.reporter, remember)

    def _status_of(self, part: PartRecord) -> PartStatus:
        log_file = self._home.log_file(part.name)
        state: State = "crashed"
        if processes.find(part.pid, part.started_at) is not None:
            state = "ready" if is_ready(part.probe) else "not ready"
        end = logs.end_of(log_file, offset=part.log_offset, lines=LOG_END_LINES) if state == "crashed" else ""
        return PartStatus(part.name, state, part.pid, part.started_at, part.address, log_file, end)
