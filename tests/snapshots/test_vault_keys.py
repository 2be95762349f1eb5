"""Snapshots whose keys are wrapped by a real Vault's transit engine."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from policies.errors import AdxError
from tests.snapshots.conftest import Environ, new_key, vault_client
from workflows.clients.vault.data_keys import DataKeys
from workflows.clients.vault.errors import VaultRefused, VaultTokenExpired, VaultUnreachable
from workflows.snapshots import open_store
from workflows.snapshots.errors import SnapshotKeyMissing

DATA = b"exported state canary-77aa"


async def test_another_process_reads_what_one_wrote(vault_environ: Environ, tmp_path: Path) -> None:
    digest = await open_store(vault_environ).put(DATA, owner="staging")

    assert await open_store(vault_environ).get(digest, owner="staging") == DATA
    stored = (tmp_path / "staging" / digest).read_bytes()
    assert b"vault:v1:" in stored
    assert b"canary" not in stored


async def test_one_data_key_serves_a_process(vault_environ: Environ) -> None:
    transit = DataKeys.from_settings(vault_environ, vault_environ["ADX_SNAPSHOT_VAULT_KEY"])

    key, wrapped = transit.new_data_key()

    assert len(key) == 32
    assert transit.unwrap(wrapped) == key


async def test_the_transit_key_rotates_inside_vault(vault_environ: Environ) -> None:
    name = vault_environ["ADX_SNAPSHOT_VAULT_KEY"]
    before = await open_store(vault_environ).put(DATA, owner="staging")

    vault_client(vault_environ).secrets.transit.rotate_key(name=name)

    store = open_store(vault_environ)
    after = await store.put(b"later", owner="staging")
    assert await store.get(before, owner="staging") == DATA
    assert await open_store(vault_environ).get(after, owner="staging") == b"later"


async def test_moving_from_a_key_file_to_vault_keeps_old_snapshots_readable(
    vault_environ: Environ, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(new_key())
    from_file = {"ADX_SNAPSHOT_STORE": vault_environ["ADX_SNAPSHOT_STORE"], "ADX_SNAPSHOT_KEY_FILE": str(file)}
    old = await open_store(from_file).put(DATA, owner="staging")
    both = open_store({**vault_environ, **from_file})
    new = await both.put(b"later", owner="staging")

    assert await both.get(old, owner="staging") == DATA
    with pytest.raises(SnapshotKeyMissing):
        await open_store(from_file).get(new, owner="staging")


async def test_a_destroyed_transit_key_opens_nothing(vault_environ: Environ) -> None:
    digest = await open_store(vault_environ).put(DATA, owner="staging")
    transit = vault_client(vault_environ).secrets.transit
    name = vault_environ["ADX_SNAPSHOT_VAULT_KEY"]
    transit.update_key_configuration(name=name, deletion_allowed=True)
    transit.delete_key(name=name)

    with pytest.raises(VaultRefused):
        await open_store(vault_environ).get(digest, owner="staging")


async def test_a_token_that_is_not_accepted_is_not_repeated_in_the_error(vault_environ: Environ) -> None:
    store = open_store({**vault_environ, "VAULT_TOKEN": "hvs.canary-token"})

    with pytest.raises(VaultTokenExpired) as caught:
        await store.put(DATA, owner="staging")
    assert "canary" not in "".join(traceback.format_exception(caught.value))


async def test_a_renewed_token_file_is_read_again(vault_environ: Environ, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hvs.expired")
    store = open_store({**vault_environ, "VAULT_TOKEN_FILE": str(file)})
    with pytest.raises(VaultTokenExpired):
        await store.put(DATA, owner="staging")

    file.write_text(vault_environ["VAULT_TOKEN"] + "\n")

    assert await store.get(await store.put(DATA, owner="staging"), owner="staging") == DATA


async def test_nobody_listening_is_a_connection_error(vault_environ: Environ) -> None:
    with pytest.raises(VaultUnreachable):
        await open_store({**vault_environ, "VAULT_ADDR": "http://127.0.0.1:1"}).put(DATA, owner="staging")


@pytest.mark.parametrize("missing", ["VAULT_ADDR", "VAULT_TOKEN"])
def test_missing_settings_are_named_at_the_start(vault_environ: Environ, missing: str) -> None:
    environ = {name: value for name, value in vault_environ.items() if name != missing}

    with pytest.raises(AdxError) as caught:
        open_store(environ)
    assert missing in caught.value.next_step
