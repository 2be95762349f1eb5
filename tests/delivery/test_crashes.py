"""Killed in the middle, paused and late: every unit ends fully new or fully restored, and nothing stays locked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess

import psutil

from tests.delivery.delivery import Delivery
from tests.support.processes import found
from workflows.client import LiveStatus
from workflows.ledger import environments, rollouts, units
from workflows.rollout.models import RolloutStatus

MANY = 40


def declare_many(delivery: Delivery) -> None:
    """Tenants enough for an apply that lasts long enough to be hit in the middle."""
    acme = delivery.shop.documents["tenants/globex.yaml"]
    for number in range(MANY):
        name = f"tenant-{number:02d}"
        database = {"engine": "mysql", "name": name.replace("-", "_")}
        delivery.shop.documents[f"tenants/{name}.yaml"] = {
            **acme,
            "name": name,
            "database": database,
            "resource_limits": dict(acme["resource_limits"]),
            "environments": [delivery.environment],
        }


async def applying(delivery: Delivery) -> None:
    """Until the engine is in the middle of changing the cluster."""

    def is_reached(live: LiveStatus) -> bool:
        steps = live.rollout.steps if live.rollout else []
        is_applying = any(step.name == "apply" and step.status == "running" for step in steps)
        return is_applying and re.match(r"[1-9]\d* done; create", live.line) is not None

    await delivery.until(is_reached)


def engine_processes(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The pulumi processes that ``worker`` runs right now."""
    return found(lambda process: process.name() == "pulumi", psutil.Process(worker.pid).children(recursive=True))


async def assert_fully_new(delivery: Delivery, status: RolloutStatus, commit: str) -> None:
    """Delivered, all of it, once; the ledger says the same; nothing is locked."""
    assert (status.outcome, status.commit) == ("delivered", commit)
    live = await delivery.live()
    namespaces = {name for name in live if name.startswith("Namespace") or "/Namespace" in name or "Namespace" in name}
    assert sum("-tenant-tenant-" in name for name in namespaces) == MANY
    known = await units.units_of(delivery.ledger, delivery.environment)
    assert {unit.status for unit in known} == {"applied"}
    state = await environments.find(delivery.ledger, delivery.environment)
    assert state is not None
    assert (state.delivered_commit, state.frozen_reason) == (commit, None)
    assert await rollouts.unfinished(delivery.ledger, delivery.environment) == ()
    assert delivery.lock_files() == []


async def test_another_worker_finishes_what_a_killed_one_was_applying(delivery: Delivery) -> None:
    """SIGKILL in the middle of apply: the retry finds the lock of a dead owner and whatever was left pending."""
    worker = delivery.start_worker()
    delivery.shop.merge("first")
    await delivery.deliver()
    declare_many(delivery)
    commit = delivery.shop.merge("many tenants")
    await delivery.submit()
    await applying(delivery)

    worker.kill()
    delivery.start_worker()
    status = await delivery.settled()

    await assert_fully_new(delivery, status, commit)


async def test_pulumi_killed_in_the_middle_is_repaired_and_the_rollout_goes_on(delivery: Delivery) -> None:
    """SIGKILL of the engine's process leaves pending operations; the next attempt settles them first."""
    worker = delivery.start_worker()
    delivery.shop.merge("first")
    await delivery.deliver()
    declare_many(delivery)
    commit = delivery.shop.merge("many tenants")
    await delivery.submit()
    await applying(delivery)

    for process in engine_processes(worker):
        with contextlib.suppress(psutil.NoSuchProcess):  # one that another one had started went with it
            process.kill()
    status = await delivery.settled()

    await assert_fully_new(delivery, status, commit)


async def test_a_worker_that_was_paused_comes_back_late_and_changes_nothing(delivery: Delivery) -> None:
    """SIGSTOP past the heartbeat: another worker takes over; the first wakes up and nothing is done twice."""
    first = delivery.start_worker()
    delivery.shop.merge("first")
    await delivery.deliver()
    declare_many(delivery)  # of so many the engine tells more than a pipe holds that nobody reads
    commit = delivery.shop.merge("many tenants")
    await delivery.submit()
    await applying(delivery)

    os.kill(first.pid, signal.SIGSTOP)
    delivery.start_worker()
    status = await delivery.settled()
    before = await delivery.live()
    os.kill(first.pid, signal.SIGCONT)
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    after = await delivery.deliver(delivery.shop.merge("one more"))

    assert (status.outcome, after.outcome) == ("delivered", "delivered")
    assert set(await delivery.live()) == set(before)
    await assert_fully_new(delivery, after, after.commit)
    assert commit != after.commit


async def test_a_worker_killed_during_the_restore_leaves_it_to_another(delivery: Delivery) -> None:
    """A restore that has begun is finished, whoever finishes it."""
    worker = delivery.start_worker()
    delivery.shop.merge("first")
    await delivery.deliver()
    before = await delivery.live()
    declare_many(delivery)
    delivery.shop.services["frontend"]["version"] = "v1.3.0-broken"
    delivery.shop.merge("bad")
    await delivery.submit()
    await delivery.until(
        lambda live: any(step.name == "reapply" and step.status == "running" for step in live.restore_steps)
    )

    worker.kill()
    await asyncio.to_thread(worker.wait)
    delivery.start_worker()
    status = await delivery.settled()

    assert status.outcome == "restored"
    assert await delivery.live() == before
    assert delivery.lock_files() == []
