"""The pytest plugin that gives tests real servers: one local stack for the whole run, shared by all xdist workers.

Servers are started when the first test asks for them and ended by the process
that controls the run, failures or not. What a run that was killed left behind
is ended by the next one. ``ADX_TEST_STACK_HOME`` names a stack that already
runs: it is used as it is and left running.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pymysql
import pytest
from psycopg import sql

from scripts.errors import ToolchainError
from scripts.stack import Home, Stack
from scripts.stack.parts import mariadb, postgres, prometheus, s3, vault
from scripts.toolchain import Toolchain
from scripts.toolchain.servers import MARIADB_NEXT_STEP, mariadb_program
from tests.support import test_run

_FOLDER = pytest.StashKey[Path]()
_NEEDED_TOOLS = (
    "kubernetes",
    "kwok",
    "gateway-api",
    "pulumi",
    "pulumi-language-python",
    "pulumi-resource-kubernetes",
)


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A running stack. ``environment`` holds its settings, ``postgres_url`` (libpq form) belongs to the superuser."""

    stack: Stack
    environment: dict[str, str] = field(repr=False)
    postgres_url: str = field(repr=False)
    kubeconfig: Path
    kube_context: str
    temporal_address: str


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running S3 server with one bucket; ``environment`` holds the AWS_* variables that lead to it."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str
    environment: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class VaultServer:
    """A running Vault with a transit key; ``environment`` holds the VAULT_* variables that lead to it."""

    address: str
    token: str = field(repr=False)
    transit_key: str
    environment: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ConsulServer:
    """A running Consul agent that asks for no token."""

    url: str


@dataclass(frozen=True, slots=True)
class CaddyServer:
    """A running gateway over a Consul of its own; a service ``shop`` is at ``url`` with the path ``/shop/``."""

    url: str
    admin_url: str
    consul_url: str


@dataclass(frozen=True, slots=True)
class PrometheusServer:
    """A running Prometheus; each JSON file in ``targets`` names what it scrapes, every second."""

    url: str
    targets: Path


@pytest.fixture(scope="session")
def local_stack(pytestconfig: pytest.Config) -> LocalStack:
    """Temporal, Kubernetes and PostgreSQL, started on first need."""
    chosen = os.environ.get("ADX_TEST_STACK_HOME")
    stack = Stack(Path(chosen) if chosen else pytestconfig.stash[_FOLDER] / "stack")
    if not chosen:
        _require_tools(*_NEEDED_TOOLS)
        stack.up()
    environment = stack.environment()
    return LocalStack(
        stack=stack,
        environment=environment,
        postgres_url=postgres.superuser_url(Home(stack.home), stack.port("postgres", "sql")),
        kubeconfig=Path(environment["KUBECONFIG"]),
        kube_context=environment["ADX_KUBE_CONTEXT"],
        temporal_address=environment["ADX_TEMPORAL_ADDRESS"],
    )


@pytest.fixture
def ledger_url(local_stack: LocalStack) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database of this test's own, as the role that owns it (no superuser)."""
    server, _, owner_database = local_stack.environment["ADX_LEDGER_URL"].rpartition("/")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(owner_database)))
    yield f"{server}/{name}"
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def s3_server(pytestconfig: pytest.Config) -> S3Server:
    """A real S3 server over a folder, started on first need; tests share it, so each chooses a prefix of its own."""
    environment = optional_part(pytestconfig, "s3", tool="rclone")
    return S3Server(
        endpoint=environment["AWS_ENDPOINT_URL"],
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        bucket=s3.BUCKET,
        environment={name: value for name, value in environment.items() if name.startswith("AWS_")},
    )


@pytest.fixture(scope="session")
def vault_server(pytestconfig: pytest.Config) -> VaultServer:
    """A real Vault dev server, started on first need."""
    environment = optional_part(pytestconfig, "vault", tool="vault")
    return VaultServer(
        address=environment["VAULT_ADDR"],
        token=environment["VAULT_TOKEN"],
        transit_key=vault.TRANSIT_KEY,
        environment={name: value for name, value in environment.items() if name.startswith("VAULT_")},
    )


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> str:
    """A real Redis, started on first need; tests share it, so each chooses a prefix of its own."""
    return optional_part(pytestconfig, "redis")["ADX_REDIS_URL"]


