"""The pytest plugin that asks the tests about each mutant, in place of mutmut's own runner.

mutmut starts pytest anew for each mutant, which costs more than the tests do.
Here the tests are collected once; then each mutant gets a process forked from
there, which runs the tests that reach its function, quick ones first, until one
fails. Random inputs are the same in every run, few, and are not made smaller.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

TASK = "ADX_MUTANTS_TASK"
"""Names a JSON file: ``{"mutants": {name: function}, "jobs": n, "results": path of the JSON lines to write}``."""
_EXAMPLES = 10
_WALL_SECONDS = 120
_KILLED, _SURVIVED = 1, 0

hypothesis.settings.register_profile(
    "mutants",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=_EXAMPLES,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("mutants")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound the examples of tests that ask for a number of their own."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        machine: Any = item.cls
        if isinstance(getattr(machine, "settings", None), hypothesis.settings):
            machine.settings = hypothesis.settings(machine.settings, max_examples=_EXAMPLES, stateful_step_count=20)
        function: Any = item.obj
        own = getattr(function, "_hypothesis_internal_use_settings", None)
        if own is not None and own.max_examples > _EXAMPLES:
            bounded = hypothesis.settings(own, max_examples=_EXAMPLES)
            getattr(function, "__func__", function)._hypothesis_internal_use_settings = bounded


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run the tests once as they are, then ask them about each mutant."""
    task = json.loads(Path(os.environ[TASK]).read_text())
    results = Path(task["results"])
    reached, seconds = _reached(session.items, results.with_suffix(".reached"))
    by_id = {item.nodeid: item for item in session.items}
    gc.freeze()  # else each process would copy all memory to count references
    with results.open("a") as lines:
        for name, verdict in _verdicts(task["mutants"], task["jobs"], by_id, reached, seconds):
            lines.write(json.dumps({"name": name, "verdict": verdict}) + "\n")
            lines.flush()
    return True


def _reached(items: list[pytest.Item], file: Path) -> tuple[dict[str, list[str]], dict[str, float]]:
    """Which tests reach each function, and each test's CPU seconds. In a process of its own: it would fill caches."""
    if os.waitstatus_to_exitcode(os.waitpid(_forked(lambda: _record(items, file), 3600, 3600), 0)[1]):
        pytest.exit(f"the tests fail as they are, or need a server:\n{file.read_text() if file.is_file() else ''}", 3)
    recorded = json.loads(file.read_text())
    by_function: dict[str, list[str]] = {}
    seconds = {test: entry["seconds"] for test, entry in recorded.items()}
    for test in sorted(recorded, key=seconds.__getitem__):
        for function in recorded[test]["functions"]:
            by_function.setdefault(function, []).append(test)
    return by_function, seconds


def _record(items: list[pytest.Item], file: Path) -> int:
    recorded: dict[str, Any] = {}
    set_mutant_under_test("stats")
    for item in items:
        state()._stats.clear()
        started = time.process_time()
        failure = _failure(item)
        if failure is not None:
            file.write_text(f"{item.nodeid}\n{failure}")
            return _KILLED
        recorded[item.nodeid] = {"seconds": time.process_time() - started, "functions": sorted(state()._stats)}
    file.write_text(json.dumps(recorded))
    return _SURVIVED


def _verdicts(
    mutants: dict[str, str],
    jobs: int,
    items: dict[str, pytest.Item],
    reached: dict[str, list[str]],
    seconds: dict[str, float],
) -> Iterator[tuple[str, str]]:
    running: dict[int, str] = {}
    for name, function in mutants.items():
        tests = reached.get(function, [])
        if not tests:
            yield name, "no test"
            continue
        if len(running) >= jobs:
            yield _ended(running)
        cpu_seconds = 5 + int(15 * sum(seconds[test] for test in tests))
        ask = _asking(name, [items[test] for test in tests])
        running[_forked(ask, cpu_seconds, _WALL_SECONDS + cpu_seconds)] = name
    while running:
        yield _ended(running)


def _ended(running: dict[int, str]) -> tuple[str, str]:
    pid, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    verdict = {_SURVIVED: "survived", -signal.SIGALRM: "timeout", -signal.SIGXCPU: "timeout"}.get(code, "killed")
    return running.pop(pid), verdict


def _asking(name: str, tests: list[pytest.Item]) -> Callable[[], int]:
    def ask() -> int:
        set_mutant_under_test(name)
        return _SURVIVED if all(_failure(test) is None for test in tests) else _KILLED

    return ask


def _failure(item: pytest.Item) -> str | None:
    failed = (report for report in runtestprotocol(item, log=False, nextitem=None) if report.failed)
    return next((report.longreprtext for report in failed), None)


def _forked(work: Callable[[], int], cpu_seconds: int, wall_seconds: int) -> int:
    """The id of a process that does ``work`` in silence and exits with its result."""
    pid = os.fork()
    if pid:
        return pid
    code = _KILLED
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(wall_seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
        code = work()
    finally:
        os._exit(code)
