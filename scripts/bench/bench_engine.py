"""What ADX's engine costs beside the bare ``pulumi`` command, on a real API server.

Both deliver the same desired states (about 115 resources, one small change per
run) with the same program, each to an environment of its own, in turns. The
baseline is what a person would type, with Pulumi's own defaults.

Uses the stack in ``ADX_TEST_STACK_HOME`` when that is set, otherwise starts one.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from infra.engine import Engine, EngineSettings
from infra.engine.workspace import Workspace, prepare
from policies.configuration.spec import FlagSpec
from policies.desired_state import (
    DesiredState,
    PlatformInputs,
    ServiceInputs,
    TenantInputs,
    Unit,
    UnitInputs,
    digest_of,
)
from policies.services.spec import Port, ProbeAction, Probes, ResourceAmounts, Resources, ServiceSpec
from policies.tenancy.spec import Compliance, Database, Egress, Network, ResourceLimits
from scripts.bench.rows import Row, paired, repeat_pairs
from scripts.stack import Stack

NAMES = ("engine.guarded_change", "engine.preview", "engine.up", "engine.export")
RUNS = 7
SERVICES, TENANTS = 11, 6
LEVELS = ("info", "debug")


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``; seconds, each the median of seven runs."""
    chosen = [name for name in NAMES if only in name]
    if not chosen:
        return []
    with running_stack() as environ, tempfile.TemporaryDirectory() as folder, benchmark(environ, Path(folder)) as bench:
        return [bench.row(name) for name in chosen]


@contextmanager
def running_stack() -> Iterator[dict[str, str]]:
    """The settings of a stack with a Kubernetes API server."""
    home = os.environ.get("ADX_TEST_STACK_HOME")
    if home:
        yield Stack(Path(home)).environment()
        return
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        stack.up()
        try:
            yield stack.environment()
        finally:
            stack.down()


@contextmanager
def benchmark(environ: dict[str, str], folder: Path) -> Iterator[Bench]:
    """Both environments; they are removed again from a stack that goes on running."""
    bench = Bench(environ, folder)
    try:
        yield bench
    finally:
        if os.environ.get("ADX_TEST_STACK_HOME"):
            bench.clean_up()


