"""The optional part ``prometheus`` of the local stack."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from scripts.stack import Stack
from scripts.stack.parts import prometheus as part
from scripts.toolchain import Toolchain
from tests.support.waiting import wait_until
from workflows.clients import prometheus


def test_a_gateway_that_joins_the_stack_is_scraped(tmp_path: Path) -> None:
    """Prometheus runs first; it is started anew when the gateway comes, and keeps what it has seen."""
    missing = [name for name in ("prometheus", "caddy", "consul") if Toolchain().locate(name) is None]
    if missing:
        pytest.fail(f"not built yet: {', '.join(missing)}")
    stack = Stack(tmp_path)
    try:
        stack.up(["prometheus"])
        url = stack.environment()["ADX_PROMETHEUS_URL"]
        assert asyncio.run(prometheus.query(url, 'up{job="gateway"}')) == {}
        stack.up(["prometheus", "caddy"])
        gateway = stack.environment()["ADX_CADDY_ADMIN_URLS"].removeprefix("http://")
        expected = {f'__name__="up", instance="{gateway}", job="gateway"': 1.0}
        wait_until(lambda: asyncio.run(prometheus.query(url, 'up{job="gateway"}')), lambda found: found == expected)
    finally:
        stack.down()


def test_targets_come_from_files_and_from_the_gateways() -> None:
    """Several admin addresses are several targets."""
    made = part.configuration(Path("/home/targets"), ["http://127.0.0.1:2019", "http://127.0.0.1:2020"])
    files, gateways = made["scrape_configs"]
    assert files["file_sd_configs"][0]["files"] == ["/home/targets/*.json"]
    assert gateways["static_configs"] == [{"targets": ["127.0.0.1:2019", "127.0.0.1:2020"]}]
