"""A Vault of a test's own, which may be sealed and killed, and the keys and logins of the shared one."""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac

from scripts.stack import ports
from scripts.toolchain import Toolchain
from tests.support.waiting import wait_until

_UNSEAL_KEY = re.compile(rb"Unseal Key: (\S+)")


@dataclass
class OwnVault:
    """A dev server: in memory, one unseal key."""

    address: str
    token: str = field(repr=False)
    unseal_key: str = field(repr=False)

    @property
    def client(self) -> Any:
        """With the rights of an operator."""
        return hvac.Client(url=self.address, token=self.token)

    def seal(self) -> None:
        """As an operator does in an emergency."""
        self.client.sys.seal()

    def unseal(self) -> None:
        """Ready again."""
        self.client.sys.submit_unseal_key(self.unseal_key)

    def environ(self, transit_key: str) -> dict[str, str]:
        """The settings that lead to it, as its operator."""
        return {"VAULT_ADDR": self.address, "VAULT_TOKEN": self.token, "ADX_CONFIGURATION_VAULT_KEY": transit_key}


@contextmanager
def own_vault(folder: Path) -> Iterator[OwnVault]:
    """A Vault that ends with the test."""
    binary = Toolchain().locate("vault")
    assert binary is not None, "vault is not built yet; run `python -m scripts.toolchain build`"
    address, token, log = f"127.0.0.1:{ports.choose(set())}", uuid.uuid4().hex, folder / "vault.log"
    command = [str(binary.path), "server", "-dev", "-dev-no-store-token", f"-dev-listen-address={address}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={"VAULT_DEV_ROOT_TOKEN_ID": token, "HOME": str(folder)}
        )
    try:
        found = wait_until(lambda: _UNSEAL_KEY.search(log.read_bytes()), lambda match: match is not None)
        assert found is not None
        vault = OwnVault(f"http://{address}", token, found.group(1).decode())
        wait_until(lambda: _is_ready(vault), bool)
        vault.client.sys.enable_secrets_engine("transit")
        yield vault
    finally:
        process.kill()
        process.wait()


def new_transit_key(client: Any, *, is_derived: bool = True) -> str:
    """The name of a transit key of this test's own."""
    name = f"test-{uuid.uuid4().hex}"
    client.secrets.transit.create_key(name=name, derived=is_derived, key_type="aes256-gcm96")
    return name


def _is_ready(vault: OwnVault) -> bool:
    try:
        return bool(vault.client.sys.is_initialized() and not vault.client.sys.is_sealed())
    except Exception:  # noqa: BLE001 - it is starting
        return False
