"""Databases that are made on real servers, and how many of a server are worked at together."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from policies.migrations.spec import Engine
from policies.migrations.targets import MigrationTarget
from tests.migrations.targets import target_for
from workflows.clients.databases import DatabaseAddress, open_database
from workflows.clients.databases.errors import StatementRefused
from workflows.migrations.places import ServerPlaces
from workflows.migrations.servers import Server, make_database, provide_databases

AT_THE_SAME_TIME = 6
NO_NAME = {"postgresql": "42601", "mysql": "1102"}


def server(address: DatabaseAddress, at_once: int = 8) -> Server:
    """Called main."""
    return Server("main", address, at_once)


def new(address: DatabaseAddress) -> MigrationTarget:
    """A new tenant's."""
    return target_for(address, 0, 1, is_new=True)


@pytest.fixture
async def missing(address: DatabaseAddress) -> AsyncIterator[DatabaseAddress]:
    """A database that is not there, and is not afterwards."""
    name = f"made_{uuid.uuid4().hex}"
    yield address.at(database=name)
    async with open_database(address) as admin:
        await admin.execute_query(f"DROP DATABASE IF EXISTS {name}")


async def test_a_database_that_is_there_already_is_as_good(address: DatabaseAddress, missing: DatabaseAddress) -> None:
    """Another session has made it since we looked."""
    async with open_database(address) as admin:
        for _ in range(2):
            await make_database(admin, missing.database, address.engine)
    async with open_database(missing) as database:
        assert await database.execute_query("SELECT 1") == [(1,)]


async def test_many_may_make_it_at_the_same_time(address: DatabaseAddress, missing: DatabaseAddress) -> None:
    """Workers of two operations that bring the same new tenant."""
    work = [provide_databases(server(address), [new(missing)]) for _ in range(AT_THE_SAME_TIME)]
    await asyncio.gather(*work)
    assert await provide_databases(server(address), [new(missing)]) == frozenset()


async def test_another_error_is_no_success(address: DatabaseAddress) -> None:
    """A name that no database can have."""
    async with open_database(address) as admin:
        with pytest.raises(StatementRefused) as refused:
            await make_database(admin, "", address.engine)
    assert refused.value.code == NO_NAME[address.engine]


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
async def test_all_operations_of_a_process_share_the_places_of_a_server(engine: Engine) -> None:
    """Not each its own: the server's limit is the process's."""
    address = DatabaseAddress(engine=engine, host="db", port=1, user="adx", database="one")
    places, elsewhere = ServerPlaces(), Server("other", address, 1)
    first, second = places.at(server(address, 2)), places.at(server(address.at(database="two"), 2))
    async with first, second:
        assert places.at(server(address, 2)).locked()
        assert not places.at(elsewhere).locked()
