"""Empty databases on real servers: one test, one database, PostgreSQL and MariaDB alike."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from psycopg import sql

from policies.migrations.spec import Engine
from tests.migrations.worker import TENANTS, Migrations, opened, url_of
from tests.support.local_stack import LocalStack
from workflows.clients.databases import Database, DatabaseAddress, open_database
from workflows.ledger import Ledger

ENGINES: tuple[Engine, ...] = ("postgresql", "mysql")


@pytest.fixture
def postgres_address(local_stack: LocalStack) -> Iterator[DatabaseAddress]:
    """An empty PostgreSQL database, as the superuser."""
    server = DatabaseAddress.parse(local_stack.postgres_url)
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield server.at(database=name)
    with psycopg.connect(local_stack.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def mysql_address(mariadb_root_url: str) -> Iterator[DatabaseAddress]:
    """An empty MariaDB database, as root."""
    server = DatabaseAddress.parse(mariadb_root_url)
    name = f"test_{uuid.uuid4().hex}"
    _mysql(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield server.at(database=name)
    _mysql(server, f"DROP DATABASE {name}")


def _mysql(address: DatabaseAddress, statement: str) -> None:
    connection: Any = pymysql.connect(
        host=address.host, port=address.port, user=address.user, password=address.password, autocommit=True
    )
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture(params=ENGINES)
def address(request: pytest.FixtureRequest) -> DatabaseAddress:
    """An empty database of each engine in turn."""
    name = "postgres_address" if request.param == "postgresql" else "mysql_address"
    found: DatabaseAddress = request.getfixturevalue(name)
    return found


@pytest.fixture
async def database(address: DatabaseAddress) -> AsyncIterator[Database]:
    """An open client of each engine in turn."""
    async with open_database(address) as opened:
        yield opened


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    """A migrated ledger in a database of its own."""
    async with await Ledger.open(ledger_url) as opened:
        await opened.migrate()
        yield opened


@pytest.fixture
async def migrations(
    local_stack: LocalStack, ledger: Ledger, address: DatabaseAddress, tmp_path: Path, gone: None
) -> AsyncIterator[Migrations]:
    """A server called main: the test's database of each engine in turn."""
    settings = {**local_stack.environment, "ADX_DATABASE_MAIN_URL": url_of(address), "ADX_DATABASE_MAIN_AT_ONCE": "3"}
    async with opened(settings, ledger, tmp_path) as found:
        yield found


@pytest.fixture
def databases(address: DatabaseAddress) -> list[DatabaseAddress]:
    """A schema, or in MySQL a database, for each of many tenants: none of them is there yet."""
    names = [f"tenant_{number:02}" for number in range(TENANTS)]
    if address.engine == "postgresql":
        return [address.at(schema=name) for name in names]
    return [address.at(database=f"{address.database}_{name}"[-60:]) for name in names]


@pytest.fixture
async def gone(address: DatabaseAddress, databases: list[DatabaseAddress]) -> AsyncIterator[None]:
    """Databases of MySQL that a test made go with it."""
    yield
    if address.engine == "mysql":
        async with open_database(address) as admin:
            for one in databases:
                await admin.execute_query(f"DROP DATABASE IF EXISTS {one.database}")
