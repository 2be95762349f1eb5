"""A service of each test's own behind the shared gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.gateway import harness
from tests.support.local_stack import CaddyServer


@pytest.fixture
def shop(caddy_server: CaddyServer) -> Iterator[harness.Service]:
    """A service without instances."""
    with harness.service(caddy_server.url, caddy_server.admin_url, caddy_server.consul_url) as made:
        yield made
