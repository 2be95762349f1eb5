"""Which addresses git may be given."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.git_address import check_address, shown
from policies.git_errors import AddressRefused

REFUSED = {
    "a remote helper that runs a program": "ext::sh -c touch% /tmp/x",
    "a remote helper without a name": "::x",
    "an option": "--upload-pack=touch /tmp/x",
    "a short option": "-u",
    "a variable": "https://example.com/$HOME/x",
    "a variable in a path": "$REPO",
    "a password": "https://ana:hunter2@example.com/x.git",
    "a token": "https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@example.com/x.git",
    "a password for ssh": "ssh://git:hunter2@example.com/x.git",
    "an option in place of a host": "ssh://-oProxyCommand=touch/x",
    "an option in place of a host, encoded": "ssh://%2doProxyCommand=touch/x",
    "an option in place of a host, short form": "git@-oProxyCommand=touch:x",
    "an option in place of a path": "git@example.com:-x",
    "a host without a user": "example.com:x.git",
    "plain http": "http://example.com/x.git",
    "the git protocol": "git://example.com/x.git",
    "ftp": "ftp://example.com/x.git",
    "a file address with a host": "file://example.com/x.git",
    "nothing": "",
    "a line break": "https://example.com/x\n--upload-pack=y",
    "a NUL": "/srv/x\x00y",
    "a semicolon": "https://example.com/x;touch",
    "a space in a URL": "https://example.com/x y",
}

ALLOWED = [
    "https://example.com/shop/declarations.git",
    "https://example.com:8443/shop/declarations.git",
    "ssh://git@example.com/shop/declarations.git",
    "ssh://git@[2001:db8::1]:2222/shop.git",
    "git@example.com:shop/declarations.git",
    "/srv/git/declarations.git",
]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """The reason is said, the allowed forms too, and no credential is repeated."""
    with pytest.raises(AddressRefused) as refused:
        check_address(REFUSED[name])
    assert "git@host:path" in refused.value.next_step
    assert "hunter2" not in str(refused.value)
    assert "ghp_" not in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("address", ALLOWED)
def test_allowed(address: str) -> None:
    """The usual forms pass as they are."""
    assert check_address(address) == address


def test_a_path_on_this_machine_becomes_absolute() -> None:
    """So that git cannot take it for a host, and the worker's folder does not matter."""
    assert check_address("declarations.git") == str(Path.cwd() / "declarations.git")
    assert check_address("file:///srv/x.git") == "/srv/x.git"


def test_an_address_is_shown_without_its_credentials() -> None:
    """Whatever reaches a message is harmless."""
    assert shown("https://ana:hunter2@example.com/x") == "https://***@example.com/x"
    assert shown("https://token@example.com/x\x1b[31m") == "https://***@example.com/x?[31m"
