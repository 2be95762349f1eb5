"""Vault: a dev server (in memory, unsealed) with transit keys called ``adx`` and ``adx-configuration``. Optional."""

from __future__ import annotations

from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import HttpProbe, http_request
from scripts.stack.record import Record

_NAME = "vault"
_TOKEN = "vault-token"  # noqa: S105 - the name of a file, not a token
TRANSIT_KEY = "adx"
CONFIGURATION_KEY = "adx-configuration"


def settings(home: Home, known: Record) -> dict[str, str]:
    """Address and token while it runs. Snapshots do not use it unasked: it forgets its keys when it ends."""
    if _NAME not in known.optional:
        return {}
    return {"VAULT_ADDR": f"http://127.0.0.1:{known.ports['vault.http']}", "VAULT_TOKEN": home.secret(_TOKEN)}


def ensure_secrets(home: Home) -> None:
    """The token of Vault's root."""
    home.ensure_secret(_TOKEN)


def _command(context: Context) -> Command:
    listen = f"127.0.0.1:{context.port(_NAME, 'http')}"
    return Command(
        (str(context.tool(_NAME)), "server", "-dev", "-dev-no-store-token", f"-dev-listen-address={listen}"),
        {"VAULT_DEV_ROOT_TOKEN_ID": context.home.secret(_TOKEN)},
    )


def _make_transit_keys(context: Context) -> None:
    """The transit engine and its keys; all calls are harmless when they exist already."""
    headers = {"X-Vault-Token": context.home.secret(_TOKEN)}
    calls: tuple[tuple[str, dict[str, object]], ...] = (
        ("sys/mounts/transit", {"type": "transit"}),
        (f"transit/keys/{TRANSIT_KEY}", {}),
        # Secrets of configuration are bound to their place: their key is derived from a context.
        (f"transit/keys/{CONFIGURATION_KEY}", {"type": "aes256-gcm96", "derived": True}),
    )
    for path, body in calls:
        http_request("POST", f"{_url(context)}/v1/{path}", body=body, headers=headers)


def _url(context: Context) -> str:
    return f"http://127.0.0.1:{context.port(_NAME, 'http')}"


PART = Part(
    name=_NAME,
    command=_command,
    probe=lambda context: HttpProbe(f"{_url(context)}/v1/sys/health"),
    ports=("http",),
    tools=("vault",),
    finish=_make_transit_keys,
    address=_url,
)
