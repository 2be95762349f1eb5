"""Keys, values that every reader can take, and the two forms of secrets."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.configuration.values import ConfigurationKey, why_key_is_refused, why_not_on_the_wire
from policies.configuration.values_secrets import (
    Ciphertext,
    KvReference,
    is_secret_text,
    parse_secret,
    why_secret_is_refused,
)

KEY = ConfigurationKey(namespace="shop", environment="staging", service="web", key="TOKEN")
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)
KEYS = st.builds(
    ConfigurationKey,
    namespace=NAMES,
    environment=NAMES,
    service=NAMES,
    key=st.from_regex(r"[A-Z_]{1,5}", fullmatch=True),
    tenant_id=st.none() | NAMES,
)


@given(KEYS, KEYS)
def test_keys_have_the_same_identity_exactly_when_they_are_equal(one: ConfigurationKey, other: ConfigurationKey):
    """Also where the parts run into one another."""
    assert (one.id == other.id) == (one == other) == (one.canonical == other.canonical)


def test_parts_do_not_run_into_one_another():
    """``a`` + ``bc`` is not ``ab`` + ``c``; no tenant is not the tenant of an empty name."""
    one = msgspec.structs.replace(KEY, environment="a", service="bc")
    other = msgspec.structs.replace(KEY, environment="ab", service="c")

    assert one.id != other.id
    assert KEY.id != msgspec.structs.replace(KEY, tenant_id="").id


@pytest.mark.parametrize(
    "change",
    [{"environment": "../x"}, {"service": "A"}, {"tenant_id": ""}, {"key": "with-hyphen"}, {"key": "TOKEN\n"}],
)
def test_names_that_are_none_are_refused(change: dict[str, str]):
    """Before they reach a store."""
    assert why_key_is_refused(KEY) is None
    assert why_key_is_refused(msgspec.structs.replace(KEY, **change)) is not None


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53) + 1, 0.1, 1e15, "é🙂\n\t", True, None, [1, {"a": "b"}]])
def test_values_that_every_reader_takes_are_accepted(value: Any):
    """Up to the last number that is exact."""
    assert why_not_on_the_wire(value) is None


def nested(depth: int) -> list[Any]:
    return [] if depth == 0 else [nested(depth - 1)]


@pytest.mark.parametrize(
    "value",
    [
        *(2**53, -(2**53), 10**400, 1e300, float("nan"), float("inf"), float("-inf")),
        *(
            "nul\0",
            "half \ud800",
            "x" * 70_000,
            nested(20),
            {"a": [2**60]},
            {"bad\0key": 1},
            b"bytes",
            {1: 2},
            {"a": {1}},
        ),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_values_that_some_reader_would_not_get_are_refused(value: Any):
    """Too large, not finite, not text, too deep, or no JSON at all; and the value is not quoted."""
    why = why_not_on_the_wire(value)

    assert why is not None
    assert "9007199254740992" not in why


def test_a_ciphertext_is_known_by_its_form():
    """With the version of the key, which tells what is left to rewrap."""
    text = "vault:v12:" + "A" * 40

    assert parse_secret(text) == Ciphertext(text=text, key_version=12)
    assert is_secret_text(text)


def test_a_reference_names_mount_path_and_field():
    """As Vault's own tools name them."""
    assert parse_secret("vault:kv/shop/rates#token") == KvReference(mount="kv", path="shop/rates", field="token")


@pytest.mark.parametrize(
    "text",
    [
        *("vault:", "vault:v0:" + "A" * 40, "vault:v1:", "vault:v1:" + "A" * 40 + "\n", "vault:kv/a", "vault:kv#f"),
        *("vault:kv/../a#f", "vault:/kv/a#f", "vault:kv/a//b#f", "vault:kv/a#f#g", "vault:kv/a?x#f", "vault:kv/.a#f"),
    ],
)
def test_what_only_looks_like_a_secret_is_none(text: str):
    """It is meant to be one, so that it is refused instead of read as a text."""
    assert is_secret_text(text)
    assert parse_secret(text) is None


def test_a_tenants_folder_is_for_that_tenant():
    """Nobody's value leads there, and a tenant's value leads nowhere else."""
    acme, nobody = "vault:kv/tenants/acme/rates#token", "vault:kv/shop/rates#token"
    for_acme = msgspec.structs.replace(KEY, tenant_id="acme")
    for_globex = msgspec.structs.replace(KEY, tenant_id="globex")

    assert why_secret_is_refused(acme, for_acme) is None
    assert why_secret_is_refused(nobody, KEY) is None
    assert why_secret_is_refused(acme, KEY) is not None
    assert why_secret_is_refused(acme, for_globex) is not None
    assert why_secret_is_refused(nobody, for_acme) is not None


def test_a_secret_without_form_is_refused_wherever_it_stands():
    """The same words for whoever refuses it: validation, delivery, store and reader."""
    why = why_secret_is_refused("vault:nonsense", KEY)

    assert why is not None
    assert "neither of its two forms" in why
    assert why_secret_is_refused("vault:v1:" + "A" * 40, KEY) is None
