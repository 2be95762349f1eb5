"""What the comment on a pull request costs that changes 1,000 units: from states and plan to the Markdown.

Each run is a process of its own, which makes up its input first. The time is
that of the report and the comment alone; the memory is that of the whole
process, input included.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import msgspec

from infra.engine.differences import field_changes
from infra.engine.plan import Plan, ResourceChange, plan_of
from infra.render import render_unit
from pipelines.preview.build import environment_report
from pipelines.preview.markdown import LIMIT, markdown
from pipelines.preview.report import Report
from policies.desired_state import DesiredState, TenantInputs, Unit, digest_of
from policies.tenancy.spec import Compliance, Database, Egress, Network, ResourceLimits
from scripts.bench.rows import Row, absolute
from scripts.bench.tenant_repository import tenant_name

COMMENT, MEMORY = "comment.1000_units", "comment.memory"
UNITS, RUNS = 1_000, 5
ENVIRONMENT = "production"
BASE, HEAD = "3f2a9c1b" * 5, "8d1e77aa" * 5


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    if not any(only in name for name in (COMMENT, MEMORY)):
        return []
    command = [sys.executable, "-m", "scripts.bench.bench_preview"]
    measured: list[dict[str, float]] = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(RUNS)
    ]
    seconds, peaks_mb = ([one[name] for one in measured] for name in ("seconds", "peak_mb"))
    return [absolute(COMMENT, seconds, "s", 1), absolute(MEMORY, peaks_mb, "MB", 200)]


def measure() -> dict[str, float]:
    """Seconds for one comment, and the peak memory (10⁶ bytes) of this process."""
    before, after = _state(BASE, cpu="4"), _state(HEAD, cpu="8")
    plan = _plan(before, after)
    begun = time.perf_counter()
    one = environment_report(environment=ENVIRONMENT, before=before, base=before, after=after, plan=plan)
    report = Report(base=BASE, head=HEAD, merged=HEAD, base_ref="main", head_ref="limits", environments=(one,))
    text = markdown(report)
    seconds = time.perf_counter() - begun
    if len(one.units) != UNITS or not LIMIT // 4 < len(text) <= LIMIT:
        raise SystemExit(f"not the comment on {UNITS} units: {len(one.units)} units, {len(text)} characters")
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): kilobytes on Linux, bytes on macOS
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}


def _state(commit: str, cpu: str) -> DesiredState:
    units = (_tenant(number, commit, f"{int(cpu) + number % 7}") for number in range(UNITS))
    return DesiredState(environment=ENVIRONMENT, commit=commit, units=tuple(sorted(units, key=lambda unit: unit.id)))


def _tenant(number: int, commit: str, cpu: str) -> Unit:
    """A tenant about as large as the samples, in its figures unlike every other."""
    name = tenant_name(number)
    inputs = TenantInputs(
        environment=ENVIRONMENT,
        platform_namespace="boutique-production",
        namespace=f"{ENVIRONMENT}-tenant-{name}",
        name=name,
        display_name=name.replace("-", " ").title(),
        owner=f"team-accounts-{('west', 'east', 'us')[number % 3]}",
        isolation_strategy="schema_per_tenant",
        database=Database(
            engine="postgresql", name=f"boutique_{number % 40}", schema=name, storage_gb=10 + number % 90
        ),
        resource_limits=ResourceLimits(cpu=cpu, memory=f"{int(cpu) * 2}Gi", storage="50Gi", pods=6 + number % 40),
        compliance=Compliance(frameworks=("gdpr",), retention_days=365 + number % 1_000),
        network=Network(
            services=("cartservice", "frontend"),
            egress=(
                Egress(cidr=f"203.0.113.{number % 16 * 16}/28", port=443 if cpu < "8" else 8443, reason="Warehouse"),
            ),
        ),
        service_ports={"cartservice": (7070,), "frontend": (8080,)},
        configuration={"frontend": {"FRONTEND_MESSAGE": f"Campaign {number} with {cpu} cores"}},
        flags={"express-checkout": number % 2 == 0},
    )
    return Unit(id=f"tenant/{name}", commit=commit, digest=digest_of(inputs), inputs=inputs)


def _plan(before: DesiredState, after: DesiredState) -> Plan:
    """What the engine would report: every object of every unit, with each property that differs."""
    old = before.by_id()
    changes: list[ResourceChange] = []
    for unit in after.units:
        bodies = {_key(body): body for body in render_unit(old[unit.id])}
        changes += (_change(unit, body, bodies[_key(body)]) for body in render_unit(unit))
    return plan_of(changes, same=0)


def _key(body: dict[str, Any]) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def _change(unit: Unit, body: dict[str, Any], old: dict[str, Any]) -> ResourceChange:
    name = f"{unit.id}/{body['metadata']['name']}"
    return ResourceChange(
        urn=f"urn:pulumi:{ENVIRONMENT}::adx::{body['kind']}::{name}",
        type=f"kubernetes:{body['apiVersion']}:{body['kind']}",
        name=name,
        action="update",
        unit=unit.id,
        fields=field_changes(old, body),
        component=body["metadata"]["labels"]["app.kubernetes.io/component"],
        namespace=body["metadata"].get("namespace", ""),
    )


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(measure()).decode() + "\n")