class Bench:
    """Two environments with the same content: one for the engine, one for the bare command."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        name = uuid.uuid4().hex[:8]
        environ = {**os.environ, **environ, "ADX_HOME": str(folder / "home")}
        environ["PULUMI_BACKEND_URL"] = f"file://{folder / 'engine-backend'}"
        self._settings = EngineSettings.from_environment(environ)
        self._ours, self._theirs = f"ours{name}", f"bare{name}"
        self._engine = Engine(self._settings, self._ours)
        self._place: Workspace = prepare(self._settings, self._theirs)
        (folder / "bare-backend").mkdir()
        self._inputs = self._place.folder / "inputs.json"
        self._environ = environ | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), self._settings.tool_path]),
            "PULUMI_HOME": str(folder / "bare-home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'bare-backend'}",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "ADX_STACK_INPUTS": str(self._inputs),
        }
        self._turn = 0
        asyncio.run(self._engine.up(self._state(self._ours)))
        self._inputs.write_bytes(msgspec.json.encode(self._state(self._theirs)))
        self._pulumi("stack", "init", self._theirs)
        self._pulumi("up", "--yes")

    def row(self, name: str) -> Row:
        """Measure one figure."""
        measure: dict[str, tuple[Callable[[], float], Callable[[], float], str, float]] = {
            "engine.guarded_change": (
                self._ours_change, lambda: self._bare("up", "--yes"), "pulumi up --yes", 1.5,
            ),
            "engine.preview": (self._ours_preview, lambda: self._bare("preview"), "pulumi preview", 1.0),
            "engine.up": (self._ours_up, lambda: self._bare("up", "--yes", "--skip-preview"), "pulumi up -y -f", 1.0),
            "engine.export": (self._ours_export, lambda: self._bare("stack", "export"), "pulumi stack export", 1.0),
        }  # fmt: skip
        ours, theirs, baseline, limit = measure[name]
        return paired(name, repeat_pairs(ours, theirs, RUNS), "s", baseline, limit)

    def clean_up(self) -> None:
        """Remove both environments from the cluster."""
        asyncio.run(self._engine.destroy())
        self._pulumi("destroy", "--yes", "--skip-preview")

    def _ours_change(self) -> float:
        async def change(state: DesiredState) -> None:
            await self._engine.preview(state)
            await self._engine.up(state)
            await self._engine.export_state()

        return seconds(change(self._next(self._ours)))

    def _ours_preview(self) -> float:
        return seconds(self._engine.preview(self._next(self._ours)))

    def _ours_up(self) -> float:
        return seconds(self._engine.up(self._next(self._ours)))

    def _ours_export(self) -> float:
        return seconds(self._engine.export_state())

    def _bare(self, *arguments: str) -> float:
        self._inputs.write_bytes(msgspec.json.encode(self._next(self._theirs)))
        begun = time.perf_counter()
        self._pulumi(*arguments)
        return time.perf_counter() - begun

    def _pulumi(self, *arguments: str) -> None:
        stack = [] if arguments[:2] == ("stack", "init") else ["--stack", self._theirs]
        done = subprocess.run(
            ["pulumi", *arguments, *stack, "--non-interactive"],
            cwd=self._place.folder, env=self._environ, check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"pulumi {arguments[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _next(self, environment: str) -> DesiredState:
        self._turn += 1
        return self._state(environment)

    def _state(self, environment: str) -> DesiredState:
        return shop(environment, LEVELS[self._turn // 2 % 2])


def seconds(work: Awaitable[object]) -> float:
    """How long ``work`` takes in an event loop of its own."""

    async def measured() -> float:
        begun = time.perf_counter()
        await work
        return time.perf_counter() - begun

    return asyncio.run(measured())


def shop(environment: str, log_level: str) -> DesiredState:
    """A platform, eleven services and six tenants; ``log_level`` is what a small change changes."""
    inputs: dict[str, UnitInputs] = {"platform": platform(environment)}
    for number in range(SERVICES):
        inputs[f"service/service-{number:02}"] = service(environment, number, log_level)
    for number in range(TENANTS):
        inputs[f"tenant/tenant-{number:02}"] = tenant(environment, number)
    units = tuple(
        Unit(id=key, commit="0" * 40, digest=digest_of(value), inputs=value) for key, value in sorted(inputs.items())
    )
    return DesiredState(environment=environment, commit="0" * 40, units=units)


def platform(environment: str) -> PlatformInputs:
    """A platform with one flag."""
    flag = FlagSpec(name="fast", description="d", owner="bench", type="boolean", enabled=True)
    return PlatformInputs(
        environment=environment, region="local", owner="bench", namespace=f"shop-{environment}", flags=(flag,)
    )


def service(environment: str, number: int, log_level: str) -> ServiceInputs:
    """A service as in the samples; only the first follows ``log_level``."""
    amounts = ResourceAmounts(cpu="100m", memory="64Mi")
    spec = ServiceSpec(
        name=f"service-{number:02}",
        description="d",
        owner="bench",
        image="registry.example/service",
        version="v1.0.0",
        resources=Resources(requests=amounts, limits=amounts),
        replicas=2,
        ports=(Port(name="grpc", port=8080),),
        probes=Probes(readiness=ProbeAction(port="grpc", grpc=True)),
    )
    return ServiceInputs(
        environment=environment,
        namespace=f"shop-{environment}",
        service=spec,
        configuration={"LOG_LEVEL": "info" if number else log_level},
        ready_timeout_seconds=120,
    )


def tenant(environment: str, number: int) -> TenantInputs:
    """A tenant that may reach one service and one address."""
    return TenantInputs(
        environment=environment,
        platform_namespace=f"shop-{environment}",
        namespace=f"{environment}-tenant-{number:02}",
        name=f"tenant-{number:02}",
        display_name=f"Tenant {number}",
        owner="bench",
        isolation_strategy="shared_schema",
        database=Database(engine="postgresql", name="shop"),
        resource_limits=ResourceLimits(cpu="4", memory="8Gi", storage="50Gi", pods=20),
        compliance=Compliance(),
        network=Network(egress=(Egress(cidr="203.0.113.0/24", port=443, reason="payments"),)),
        service_ports={"service-00": (8080,)},
        configuration={},
        flags={},
    )
