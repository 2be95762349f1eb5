"""Vault: a dev server (in memory, unsealed) with a transit key called ``adx``. Optional."""

from __future__ import annotations

from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import HttpProbe, http_request
from scripts.stack.record import Record

_NAME = "vault"
_TOKEN = "vault-token"  # noqa: S105 - the name of a file, not a token
TRANSIT_KEY = "adx"


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


def _make_transit_key(context: Context) -> None:
    """The transit engine and its key; both calls are harmless when they exist already."""
    headers = {"X-Vault-Token": context.home.secret(_TOKEN)}
    for path, body in (("sys/mounts/transit", {"type": "transit"}), (f"transit/keys/{TRANSIT_KEY}", {})):
        http_request("POST", f"{_url(context)}/v1/{path}", body=body, headers=headers)


def _url(context: Context) -> str:
    return f"http://127.0.0.1:{context.port(_NAME, 'http')}"


PART = Part(
    name=_NAME,
    command=_command,
    probe=lambda context: HttpProbe(f"{_url(context)}/v1/sys/health"),
    ports=("http",),
    tools=("vault",),
    finish=_make_transit_key,
    address=_url,
)
