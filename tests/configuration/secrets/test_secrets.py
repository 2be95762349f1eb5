"""Secrets through a real Vault: where they open, where they do not, and what is said when they cannot."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest

from policies.configuration.spec import ValueSchema
from policies.configuration.values import ConfigurationKey
from policies.errors import AdxError
from tests.configuration.secrets.conftest import Environ
from tests.support.configuration import key
from tests.support.configuration_vault import new_transit_key, own_vault
from workflows.clients.vault.errors import (
    SecretNotForHere,
    VaultDenied,
    VaultRefused,
    VaultSealed,
    VaultTokenExpired,
    VaultUnreachable,
)
from workflows.configuration.errors import ValueRefused
from workflows.configuration.secrets import Opener, Refused, Sealer, open_secrets

CANARY = "canary-9d41-é🙂"
TOKEN = key("TOKEN")


async def test_what_is_sealed_for_a_key_opens_there(sealer: Sealer, opener: Opener) -> None:
    """And its form shows nothing."""
    text = sealer.seal(TOKEN, CANARY)

    assert text.startswith("vault:v1:")
    assert await open_secrets(opener, {TOKEN: text}) == {TOKEN: CANARY}
    assert sealer.seal(TOKEN, CANARY) != text


@pytest.mark.parametrize(
    "change",
    [
        {"key": "OTHER"},
        {"service": "checkout"},
        {"environment": "production"},
        {"namespace": "other"},
        {"tenant_id": "acme"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_ciphertext_opens_nowhere_else(sealer: Sealer, opener: Opener, change: dict[str, str]) -> None:
    """Pasted under another key, into another environment, for a tenant or from one."""
    elsewhere = msgspec.structs.replace(TOKEN, **change)
    for made_for, pasted in ((TOKEN, elsewhere), (elsewhere, TOKEN)):
        text = sealer.seal(made_for, CANARY)

        with pytest.raises(SecretNotForHere) as caught:
            await open_secrets(opener, {pasted: text})
        assert str(pasted) in str(caught.value)


async def test_one_bad_secret_does_not_take_the_others_along(sealer: Sealer, opener: Opener) -> None:
    """Each has its own answer."""
    good, bad = sealer.seal(TOKEN, CANARY), sealer.seal(key("A"), CANARY)

    opened = await opener.open(
        {TOKEN: good, key("B"): bad, key("C"): "vault:v1:short", key("D"): bad[:-8] + "AAAAAAA="}
    )

    assert opened[TOKEN] == CANARY
    refused = [one for one in opened.values() if isinstance(one, Refused)]
    assert len(refused) == 3


async def test_many_secrets_are_few_calls(sealer: Sealer, opener: Opener) -> None:
    """A thousand in four, also when some do not open."""
    keys = [key(f"K{number}") for number in range(10)]
    texts = {one: sealer.seal(one, one.key) for one in keys}
    tenants = {
        msgspec.structs.replace(one, tenant_id=f"t{number}"): text
        for number in range(99)
        for one, text in texts.items()
    }
    before = opener.session.calls

    opened = await opener.open({**texts, **tenants})

    assert opener.session.calls - before == 4
    assert [opened[one] for one in keys] == [one.key for one in keys]
    assert all(isinstance(opened[one], Refused) for one in tenants)


def test_a_key_that_would_not_bind_is_refused(operator: Any, environ: Environ) -> None:
    """Vault ignores the context for a key that is not derived: the ciphertext would open anywhere."""
    name = new_transit_key(operator, is_derived=False)
    sealer = Sealer.from_settings({**environ, "ADX_CONFIGURATION_VAULT_KEY": name})

    with pytest.raises(VaultRefused) as caught:
        sealer.seal(TOKEN, CANARY)
    assert "derived=true" in caught.value.next_step


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("", None),
        ("x" * 3000, None),
        ("nul\0", None),
        ("12", ValueSchema(min_length=8)),
    ],
)
def test_a_secret_that_could_not_be_used_is_refused_before_it_is_sealed(
    sealer: Sealer, text: str, schema: ValueSchema | None
) -> None:
    """Afterwards nobody could tell."""
    with pytest.raises(ValueRefused) as caught:
        sealer.seal(TOKEN, text, [schema] if schema else [])
    assert "x" * 20 not in str(caught.value)


async def test_a_rotated_key_is_used_by_a_rewrap_that_shows_nothing(
    operator: Any, environ: Environ, sealer: Sealer, opener: Opener
) -> None:
    """Afterwards the old version of the key can be retired."""
    text = sealer.seal(TOKEN, CANARY)
    name = environ["ADX_CONFIGURATION_VAULT_KEY"]
    operator.secrets.transit.rotate_key(name=name)

    (new,) = sealer.rewrap([(TOKEN, text)])

    assert new.startswith("vault:v2:")
    operator.secrets.transit.update_key_configuration(name=name, min_decryption_version=2)
    assert await open_secrets(opener, {TOKEN: new}) == {TOKEN: CANARY}
    with pytest.raises(SecretNotForHere):
        await open_secrets(opener, {TOKEN: text})


def test_a_rewrap_that_finds_a_foreign_ciphertext_returns_none(sealer: Sealer) -> None:
    """Which one is said."""
    mine, foreign = sealer.seal(TOKEN, CANARY), sealer.seal(key("OTHER"), CANARY)

    with pytest.raises(SecretNotForHere) as caught:
        sealer.rewrap([(TOKEN, mine), (key("THIRD"), foreign)])
    assert "THIRD" in str(caught.value)


async def test_references_are_read_once_a_path(operator: Any, opener: Opener) -> None:
    """From the key-value engine, version 2, at its newest version."""
    kv = operator.secrets.kv.v2
    kv.create_or_update_secret(path="shop/rates", secret={"token": "old"}, mount_point="secret")
    kv.create_or_update_secret(
        path="shop/rates", secret={"token": CANARY, "user": "ada", "number": 1}, mount_point="secret"
    )
    before = opener.session.calls

    opened = await opener.open(
        {
            key("A"): "vault:secret/shop/rates#token",
            key("B"): "vault:secret/shop/rates#user",
            key("C"): "vault:secret/shop/rates#nothing",
            key("D"): "vault:secret/shop/rates#number",
            key("E"): "vault:secret/shop/nowhere#token",
            key("F"): "vault:secret/tenants/acme/rates#token",
        }
    )

    assert (opened[key("A")], opened[key("B")]) == (CANARY, "ada")
    for name, word in (
        ("C", "not there"),
        ("D", "no text"),
        ("E", "no secret at secret/shop/nowhere"),
        ("F", "tenant"),
    ):
        refused = opened[key(name)]
        assert isinstance(refused, Refused)
        assert word in str(refused.error)
    assert opener.session.calls - before == 2


def policy(operator: Any, name: str, *paths: str) -> None:
    operator.sys.create_or_update_policy(
        name=name,
        policy="\n".join(f'path "{path}" {{ capabilities = ["create", "read", "update"] }}' for path in paths),
    )


async def test_each_thing_that_can_be_wrong_with_vault_has_its_own_message(
    operator: Any, environ: Environ, sealer: Sealer
) -> None:
    """Expired, not allowed, no such key, nobody there."""
    text = sealer.seal(TOKEN, CANARY)
    expired = operator.auth.token.create(ttl="1h")["auth"]["client_token"]
    operator.auth.token.revoke(expired)
    powerless = operator.auth.token.create(policies=["default"], ttl="1h")["auth"]["client_token"]
    cases: list[tuple[Environ, type[AdxError]]] = [
        ({"VAULT_TOKEN": expired}, VaultTokenExpired),
        ({"VAULT_TOKEN": "hvs.canary-token-77"}, VaultTokenExpired),
        ({"VAULT_TOKEN": powerless}, VaultDenied),
        ({"ADX_CONFIGURATION_VAULT_KEY": "no-such-key"}, VaultRefused),
        ({"VAULT_ADDR": "http://127.0.0.1:1"}, VaultUnreachable),
    ]
    for change, kind in cases:
        with pytest.raises(kind) as caught:
            await Opener.from_settings({**environ, **change}).open({TOKEN: text})
        assert type(caught.value) is kind, change
        assert caught.value.next_step
        said = "".join(traceback.format_exception(caught.value))
        assert not any(word in said for word in ("canary", expired, powerless, text)), change


async def test_a_sealed_vault_says_so_and_works_again_when_it_is_unsealed(tmp_path: Path) -> None:
    """With the token that it knew before."""
    with own_vault(tmp_path) as vault:
        environ = vault.environ(new_transit_key(vault.client))
        text = Sealer.from_settings(environ).seal(TOKEN, CANARY)
        opener = Opener.from_settings(environ)
        vault.seal()

        with pytest.raises(VaultSealed) as caught:
            await opener.open({TOKEN: text})
        assert "unseal" in caught.value.next_step

        vault.unseal()
        assert await open_secrets(opener, {TOKEN: text}) == {TOKEN: CANARY}


def test_missing_settings_are_named(environ: Environ) -> None:
    """Before anybody is asked."""
    for missing, named in (("VAULT_ADDR", "VAULT_ADDR"), ("VAULT_TOKEN", "VAULT_TOKEN_FILE")):
        with pytest.raises(VaultRefused) as caught:
            Opener.from_settings({name: value for name, value in environ.items() if name != missing})
        assert named in caught.value.next_step
    with pytest.raises(VaultRefused) as caught:
        Opener.from_settings({**environ, "ADX_VAULT_ROLE_ID": "x"})
    assert "ADX_VAULT_SECRET_ID_FILE" in caught.value.next_step


def test_keys_are_what_the_ciphertext_is_bound_to() -> None:
    """The canonical form never changes: every ciphertext in Git hangs on it."""
    where = ConfigurationKey(namespace="shop", environment="staging", service="web", key="TOKEN", tenant_id="acme")

    assert where.canonical == b'["adx/configuration/v1","shop","staging","web","TOKEN","acme"]'
    assert where.for_all_tenants().canonical == b'["adx/configuration/v1","shop","staging","web","TOKEN",null]'
