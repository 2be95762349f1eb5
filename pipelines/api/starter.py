"""All that the API asks of whoever runs migrations."""

from __future__ import annotations

from typing import Protocol

from msgspec import field

from pipelines.api.limits import PAGE
from pipelines.api.wire import MigrationAsked, Operation, Status
from policies.spec import Spec


class Scope(Spec):
    """Which operations a caller may see: names, or ``*``."""

    environments: tuple[str, ...] = ("*",)
    tenants: tuple[str, ...] = ("*",)

    def covers(self, environment: str, tenant_id: str | None) -> bool:
        """Whether an operation on this tenant (None: on all) is within it."""
        return self.covers_environment(environment) and self.covers_tenant(tenant_id)

    def covers_environment(self, name: str) -> bool:
        """Whether anything in the environment is within it."""
        return "*" in self.environments or name in self.environments

    def covers_tenant(self, tenant_id: str | None) -> bool:
        """Whether the tenant (None: all of them) is within it, wherever it is."""
        return "*" in self.tenants or tenant_id in self.tenants


class Filter(Spec):
    """Which operations are looked for; None means any. ``after`` is the last one of the page before, or empty."""

    status: Status | None = None
    environment: str | None = None
    database: str | None = None
    tenant_id: str | None = None
    limit: int = PAGE
    after: str = ""
    scope: Scope = field(default_factory=Scope)


class Meant(Spec):
    """A request, understood: nothing left out that could be. ``tenant_id`` empty: all of the environment."""

    id: str
    environment: str
    database: str
    tenant_id: str
    target_version: int


class Claim(Spec):
    """What an id stands for. ``asked`` is the body as it was sent; ``claimed_at`` is ISO 8601, empty before.

    ``is_started``: a workflow holds it, or held it once.
    """

    asked: dict[str, str | int | None]
    meant: Meant
    requested_by: str
    claimed_at: str = ""
    is_started: bool = False


class Page(Spec):
    """Operations, newest first; ``after`` is the last of them where more may follow, else empty."""

    operations: tuple[Operation, ...]
    after: str = ""


class MigrationStarter(Protocol):
    """Starts and tells of migrations. Methods raise AdxError: connection and time-out when something is away."""

    async def claimed(self, operation_id: str) -> Claim | None:
        """What the id stands for; None when it is free."""

    async def resolve(self, asked: MigrationAsked, scope: Scope) -> Meant:
        """What is asked, with nothing left out, as far as ``scope`` goes. Raises Refusal 404 and 422."""

    async def claim(self, claim: Claim) -> Claim:
        """Take the id. The claim that counts is returned: another's, when that was faster."""

    async def start(self, claim: Claim) -> None:
        """Start what was claimed, unless it was started before; however often this is called, it is started once."""

    async def state(self, operation_id: str) -> Operation | None:
        """The operation; None when there is none."""

    async def news(self, operation_id: str, within_seconds: float) -> None:
        """Return when the operation may have ended, and after ``within_seconds`` at the latest."""

    async def find(self, asked: Filter) -> Page:
        """Operations, newest first."""

    async def cancel(self, operation_id: str, requested_by: str) -> None:
        """Have it stopped, and what it did taken back; audited. An operation that is over stays as it is."""
