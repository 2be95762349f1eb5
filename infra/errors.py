"""What can go wrong between a desired state and the cluster, as types.

::

    AdxError
    └── InfraError                  anything this package raises
        ├── NameInvalid             a rendered object would have a name Kubernetes refuses
        ├── ComponentFailed         a component that is not ours failed, or renders what it must not
        ├── StackInputsInvalid      the desired state handed to the program cannot be read
        └── EngineError             an operation of the engine did not succeed
            ├── ToolMissing         pulumi or one of its plugins is not on the path
            ├── PassphraseMissing   no usable passphrase is configured
            ├── StackLocked         another operation holds the stack
            ├── DamagedState        the stored state cannot be read
            ├── PulumiFailed        the operation ran and failed
            └── PulumiInterrupted   the operation was killed or interrupted

No error here carries output that was not scrubbed of secrets first.
"""

from __future__ import annotations

from datetime import datetime

from policies.errors import AdxError
from policies.spec import Spec


class InfraError(AdxError):
    """Anything that this package raises on purpose."""


class NameInvalid(InfraError):
    """A rendered object would have a name that Kubernetes refuses (over 63 characters, or not a DNS label)."""


class ComponentFailed(InfraError):
    """A component of an installed package failed, or rendered what does not fit beside ours."""


class StackInputsInvalid(InfraError):
    """The desired state that was handed to the Pulumi program cannot be read."""


class EngineError(InfraError):
    """An operation of the engine did not succeed."""


class ToolMissing(EngineError):
    """pulumi or one of its plugins is not where it was looked for."""


class PassphraseMissing(EngineError):
    """No passphrase is configured, or it is empty; state is never written without one."""


class LockOwner(Spec):
    """Who holds a stack, as the lock file says. ``process_id`` counts only on ``host``."""

    process_id: int
    host: str
    user: str
    since: datetime


class StackLocked(EngineError):
    """Another operation holds the stack; ``owners`` says which."""

    def __init__(self, stack: str, owners: tuple[LockOwner, ...]) -> None:
        holders = ", ".join(f"process {o.process_id} on {o.host} since {o.since.isoformat()}" for o in owners)
        super().__init__(
            f"stack {stack} is locked by {holders or 'an owner that cannot be read'}",
            next_step="wait for that operation to end; a lock is cancelled only once its owner is proven dead",
        )
        self.owners = owners


class DamagedState(EngineError):
    """The stored state of the stack is truncated, altered or not a Pulumi state."""


class Diagnostic(Spec):
    """One message of the engine. ``urn`` is empty when it concerns the whole operation."""

    urn: str
    severity: str
    message: str


class PulumiFailed(EngineError):
    """The operation ran and failed; ``diagnostics`` are the messages of the resources that failed, scrubbed."""

    def __init__(self, operation: str, stack: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        reasons = "\n".join(f"- {resource_name(d.urn)}{d.message.strip()}" for d in diagnostics)
        super().__init__(
            f"pulumi {operation} of {stack} failed" + (f":\n{reasons}" if reasons else ""),
            next_step="correct the declaration named above, or see whether the cluster can be reached",
        )
        self.operation = operation
        self.diagnostics = diagnostics


class PulumiInterrupted(EngineError):
    """The operation was killed or interrupted; what it had under way is left as pending operations."""


def resource_name(urn: str) -> str:
    """``name: `` of the resource ``urn``, or nothing where there is no resource."""
    return f"{urn.rsplit('::', 1)[-1]}: " if urn else ""