@pytest.fixture(scope="session")
def consul_server(pytestconfig: pytest.Config) -> ConsulServer:
    """A real Consul agent, started on first need; tests share it, so each registers services of names of its own."""
    environment = optional_part(pytestconfig, "consul", tool="consul")
    return ConsulServer(url=environment["ADX_CONSUL_URL"])


@pytest.fixture(scope="session")
def caddy_server(pytestconfig: pytest.Config) -> CaddyServer:
    """A real gateway, started on first need; tests share it, so each registers services of names of its own."""
    _require_tools("consul")
    environment = optional_part(pytestconfig, "caddy", tool="caddy")
    return CaddyServer(
        url=environment["ADX_GATEWAY_URL"],
        admin_url=environment["ADX_CADDY_ADMIN_URLS"],
        consul_url=environment["ADX_CONSUL_URL"],
    )


@pytest.fixture(scope="session")
def prometheus_server(pytestconfig: pytest.Config) -> PrometheusServer:
    """A real Prometheus, started on first need; tests share it, so each names its services its own way."""
    environment = optional_part(pytestconfig, "prometheus", tool="prometheus")
    home = Home(Path(environment["ADX_HOME"]))
    return PrometheusServer(url=environment["ADX_PROMETHEUS_URL"], targets=prometheus.targets_folder(home))


@pytest.fixture(scope="session")
def mariadb_root_url(pytestconfig: pytest.Config) -> str:
    """A real MariaDB, started on first need: ``mysql://root:…`` of a database that is not to be used."""
    if not os.environ.get("CI") and not _has_mariadb():
        pytest.skip(f"MariaDB is not there; {MARIADB_NEXT_STEP}")
    optional_part(pytestconfig, "mariadb")
    stack = Stack(pytestconfig.stash[_FOLDER] / "mariadb")
    return mariadb.root_url(Home(stack.home), stack.port("mariadb", "sql"))


@pytest.fixture
def mariadb_url(mariadb_root_url: str) -> Iterator[str]:
    """``mysql://user:password@host:port/database`` of an empty database of this test's own, as root."""
    server = urlsplit(mariadb_root_url)
    name = f"test_{uuid.uuid4().hex}"
    with _mariadb(mariadb_root_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    yield server._replace(path=f"/{name}").geturl()
    with _mariadb(mariadb_root_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")


def _mariadb(url: str) -> pymysql.Connection[Any]:
    parts = urlsplit(url)
    return pymysql.connect(host=parts.hostname, port=parts.port, user=parts.username, password=parts.password or "")


def _has_mariadb() -> bool:
    try:
        mariadb_program("mariadbd")
    except ToolchainError:
        return False
    return True


def optional_part(config: pytest.Config, name: str, *, tool: str = "", home: str = "") -> dict[str, str]:
    """Start one optional part in a home of its own, so that the main stack's settings stay as they are.

    ``home`` names it, where the one that is called as the part is not meant.
    """
    if tool:
        _require_tools(tool)
    stack = Stack(config.stash[_FOLDER] / (home or name))
    stack.up([name])
    return stack.environment()


def _require_tools(*names: str) -> None:
    """Tests never build tools: a build takes longer than a test may."""
    missing = [name for name in names if Toolchain().locate(name) is None]
    if missing:
        pytest.fail(f"not built yet: {', '.join(missing)}; run `python -m scripts.toolchain build`", pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the run's folder: made by the controlling process, handed to its workers."""
    # How long an input takes to be made on a busy machine says nothing either.
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("adx", deadline=None, print_blob=True, suppress_health_check=slow)
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "adx"))
    if hasattr(config, "workerinput"):
        config.stash[_FOLDER] = Path(config.workerinput["adx_test_run"])
    else:
        test_run.end_abandoned_runs()
        config.stash[_FOLDER] = test_run.begin()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell an xdist worker the run's folder."""
    node.workerinput["adx_test_run"] = str(node.config.stash[_FOLDER])  # type: ignore[attr-defined] # xdist has no types


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the servers; a process that is left then fails the run."""
    if hasattr(session.config, "workerinput"):
        return
    left = test_run.end(session.config.stash[_FOLDER])
    if left:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        lines = ["processes were left behind by this run (ended now):", *left]
        if reporter is not None:
            reporter.write_line("\n  ".join(["", *lines]), red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
