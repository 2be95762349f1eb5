"""Consul's agent: services put into it and taken out, TTL checks kept passing, healthy instances waited for.

Registrations go through py-consul, in threads: its asyncio flavour needs
another HTTP library beside ours. Blocking queries go through httpx instead, as
a thread that waits for minutes cannot be cancelled.

::

    AdxError
    ├── AdxConnectionError
    │   └── ConsulAway      no connection, connection lost, no leader, no answer in time
    └── AdxValidationError
        └── ConsulRefused   the agent refuses the request or the token, or is none

No token appears in a message.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

import consul  # type: ignore[import-untyped] # py-consul has no types
import httpx
import msgspec
import requests
from consul.exceptions import (  # type: ignore[import-untyped]
    ACLDisabled,
    ACLPermissionDenied,
    BadRequest,
    ClientError,
    ConsulException,
)

from workflows.clients.direct_http import direct_client
from workflows.errors import AdxConnectionError, AdxValidationError

TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 2.0
_LONGEST_MESSAGE_CHARACTERS = 300

Json = dict[str, Any]
Answer = TypeVar("Answer")


class ConsulAway(AdxConnectionError):
    """The agent cannot be reached, does not answer in time, or has no leader to ask."""

    exit_code = 6


class ConsulRefused(AdxValidationError):
    """The agent refuses what is asked, or the token; or what answers is no Consul."""


class Health(msgspec.Struct, frozen=True):
    """``entries`` as ``/v1/health/service`` gives them, and the index that the next question waits beyond."""

    index: int
    entries: list[Json]


class Consul:
    """The agent at ``url`` (``http://127.0.0.1:8500``). Contacts nobody until it is asked. Close it at the end.

    ``token_file`` holds an ACL token; it is read again for every request, so
    that a new one counts at once. ``ca_file`` names the authority of an https agent.
    Raises ConsulRefused for an address or a file that cannot be used.
    """

    def __init__(self, url: str, *, token_file: str | Path = "", ca_file: str = "") -> None:
        self._place = _place(url)
        self._token_file, self._ca_file = str(token_file), ca_file
        self._client = direct_client(
            timeout_seconds=TIMEOUT_SECONDS,
            base_url=f"{self._place.scheme}://{self._place.netloc}",
            verify=_tls(ca_file) if self._place.scheme == "https" else False,
            is_unbounded=True,  # every watch holds a connection
        )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Consul:
        """As ADX_CONSUL_URL, ADX_CONSUL_TOKEN_FILE and ADX_CONSUL_CA_FILE say; the first must be there."""
        files = {
            "token_file": environ.get("ADX_CONSUL_TOKEN_FILE", ""),
            "ca_file": environ.get("ADX_CONSUL_CA_FILE", ""),
        }
        return cls(environ.get("ADX_CONSUL_URL", ""), **files)

    async def register(self, service: Mapping[str, Any]) -> None:
        """Put a service in, or change it: ``service`` has the arguments of py-consul's ``agent.service.register``."""
        await self._ask(lambda agent, token: agent.service.register(**service, token=token))

    async def deregister(self, service_id: str) -> None:
        """Take a service out; fine when the agent does not know it."""
        await self._ask(lambda agent, token: agent.service.deregister(service_id, token=token))

    async def pass_check(self, check_id: str) -> bool:
        """Say that a TTL check passes; False when the agent does not know the check."""
        return await self._ask(lambda agent, token: bool(agent.check.ttl_pass(check_id, token=token)))

    async def services(self, filter_expression: str) -> dict[str, Json]:
        """The services of this agent, by id, that Consul's ``filter_expression`` chooses."""
        # Not service_definition: it sends no token.
        found = await self._ask(lambda agent, token: agent.services(filter_expression, token=token))
        return dict(found or {})

    async def checks(self, filter_expression: str) -> dict[str, Json]:
        """The checks of this agent, by id, that Consul's ``filter_expression`` chooses."""
        return dict(await self._ask(lambda agent, token: agent.checks(filter_expression, token=token)) or {})

    async def healthy(self, service: str, *, index: int, wait_seconds: float) -> Health:
        """The instances of ``service`` whose checks all pass, as soon as they are not those of ``index`` any more.

        With index 0 at once; else after ``wait_seconds`` and up to a sixteenth
        more at the latest (Consul manual, "Blocking Queries").
        """
        parameters = {"passing": "true"}
        if index:
            parameters |= {"index": str(index), "wait": f"{wait_seconds * 1000:.0f}ms"}
        longest = (wait_seconds * 17 / 16 if index else 0) + TIMEOUT_SECONDS
        with _translated():
            response = await self._client.get(
                f"/v1/health/service/{quote(service, safe='')}",
                params=parameters,
                headers=self._headers(),
                timeout=httpx.Timeout(longest, connect=CONNECT_TIMEOUT_SECONDS),
            )
        return _health(response)

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()

    def _headers(self) -> dict[str, str]:
        token = self._token()
        return {"X-Consul-Token": token} if token else {}

    def _token(self) -> str:
        if not self._token_file:
            return ""
        try:
            token = Path(self._token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConsulRefused(
                f"the file of Consul's token cannot be read ({type(error).__name__})",
                next_step="check ADX_CONSUL_TOKEN_FILE",
            ) from None
        if not token:  # without one Consul would answer as if there were nothing, and say nothing of rights
            raise ConsulRefused("the file of Consul's token is empty", next_step="check ADX_CONSUL_TOKEN_FILE")
        return token

    async def _ask(self, question: Callable[[Any, str], Answer]) -> Answer:
        token = self._token()
        return await asyncio.to_thread(self._ask_in_thread, question, token)

    def _ask_in_thread(self, question: Callable[[Any, str], Answer], token: str) -> Answer:
        """A client for each call: sessions of requests are not made for several threads."""
        host = self._place.hostname or ""
        asked = consul.Consul(
            host=f"[{host}]" if ":" in host else host,
            port=self._place.port or (443 if self._place.scheme == "https" else 80),
            scheme=self._place.scheme,
            verify=self._ca_file or True,
            connections_timeout=TIMEOUT_SECONDS,
        )
        asked.token = None  # else CONSUL_HTTP_TOKEN, which may belong to another Consul, would be sent
        with closing(asked.http.session) as session, _translated():  # py-consul's own close() does nothing
            session.trust_env = False
            return question(asked.agent, token)


def _place(url: str) -> SplitResult:
    """The parts of the agent's address. It is not repeated in the message: somebody may have put a password there."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConsulRefused("the address of Consul is none", next_step="set ADX_CONSUL_URL to http://host:port")
    return parts


def _tls(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConsulRefused(
            f"the authority of Consul's certificate cannot be read ({type(error).__name__})",
            next_step="check ADX_CONSUL_CA_FILE",
        ) from None


def _health(response: httpx.Response) -> Health:
    if response.status_code >= 500:
        raise _away(f"it answers {response.status_code} {_shortened(response.text)}")
    if response.status_code >= 400:
        raise _refused(f"{response.status_code} {_shortened(response.text)}")
    try:
        index = int(response.headers["X-Consul-Index"])
        entries = msgspec.json.decode(response.content, type=list[Json])
    except (KeyError, ValueError, msgspec.MsgspecError):
        raise ConsulRefused("what answers is no Consul", next_step="check ADX_CONSUL_URL") from None
    if not entries and response.headers.get("X-Consul-Results-Filtered-By-ACLs") == "true":
        raise _refused("the token may not read the service")  # else it would look as if there were none
    return Health(index, entries)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BadRequest, ClientError, ACLDisabled, ACLPermissionDenied) as error:
        raise _refused(_shortened(str(error))) from None
    except ConsulException as error:
        raise _away(_shortened(str(error))) from None
    except (httpx.HTTPError, requests.RequestException, OSError) as error:
        raise _away(type(error).__name__) from None


def _away(why: str) -> ConsulAway:
    return ConsulAway(f"Consul cannot be used: {why}", next_step="check that the agent runs, and ADX_CONSUL_URL")


def _refused(why: str) -> ConsulRefused:
    return ConsulRefused(f"Consul refuses: {why}", next_step="check the registration, and the rights of the token")


def _shortened(text: str) -> str:
    return text.strip()[:_LONGEST_MESSAGE_CHARACTERS]
