"""How many databases of a server one process works at: shared by all its operations and environments."""

from __future__ import annotations

import asyncio

from workflows.migrations.servers import Server


class ServerPlaces:
    """A worker process's places, by server: ``at_once`` of its setting."""

    def __init__(self) -> None:
        self._known: dict[str, asyncio.Semaphore] = {}

    def at(self, server: Server) -> asyncio.Semaphore:
        """The places at ``server``; whoever holds one works at one database. Not to be taken twice."""
        return self._known.setdefault(server.name, asyncio.Semaphore(server.at_once))
