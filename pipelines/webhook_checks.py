"""What a GitHub delivery must be before ADX believes it. Pure; knows no server.

Each check raises ``RefusedError`` with the HTTP status and a sentence that the
repository's owner reads in GitHub's list of deliveries.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

import msgspec

from policies.errors import AdxError
from workflows.telemetry.redaction import escape_control

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_DELIVERY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LONGEST_LOGIN = 100


class RefusedError(AdxError):
    """A delivery that is not acted on; ``status`` is the HTTP answer, ``outcome`` its label in the metrics."""

    def __init__(self, status: int, outcome: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.outcome = outcome


class _Repository(msgspec.Struct):
    full_name: str


class _Person(msgspec.Struct):
    login: str = ""
    name: str = ""


class _PushEvent(msgspec.Struct):
    ref: str
    after: str
    repository: _Repository
    deleted: bool = False
    sender: _Person | None = None
    pusher: _Person | None = None


class Push(msgspec.Struct, frozen=True):
    """A push that says: this branch of this repository now stands at ``commit`` (None: it was deleted)."""

    repository: str
    ref: str
    commit: str | None
    pushed_by: str


def required_signature(signatures: Sequence[str], legacy: Sequence[str]) -> bytes:
    """The hex digest from the one ``X-Hub-Signature-256`` header.

    ``legacy`` are ``X-Hub-Signature`` headers: SHA-1 does not count. Raises RefusedError (401).
    """
    if not signatures and legacy:
        raise RefusedError(401, "unauthorized", "only a SHA-1 signature: X-Hub-Signature-256 is required")
    if len(signatures) != 1:
        raise RefusedError(401, "unauthorized", "exactly one X-Hub-Signature-256 header is required")
    match = _SIGNATURE.fullmatch(signatures[0])
    if match is None:
        raise RefusedError(401, "unauthorized", "X-Hub-Signature-256 must be sha256= and 64 hex digits")
    return match.group(1).encode()


def check_signature(secret: bytes, body: bytes, signature: bytes) -> None:
    """Raise RefusedError (401) unless ``signature`` is the HMAC-SHA-256 of the raw ``body``; takes constant time."""
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
    if not hmac.compare_digest(expected, signature):
        raise RefusedError(401, "unauthorized", "the signature does not match the body and the configured secret")


def delivery_id(value: str | None) -> str:
    """``X-GitHub-Delivery`` in lower case; raises RefusedError (400) unless it is a GUID."""
    if value is None or _DELIVERY_ID.fullmatch(value) is None:
        raise RefusedError(400, "malformed", "X-GitHub-Delivery must be a GUID")
    return value.lower()


def check_content_type(value: str | None, encoding: str | None) -> None:
    """Raise RefusedError (415) unless the body is plain JSON."""
    if (value or "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "malformed", "set the webhook's content type to application/json")
    if (encoding or "identity").lower() != "identity":
        raise RefusedError(415, "malformed", "an encoded body is not accepted: the signature is of the raw bytes")


def parse_push(body: bytes) -> Push:
    """The push that ``body`` describes; raises RefusedError (400) for anything that is not one."""
    try:
        event = msgspec.json.decode(body, type=_PushEvent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The reason stays out of the answer: it would quote the body.
        raise RefusedError(400, "malformed", "the body is not a GitHub push event") from error
    if _COMMIT.fullmatch(event.after) is None:
        raise RefusedError(400, "malformed", "`after` is not a full commit id")
    is_deletion = event.deleted or set(event.after) == {"0"}
    return Push(
        repository=event.repository.full_name,
        ref=event.ref,
        commit=None if is_deletion else event.after,
        pushed_by=_login(event),
    )


def _login(event: _PushEvent) -> str:
    """Who pushed, as one short line: it goes into the audit trail."""
    login = (event.sender and event.sender.login) or (event.pusher and event.pusher.name) or "unknown"
    return "github:" + escape_control(login)[:_LONGEST_LOGIN]


def why_ignored(push: Push, repository: str, branch: str) -> str | None:
    """Why a push is rightly none of our business, or None when it is to be delivered.

    Raises RefusedError (403) for another repository: its events cannot arrive by
    themselves, so somebody has configured a hook or shared a secret by
    mistake, and a failed delivery is how GitHub shows that. Other branches
    arrive all day and are answered with success.
    """
    # GitHub's names are case-insensitive; git's refs are not.
    if push.repository.casefold() != repository.casefold():
        raise RefusedError(403, "wrong_repository", "this receiver serves another repository")
    if push.ref != f"refs/heads/{branch}":
        return f"only pushes to {branch} are delivered"
    if push.commit is None:
        return f"{branch} was deleted; what was delivered stays"
    return None
