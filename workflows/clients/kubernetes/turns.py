"""Many requests to one API server without crowding out those of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from workflows.clients.kubernetes.connection import CONNECTIONS

Item = TypeVar("Item")
Result = TypeVar("Result")


async def some_at_once(ask: Callable[[Item], Awaitable[Result]], items: Sequence[Item]) -> list[Result]:
    """``ask`` each of ``items``, as many at a time as there are connections; the answers in the order of ``items``.

    All at once would wait for a connection until that times out. Raises what
    ``ask`` raises; whatever was begun has ended then, and no more is begun.
    """
    answers: list[Result] = []
    for first in range(0, len(items), CONNECTIONS):
        for ended in await asyncio.gather(*map(ask, items[first : first + CONNECTIONS]), return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
            answers.append(ended)
    return answers
