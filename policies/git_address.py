"""Which addresses of repositories git may be given. Pure.

Git's addresses can name programs to run (``ext::``), options (``--upload-pack=``,
``ssh://-oProxyCommand=``) and secrets (``https://token@``). So the safe forms
are listed, and everything else is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from policies.git_errors import AddressRefused

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_PATH = r"[A-Za-z0-9_./~+@%=-]+"
_HTTPS = re.compile(rf"https://{_HOST}(?::[0-9]{{1,5}})?/{_PATH}\Z")
_SSH = re.compile(rf"ssh://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?/{_PATH}\Z")
_SCP = re.compile(rf"{_USER}@{_HOST}:(?!-){_PATH}\Z")
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_USERINFO = re.compile(r"(://|^)[^/@]*:[^/@]*@|://[^/@]+@")

_FORMS = "use https://host/path, ssh://host/path, git@host:path or a path on this machine"


def check_address(address: str) -> str:
    """``address`` as git may be given it; paths on this machine become absolute. Raises AddressRefused."""
    why = _why_refused(address)
    if why is not None:
        raise AddressRefused(f"the address {shown(address)} is refused: {why}", next_step=_FORMS)
    if _SCHEME.match(address) and not address.startswith("file://"):
        return address
    if _SCP.match(address):
        return address
    return str(Path(address.removeprefix("file://")).absolute())


def is_local(address: str) -> bool:
    """Whether a checked ``address`` is a path on this machine."""
    return address.startswith("/")


def shown(address: str) -> str:
    """``address`` without credentials and control characters, for messages."""
    clean = _CONTROL.sub("?", address)[:200]
    return _USERINFO.sub(lambda match: "://***@" if "://" in match.group() else "***@", clean)


def _why_refused(address: str) -> str | None:
    for is_wrong, why in (
        (not address, "it is empty"),
        (address.startswith("-"), "git would read it as an option"),
        (_CONTROL.search(address), "it holds control characters"),
        ("$" in address, "variables are not replaced, and a shell might"),
        (_HELPER.match(address), "it names a program to run (a remote helper)"),
    ):
        if is_wrong:
            return why
    scheme = _SCHEME.match(address)
    return _why_not_a_path(address) if scheme is None else _why_not_a_url(address, scheme.group(1).lower())


def _why_not_a_url(address: str, scheme: str) -> str | None:
    if scheme == "file":
        return None if address.startswith("file:///") else "a file address has three slashes and no host"
    if scheme not in {"https", "ssh"}:
        return f"{scheme} is not an allowed protocol"
    userinfo = urlsplit(address).netloc.rpartition("@")[0]
    if ":" in userinfo or (userinfo and scheme == "https"):
        return "it holds credentials, which belong into a credential helper"
    pattern = _HTTPS if scheme == "https" else _SSH
    return None if pattern.match(address) else "its host or path holds characters that are not allowed"


def _why_not_a_path(address: str) -> str | None:
    """A path, or ``user@host:path``; git takes whatever has a colon before the first slash for the latter."""
    is_remote = ":" in address.partition("/")[0]
    if is_remote and not _SCP.match(address):
        return "before the colon there is no user@host, or after it no plain path"
    return None
