"""A rollout whose step *configuration* is real, on real servers that go away and come back; the others are doubles."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from policies.change_set import diff
from policies.configuration.values import ConfigurationKey
from policies.desired_state import DesiredState
from policies.infrastructure.spec import EnvironmentSpec
from policies.services.spec import Probes
from tests.configuration.delivery.doubles import ConfigurationDoubles
from tests.configuration.delivery.harness import opened
from tests.configuration.delivery.test_health import ClusterDouble
from tests.support.configuration_command import make_shop
from tests.support.desired import desired_state, platform_unit, service_spec, service_unit
from workflows.bodies import DeliveryBody
from workflows.configuration.activities import ConfigurationActivities
from workflows.configuration.models import Criteria
from workflows.configuration.repository import ConfigurationStore
from workflows.ledger import Ledger, fencing, rollouts
from workflows.ledger.models import NewRollout
from workflows.retry import RetryByClass
from workflows.rollout.activity_models import Validated, ValidateRequest
from workflows.rollout.models import RolloutStatus
from workflows.runtime import Runtime
from workflows.snapshots import open_store

ENVIRONMENT = "development"
ROLLOUT = "rollout"
Happening = Callable[[], Awaitable[None]]


def key(name: str) -> ConfigurationKey:
    """A key of the frontend."""
    return ConfigurationKey(namespace=f"shop-{ENVIRONMENT}", environment=ENVIRONMENT, service="frontend", key=name)


class Happenings(Interceptor):
    """What happens to the world just before an attempt at an activity."""

    def __init__(self) -> None:
        self.before: dict[tuple[str, int], Happening] = {}
        self.attempts: list[tuple[str, int]] = []

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's own parameter name
        return _Inbound(next, self)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, happenings: Happenings) -> None:
        super().__init__(inner)
        self._happenings = happenings

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's own parameter name
        info = activity.info()
        attempt = (info.activity_type, info.attempt)
        self._happenings.attempts.append(attempt)
        if attempt in self._happenings.before:
            await self._happenings.before.pop(attempt)()
        return await super().execute_activity(input)


@dataclass
class _Cluster(ClusterDouble):
    """All replicas are there."""


@dataclass
class RealSteps(ConfigurationDoubles):
    """Doubles of a rollout around the real activities of configuration; ``digests`` name states and rules."""

    real: ConfigurationActivities | None = None
    digests: Mapping[str, str] = field(default_factory=dict)

    @activity.defn(name="validate")
    async def validate(self, request: ValidateRequest) -> Validated:
        return replace(await super().validate(request), **cast("dict[str, Any]", self.digests))

    def all(self) -> list[Callable[..., Awaitable[object]]]:
        assert self.real is not None
        names = ("check_values", "back_up_values", "write_values", "notify_services", "check_health", "restore_values")
        doubles = [one for one in super().all() if one.__name__ not in names]
        return [*doubles, *(getattr(self.real, name) for name in names)]


@dataclass
class Shop:
    """A frontend whose values are delivered; ``environ`` are the settings of the worker."""

    environ: dict[str, str] = field(repr=False)
    folder: Path
    ledger: Ledger
    happenings: Happenings = field(default_factory=Happenings)

    async def deliver(self, before: Mapping[str, str | int], after: Mapping[str, str | int]) -> RolloutStatus:
        """The end of a rollout from values to values; those before are in the store already."""
        repository = make_shop(self.folder)
        commit = repository.git("rev-parse", "HEAD").strip()
        body_store = open_store(self.environ)
        runtime = Runtime(
            self.ledger, body_store, cast("Any", _Cluster()), cast("Any", _Repository(repository.folder)),
            cast("Any", None), self.environ,
        )  # fmt: skip
        base, desired = _state(commit, before), _state(commit, after)
        rules = EnvironmentSpec(name=ENVIRONMENT, description="d", owner="o", region="r", namespace="shop")
        digests = {
            "base_state": await runtime.bodies.put(base, ENVIRONMENT),
            "desired_state": await runtime.bodies.put(desired, ENVIRONMENT),
            "delivery": await runtime.bodies.put(DeliveryBody(rules, diff(base, desired)), ENVIRONMENT),
        }
        await _begin(self.ledger, commit)
        doubles = RealSteps(real=ConfigurationActivities(runtime), digests=digests)
        async with opened(doubles, self.happenings, RetryByClass()) as harness:
            return await (await harness.rollout()).result()

    def attempts(self, name: str) -> int:
        """How often the activity was tried."""
        return len([one for one, _ in self.happenings.attempts if one == name])


async def kept(store: ConfigurationStore) -> dict[str, tuple[object, int]]:
    """Value (or form) and version of everything in the store."""
    records = await store.find_by_criteria(Criteria(environment=ENVIRONMENT))
    return {one.key.key: (one.value.encrypted_value or one.value.value, one.version) for one in records}


@contextlib.asynccontextmanager
async def shop_at(ledger_url: str, folder: Path, **environ: str) -> AsyncIterator[Shop]:
    """A shop with an empty ledger."""
    key = base64.b64encode(os.urandom(32)).decode()
    settings = {"ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(), "ADX_SNAPSHOT_KEY": key, **environ}
    async with await Ledger.open(ledger_url) as ledger:
        await ledger.migrate()
        yield Shop(settings, folder, ledger)


@dataclass(frozen=True)
class _Repository:
    path: Path


def _state(commit: str, values: Mapping[str, str | int]) -> DesiredState:
    frontend = service_unit(ENVIRONMENT, service_spec("frontend", probes=Probes()), **values)
    return desired_state(ENVIRONMENT, platform_unit(ENVIRONMENT), frontend, commit=commit)


async def _begin(ledger: Ledger, commit: str) -> None:
    """As the steps do that are doubles here."""
    new = NewRollout(id=ROLLOUT, environment=ENVIRONMENT, kind="deliver", commit=commit, requested_by="a", source="cli")
    await rollouts.start(ledger, new)
    await fencing.acquire(ledger, ENVIRONMENT, ROLLOUT)
