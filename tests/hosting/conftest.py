"""A GitHub on a local port, and ADX's adapter for it whose waiting is recorded instead of done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from tests.support.github_server import GitHubServer
from workflows.clients.hosting import HostingSettings
from workflows.clients.hosting.github import GitHub

TOKEN = "canary-hosting-token-7be1"
LOGIN = "adx-robot"
HEAD = "a1" * 20
NUMBER = 5


@dataclass
class Waits:
    """Stands for time: records what was waited for."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        """Note it and go on."""
        self.seconds.append(seconds)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """With one pull request, ``NUMBER`` at ``HEAD``, and one token that may do everything."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with GitHubServer() as running:
        running.add_token(TOKEN, LOGIN)
        running.add_pull_request(NUMBER, HEAD)
        yield running


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def hosting(server: GitHubServer, waits: Waits) -> GitHub:
    return connected(server, waits)


def connected(server: GitHubServer, waits: Waits, *, token: str = TOKEN, **changes: object) -> GitHub:
    """The adapter with ``token``; ``changes`` of the settings."""
    settings = HostingSettings.from_environment(server.environment(token))
    return GitHub(replace(settings, **changes), pause=waits)
