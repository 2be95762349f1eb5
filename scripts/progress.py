"""Progress of long work, on standard error: live lines in a terminal, plain lines anywhere else.

One ``Reporter`` may be used by several threads at once. It never decides
anything; code that has nobody to talk to uses ``Silent``.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn

_PLAIN_INTERVAL_SECONDS = 15.0


class Reporter(Protocol):
    """What long work says while it runs."""

    def step(self, title: str, *, expected_seconds: float | None = None) -> contextlib.AbstractContextManager[None]:
        """Announce that ``title`` is under way until the block ends, well or badly."""

    def tick(self) -> None:
        """Called every now and then by work that waits, so that plain output shows signs of life."""

    def note(self, text: str) -> None:
        """One line that stays."""


class Silent:
    """Says nothing."""

    def step(self, title: str, *, expected_seconds: float | None = None) -> contextlib.AbstractContextManager[None]:
        """Let the block run."""
        del title, expected_seconds
        return contextlib.nullcontext()

    def tick(self) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


@dataclass(eq=False)
class _Step:
    title: str
    expected_seconds: float | None
    started: float = field(default_factory=time.monotonic)
    last_said: float = field(default_factory=time.monotonic)

    def elapsed(self) -> str:
        """``12 s``, with what was expected where that is known."""
        seconds = f"{_seconds(time.monotonic() - self.started)}"
        return f"{seconds} of about {_seconds(self.expected_seconds)}" if self.expected_seconds else seconds


class Plain:
    """One line when a step ends and every 15 seconds before; steps known to be long also say that they begin."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._steps: list[_Step] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def step(self, title: str, *, expected_seconds: float | None = None) -> Iterator[None]:
        """Say how ``title`` ended and how long it took."""
        step = _Step(title, expected_seconds)
        with self._lock:
            self._steps.append(step)
        if expected_seconds:
            self.note(f"{title} (about {_seconds(expected_seconds)}) …")
        try:
            yield
        except BaseException:
            self.note(f"{title}: failed after {_seconds(time.monotonic() - step.started)}")
            raise
        else:
            self.note(f"{title}: done in {_seconds(time.monotonic() - step.started)}")
        finally:
            with self._lock:
                self._steps.remove(step)

    def tick(self) -> None:
        """Repeat what is under way if nothing was said about it for a while."""
        now = time.monotonic()
        with self._lock:
            silent = [step for step in self._steps if now - step.last_said >= _PLAIN_INTERVAL_SECONDS]
            for step in silent:
                step.last_said = now
        for step in silent:
            self.note(f"{step.title}: {step.elapsed()}")

    def note(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False)


class Live:
    """A spinner per running step; finished steps stay as one line with the time they took.

    Use it as a context manager around the work.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description} [dim]{task.fields[elapsed]}"),
            console=console,
            transient=True,
        )
        self._steps: dict[TaskID, _Step] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._progress.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._progress.stop()

    @contextlib.contextmanager
    def step(self, title: str, *, expected_seconds: float | None = None) -> Iterator[None]:
        """Show a spinner until the block ends."""
        step = _Step(title, expected_seconds)
        task = self._progress.add_task(title, total=None, elapsed=step.elapsed())
        self._steps[task] = step
        try:
            yield
        except BaseException:
            self._finish(task, step, "[red]✗[/]")
            raise
        else:
            self._finish(task, step, "[green]✓[/]")

    def tick(self) -> None:
        """The live lines refresh themselves."""

    def note(self, text: str) -> None:
        """Print one line above the running steps."""
        self._console.print(text, markup=False, highlight=False)

    def _finish(self, task: TaskID, step: _Step, mark: str) -> None:
        del self._steps[task]
        self._progress.remove_task(task)
        took = _seconds(time.monotonic() - step.started)
        self._console.print(f"{mark} {step.title} [dim]{took}[/]", highlight=False)

    def _refresh(self) -> None:
        while not self._stop.wait(0.25):
            for task, step in list(self._steps.items()):
                self._progress.update(task, elapsed=step.elapsed())


@contextlib.contextmanager
def reporter(console: Console | None = None) -> Iterator[Reporter]:
    """The reporter that suits ``console`` (standard error by default): live in a terminal, plain otherwise."""
    chosen = console or Console(stderr=True, highlight=False, soft_wrap=True)
    if chosen.is_terminal:
        with Live(chosen) as live:
            yield live
    else:
        yield Plain(chosen)


def _seconds(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
