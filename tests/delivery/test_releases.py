"""Service delivery on real parts: there and back under load, bad in seven ways, and whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.delivery.delivery import STUCK_SECONDS
from tests.delivery.shopfront import BAD, Shopfront, declare, front_of
from tests.services.gateway.harness import own_consul, own_gateway
from tests.support.local_stack import CaddyServer, LocalStack, PrometheusServer
from workflows.rollout.models import RolloutStatus
from workflows.services.models import ReleaseDecision


@pytest.fixture
async def shopfront(
    local_stack: LocalStack,
    ledger_url: str,
    caddy_server: CaddyServer,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
) -> AsyncIterator[Shopfront]:
    """Nothing delivered yet."""
    async with front_of(local_stack, ledger_url, caddy_server, prometheus_server, tmp_path) as front:
        yield front


async def first(front: Shopfront) -> None:
    """v1 serves."""
    front.delivery.start_worker()
    front.delivery.shop.services["frontend"]["version"] = "v1.2.0"
    front.delivery.shop.merge("first")
    status = await front.delivery.deliver()
    assert status.outcome == "delivered", status.failure
    assert (await front.load().run(20)).failed == 0


async def deliver(front: Shopfront, version: str) -> RolloutStatus:
    """Merge a version of the frontend and wait for the end."""
    front.delivery.shop.services["frontend"]["version"] = version
    front.delivery.shop.merge(version)
    return await front.delivery.deliver()


async def begin(front: Shopfront, version: str) -> None:
    """Merge a version of the frontend and submit it."""
    front.delivery.shop.services["frontend"]["version"] = version
    front.delivery.shop.merge(version)
    await front.delivery.submit()


async def reached(front: Shopfront, phase: str) -> None:
    """Wait until the release waits for green, bakes, or blue is kept. Each lasts longer than a look takes."""
    if phase == "kept":
        await front.delivery.until(lambda live: bool(live.rollout and live.rollout.kept_until))
        return
    # While the new rollout has not begun, the status is that of the one before, whose release serves.
    live = await front.delivery.until(
        lambda live: bool(live.environment.current and live.rollout and live.rollout.releasing)
    )
    assert live.rollout is not None
    seen: list[str] = []
    async with asyncio.timeout(STUCK_SECONDS):
        while phase != "waiting" and seen != [phase]:
            found = await front.delivery.workflows.release_statuses(live.rollout.rollout_id, ["frontend"])
            seen = [one.phase for one in found]
            assert seen != ["serving"], f"the release was over before anybody had seen it {phase}"
            await asyncio.sleep(0.1)


async def test_there_and_back_under_load_without_one_failed_request(shopfront: Shopfront) -> None:
    """Blue to green and to the next; whoever asks gets an answer, and old processes go once they are not needed."""
    await first(shopfront)
    load = shopfront.load()
    load.start()
    outcomes = [await deliver(shopfront, version) for version in ("v1.3.0", "v1.4.0")]
    result = await load.stop()

    assert [status.failure for status in outcomes] == ["", ""]
    assert [status.outcome for status in outcomes] == ["delivered", "delivered"]
    assert result.failed == 0, result.broken
    assert len(result.by_release) == 3
    names = [step.name for step in outcomes[1].steps]
    assert names[4:8] == ["deploy", "release", "test", "cleanup"]
    live = [name for name in await shopfront.delivery.live() if name.startswith("Deployment/") and "frontend" in name]
    assert len(live) == 1
    print(f"{result.requests} requests, {result.failed} failed, by release {dict(result.by_release)}")


@pytest.mark.parametrize("badness", BAD)
async def test_a_bad_release_is_found_and_undone(shopfront: Shopfront, badness: str) -> None:
    """However it is bad; few have met it, and afterwards everything is as it was."""
    await first(shopfront)
    before = await shopfront.delivery.live()
    if badness == "never":
        shopfront.delivery.shop.services["frontend"]["ready_timeout_seconds"] = 5
    load = shopfront.load()
    load.start()
    status = await deliver(shopfront, f"v2.0.0-{badness}")
    await load.sent(50)
    result = await load.stop()

    release = next(step for step in status.steps if step.name == "release")
    assert (status.outcome, status.failed_step) == ("restored", "release"), (status.failure, badness)
    assert await shopfront.delivery.live() == before
    green = [name for name, count in result.by_release.items() if name and count < result.requests / 2]
    touched = sum(result.by_release[name] for name in green)
    assert touched <= 0.4 * result.requests
    if badness == "never":
        assert touched == 0
    if badness == "leaky":
        assert "leaked against its limits" in status.failure
        assert "no data" not in status.failure
    print(f"{badness}: {release.message}; {touched} of {result.requests} requests met it, {result.failed} failed")


async def test_a_set_is_taken_back_together(shopfront: Shopfront) -> None:
    """A dependency that was fine by itself goes back with what was raised with it."""
    delivery = shopfront.delivery
    declare(delivery, "checkout", strategy="blue-green", steps=[], analysis=None, bake_seconds=1)
    delivery.shop.services["frontend"]["dependencies"] = ["checkout"]
    delivery.start_worker()
    delivery.shop.merge("first")
    assert (await delivery.deliver()).failure == ""
    before = await delivery.live()
    fronts, checkouts = shopfront.load(), shopfront.load("checkout")
    fronts.start()
    checkouts.start()
    delivery.shop.services["checkout"]["version"] = "v1.5.0"
    status = await deliver(shopfront, "v2.0.0-liar")
    results = [await fronts.stop(), await checkouts.stop()]

    assert (status.outcome, status.failed_step) == ("restored", "release"), status.failure
    assert status.releasing == ["checkout", "frontend"]
    assert await delivery.live() == before
    assert results[1].failed == 0, results[1].broken
    assert len(results[1].by_release) == 2  # its new release did serve in between


@pytest.mark.parametrize("phase", ["waiting", "baking", "kept"])
async def test_a_worker_killed_in_the_middle_is_replaced(shopfront: Shopfront, phase: str) -> None:
    """The next one goes on where it was; nobody who asks notices."""
    declare(shopfront.delivery, "frontend", keep_blue_seconds=10)
    await first(shopfront)
    load = shopfront.load()
    load.start()
    await begin(shopfront, "v1.3.0")
    await reached(shopfront, phase)
    shopfront.delivery.workers[-1].kill()
    shopfront.delivery.start_worker()
    status = await shopfront.delivery.settled()
    result = await load.stop()

    assert status.outcome == "delivered", status.failure
    assert result.failed == 0, result.broken


async def test_a_gateway_restarted_in_the_middle_of_a_switch(
    local_stack: LocalStack, ledger_url: str, prometheus_server: PrometheusServer, tmp_path: Path
) -> None:
    """It comes back with the split it had, and the release goes on; what it failed meanwhile is not green's fault."""
    (tmp_path / "gateway").mkdir()
    with own_consul(tmp_path) as registry:
        consul_url = f"http://{urlsplit(registry.url).netloc}"
        with own_gateway(tmp_path / "gateway", consul_url) as (program, url, admin):
            gateway = CaddyServer(url, admin, consul_url)
            async with front_of(local_stack, ledger_url, gateway, prometheus_server, tmp_path) as front:
                # So long that a busy machine sees it, and has the gateway back before it is over.
                declare(front.delivery, "frontend", steps=[{"weight_percent": 20, "bake_seconds": 20}])
                await first(front)
                load = front.load()
                load.start()
                await begin(front, "v1.3.0")
                await reached(front, "baking")
                await asyncio.to_thread(program.kill)
                await asyncio.to_thread(program.start)
                status = await front.delivery.settled()
                await load.stop()
                after = await front.load().run(50)

    assert status.outcome == "delivered", status.failure
    assert (after.failed, len(after.by_release)) == (0, 1)


