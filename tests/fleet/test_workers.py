"""Workers of some kinds share a fleet, no process does more than it may, and environments take turns."""

from __future__ import annotations

import asyncio
from typing import cast
from unittest.mock import Mock

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from typer.testing import CliRunner

from pipelines.cli.app import build
from policies.infrastructure.spec import FleetRules
from tests.fleet.doubles import UNITS, Fleet, FleetDoubles, fleet_server, plan_of, real_server, started, worker
from workflows.registration import activities_of
from workflows.runtime import Runtime
from workflows.task_queues import (
    KINDS,
    RUN_PULUMI,
    WAIT_LONG,
    Kind,
    Places,
    WorkerSettingRefused,
    cells_at_once_from,
    kind_of,
    kinds_from,
    places_from,
    queue_of,
)

ALL_AT_ONCE = FleetRules(max_parallel=1000)
MANY = 40


def test_every_kind_has_a_queue_of_its_own() -> None:
    """That of workflows is the one that rollouts from before there were kinds know."""
    assert [queue_of("adx", kind) for kind in KINDS] == ["adx", "adx-cells", "adx-checks"]


def test_what_is_heavy_or_waits_is_called_as_the_activities_are() -> None:
    """A renamed activity would go to another queue without anybody noticing."""
    names = {one.__name__ for one in activities_of(cast(Client, None), cast(Runtime, Mock()), "adx")}

    assert names >= RUN_PULUMI | WAIT_LONG
    assert {kind_of(name) for name in names} == set(KINDS)
    assert kind_of("record_decision") == "workflows"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [("", KINDS), ("cells", ("cells",)), (" checks, cells ,", ("cells", "checks")), ("cells,cells", ("cells",))],
)
def test_kinds_are_named_with_commas(text: str, kinds: tuple[str, ...]) -> None:
    """Nothing named means all."""
    assert kinds_from(text) == kinds


def test_a_worker_of_an_unknown_kind_does_not_start() -> None:
    """The message says which kinds there are; the exit status is that of a wrong option."""
    ended = CliRunner().invoke(build(), ["worker", "--kinds", "cells,pulumi"])

    assert ended.exit_code == 2
    assert "pulumi is no kind of work" in ended.output
    assert "workflows, cells, checks" in ended.output


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "1001", "\u0663"])
def test_a_setting_that_is_no_number_of_places_is_refused(text: str) -> None:
    """Before a worker takes any work."""
    with pytest.raises(WorkerSettingRefused, match="ADX_MAX_PULUMI_OPERATIONS"):
        places_from({"ADX_MAX_PULUMI_OPERATIONS": text})
    with pytest.raises(WorkerSettingRefused, match="ADX_CELLS_AT_ONCE"):
        cells_at_once_from({"ADX_CELLS_AT_ONCE": text})


def test_settings_say_how_much_a_process_does_at_once() -> None:
    """Unset or empty is the default."""
    assert places_from({"ADX_MAX_PULUMI_OPERATIONS": "9", "ADX_MAX_CHECKS": ""}) == Places(9, Places().checks)
    assert cells_at_once_from({}) == 3
    assert cells_at_once_from({"ADX_CELLS_AT_ONCE": "12"}) == 12


async def test_one_process_runs_no_more_pulumi_operations_than_it_has_places_for() -> None:
    """Though its queue would give it more; what waits says so by heartbeat, and goes on by itself."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE, cells_at_once=10, cells=10))
    go_on = doubles.hold()
    async with fleet_server(doubles, places=2) as server:
        fleet = await started(server, doubles)
        while (await heartbeats(fleet)).count("waits: other operations are under way") < 8:
            pass
        go_on.set()
        result = await fleet.handle.result()

    assert result.summary.delivered == UNITS
    assert doubles.most_at_once == 2


async def test_a_limit_of_an_environment_lets_others_in() -> None:
    """With one place for all: the small environment waits for what the large one has under way, and no longer."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE))
    async with fleet_server(doubles, at_once=1) as server:
        go_on = doubles.hold()
        large, small = await both_waiting(server, doubles, cells_at_once=3)
        go_on.set()
        await small.handle.result()
        await large.handle.result()

    assert place_of(doubles, "small") <= 3


async def test_environments_take_turns_whatever_each_of_them_has_queued() -> None:
    """On the server of the stack: 40 cells of one environment wait, and the other's comes second at the latest."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE))
    async with (
        await real_server() as server,
        worker(server.client, doubles, "workflows"),
    ):
        large, small = await both_waiting(server, doubles, cells_at_once=MANY)
        while await in_queue(server, "cells") < MANY + 1:  # they come there a moment after they are asked for
            await asyncio.sleep(0.05)
        async with worker(server.client, doubles, "cells", at_once=1):
            await small.handle.result()
            await large.handle.result()

    assert len(doubles.asked) == MANY + 1
    assert place_of(doubles, "small") <= 1


async def both_waiting(
    server: WorkflowEnvironment, doubles: FleetDoubles, *, cells_at_once: int
) -> tuple[Fleet, Fleet]:
    """Two fleets, the first with many cells in the queue before the second comes with one."""
    many = plan_of(ALL_AT_ONCE, cells_at_once=cells_at_once, units=MANY, cells=MANY)
    one = plan_of(ALL_AT_ONCE, units=1, cells=1)
    large = await started(server, doubles, plan=many, environment="large")
    while len(await pending(large)) < cells_at_once:
        pass
    small = await started(server, doubles, plan=one, environment="small")
    while not await pending(small):
        pass
    return large, small


async def pending(fleet: Fleet) -> list[str]:
    """The activities that are asked for and not done."""
    described = (await fleet.handle.describe()).raw_description
    return [activity.activity_id for activity in described.pending_activities]


async def in_queue(server: WorkflowEnvironment, kind: Kind) -> int:
    """The activities that wait for a worker of the kind."""
    asked = DescribeTaskQueueRequest(
        namespace=server.client.namespace,
        task_queue=TaskQueue(name=queue_of("fleets", kind)),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
    )
    return (await server.client.workflow_service.describe_task_queue(asked)).stats.approximate_backlog_count


async def heartbeats(fleet: Fleet) -> str:
    """What the activities under way say."""
    return str((await fleet.handle.describe()).raw_description.pending_activities)


def place_of(doubles: FleetDoubles, environment: str) -> int:
    """How many deliveries were begun before the first one of ``environment``."""
    return [request.lease.environment for request in doubles.asked].index(environment)
