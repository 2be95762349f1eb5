"""Redis: one server on 127.0.0.1 with a password, in memory only. Optional."""

from __future__ import annotations

from scripts.stack.files import write_private
from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import RedisProbe
from scripts.stack.record import Record
from scripts.toolchain.servers import redis_server

_NAME = "redis"
_PASSWORD = "redis-password"  # noqa: S105 - the name of a file, not a password
_CONFIGURATION = "redis.conf"
_MEMORY_BYTES_AT_MOST = "256mb"


def settings(home: Home, known: Record) -> dict[str, str]:
    """Where it is, while it runs."""
    if _NAME not in known.optional:
        return {}
    return {"ADX_REDIS_URL": f"redis://:{home.secret(_PASSWORD)}@127.0.0.1:{known.ports['redis.tcp']}/0"}


def ensure_secrets(home: Home) -> None:
    """The password of the default user."""
    home.ensure_secret(_PASSWORD)


def _prepare(context: Context) -> None:
    """Everything stands in a file, so that no argument list shows the password."""
    folder = context.home.data(_NAME)
    folder.mkdir(mode=0o700, exist_ok=True)
    lines = {
        "bind": "127.0.0.1",
        "port": context.port(_NAME, "tcp"),
        "requirepass": context.home.secret(_PASSWORD),
        "dir": f'"{folder}"',
        "save": '""',
        "appendonly": "no",
        "maxmemory": _MEMORY_BYTES_AT_MOST,
        "maxmemory-policy": "allkeys-lru",
    }
    write_private(folder / _CONFIGURATION, "".join(f"{key} {value}\n" for key, value in lines.items()))


def _command(context: Context) -> Command:
    return Command((str(redis_server()), str(context.home.data(_NAME) / _CONFIGURATION)))


PART = Part(
    name=_NAME,
    command=_command,
    probe=lambda context: RedisProbe(context.port(_NAME, "tcp"), str(context.home.secret_file(_PASSWORD))),
    ports=("tcp",),
    prepare=_prepare,
    address=lambda context: f"127.0.0.1:{context.port(_NAME, 'tcp')}",
)