async def test_two_merges_at_once_are_delivered_one_after_the_other(shopfront: Shopfront) -> None:
    """The second waits for the first one's bakes, and not for what is kept."""
    declare(shopfront.delivery, "frontend", keep_blue_seconds=3600)
    await first(shopfront)
    load = shopfront.load()
    load.start()
    await begin(shopfront, "v1.3.0")
    await reached(shopfront, "baking")
    declare(shopfront.delivery, "frontend")
    await begin(shopfront, "v1.4.0")
    status = await shopfront.delivery.settled()
    result = await load.stop()

    assert (status.outcome, status.failure) == ("delivered", "")
    assert (result.failed, len(result.by_release)) == (0, 3)


async def test_switched_back_while_the_old_release_is_kept(shopfront: Shopfront) -> None:
    """At a word: requests first, then the rest, until everything is as it was."""
    declare(shopfront.delivery, "frontend", keep_blue_seconds=3600)
    await first(shopfront)
    before = await shopfront.delivery.live()
    load = shopfront.load()
    load.start()
    shopfront.delivery.shop.services["frontend"]["version"] = "v1.3.0"
    shopfront.delivery.shop.merge("second")
    await shopfront.delivery.submit()
    await shopfront.delivery.until(lambda live: bool(live.rollout and live.rollout.kept_until))
    said = ReleaseDecision("ada@example.com", "switch-back", "", "customers complain")
    await shopfront.delivery.workflows.decide_release(shopfront.delivery.environment, said)
    status = await shopfront.delivery.settled()
    result = await load.stop()

    assert (status.outcome, status.failure) == ("restored", "ada@example.com switched back: customers complain")
    assert await shopfront.delivery.live() == before
    assert result.failed == 0, result.broken
