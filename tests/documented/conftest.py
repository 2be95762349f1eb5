"""The scene that documented commands run in. Its servers are shared with all tests but for a Vault."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from scripts.toolchain import Toolchain, resolve_python
from tests.documented.places import Places
from tests.documented.scene import TOKEN, Scene, environ_of, keep_values, prepare, propose, remove_namespaces
from tests.support.configuration import postgres_server  # noqa: F401 - a fixture
from tests.support.configuration_vault import own_vault
from tests.support.github_server import GitHubServer
from tests.support.local_stack import CaddyServer, LocalStack


@contextmanager
def _owned(url: str, name: str) -> Iterator[str]:
    """The URL of a database and a role of this name, which may make databases; they go with the block."""
    server, owner = urlsplit(url), sql.Identifier(name)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(owner, sql.Literal(name)))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(owner, owner))
    yield f"postgresql://{name}:{name}@{server.hostname}:{server.port}/{name}"
    with psycopg.connect(url, autocommit=True) as admin:
        found = "SELECT datname FROM pg_database WHERE datdba = %s::regrole"
        for (database,) in admin.execute(found, [name]).fetchall():
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
        admin.execute(sql.SQL("DROP ROLE {}").format(owner))


@pytest.fixture
def scene(
    local_stack: LocalStack,
    ledger_url: str,
    postgres_server: str,  # noqa: F811 - the fixture
    caddy_server: CaddyServer,
    tmp_path: Path,
) -> Iterator[Scene]:
    """Both environments delivered once; a worker runs."""
    name = f"d{uuid.uuid4().hex[:10]}"
    with (
        _owned(local_stack.postgres_url, name) as production,
        _owned(postgres_server, name) as staging,
        GitHubServer(branch_head=lambda branch: _head_of(tmp_path / "work", branch)) as github,
        own_vault(tmp_path) as vault,
    ):
        vault.client.sys.disable_secrets_engine("transit")  # the pages enable it
        github.add_token(TOKEN, "adx-robot")
        databases = {"production": production, "staging": staging}
        environ = environ_of(local_stack, ledger_url, databases, tmp_path)
        places = Places(tmp_path)
        environ |= places.variables() | github.environment(TOKEN)
        environ |= {"VAULT_ADDR": vault.address, "VAULT_TOKEN": vault.token, "TOKEN": TOKEN}
        environ |= {"ADX_GATEWAY_URL": caddy_server.url, "ADX_CADDY_ADMIN_URLS": caddy_server.admin_url}
        environ["PATH"] = os.pathsep.join(
            [environ["PATH"], str(_programs(tmp_path / "programs")), environ["ADX_TOOLCHAIN_PATH"]]
        )
        own = Scene(tmp_path, environ, places)
        try:
            prepare(own, f"{name}_shop")
            propose(own)
            asyncio.run(keep_values(own))
            yield own
        finally:
            own.end()
            remove_namespaces(environ)


def _programs(folder: Path) -> Path:
    """A folder with the programs that the pages need beside the usual: in checkov's own there is another Python."""
    vault = Toolchain().locate("vault")
    assert vault is not None
    folder.mkdir()
    (folder / "vault").symlink_to(vault.path)
    checkov = folder / "checkov"
    checkov.write_text(f'#!/bin/sh\nexec {resolve_python("checkov").python} -m checkov.main "$@"\n')
    checkov.chmod(0o700)
    return folder


def _head_of(repository: Path, branch: str) -> str | None:
    asked = ["git", "-C", str(repository), "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or None
