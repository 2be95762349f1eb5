"""Which hosting, repository and token; what is said when one is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosting.conftest import HEAD, LOGIN, NUMBER, TOKEN
from tests.support.github_server import GitHubServer
from workflows.clients.hosting import HostingSettings, open_hosting
from workflows.clients.hosting.errors import HostingMisconfigured
from workflows.clients.hosting.settings import is_configured

REPOSITORY = "acme/platform"


def settings(**environ: str) -> HostingSettings:
    return HostingSettings.from_environment({"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": REPOSITORY, **environ})


def test_what_actions_sets_is_enough() -> None:
    """The address has a default, and the run is linked to when there is one."""
    found = settings(GITHUB_RUN_ID="77", GITHUB_SERVER_URL="https://git.example")

    assert found.api_url == "https://api.github.com"
    assert found.run_url == "https://git.example/acme/platform/actions/runs/77"
    assert found.read_token() == TOKEN
    assert settings().run_url == ""


def test_everything_missing_is_named_at_once() -> None:
    """One round of setting variables, not two."""
    with pytest.raises(HostingMisconfigured) as caught:
        HostingSettings.from_environment({})

    assert "ADX_GITHUB_TOKEN_FILE or GITHUB_TOKEN" in str(caught.value)
    assert "GITHUB_REPOSITORY" in str(caught.value)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("environ", "is_it"),
    [
        ({}, False),
        ({"GITHUB_TOKEN": " ", "ADX_GITHUB_TOKEN_FILE": " "}, False),
        ({"GITHUB_TOKEN": TOKEN}, True),
        ({"ADX_GITHUB_TOKEN_FILE": "/nowhere"}, True),
    ],
)
def test_a_hosting_is_configured_when_a_token_is_named(environ: dict[str, str], is_it: bool) -> None:
    """One answer for those who ask first and those who open it."""
    assert is_configured(environ) is is_it
    if is_it:
        HostingSettings.from_environment({"GITHUB_REPOSITORY": REPOSITORY, **environ})
    else:
        with pytest.raises(HostingMisconfigured, match="ADX_GITHUB_TOKEN_FILE or GITHUB_TOKEN"):
            HostingSettings.from_environment({"GITHUB_REPOSITORY": REPOSITORY, **environ})


def test_a_blank_name_of_a_token_file_leaves_the_token() -> None:
    """As an empty one does."""
    assert settings(ADX_GITHUB_TOKEN_FILE=" ").read_token() == TOKEN


def test_the_token_file_wins_and_is_read_again(tmp_path: Path) -> None:
    """Agents renew it while the worker runs."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    found = settings(ADX_GITHUB_TOKEN_FILE=str(file), GITHUB_TOKEN="another")
    assert found.read_token() == TOKEN

    file.write_text("renewed-token")

    assert found.read_token() == "renewed-token"


@pytest.mark.parametrize("content", ["", "\n", "two words", f"{TOKEN}\nsecond-line", "tok\x00en"])
def test_an_unusable_token_file_is_refused_without_its_content(tmp_path: Path, content: str) -> None:
    """A header with a line break in it would be another request."""
    file = tmp_path / "token"
    file.write_text(content)

    with pytest.raises(HostingMisconfigured) as caught:
        settings(ADX_GITHUB_TOKEN_FILE=str(file)).read_token()

    assert TOKEN not in str(caught.value)


def test_a_missing_token_file_is_told(tmp_path: Path) -> None:
    """By the variable's name."""
    with pytest.raises(HostingMisconfigured, match="ADX_GITHUB_TOKEN_FILE cannot be read: FileNotFoundError"):
        settings(ADX_GITHUB_TOKEN_FILE=str(tmp_path / "none")).read_token()


@pytest.mark.parametrize("name", ["platform", "acme/platform/extra", "acme/../etc", "acme/..", "acme/a b", "/platform"])
def test_what_is_no_repository_is_refused(name: str) -> None:
    """It becomes part of addresses."""
    with pytest.raises(HostingMisconfigured, match="GITHUB_REPOSITORY"):
        settings(GITHUB_REPOSITORY=name)


@pytest.mark.parametrize(
    "address",
    [
        "api.github.com",
        "ftp://api.github.com",
        "https://",
        f"https://user:{TOKEN}@git.example/api/v3",
        f"https://git.example/api?token={TOKEN}",
        "https://git.example:port/api",
    ],
)
def test_an_address_of_no_api_is_refused_unrepeated(address: str) -> None:
    """It may hold a password."""
    with pytest.raises(HostingMisconfigured, match="GITHUB_API_URL") as caught:
        settings(GITHUB_API_URL=address)

    assert TOKEN not in str(caught.value)


def test_the_settings_do_not_show_the_token() -> None:
    """Not in repr, which ends up in logs."""
    assert TOKEN not in repr(settings())


def test_a_hosting_opens_from_the_environment_alone(server: GitHubServer) -> None:
    """As CI does it."""
    hosting = open_hosting(server.environment(TOKEN))

    assert hosting.pull_request(NUMBER).head == HEAD
    assert LOGIN not in repr(hosting)
