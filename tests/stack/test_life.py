"""The life of a stack, on real servers: up, up again, a part that dies, down."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from scripts.errors import PartFailed, StackError
from scripts.stack import Command, Context, Home, HttpProbe, Part, PartStatus, Stack, processes
from tests.support.waiting import wait_until

_SERVE = """
import http.server, sys
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
_SPEAK_AND_DIE = "import sys; print('the reason of its death', flush=True); sys.exit(3)"
_SERVE_WITH_CHILD = (
    """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("child", child.pid, flush=True)
"""
    + _SERVE
)


def web_part(name: str, program: str = _SERVE, needs: tuple[str, ...] = ()) -> Part:
    """A part that runs a Python program, ready when it answers on its port."""
    return Part(
        name=name,
        command=lambda context: Command(
            (sys.executable, "-c", program, str(context.port(name, "http"))), context.settings()
        ),
        probe=lambda context: HttpProbe(_url(context, name)),
        ports=("http",),
        needs=needs,
        address=lambda context: _url(context, name),
    )


def _configured(name: str, **environment: str) -> Part:
    plain = web_part(name)
    command = lambda context: replace(plain.command(context), environment=environment)  # noqa: E731 - one expression
    return replace(plain, command=command)


def _url(context: Context, name: str) -> str:
    return f"http://127.0.0.1:{context.port(name, 'http')}/"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose stack is ended after the test, whatever happened."""
    yield tmp_path / "home"
    Stack(tmp_path / "home").down()


def test_up_twice_starts_nothing_twice(home: Path) -> None:
    """The second start finds everything ready and leaves it alone."""
    stack = Stack(home, extra=[web_part("web")])
    first = stack.up(["postgres", "temporal", "web"])
    second = stack.up(["postgres", "temporal", "web"])
    assert {part.name: part.pid for part in first} == {part.name: part.pid for part in second}
    assert _settled(stack, postgres="ready", temporal="ready", web="ready")


def test_down_leaves_no_process_and_is_harmless_when_repeated(home: Path) -> None:
    """Servers, their children, everything."""
    stack = Stack(home)
    stack.up(["postgres", "temporal"])
    family = _everything_below(stack)
    assert sorted(stack.down()) == ["postgres", "temporal"]
    assert [process for process in family if processes.is_alive(process)] == []
    assert stack.leftovers() == []
    assert stack.down() == []
    assert stack.status() == []


def test_killed_part_is_named_with_the_end_of_its_log_and_started_again_alone(home: Path) -> None:
    """The others keep running, and the part comes back where it was."""
    stack = Stack(home, extra=[web_part("web"), web_part("other")])
    before = {part.name: part for part in stack.up(["web", "other"])}
    os.kill(before["web"].pid, signal.SIGKILL)
    _wait_until_dead(before["web"].pid)

    broken = _settled(stack, web="crashed", other="ready")
    assert "serving" in broken["web"].log_end

    stack.up(["web", "other"])
    after = _settled(stack, web="ready", other="ready")
    assert after["web"].pid != before["web"].pid
    assert after["web"].address == before["web"].address
    assert after["other"].pid == before["other"].pid


def test_part_that_dies_at_once_fails_the_start_with_the_end_of_its_log(home: Path) -> None:
    """The message names the part and quotes its last words; what was started before is recorded and can be ended."""
    stack = Stack(home, extra=[web_part("web"), web_part("doomed", _SPEAK_AND_DIE, needs=("web",))])
    with pytest.raises(PartFailed, match="doomed crashed") as failed:
        stack.up(["doomed"])
    assert "the reason of its death" in str(failed.value)
    assert str(stack.log_file("doomed")) in failed.value.next_step
    assert _settled(stack, web="ready", doomed="crashed")
    stack.down()
    assert stack.leftovers() == []


def test_part_starts_only_when_what_it_needs_is_ready(home: Path) -> None:
    """Needs are started unasked, and nothing starts after a failure of what it needs."""
    stack = Stack(home, extra=[web_part("doomed", _SPEAK_AND_DIE), web_part("web", needs=("doomed",))])
    with pytest.raises(PartFailed, match="doomed crashed"):
        stack.up(["web"])
    assert [part.name for part in stack.status()] == ["doomed"]


def test_down_ends_what_a_part_started_even_in_sessions_of_its_own(home: Path) -> None:
    """A worker's Pulumi must not outlive the worker."""
    stack = Stack(home, extra=[web_part("parent", _SERVE_WITH_CHILD)])
    stack.up(["parent"])
    child = int(stack.logs("parent").split("child ")[1].split()[0])
    assert psutil.pid_exists(child)
    stack.down()
    assert stack.leftovers() == []
    assert not _is_running(child)


def test_down_does_not_touch_another_process_with_a_recorded_pid(home: Path) -> None:
    """Pids are used again: only pid and start time together are a part."""
    stack = Stack(home, extra=[web_part("web")])
    stack.up(["web"])
    stack.down()
    bystander = psutil.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        _record_as_part(home, pid=bystander.pid, started_at=bystander.create_time() - 60)
        assert [part.state for part in stack.status()] == ["crashed"]
        stack.down()
        assert processes.is_alive(bystander)
    finally:
        bystander.kill()
        bystander.wait()


