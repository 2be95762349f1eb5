"""The shared Vault with a transit key of each test's own."""

from __future__ import annotations

from typing import Any

import hvac
import pytest

from tests.support.configuration import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.support.configuration_vault import new_transit_key
from tests.support.local_stack import VaultServer
from workflows.configuration.secrets import Opener, Sealer

Environ = dict[str, str]


@pytest.fixture
def operator(vault_server: VaultServer) -> Any:
    """Vault with the rights of an operator."""
    return hvac.Client(url=vault_server.address, token=vault_server.token)


@pytest.fixture
def environ(vault_server: VaultServer, operator: Any) -> Environ:
    """Settings with a derived transit key."""
    return {**vault_server.environment, "ADX_CONFIGURATION_VAULT_KEY": new_transit_key(operator)}


@pytest.fixture
def sealer(environ: Environ) -> Sealer:
    return Sealer.from_settings(environ)


@pytest.fixture
def opener(environ: Environ) -> Opener:
    return Opener.from_settings(environ)
