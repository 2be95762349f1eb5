"""What an answer of GitHub means: the value in it, the page that follows, or the error to raise. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec
from github.Requester import Requester
from requests.utils import parse_header_links

from policies.errors import AdxError
from workflows.clients.hosting import wire
from workflows.clients.hosting.errors import (
    HostingDenied,
    HostingForbidden,
    HostingNotFound,
    HostingRateLimited,
    HostingRefused,
    HostingTimedOut,
    HostingUnreachable,
)
from workflows.telemetry.redaction import Redactor

Value = TypeVar("Value")

# What GitHub asks to wait after a secondary limit that names no time.
SECONDARY_LIMIT_SECONDS = 60.0
_LONGEST_SAID_CHARACTERS = 500
_DIGITS = re.compile(r"[0-9]{1,18}")
_FORK_HINT = "a pull request from a fork runs with a read-only token"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and text of an answer to ``call``, which says verb, path and repository.

    ``redactor`` knows the token, should a server ever repeat it.
    """

    call: str
    status: int
    headers: Mapping[str, str]
    text: str
    redactor: Redactor

    def value(self, kind: type[Value]) -> Value:
        """The JSON in it. Raises HostingUnreachable when it is something else, as a proxy or another site sends."""
        try:
            return msgspec.json.decode(self.text, type=kind)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            reason = str(error) if isinstance(error, msgspec.ValidationError) else "no JSON"
            raise HostingUnreachable(
                f"{self.call}: the answer ({self.status}, {self._content_type()}) is not GitHub's: {reason}",
                next_step="check GITHUB_API_URL, and proxies on the way to it",
            ) from None

    def next_page(self) -> dict[str, str] | None:
        """The query of the page that follows, None after the last."""
        for link in parse_header_links(self.headers.get("link", "")):
            if link.get("rel") == "next":
                return dict(parse_qsl(urlsplit(link["url"]).query))
        return None

    def error(self, *, permission: str, now: float) -> AdxError:
        """The error for a status of 300 or more. ``permission`` is what the call needs; ``now`` in Unix seconds."""
        said = self._said()
        summary = f"{self.call}: {self.status} {said}".rstrip()
        if (wait_seconds := self._limited_for(said, now)) is not None:
            return _rate_limited(summary, wait_seconds, now)
        if self.status in (408, 504):
            return HostingTimedOut(summary, next_step="GitHub is slow: try again later")
        if self.status >= 500:
            return HostingUnreachable(summary, next_step="GitHub is failing: look at its status page, try again later")
        return self._refusal(summary, permission)

    def _refusal(self, summary: str, permission: str) -> AdxError:
        if self.status == 401:
            return HostingDenied(
                summary,
                next_step="the token is wrong, expired or revoked: set GITHUB_TOKEN or ADX_GITHUB_TOKEN_FILE anew",
            )
        if self.status == 403:
            needed = self.redactor.line(self.headers.get("x-accepted-github-permissions") or permission)
            return HostingForbidden(
                f"{summary}; the token lacks a permission ({needed})",
                next_step=f"grant it to the token, in Actions under `permissions:`; {_FORK_HINT}",
            )
        if self.status in (404, 410):
            return HostingNotFound(
                summary, next_step=f"check GITHUB_REPOSITORY, and that the token may see it ({permission})"
            )
        if 300 <= self.status < 400:
            return HostingRefused(summary, next_step="set GITHUB_API_URL and GITHUB_REPOSITORY to the present names")
        return HostingRefused(summary, next_step="GitHub says what is wrong; trying again does not help")

    def _said(self) -> str:
        """GitHub's own words; nothing of a page of HTML."""
        try:
            said = msgspec.json.decode(self.text, type=wire.Refusal).said()
        except (msgspec.DecodeError, UnicodeEncodeError):
            return f"({self._content_type()} instead of JSON)"
        # Branch names and titles come back in it: made harmless for a terminal.
        return self.redactor.line(said)[:_LONGEST_SAID_CHARACTERS]

    def _content_type(self) -> str:
        return self.redactor.line(self.headers.get("content-type", "no content type").partition(";")[0])[:100]

    def _limited_for(self, said: str, now: float) -> float | None:
        """Seconds until requests are wanted again, None when this is not about their number."""
        if self.status not in (403, 429):
            return None
        retry_after = _seconds(self.headers.get("retry-after"))
        if retry_after is not None:
            return retry_after
        if self.headers.get("x-ratelimit-remaining") == "0" or Requester.isPrimaryRateLimitError(said):
            reset = _seconds(self.headers.get("x-ratelimit-reset"))
            # One second more: the limit ends at some time within that second.
            return SECONDARY_LIMIT_SECONDS if reset is None else max(reset - now, 0.0) + 1
        if self.status == 429 or Requester.isSecondaryRateLimitError(said):
            return SECONDARY_LIMIT_SECONDS
        return None


def _rate_limited(summary: str, wait_seconds: float, now: float) -> HostingRateLimited:
    # A reset beyond the calendar would be an error of its own.
    end = datetime.fromtimestamp(min(now + wait_seconds, 253_402_300_799), UTC)
    return HostingRateLimited(
        f"{summary}; requests are wanted again in {math.ceil(wait_seconds)} s, at {end:%Y-%m-%dT%H:%M:%SZ}",
        wait_seconds=wait_seconds,
        next_step="try again then; a token of its own has a limit of its own",
    )


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and _DIGITS.fullmatch(header) else None
