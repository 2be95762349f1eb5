"""Preview, up, refresh, export, import and repair of one stack.

Drives the ``pulumi`` CLI, one process per operation, from an event loop. The
only interface of this package that others use; it never decides *whether*
something may be applied.

Never ``--target``, never without checkpoints, never past a living owner's lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from tempfile import NamedTemporaryFile

import msgspec

from infra.engine import locks, process, repair, state, workspace
from infra.engine.events import Recorder, decode
from infra.engine.plan import Applied, Plan, Progress, Repaired, applied_of
from infra.engine.secrecy import Scrubber, scrubber_for
from infra.engine.settings import EngineSettings
from infra.errors import DamagedState, Diagnostic, EngineError, LockOwner, PulumiFailed, PulumiInterrupted, StackLocked
from policies.desired_state import DesiredState
from policies.placement import environment_of

OnEvent = Callable[[Progress], None]
STACK_NOT_FOUND, CANCELLED = 6, 8
COMMON = ("--non-interactive", "--color", "never")
UNATTENDED = ("--yes", "--skip-preview")


class Engine:
    """One stack. Operations of one engine must not overlap, those of several may."""

    def __init__(self, settings: EngineSettings, stack: str) -> None:
        """``stack`` is an environment's own, or one of its cells (see ``policies.placement``)."""
        self._settings = settings
        self._stack = stack

    async def preview(self, desired: DesiredState, *, refresh: bool = False, on_event: OnEvent | None = None) -> Plan:
        """What an ``up`` to ``desired`` would do now; ``refresh`` compares with the cluster instead of the state.

        Raises PulumiFailed, PulumiInterrupted, DamagedState, ToolMissing, PassphraseMissing.
        """
        recorder = await self._run_program("preview", [], desired, refresh, on_event)
        return recorder.plan()

    async def up(
        self,
        desired: DesiredState,
        *,
        refresh: bool = False,
        continue_on_error: bool = False,
        on_event: OnEvent | None = None,
    ) -> Applied:
        """Make the cluster what ``desired`` says; returns when it took the objects, not when pods are ready.

        With ``continue_on_error`` what does not depend on a failed object is
        applied all the same; the operation fails at its end. Raises StackLocked
        and everything that ``preview`` raises.
        """
        self._require_unlocked()
        flags = [*UNATTENDED, *(["--continue-on-error"] if continue_on_error else [])]
        recorder = await self._run_program("up", flags, desired, refresh, on_event)
        return await self._applied(recorder)

    async def refresh(self, *, on_event: OnEvent | None = None) -> Applied:
        """Read every object anew into the state, changing nothing in the cluster; raises as ``up``."""
        self._require_unlocked()
        return await self._applied(await self._operate("refresh", UNATTENDED, on_event))

    async def destroy(self, *, on_event: OnEvent | None = None) -> Applied:
        """Remove every object of the stack from the cluster; raises as ``up``."""
        self._require_unlocked()
        return await self._applied(await self._operate("destroy", UNATTENDED, on_event))

    async def export_state(self) -> bytes:
        """The stack's state as ``pulumi stack export`` gives it, secrets encrypted; a new stack is created empty.

        Raises DamagedState.
        """
        stored = state.stored_path(self._settings, self._stack)
        if stored is not None:
            return state.export_stored(stored)
        lines: list[bytes] = []
        outcome = await self._pulumi_on_stack(["stack", "export", "--stack", self._stack], lines.append)
        self._raise_unless_successful("export", outcome, ())
        return b"".join(lines)

    async def state_if_any(self) -> bytes | None:
        """As ``export_state``; None for a stack that is known to be new, which stays uncreated. Raises DamagedState."""
        return None if self._is_known_to_be_new() else await self.export_state()

    async def delivered(self) -> state.Delivered:
        """What was applied last, as the stack itself says; empty for a new stack. Raises DamagedState."""
        export = await self.state_if_any()
        return state.delivered(export) if export is not None else state.Delivered()

    def is_busy(self) -> bool:
        """Whether a living process holds the stack's lock (file backends only; others answer for themselves)."""
        return any(
            lock.owner is None or not locks.is_proven_dead(lock.owner)
            for lock in locks.locks(self._settings, self._stack)
        )

    async def import_state(self, export: bytes) -> None:
        """Replace the state, also a damaged one. Only for damage: infrastructure goes back by re-applying inputs.

        Raises DamagedState when ``export`` itself is damaged, StackLocked.
        """
        state.parse(export)
        self._require_unlocked()
        self._set_damaged_state_aside()
        folder = workspace.prepare(self._settings, self._stack).folder
        with NamedTemporaryFile(dir=folder, prefix="import-", suffix=".json") as file:
            file.write(export)
            file.flush()
            arguments = ["stack", "import", "--stack", self._stack, "--file", file.name]
            outcome = await self._pulumi_on_stack(arguments, ignore_line)
        self._raise_unless_successful("import", outcome, ())

    async def pending_operations(self) -> int:
        """How many operations a crash left under way; raises DamagedState."""
        return len((await self._deployment()).pending_operations)

    async def repair(self, *, on_event: OnEvent | None = None) -> Repaired:
        """Settle what a crash left under way, so that the state tells the truth again; harmless when there is nothing.

        Raises StackLocked, DamagedState, PulumiFailed.
        """
        self._require_unlocked()
        before = await self._deployment()
        if not before.pending_operations:
            return Repaired(pending=0)
        await self.import_state(repair.settle(await self.export_state()))
        await self.refresh(on_event=on_event)
        return repair.outcome(before, await self._deployment())

    async def cancel_lock(self, *, owner_is_dead: bool = False) -> tuple[LockOwner | None, ...]:
        """Release locks of owners proven dead; with ``owner_is_dead`` the caller has that proof for all of them.

        Returns the owners (None: unreadable) that still hold the stack.
        """
        remaining = locks.release_dead_locks(self._settings, self._stack)
        if not owner_is_dead:
            return tuple(lock.owner for lock in remaining)
        arguments = ["cancel", "--yes", "--stack", self._stack]
        self._raise_unless_successful("cancel", await self._pulumi(arguments, ignore_line), ())
        return ()

    async def _run_program(
        self, operation: str, flags: Sequence[str], desired: DesiredState, refresh: bool, on_event: OnEvent | None
    ) -> Recorder:
        if desired.environment != environment_of(self._stack):
            raise EngineError(f"the desired state is of {desired.environment!r}, the stack is {self._stack!r}")
        place = workspace.prepare(self._settings, self._stack)
        async with AsyncExitStack() as stack:
            inputs = stack.enter_context(place.inputs(desired))
            environment = workspace.process_environment(self._settings) | {"ADX_STACK_INPUTS": str(inputs)}
            client = await stack.enter_async_context(process.program_host(place.folder, environment))
            arguments = [*flags, "--client", client, *(["--refresh"] if refresh else [])]
            return await self._operate(operation, arguments, on_event)

    async def _operate(self, operation: str, flags: Sequence[str], on_event: OnEvent | None) -> Recorder:
        scrubber = scrubber_for(self._settings)
        await self._require_healthy_state()
        recorder = Recorder(is_refresh=operation == "refresh")
        arguments = [operation, *flags, "--json", "--stack", self._stack, "--parallel", str(self._settings.parallel)]
        on_line = listener(recorder, scrubber, on_event)
        outcome = await self._pulumi_on_stack(arguments, on_line)
        self._raise_unless_successful(operation, outcome, recorder.diagnostics())
        return recorder

    async def _pulumi_on_stack(self, arguments: Sequence[str], on_line: process.OnLine) -> process.Outcome:
        """Run pulumi; create the stack first when it does not exist."""
        if self._is_known_to_be_new():
            await self._create_stack()
        outcome = await self._pulumi(arguments, on_line)
        if outcome.exit_code == STACK_NOT_FOUND:
            await self._create_stack()
            outcome = await self._pulumi(arguments, on_line)
        return outcome

    async def _create_stack(self) -> None:
        arguments = ["stack", "init", self._stack, "--no-select", "--secrets-provider", self._settings.secrets_provider]
        outcome = await self._pulumi(arguments, ignore_line)
        if self._is_known_to_be_new() or locks.backend_folder(self._settings) is None:
            self._raise_unless_successful("stack init", outcome, ())

    async def _pulumi(self, arguments: Sequence[str], on_line: process.OnLine) -> process.Outcome:
        scrubber_for(self._settings)
        place = workspace.prepare(self._settings, self._stack)
        return await process.run(
            [*arguments, *COMMON],
            folder=place.folder,
            environment=workspace.process_environment(self._settings),
            on_line=on_line,
            grace_seconds=self._settings.interrupt_grace_seconds,
        )

    def _is_known_to_be_new(self) -> bool:
        root = locks.backend_folder(self._settings)
        if root is not None:
            root.mkdir(parents=True, exist_ok=True)
        return root is not None and state.stored_path(self._settings, self._stack) is None

    def _require_unlocked(self) -> None:
        remaining = locks.release_dead_locks(self._settings, self._stack)
        if remaining:
            raise StackLocked(self._stack, tuple(lock.owner for lock in remaining if lock.owner is not None))
        state.drop_cut_attributes(self._settings, self._stack)

    async def _require_healthy_state(self) -> None:
        if state.stored_path(self._settings, self._stack) is not None:
            await self._deployment()

    async def _deployment(self) -> state.Deployment:
        if self._is_known_to_be_new():
            return state.Deployment()
        return state.parse(await self.export_state())

    def _set_damaged_state_aside(self) -> None:
        """pulumi refuses to replace a state that it cannot read; the damaged file is kept for a person to look at."""
        stored = state.stored_path(self._settings, self._stack)
        if stored is None:
            return
        try:
            state.parse(state.export_stored(stored))
        except DamagedState:
            digest = hashlib.sha256(stored.read_bytes()).hexdigest()[:12]
            stored.replace(workspace.prepare(self._settings, self._stack).folder / f"damaged-{digest}{stored.suffix}")

    async def _applied(self, recorder: Recorder) -> Applied:
        digest = hashlib.sha256(await self.export_state()).hexdigest()
        seconds = recorder.summary.duration_seconds if recorder.summary else 0.0
        return applied_of(recorder.plan(), seconds, digest)

    def _raise_unless_successful(
        self, operation: str, outcome: process.Outcome, diagnostics: tuple[Diagnostic, ...]
    ) -> None:
        if outcome.exit_code == 0:
            return
        if outcome.exit_code < 0 or outcome.exit_code == CANCELLED:
            raise PulumiInterrupted(
                f"pulumi {operation} of {self._stack} was interrupted",
                next_step="what it had under way is repaired before the next apply",
            )
        scrubber = scrubber_for(self._settings)
        told = diagnostics or (Diagnostic(urn="", severity="error", message=outcome.said),)
        scrubbed = (Diagnostic(urn=d.urn, severity=d.severity, message=scrubber.scrub(d.message)) for d in told)
        raise PulumiFailed(operation, self._stack, tuple(scrubbed))


def listener(recorder: Recorder, scrubber: Scrubber, on_event: OnEvent | None) -> process.OnLine:
    """Feeds the event stream to the recorder and tells ``on_event`` what it makes of it."""

    def on_line(line: bytes) -> None:
        event = decode(line)
        progress = recorder.record(event) if event is not None else None
        if progress is not None and on_event is not None:
            on_event(msgspec.structs.replace(progress, message=scrubber.scrub(progress.message)))

    return on_line


def ignore_line(line: bytes) -> None:
    """For operations whose output nobody needs."""
    del line
