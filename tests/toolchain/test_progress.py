"""What long work says where there is no terminal, and in one."""

from __future__ import annotations

import io
from functools import partial
from types import SimpleNamespace

import pytest
from rich.console import Console

from scripts import progress
from scripts.progress import Live, Plain, reporter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step takes two and a half seconds, however busy the machine is."""
    monkeypatch.setattr(progress, "_Step", partial(progress._Step, started=100.0, last_said=100.0))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 102.5))


def _console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=terminal, width=200, highlight=False), stream


@pytest.mark.usefixtures("clock")
def test_long_step_says_that_it_begins_what_is_expected_and_how_long_it_took() -> None:
    """Somebody reading a CI log must see that a build is under way."""
    console, stream = _console()
    with Plain(console).step("building tiny", expected_seconds=125):
        pass
    begin, end = stream.getvalue().splitlines()
    assert begin == "building tiny (about 2 min 05 s) …"
    assert end == "building tiny: done in 2.5 s"


@pytest.mark.usefixtures("clock")
def test_short_step_is_one_line() -> None:
    """A line for the beginning would only be noise."""
    console, stream = _console()
    with Plain(console).step("etcd"):
        pass
    assert stream.getvalue() == "etcd: done in 2.5 s\n"


@pytest.mark.usefixtures("clock")
def test_failed_step_says_so() -> None:
    """And the error goes on to the caller."""
    console, stream = _console()
    with pytest.raises(RuntimeError), Plain(console).step("etcd"):
        raise RuntimeError
    assert stream.getvalue() == "etcd: failed after 2.5 s\n"


def test_silence_is_broken_by_a_tick_only_after_a_while() -> None:
    """Ticks come five times a second; lines do not."""
    console, stream = _console()
    plain = Plain(console)
    with plain.step("building tiny"):
        for _ in range(100):
            plain.tick()
    assert stream.getvalue().count("\n") == 1


def test_terminal_keeps_one_line_for_each_finished_step() -> None:
    """The spinner goes, the result stays."""
    console, stream = _console(terminal=True)
    with Live(console) as live, live.step("building tiny", expected_seconds=2):
        live.note("a remark")
    assert "✓" in stream.getvalue()
    assert "a remark" in stream.getvalue()


def test_reporter_suits_the_console() -> None:
    """Spinners in a terminal, lines in a pipe."""
    with reporter(_console(terminal=True)[0]) as in_terminal, reporter(_console()[0]) as in_pipe:
        assert isinstance(in_terminal, Live)
        assert isinstance(in_pipe, Plain)
