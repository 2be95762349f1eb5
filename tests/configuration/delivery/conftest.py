"""Rollouts with configuration on a test server of each test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.configuration.delivery.doubles import ConfigurationDoubles
from tests.configuration.delivery.harness import Harness, opened
from tests.configuration.reading.conftest import servers  # noqa: F401 - a fixture
from tests.support.configuration import postgres_server, postgres_url  # noqa: F401 - fixtures


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with opened(ConfigurationDoubles()) as own:
        yield own
