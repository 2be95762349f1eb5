"""Many requests to one API server: a few at a time, in order, and nothing goes on after an error."""

from __future__ import annotations

import asyncio

import pytest

from workflows.clients.kubernetes.connection import CONNECTIONS
from workflows.clients.kubernetes.turns import some_at_once

NUMBERS = list(range(3 * CONNECTIONS + 1))


class Asked:
    """Answers after others had their turn; ``refused`` is one that it does not answer."""

    def __init__(self, refused: int = -1) -> None:
        self.refused = refused
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.most = 0

    async def __call__(self, number: int) -> int:
        self.begun.append(number)
        self.most = max(self.most, len(self.begun) - len(self.ended))
        if number == self.refused:
            self.ended.append(number)
            raise ValueError(number)
        for _ in range(NUMBERS[-1] - number):  # the later one is asked, the sooner it ends
            await asyncio.sleep(0)
        self.ended.append(number)
        return 2 * number


async def test_answers_are_in_the_order_of_the_questions_and_no_more_are_asked_than_there_are_connections() -> None:
    asked = Asked()

    assert await some_at_once(asked, NUMBERS) == [2 * number for number in NUMBERS]
    assert asked.most == CONNECTIONS
    assert asked.ended != NUMBERS


async def test_what_was_begun_has_ended_when_an_error_is_told() -> None:
    """A write that goes on behind a fence that was given back would be another's."""
    asked = Asked(refused=CONNECTIONS)

    with pytest.raises(ValueError, match=str(CONNECTIONS)):
        await some_at_once(asked, NUMBERS)

    assert sorted(asked.ended) == asked.begun == NUMBERS[: 2 * CONNECTIONS]


async def test_nothing_is_asked_of_nobody() -> None:
    assert await some_at_once(Asked(), []) == []
