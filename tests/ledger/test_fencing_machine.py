"""Fencing, idempotent results and steps under any sequence of calls, against a model of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete

from workflows.ledger import Ledger, fencing, idempotency
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.tables import environments, fencing_tokens, idempotent_results

Value = TypeVar("Value")
names = st.sampled_from(["rollout-1", "rollout-2", "rollout-3"])
attempts = st.sampled_from(["apply.1", "apply.2"])


class Fencing(RuleBasedStateMachine):
    """The model: who got which token first, who holds the newest one, and every token that was ever given out."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._ledger = self._run(self._open())
        self.first: dict[str, int] = {}
        self.given: list[int] = []
        self.owner = self.holder = ""
        self.results: dict[str, int] = {}

    @rule(rollout=names)
    def acquire(self, rollout: str) -> None:
        """A rollout gets the largest token once, and the same one ever after."""
        token = self._run(fencing.acquire(self._ledger, "staging", rollout))
        if rollout in self.first:
            assert token == self.first[rollout]
            return
        self._given(token)
        self.first[rollout] = token
        self.owner = self.holder = rollout

    @rule(rollout=names, attempt=attempts)
    def renew(self, rollout: str, attempt: str) -> None:
        """Only the owner renews; the newest holder gets its token again, every other a larger one."""
        claim = fencing.renew(self._ledger, "staging", rollout, attempt)
        if rollout != self.owner:
            with pytest.raises(StaleFencingToken):
                self._run(claim)
            return
        token = self._run(claim)
        if self.holder == attempt:
            assert token == self.given[-1]
            return
        self._given(token)
        self.holder = attempt

    @rule(key=names, result=st.integers(0, 100))
    def record(self, key: str, result: int) -> None:
        """The first result stays."""
        stored = self._run(idempotency.record(self._ledger, key, result))
        assert stored.result == self.results.setdefault(key, result)

    @invariant()
    def only_the_newest_token_passes(self) -> None:
        """Every token but the newest is refused."""
        for token in self.given[-3:-1]:
            with pytest.raises(StaleFencingToken):
                self._run(fencing.check(self._ledger, "staging", token))
        if self.given:
            self._run(fencing.check(self._ledger, "staging", self.given[-1]))

    def teardown(self) -> None:
        """Give the connections back."""
        self._run(self._ledger.close())
        self._runner.close()

    def _given(self, token: int) -> None:
        assert token > max(self.given, default=0)
        self.given.append(token)

    def _run(self, call: Coroutine[Any, Any, Value]) -> Value:
        return self._runner.run(call)

    async def _open(self) -> Ledger:
        ledger = await Ledger.open(self.url, pool_size=1)
        await ledger.migrate()
        async with ledger.transaction() as connection:
            for table in (fencing_tokens, idempotent_results, environments):
                await connection.execute(delete(table))
        return ledger


def test_no_sequence_of_claims_lets_two_holders_pass(ledger_url: str) -> None:
    Fencing.url = ledger_url
    checks = [HealthCheck.too_slow]
    options = settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(Fencing, settings=options)
