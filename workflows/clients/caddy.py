"""The gateway's splits: our Caddy, through its admin API (``scripts/toolchain/caddy/``, docs/gateway.md).

::

    AdxError
    ├── AdxConnectionError
    │   └── GatewayAway         one of the gateways cannot be reached, or is failing
    ├── AdxTimeoutError
    │   └── GatewayTimedOut     one did not answer in time; whether it took the split is unknown
    ├── AdxValidationError
    │   ├── GatewayRefused      the split or the address is wrong
    │   └── SplitConflict       somebody else has changed the split meanwhile
    └── GatewaysDisagree        they have different splits: a change was interrupted; it is to be made again

All gateways of an environment must say the same. They are told one after the
other, in the order given: of two writers that know the same split only one
gets past the first, so that they never leave a mixture behind. Only giving back
tells all of them at once, whoever fails: requests are to leave a bad release.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from policies.errors import AdxError
from workflows.clients.direct_http import direct_client
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError

TIMEOUT_SECONDS = 10.0
_LONGEST_MESSAGE_CHARACTERS = 300


class GatewayAway(AdxConnectionError):
    """A gateway cannot be reached, or is failing."""

    exit_code = 6


class GatewayTimedOut(AdxTimeoutError):
    """A gateway did not answer in time."""

    exit_code = 6


class GatewayRefused(AdxValidationError):
    """A gateway refuses the request."""


class _Missing(GatewayRefused):
    """There is no such split or service."""


class SplitConflict(AdxValidationError):
    """The split is not the one that the change was made for."""


class GatewaysDisagree(AdxError):
    """The gateways have different splits of one service."""


@dataclass(frozen=True)
class FoundSplit:
    """What all gateways say; ``tag`` is an entity tag (RFC 9110, 8.8.3), the same for the same content everywhere."""

    tag: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class ReleaseSeen:
    """A release as one gateway sees it: addresses of its healthy instances, requests being answered."""

    instances: tuple[str, ...]
    in_flight: int


@dataclass(frozen=True)
class ServiceSeen:
    """A service as the gateway at ``url`` sees it; ``tag`` is empty without a split.

    ``busy`` are the requests being answered, by address, also of instances that have left the registry.
    """

    url: str
    tag: str
    releases: Mapping[str, ReleaseSeen] = field(default_factory=dict)
    busy: Mapping[str, int] = field(default_factory=dict)


class Gateways:
    """All gateways of an environment: ``http://host:port`` or ``unix:///path``. Contacts nobody until it is asked.

    An asynchronous context manager. Raises GatewayRefused for an address that is none, and without any address.
    """

    def __init__(self, urls: Sequence[str], *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        if not urls:
            raise GatewayRefused("no gateway is named", next_step="set ADX_CADDY_ADMIN_URLS")
        self._timeout_seconds = timeout_seconds
        self._clients = {url: _client(url, timeout_seconds) for url in urls}

    async def __aenter__(self) -> Gateways:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections."""
        for client in self._clients.values():
            await client.aclose()

    async def put(self, service: str, split: Mapping[str, Any], *, expected_tag: str | None = None) -> str:
        """Give every gateway ``split`` (the JSON of ``PUT /adx/splits``); returns its tag. May be repeated.

        With ``expected_tag`` only where that is the present split's (empty: where there is none), or where
        ``split`` is there already. Returns once every gateway has written it down and uses it. Raises GatewayAway,
        GatewayTimedOut, GatewayRefused, SplitConflict: the gateways named before the one in the message have it.
        """
        tag = ""
        for url in self._clients:
            response = await self._ask(url, "PUT", _path(service), json=dict(split), headers=_condition(expected_tag))
            tag = response.headers.get("ETag", "")
        return tag

    async def put_everywhere(self, service: str, split: Mapping[str, Any] | None) -> None:
        """Give every gateway ``split``, whatever it has now; None: take the split away. For giving requests back.

        All are told at once, also when some fail; then this raises the kind of the first that failed
        (as ``put``, never SplitConflict), and the message says what each of them said.
        """
        told = await asyncio.gather(*(self._tell(url, service, split) for url in self._clients), return_exceptions=True)
        failed = [error for error in told if error is not None]
        unexpected = next((error for error in failed if not isinstance(error, AdxError)), None)
        if unexpected is not None:
            raise unexpected
        expected = [error for error in failed if isinstance(error, AdxError)]
        if expected:
            first = expected[0]
            reached = f"{len(told) - len(expected)} of {len(told)} gateways have it"
            said = "; ".join(str(error) for error in expected)
            raise type(first)(f"{said} ({reached})", next_step=first.next_step) from first

    async def _tell(self, url: str, service: str, split: Mapping[str, Any] | None) -> None:
        if split is None:
            await self._ask(url, "DELETE", _path(service), missing_is_fine=True)
        else:
            await self._ask(url, "PUT", _path(service), json=dict(split))

    async def get(self, service: str) -> FoundSplit | None:
        """The split that all gateways have; None where none has one. Raises as ``put`` does, and GatewaysDisagree."""
        found: dict[str, FoundSplit | None] = {}
        for url in self._clients:
            response = await self._ask(url, "GET", _path(service), missing_is_fine=True)
            found[url] = None
            if response.status_code != httpx.codes.NOT_FOUND:
                found[url] = FoundSplit(response.headers.get("ETag", ""), _json(url, response))
        first_url, first = next(iter(found.items()))
        other = next((url for url, split in found.items() if _tag(split) != _tag(first)), None)
        if other is not None:
            raise GatewaysDisagree(
                f"the gateways {first_url} and {other} have different splits of {service}",
                next_step="set the split again",
            )
        return first

    async def forget(self, service: str, *, expected_tag: str | None = None) -> bool:
        """Take the split away, so that all instances are used; False where no gateway had one. Raises as ``put``."""
        was_there = False
        for url in self._clients:
            condition = {} if expected_tag is None else {"If-Match": expected_tag}
            response = await self._ask(url, "DELETE", _path(service), headers=condition, missing_is_fine=True)
            was_there = was_there or response.status_code != httpx.codes.NOT_FOUND
        return was_there

    async def seen(self, service: str) -> tuple[ServiceSeen, ...]:
        """What each gateway knows of a service; nothing of one that it does not know. Raises as ``put`` does."""
        return tuple([await self._seen(url, service) for url in self._clients])

    async def _seen(self, url: str, service: str) -> ServiceSeen:
        path = f"/adx/services/{quote(service, safe='')}"
        response = await self._ask(url, "GET", path, missing_is_fine=True)
        if response.status_code == httpx.codes.NOT_FOUND:
            return ServiceSeen(url, "")
        answer = _json(url, response)
        releases = {
            name: ReleaseSeen(tuple(one["instances"]), int(one["in_flight"]))
            for name, one in answer["releases"].items()
        }
        return ServiceSeen(url, answer["etag"], releases, answer["busy"])

    async def _ask(
        self, url: str, method: str, path: str, *, missing_is_fine: bool = False, **arguments: Any
    ) -> httpx.Response:
        with _translated(url, self._timeout_seconds):
            response = await self._clients[url].request(method, path, **arguments)
        if response.is_success:
            return response
        refusal = _refusal(url, response)
        # Others say 404, too: only with the gateway's own reason is it an answer.
        if missing_is_fine and isinstance(refusal, _Missing):
            return response
        raise refusal


