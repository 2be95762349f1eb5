"""One request to GitHub and its answer, through PyGithub's Requester.

PyGithub signs, connects and knows GitHub's limits. Its objects are not used:
reading an attribute of one may be a request of its own, outside of any bound
and any translation of errors. Its own retries are off, because it repeats a
POST whose answer was lost, and a second comment would be the result.

Boundary: requests' and PyGithub's errors end here. None is kept as a cause:
some repeat headers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from github import Github
from github.Auth import Auth
from urllib3 import Retry
from urllib3.connectionpool import ConnectionPool
from urllib3.response import BaseHTTPResponse

from workflows.clients.hosting.answers import Answer
from workflows.clients.hosting.errors import HostingRefused, HostingTimedOut, HostingUnreachable
from workflows.clients.hosting.settings import HostingSettings
from workflows.telemetry.redaction import Redactor

API_VERSION = "2022-11-28"
PAGE_SIZE = 100
MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
# After 302 and 303 a browser would turn a POST into a GET: nobody knows whether it was done.
_KEEP_THE_METHOD = (301, 307, 308)

# At DEBUG it writes bodies: comments, titles and whatever else passes through.
logging.getLogger("github.Requester").disabled = True


@dataclass(frozen=True, slots=True)
class Call:
    """A request below ``/repos/owner/name`` (or below the API's root, where ``path`` begins with /).

    ``permission`` is what a token needs for it, for the message when it lacks
    it.
    """

    verb: str
    path: str
    permission: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


class Transport:
    """Sends requests for one operation; closes its connections when the block ends. Not for several threads at once."""

    def __init__(self, settings: HostingSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._auth = _RenewedToken(settings.read_token)
        self._github = Github(
            auth=self._auth,
            base_url=settings.api_url,
            timeout=settings.timeout_seconds,
            per_page=PAGE_SIZE,
            user_agent="adx",
            api_version=API_VERSION,
            retry=_NoDetours(0, read=False, raise_on_status=False),
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
        )

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self._github.close()

    def send(self, call: Call) -> Answer:
        """The answer of status 200 to 299. Raises every error of ``errors`` but HostingMisconfigured for an unset one.

        A token that was renewed between reading and refusing is tried once more.
        """
        answer = self._follow(call)
        if answer.status == 401 and self._auth.is_outdated():
            answer = self._follow(call)
        if answer.status >= 300:
            raise answer.error(permission=call.permission, now=self._clock())
        return answer

    def _follow(self, call: Call) -> Answer:
        """The answer, after redirects within the same server: a repository that was renamed or transferred."""
        root = "" if call.path.startswith("/") else f"/repos/{self._settings.repository}/"
        address = f"{root}{call.path}"
        for _ in range(MOST_REDIRECTS + 1):
            try:
                return self._request(call, address)
            except _Redirected as redirect:
                address = self._redirected(call, redirect)
        raise HostingRefused(
            f"{self._name(call)}: more than {MOST_REDIRECTS} redirects", next_step="check GITHUB_API_URL"
        )

    def _request(self, call: Call, address: str) -> Answer:
        requester = self._github.requester
        try:
            status, headers, text = requester.requestJson(
                call.verb, address, parameters=dict(call.query), headers=_headers(), input=call.body
            )
        except requests.ConnectTimeout:
            raise self._unreachable(call, "no connection in time") from None
        except requests.Timeout:
            raise HostingTimedOut(
                f"{self._name(call)}: no answer within {self._settings.timeout_seconds} s",
                next_step="GitHub or the network is slow: try again later",
            ) from None
        except requests.RequestException as error:
            raise self._unreachable(call, type(error).__name__) from None
        except (ValueError, OverflowError):
            # PyGithub takes the limits in the headers for numbers.
            raise self._unreachable(call, "its answer is unreadable") from None
        return Answer(self._name(call), status, headers, text, self._auth.redactor)

    def _redirected(self, call: Call, redirect: _Redirected) -> str:
        """Where to go on. Raises HostingRefused rather than carry the token to another server."""
        target = urljoin(f"{self._settings.api_url}/", redirect.location)
        if _origin(urlsplit(target)) != _origin(urlsplit(self._settings.api_url)):
            where = "another server"
        elif call.verb != "GET" and redirect.status not in _KEEP_THE_METHOD:
            where = "a page to read"
        else:
            return target
        raise HostingRefused(
            f"{self._name(call)}: {redirect.status}, redirected to {where}; not followed",
            next_step="set GITHUB_API_URL and GITHUB_REPOSITORY to the present names",
        )

    def _unreachable(self, call: Call, reason: str) -> HostingUnreachable:
        return HostingUnreachable(
            f"{self._name(call)}: GitHub cannot be reached ({reason})",
            next_step="check the network, proxies and GITHUB_API_URL",
        )

    def _name(self, call: Call) -> str:
        return f"GitHub: {call.verb} {call.path} of {self._settings.repository}"


class _RenewedToken(Auth):
    """The token, read again for every request."""

    def __init__(self, read_token: Callable[[], str]) -> None:
        self._read_token = read_token
        self._used = ""
        self.redactor = Redactor()

    @property
    def token_type(self) -> str:
        return "Bearer"

    @property
    def token(self) -> str:
        token = self._read_token()
        if token != self._used:
            self._used, self.redactor = token, Redactor.of([token])
        return token

    def is_outdated(self) -> bool:
        """Whether there is another token now than the one last used."""
        return self._read_token() != self._used


class _Redirected(Exception):
    """An answer that leads elsewhere."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__(status)
        self.status = status
        self.location = location


class _NoDetours(Retry):
    """No retries, and redirects reported: PyGithub follows some of them and loses the query, so the page number."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:  # noqa: ARG002 - urllib3's signature
        return status_code in _REDIRECTS

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if response is not None and response.headers.get("Location"):
            response.drain_conn()
            raise _Redirected(response.status, response.headers["Location"])
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _headers() -> dict[str, str]:
    return {"Accept": "application/vnd.github+json"}


def _origin(address: SplitResult) -> tuple[str, str | None, int | None]:
    port = address.port or {"https": 443, "http": 80}.get(address.scheme)
    return address.scheme, address.hostname, port
