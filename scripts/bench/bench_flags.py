"""What evaluating a flag costs in process, beside flagd's own evaluator and Unleash's client on the same flags.

Every side answers the same calls: another user each time, a thousand users in
turn. Ours is timed as a service calls the evaluator; through OpenFeature's
client its overhead, which is not ours, comes on top, so that is measured with
an empty provider beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from policies.configuration.flags.evaluator import Evaluator, compiled
from policies.configuration.flags.flagd import definition
from policies.configuration.flags.spec import FlagDecision
from scripts.bench.rows import Row, absolute, paired, repeat_pairs

BOOLEAN, PERCENTAGE, USERS, MEMORY = "flags.boolean", "flags.percentage", "flags.users_100000", "flags.memory"
OVER_FLAGD, OVER_UNLEASH = "flags.percentage_to_flagd", "flags.percentage_to_unleash"
CLIENT = "flags.through_openfeature"
RUNS = 7
ASKED = [f"user-{number}" for number in range(1000)]
MANY = tuple(f"user-{number}" for number in range(0, 200_000, 2))
FLAGS = {
    "boolean": FlagDecision(type="boolean", enabled=True),
    "percentage": FlagDecision(type="percentage", percentage=25.0),
}
ROOT = Path(__file__).resolve().parents[2]
LOAD = """
import psutil
from policies.configuration.flags.evaluator import compiled
from policies.configuration.flags.spec import FlagDecision
def flag(number):
    if number % 10 == 0:
        return FlagDecision(type="user_list", users=tuple(f"user-{number}-{one}" for one in range(1000)))
    return FlagDecision(type="percentage", percentage=number / 10)
flags = {f"flag-{number}": flag(number) for number in range(1000)}
evaluator = compiled(flags)
print(psutil.Process().memory_info().rss)
"""


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    made: list[tuple[str, Callable[[str], Row]]] = [
        (BOOLEAN, lambda name: absolute(name, _microseconds(compiled(FLAGS), "boolean"), "µs", 0.5)),
        (PERCENTAGE, lambda name: absolute(name, _microseconds(compiled(FLAGS), "percentage"), "µs", 2)),
        (USERS, lambda name: absolute(name, _microseconds(_many_users(), "users"), "µs", 1)),
        (OVER_FLAGD, lambda name: _beside(name, "openfeature-flagd-core", _flagd())),
        (OVER_UNLEASH, lambda name: _beside(name, "UnleashClient", _unleash())),
        (CLIENT, _through_client),
        (MEMORY, lambda name: absolute(name, [_memory_mb()], "MB", 100)),
    ]
    return [make(name) for name, make in made if only in name]


def _many_users() -> Evaluator:
    return compiled({"users": FlagDecision(type="user_list", users=MANY)})


def _microseconds(evaluator: Evaluator, key: str) -> list[float]:
    evaluate = evaluator.evaluate
    return [_per_call(lambda user: evaluate(key, user)) for _ in range(RUNS)]


def _beside(name: str, baseline: str, theirs: Callable[[str], object]) -> Row:
    """At most a fifth of what they take."""
    evaluate = compiled(FLAGS).evaluate
    pairs = repeat_pairs(lambda: _per_call(lambda user: evaluate("percentage", user)), lambda: _per_call(theirs), RUNS)
    return paired(name, pairs, "µs", baseline, 0.2)


def _per_call(call: Callable[[str], object], asked: Sequence[str] = ASKED) -> float:
    """Microseconds a call, the lambda around it and the loop included: the best of three passes."""
    best = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        for user in asked:
            call(user)
        best = min(best, time.perf_counter() - begun)
    return best / len(asked) * 1e6


def _flagd() -> Callable[[str], object]:
    """flagd's evaluator on what ADX exports; it is asked with a context, as that is how it is called."""
    from openfeature.contrib.tools.flagd.core import FlagdCore
    from openfeature.evaluation_context import EvaluationContext

    core = FlagdCore()
    core.set_flags(json.dumps(definition(FLAGS)))
    contexts = {user: EvaluationContext(user) for user in ASKED}
    return lambda user: core.resolve_boolean_value("percentage", False, contexts[user])


def _unleash() -> Callable[[str], object]:
    """Unleash's client with the same flag in its cache; it talks to no server."""
    from UnleashClient.cache import FileCache
    from UnleashClient.clients.unleash_client import UnleashClient

    strategy = {"name": "flexibleRollout", "parameters": {"rollout": "25", "stickiness": "userId", "groupId": "p"}}
    flag = {"name": "percentage", "enabled": True, "type": "release", "strategies": [strategy]}
    with tempfile.TemporaryDirectory() as folder:
        cache = FileCache("adx-bench", directory=folder)
        cache.bootstrap_from_dict({"version": 2, "features": [flag]})
        client = UnleashClient(
            "http://127.0.0.1:9/api", "adx-bench", cache=cache, disable_metrics=True, disable_registration=True
        )
    contexts = {user: {"userId": user} for user in ASKED}
    found = sum(client.is_enabled("percentage", contexts[user]) for user in ASKED)
    if not 150 < found < 350:
        raise SystemExit(f"Unleash's client has the flag on for {found} of {len(ASKED)} users instead of a quarter")
    return lambda user: client.is_enabled("percentage", contexts[user])


def _through_client(name: str) -> Row:
    """OpenFeature's client with ADX's provider beside the same client with the provider that does nothing."""
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.provider.no_op_provider import NoOpProvider

    from pipelines.flags import AdxProvider

    document = b'{"percentage": {"type": "percentage", "percentage": 25}}'
    contexts = {user: EvaluationContext(user) for user in ASKED}
    clients = {}
    for domain, provider in (("adx", AdxProvider(lambda: document, poll_seconds=3600)), ("none", NoOpProvider())):
        api.set_provider_and_wait(provider, domain)
        clients[domain] = api.get_client(domain)

    def asked(domain: str) -> float:
        client = clients[domain]
        return _per_call(lambda user: client.get_boolean_details("percentage", False, contexts[user]))

    pairs = repeat_pairs(lambda: asked("adx"), lambda: asked("none"), RUNS)
    api.clear_providers()
    return paired(name, pairs, "µs", "no-op provider", 1.3)


def _memory_mb() -> float:
    """A process with 1,000 flags, a hundred of them with 1,000 users each; it keeps all that it made.

    Not getrusage(2): in Linux its peak begins with what the process was forked from.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    return int(done.stdout) / 1e6
