"""S3: a real S3 server over a folder (``rclone serve s3``), with a bucket called ``adx``. Optional."""

from __future__ import annotations

import secrets

from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import HttpProbe
from scripts.stack.record import Record

_NAME = "s3"
_KEY_ID = "s3-key-id"
_KEY = "s3-key"
BUCKET = "adx"


def settings(home: Home, known: Record) -> dict[str, str]:
    """While it runs, snapshots go there."""
    if _NAME not in known.optional:
        return {}
    return {
        "ADX_SNAPSHOT_STORE": f"s3://{BUCKET}/snapshots",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{known.ports['s3.http']}",
        "AWS_ACCESS_KEY_ID": home.secret(_KEY_ID),
        "AWS_SECRET_ACCESS_KEY": home.secret(_KEY),
        "AWS_REGION": "us-east-1",
    }


def ensure_secrets(home: Home) -> None:
    """Keys of the usual length and alphabet."""
    home.ensure_secret(_KEY_ID, lambda: f"AK{secrets.token_hex(9).upper()}")
    home.ensure_secret(_KEY, lambda: secrets.token_hex(20))


def _prepare(context: Context) -> None:
    """The bucket is a folder."""
    (context.home.data(_NAME) / BUCKET).mkdir(parents=True, exist_ok=True)


def _command(context: Context) -> Command:
    home = context.home
    return Command(
        (
            str(context.tool("rclone")),
            *("serve", "s3", "--config", "", "--vfs-cache-mode", "off"),
            *("--addr", f"127.0.0.1:{context.port(_NAME, 'http')}"),
            str(home.data(_NAME)),
        ),
        {"RCLONE_AUTH_KEY": f'"{home.secret(_KEY_ID)},{home.secret(_KEY)}"'},
    )


def _url(context: Context) -> str:
    return f"http://127.0.0.1:{context.port(_NAME, 'http')}"


PART = Part(
    name=_NAME,
    command=_command,
    probe=lambda context: HttpProbe(_url(context), statuses=(400, 403)),
    ports=("http",),
    tools=("rclone",),
    prepare=_prepare,
    address=_url,
)