def test_tenants_databases_have_a_place_from_which_nobody_reads_the_ledger(home: Path) -> None:
    """What migrations.yaml calls `local`: its user makes databases, and may not enter the ledger's."""
    stack = Stack(home)
    stack.up(["postgres"])
    url = stack.environment()["ADX_DATABASE_LOCAL_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE acme")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(url, dbname="adx")


def test_addresses_and_data_survive_a_restart(home: Path) -> None:
    """A person's bookmark and a ledger's rows are still there."""
    stack = Stack(home)
    stack.up(["postgres"])
    before = stack.environment()
    with psycopg.connect(_libpq(before["ADX_LEDGER_URL"])) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    stack.down()
    stack.up(["postgres"])
    with psycopg.connect(_libpq(stack.environment()["ADX_LEDGER_URL"])) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert stack.environment() == before


def test_extra_part_gets_the_settings_of_the_stack(home: Path) -> None:
    """Worker and receiver find everything by the same variables."""
    say = "import os; print('ledger', os.environ['ADX_LEDGER_URL'], flush=True)\n"
    stack = Stack(home, extra=[web_part("worker", say + _SERVE, needs=("postgres",))])
    stack.up(["worker"])
    assert f"ledger {stack.environment()['ADX_LEDGER_URL']}" in stack.logs("worker")


def test_part_is_started_anew_when_its_settings_change(home: Path) -> None:
    """A worker must not go on delivering the repository of yesterday, nor restart because of a new login shell."""
    stack = Stack(home, extra=[_configured("worker", ADX_REPO="one", SSH_AUTH_SOCK="a")])
    first = {part.name: part.pid for part in stack.up(["worker"])}
    stack.extra = [_configured("worker", ADX_REPO="one", SSH_AUTH_SOCK="b")]
    same = {part.name: part.pid for part in stack.up(["worker"])}
    stack.extra = [_configured("worker", ADX_REPO="two", SSH_AUTH_SOCK="b")]
    other = {part.name: part.pid for part in stack.up(["worker"])}
    assert first == same
    assert first["worker"] != other["worker"]


def test_optional_part_changes_the_settings_of_parts_that_run_already(home: Path) -> None:
    """`--with s3` moves the snapshots there, and the worker must know."""
    say = "import os; print('store', os.environ['ADX_SNAPSHOT_STORE'], flush=True)\n"
    stack = Stack(home, extra=[web_part("worker", say + _SERVE)])
    stack.up(["worker"])
    stack.up(["worker"], with_parts=["s3"])
    stores = [line for line in stack.logs("worker").splitlines() if line.startswith("store")]
    assert [store.split(":")[0] for store in stores] == ["store file", "store s3"]
    stack.down()
    assert stack.environment()["ADX_SNAPSHOT_STORE"].startswith("file:")


def test_unknown_part_is_refused_with_the_known_ones(home: Path) -> None:
    """A typing mistake is answered with the choices."""
    with pytest.raises(StackError, match="no part called 'postgre'") as refused:
        Stack(home).up(["postgre"])
    assert "postgres" in refused.value.next_step


def test_log_of_a_part_that_never_ran_is_refused(home: Path) -> None:
    """The choices are the logs that exist."""
    stack = Stack(home, extra=[web_part("web")])
    stack.up(["web"])
    with pytest.raises(StackError, match="no part called 'worker'") as refused:
        stack.logs("worker")
    assert refused.value.next_step == "choose one of: web"


def test_only_the_last_lines_of_a_log_are_given_when_asked(home: Path) -> None:
    """The beginning of a long log is left out."""
    stack = Stack(home, extra=[web_part("web", "print('first', flush=True)\n" + _SERVE)])
    stack.up(["web"])
    stack.down()  # nothing is added between two looks
    lines = stack.logs("web").splitlines()
    assert lines[:2] == ["first", "serving"]
    assert stack.logs("web", lines=1) == lines[-1]


def _settled(stack: Stack, **states: str) -> dict[str, PartStatus]:
    """The parts by name, once each is as told: a probe that comes late on a busy machine counts as "not ready"."""
    return wait_until(
        lambda: {part.name: part for part in stack.status()},
        lambda found: {name: part.state for name, part in found.items()} == states,
    )


def _libpq(url: str) -> str:
    return url.replace("+psycopg", "")


def _everything_below(stack: Stack) -> list[psutil.Process]:
    parts = [psutil.Process(part.pid) for part in stack.status()]
    return [*parts, *(child for part in parts for child in part.children(recursive=True))]


def _record_as_part(home: Path, *, pid: int, started_at: float) -> None:
    from scripts.stack import record

    known = record.load(Home(home))
    known.parts["web"] = record.PartRecord(
        name="web",
        pid=pid,
        started_at=started_at,
        level=0,
        probe=HttpProbe("http://127.0.0.1:1/"),
        log_offset=0,
        stop_signal=int(signal.SIGTERM),
        grace_seconds=1.0,
    )
    record.save(Home(home), known)


def _wait_until_dead(pid: int) -> None:
    left = processes.wait_until_gone([psutil.Process(pid)], timeout_seconds=60) if psutil.pid_exists(pid) else []
    assert left == []


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # whoever took it over has collected it, maybe just now
        return False
