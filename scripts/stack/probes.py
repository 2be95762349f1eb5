"""How a part shows that it is ready. Probes are data, so that they can be recorded and asked again later."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

import msgspec
import psycopg


class HttpProbe(msgspec.Struct, frozen=True, tag="http"):
    """Ready when ``url`` answers with one of ``statuses``; ``ca_file`` names the authority of an https server."""

    url: str
    ca_file: str = ""
    statuses: tuple[int, ...] = (200,)


class PostgresProbe(msgspec.Struct, frozen=True, tag="postgres"):
    """Ready when the superuser can log in on ``port`` with the password in ``password_file``."""

    port: int
    password_file: str


class RedisProbe(msgspec.Struct, frozen=True, tag="redis"):
    """Ready when the server on ``port`` takes the password in ``password_file`` and answers a PING."""

    port: int
    password_file: str


class MariaDbProbe(msgspec.Struct, frozen=True, tag="mariadb"):
    """Ready when the owner ``adx`` can log in on ``port`` with the password in ``password_file``."""

    port: int
    password_file: str


Probe = HttpProbe | PostgresProbe | RedisProbe | MariaDbProbe


def is_ready(probe: Probe, *, timeout_seconds: float = 2.0) -> bool:
    """Ask once; every refusal, time-out or wrong answer is "not ready"."""
    match probe:
        case HttpProbe():
            return _is_http_ready(probe, timeout_seconds)
        case PostgresProbe():
            return _is_postgres_ready(probe, timeout_seconds)
        case RedisProbe():
            return _is_redis_ready(probe, timeout_seconds)
        case MariaDbProbe():
            return _is_mariadb_ready(probe, timeout_seconds)


def _is_http_ready(probe: HttpProbe, timeout_seconds: float) -> bool:
    try:
        status, _ = http_request("GET", probe.url, ca_file=probe.ca_file, timeout_seconds=timeout_seconds)
    except (OSError, HTTPException):  # also an answer that breaks off
        return False
    return status in probe.statuses


def _password(file: str) -> str:
    return Path(file).read_text(encoding="utf-8").strip()


def _is_redis_ready(probe: RedisProbe, timeout_seconds: float) -> bool:
    import redis  # only where such a server runs

    client = redis.Redis(
        "127.0.0.1", probe.port, password=_password(probe.password_file), socket_timeout=timeout_seconds
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _is_mariadb_ready(probe: MariaDbProbe, timeout_seconds: float) -> bool:
    import pymysql  # only where such a server runs

    password, wait_seconds = _password(probe.password_file), max(1, round(timeout_seconds))
    try:
        pymysql.connect(
            host="127.0.0.1", port=probe.port, user="adx", password=password, connect_timeout=wait_seconds
        ).close()
    except pymysql.MySQLError:
        return False
    return True


def _is_postgres_ready(probe: PostgresProbe, timeout_seconds: float) -> bool:
    password = _password(probe.password_file)
    try:
        with psycopg.connect(
            host="127.0.0.1",
            port=probe.port,
            user="postgres",
            password=password,
            dbname="postgres",
            connect_timeout=max(1, round(timeout_seconds)),
        ):
            return True
    except psycopg.OperationalError:
        return False


def http_request(
    method: str,
    url: str,
    *,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    ca_file: str = "",
    timeout_seconds: float = 10.0,
) -> tuple[int, Any]:
    """One request to a part of the stack, past any proxy: ``(status, JSON or text)``; OSError if there is no answer."""
    context = ssl.create_default_context(cafile=ca_file) if ca_file else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)  # noqa: S310 - the caller's own server
    try:
        with opener.open(request, timeout=timeout_seconds) as response:
            return response.status, _decoded(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _decoded(error.read())


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
