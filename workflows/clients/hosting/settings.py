"""Which git hosting, which repository, which token: from environment variables, as CI sets them. Contacts nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from workflows.clients.hosting.errors import HostingMisconfigured

DEFAULT_API_URL = "https://api.github.com"
DEFAULT_SERVER_URL = "https://github.com"
DEFAULT_BUDGET_SECONDS = 60.0
DEFAULT_TIMEOUT_SECONDS = 15
TOKEN_VARIABLES = ("ADX_GITHUB_TOKEN_FILE", "GITHUB_TOKEN")

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+")
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class HostingSettings:
    """How to talk to one repository.

    ``read_token`` is called before every request, so that a renewed file
    counts at once. ``run_url`` leads to the CI run that this process is part
    of, empty outside of one. ``budget_seconds`` bounds all waiting of one
    operation, ``timeout_seconds`` each wait for an answer.
    """

    api_url: str
    repository: str
    read_token: Callable[[], str] = field(repr=False)
    run_url: str = ""
    budget_seconds: float = DEFAULT_BUDGET_SECONDS
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> HostingSettings:
        """Read ``ADX_GITHUB_TOKEN_FILE`` or ``GITHUB_TOKEN``, ``GITHUB_REPOSITORY``, ``GITHUB_API_URL`` and the run.

        Raises HostingMisconfigured naming everything that is missing.
        """
        token_file, token = (environ.get(name, "") for name in TOKEN_VARIABLES)
        repository = environ.get("GITHUB_REPOSITORY", "")
        missing = [
            *([] if is_configured(environ) else [f"{' or '.join(TOKEN_VARIABLES)} (the token)"]),
            *([] if repository else ["GITHUB_REPOSITORY (owner/name)"]),
        ]
        if missing:
            raise HostingMisconfigured(
                f"the git hosting is not configured: {', '.join(missing)} not set",
                next_step="set them; in GitHub Actions pass `GITHUB_TOKEN: ${{ github.token }}` in `env`",
            )
        is_file = bool(token_file.strip())
        read_token = (lambda: _read_file(Path(token_file))) if is_file else (lambda: checked_token(token))
        return cls(
            api_url=_api_url(environ.get("GITHUB_API_URL") or DEFAULT_API_URL),
            repository=_repository(repository),
            read_token=read_token,
            run_url=_run_url(environ, repository),
        )


def is_configured(environ: Mapping[str, str]) -> bool:
    """Whether a token is named, so that somebody wants a git hosting; blanks alone are none. Reads no file."""
    return any(environ.get(name, "").strip() for name in TOKEN_VARIABLES)


def checked_token(text: str) -> str:
    """The token in ``text``, without surrounding blanks. Raises HostingMisconfigured, which does not repeat it."""
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise HostingMisconfigured(
            "the token of the git hosting is empty or holds blanks or unusual characters",
            next_step="put the token alone, on one line, into GITHUB_TOKEN or the file ADX_GITHUB_TOKEN_FILE",
        )
    return token


def _read_file(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise HostingMisconfigured(
            f"ADX_GITHUB_TOKEN_FILE cannot be read: {type(error).__name__}",
            next_step="let it name a readable file that holds the token",
        ) from None
    return checked_token(text)


def _repository(text: str) -> str:
    if not _REPOSITORY.fullmatch(text):
        raise HostingMisconfigured(
            f"GITHUB_REPOSITORY is {text!r}, not a repository",
            next_step="set it to owner/name, for example acme/platform",
        )
    return text


def _api_url(text: str) -> str:
    address = _split(text)
    if address is None or address.scheme not in ("http", "https") or not address.hostname:
        wrong = "is no http(s) address"
    elif address.username is not None or address.query or address.fragment:
        wrong = "holds a user, a query or a fragment"
    else:
        return text.rstrip("/")
    # The value is not repeated: it may hold a password.
    raise HostingMisconfigured(
        f"GITHUB_API_URL {wrong}", next_step=f"set it to {DEFAULT_API_URL} or https://HOST/api/v3, or leave it out"
    )


def _split(text: str) -> SplitResult | None:
    """The parts of the address; None when it has none, or a port that is no number."""
    try:
        address = urlsplit(text)
        _ = address.port
    except ValueError:
        return None
    return address


def _run_url(environ: Mapping[str, str], repository: str) -> str:
    run = environ.get("GITHUB_RUN_ID", "")
    server = (environ.get("GITHUB_SERVER_URL") or DEFAULT_SERVER_URL).rstrip("/")
    return f"{server}/{repository}/actions/runs/{run}" if run.isascii() and run.isdecimal() else ""
