"""Pulumi's event stream (one JSON document a line) → plan, progress and diagnostics. Pure.

Only the fields that are used are decoded; events of kinds that are not known
are ignored, since newer engines add some.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from infra.engine.differences import field_changes
from infra.engine.plan import Action, Plan, Progress, ResourceChange, plan_of
from infra.errors import Diagnostic

ACTIONS: dict[str, Action] = {
    "create": "create",
    "import": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "delete": "delete",
}
UNIT_KINDS = ("service", "tenant")
COMPONENT_LABEL = "app.kubernetes.io/component"


class ResourceState(msgspec.Struct):
    """One side of a change."""

    inputs: dict[str, Any] = {}


class Metadata(msgspec.Struct):
    """The step that an event is about."""

    op: str
    urn: str
    type: str
    old: ResourceState | None = None
    new: ResourceState | None = None
    keys: list[str] | None = None


class Step(msgspec.Struct):
    """A step began, ended or failed."""

    metadata: Metadata


class Message(msgspec.Struct):
    """Something that the engine, the provider or the program said."""

    message: str
    severity: str
    urn: str = ""


class Summary(msgspec.Struct, rename="camel"):
    """The end of an operation that ran."""

    duration_seconds: float
    resource_changes: dict[str, int] = {}


class Event(msgspec.Struct, rename="camel"):
    """One line of the stream; exactly one field is set, or none for a kind that is not used here."""

    resource_pre_event: Step | None = None
    res_outputs_event: Step | None = None
    res_op_failed_event: Step | None = None
    diagnostic_event: Message | None = None
    summary_event: Summary | None = None


DECODER = msgspec.json.Decoder(Event)


def decode(line: bytes) -> Event | None:
    """The event on this line; None when the line is something else (a program may print what it likes)."""
    if not line.startswith(b"{"):
        return None
    try:
        return DECODER.decode(line)
    except msgspec.DecodeError:
        return None


def unit_of(urn: str) -> str:
    """The id of the unit that a resource belongs to: ``…::service/cart/cart`` → ``service/cart``."""
    parts = urn.rsplit("::", 1)[-1].split("/")
    if parts[0] == "platform":
        return "platform"
    return "/".join(parts[:2]) if parts[0] in UNIT_KINDS and len(parts) > 1 else ""


def name_of(urn: str) -> str:
    """The name of a resource, as the program gave it."""
    return urn.rsplit("::", 1)[-1]


def changes_of(steps: Iterable[Metadata]) -> tuple[ResourceChange, ...]:
    """One change per resource; the steps of a replacement are told as one."""
    by_urn: dict[str, ResourceChange] = {}
    for step in steps:
        action = ACTIONS.get(step.op)
        known = by_urn.get(step.urn)
        if action is None or (known is not None and (known.action == "replace" and known.fields)):
            continue
        by_urn[step.urn] = _change_of(step, action)
    return tuple(by_urn.values())


def _change_of(step: Metadata, action: Action) -> ResourceChange:
    metadata = _object_metadata(step)
    return ResourceChange(
        urn=step.urn,
        type=step.type,
        name=name_of(step.urn),
        action=action,
        unit=unit_of(step.urn),
        fields=fields_of(step, action),
        component=str((metadata.get("labels") or {}).get(COMPONENT_LABEL, "")),
        namespace=str(metadata.get("namespace") or ""),
        replaced_because=tuple(sorted(step.keys or ())) if action == "replace" else (),
    )


def _object_metadata(step: Metadata) -> dict[str, Any]:
    """The Kubernetes metadata of the object as it would be, or as it was when it goes."""
    state = step.new or step.old
    metadata = state.inputs.get("metadata") if state is not None else None
    return metadata if isinstance(metadata, dict) else {}


def fields_of(step: Metadata, action: Action) -> tuple[Any, ...]:
    """The inputs that differ; a new or removed resource has none, it differs as a whole."""
    if action not in ("update", "replace") or step.old is None or step.new is None:
        return ()
    return field_changes(step.old.inputs, step.new.inputs)


class Recorder:
    """Collects what matters of one operation's stream while it runs."""

    def __init__(self, *, is_refresh: bool = False) -> None:
        self._is_refresh = is_refresh
        self.steps: list[Metadata] = []
        self.same = 0
        self.messages: list[Message] = []
        self.summary: Summary | None = None

    def record(self, event: Event) -> Progress | None:
        """Take one event in; the progress to tell, if it is worth telling."""
        if event.summary_event is not None:
            self.summary = event.summary_event
        if event.diagnostic_event is not None:
            return self._message(event.diagnostic_event)
        if event.resource_pre_event is not None:
            return self._started(event.resource_pre_event.metadata)
        if event.res_outputs_event is not None:
            return self._done(event.res_outputs_event.metadata)
        if event.res_op_failed_event is not None:
            return progress("failed", event.res_op_failed_event.metadata)
        return None

    def _message(self, message: Message) -> Progress | None:
        if message.severity != "error" and not (message.severity == "warning" and message.urn):
            return None  # warnings about no resource are about plugins and the CLI itself
        self.messages.append(message)
        urn = message.urn
        return Progress(
            state="message", action=message.severity, urn=urn, name=name_of(urn), unit=unit_of(urn),
            message=message.message.strip(),
        )  # fmt: skip

    def _started(self, step: Metadata) -> Progress | None:
        if self._is_refresh:
            return None  # what became of an object is known only when it was read
        self._count(step)
        return progress("started", step)

    def _done(self, step: Metadata) -> Progress | None:
        if self._is_refresh:
            self._count(step)
        return progress("done", step)

    def _count(self, step: Metadata) -> None:
        if step.op == "same":
            self.same += 1
        else:
            self.steps.append(step)

    def plan(self) -> Plan:
        """What the stream said would be, or was, done."""
        return plan_of(changes_of(self.steps), self.same)

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The errors, each once; those about a resource win over ``update failed``."""
        errors = [message for message in self.messages if message.severity == "error"]
        about_resources = [message for message in errors if message.urn]
        unique = {(message.urn, message.message): message for message in about_resources or errors}
        return tuple(Diagnostic(urn=m.urn, severity=m.severity, message=m.message) for m in unique.values())


def progress(state: Any, step: Metadata) -> Progress | None:
    """Progress of one resource; nothing for one that stays the same."""
    if step.op in ("same", "read", "refresh"):
        return None
    return Progress(state=state, action=step.op, urn=step.urn, name=name_of(step.urn), unit=unit_of(step.urn))
