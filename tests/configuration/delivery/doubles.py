"""Activities of a rollout with configuration that record that they were called, and fail or wait as they are told."""

from __future__ import annotations

import base64
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from temporalio import activity

from tests.rollout.doubles import Doubles
from workflows.configuration.durable import (
    BackedUp,
    Checked,
    ConfigurationRestore,
    ConfigurationRestored,
    ConfigurationUpdate,
    Healthy,
    Notified,
    PlannedUpdate,
    Written,
)
from workflows.rollout.activity_models import Validated, ValidateRequest


def new_secret() -> str:
    """A secret for a webhook, as its file holds it."""
    return f"whsec_{base64.b64encode(os.urandom(32)).decode()}"


@dataclass
class ConfigurationDoubles(Doubles):
    """``values`` are how many change; ``unverified`` is how many restores do not succeed."""

    values: int = 2
    unverified: int = 0
    restores: list[ConfigurationRestore] = field(default_factory=list)
    has_configuration: bool = True

    @activity.defn(name="validate")
    async def validate(self, request: ValidateRequest) -> Validated:
        """As every rollout, on a worker that has a store."""
        return replace(await super().validate(request), has_configuration=self.has_configuration)

    @activity.defn
    async def check_values(self, update: ConfigurationUpdate) -> Checked:
        """Two values of the frontend."""
        await self._step("check_values")
        return Checked(self.values, ["frontend"])

    @activity.defn
    async def back_up_values(self, update: ConfigurationUpdate) -> BackedUp:
        """A plan."""
        await self._step("back_up_values")
        return BackedUp("plan-digest", self.values, ["frontend"])

    @activity.defn
    async def write_values(self, planned: PlannedUpdate) -> Written:
        """Written and announced."""
        await self._step("write_values")
        return Written(self.values, True)

    @activity.defn
    async def notify_services(self, planned: PlannedUpdate) -> Notified:
        """The frontend acknowledges, the cart does not."""
        await self._step("notify_of_restore" if planned.is_undo else "notify_services")
        return Notified(["frontend"], {"cart": "answered 503"})

    @activity.defn
    async def check_health(self, planned: PlannedUpdate) -> Healthy:
        """Well."""
        await self._step("check_health")
        return Healthy(["frontend"])

    @activity.defn
    async def restore_values(self, request: ConfigurationRestore) -> ConfigurationRestored:
        """Restored, once it succeeds."""
        await self._step("restore_values")
        self.restores.append(request)
        if self.unverified:
            self.unverified -= 1
            return ConfigurationRestored(verified=False, failure="PAGE_SIZE is not what it was")
        return ConfigurationRestored(verified=True, values=self.values)

    def all(self) -> list[Callable[..., Awaitable[object]]]:
        """Everything a worker needs."""
        return [
            *super().all(),
            self.check_values,
            self.back_up_values,
            self.write_values,
            self.notify_services,
            self.check_health,
            self.restore_values,
        ]