def _client(url: str, timeout_seconds: float) -> httpx.AsyncClient:
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path and not parts.netloc:
        transport, base = httpx.AsyncHTTPTransport(uds=parts.path), "http://caddy"
    elif parts.scheme in ("http", "https") and parts.hostname and not parts.username:
        transport, base = httpx.AsyncHTTPTransport(), url.rstrip("/")
    else:
        raise GatewayRefused(
            "the address of a gateway is none",
            next_step="write http://host:port or unix:///path in ADX_CADDY_ADMIN_URLS",
        )
    return direct_client(timeout_seconds=timeout_seconds, base_url=base, transport=transport)


def _path(service: str) -> str:
    return f"/adx/splits/{quote(service, safe='')}"


def _condition(expected_tag: str | None) -> dict[str, str]:
    if expected_tag is None:
        return {}
    return {"If-Match": expected_tag} if expected_tag else {"If-None-Match": "*"}


def _tag(split: FoundSplit | None) -> str:
    return split.tag if split else ""


def _json(url: str, response: httpx.Response) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:
        raise _is_no_gateway(url) from None
    return answer


def _refusal(url: str, response: httpx.Response) -> AdxError:
    try:
        said = str(response.json()["error"])[:_LONGEST_MESSAGE_CHARACTERS]
    except (ValueError, KeyError, TypeError):
        return _is_no_gateway(url) if response.is_client_error else _failing(url, response, "")
    if response.status_code == httpx.codes.CONFLICT:
        return SplitConflict(f"the gateway {url} has another split: {said}", next_step="read it and decide again")
    if response.status_code == httpx.codes.NOT_FOUND:
        return _Missing(f"the gateway {url} says: {said}")
    if response.is_server_error:
        return _failing(url, response, said)
    return GatewayRefused(f"the gateway {url} refuses: {said}", next_step="correct the split")


def _failing(url: str, response: httpx.Response, said: str) -> GatewayAway:
    told = f": {said}" if said else ""
    return GatewayAway(
        f"the gateway {url} answers with status {response.status_code}{told}", next_step="look at its log"
    )


def _is_no_gateway(url: str) -> GatewayRefused:
    return GatewayRefused(
        f"{url} does not answer as the gateway of ADX does", next_step="check ADX_CADDY_ADMIN_URLS; docs/gateway.md"
    )


@contextmanager
def _translated(url: str, timeout_seconds: float) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException:
        raise GatewayTimedOut(
            f"the gateway {url} does not answer within {timeout_seconds:g} s", next_step="look at its log"
        ) from None
    except httpx.HTTPError as error:
        raise GatewayAway(
            f"the gateway {url} cannot be reached: {type(error).__name__}",
            next_step="check that it runs, and ADX_CADDY_ADMIN_URLS",
        ) from None
