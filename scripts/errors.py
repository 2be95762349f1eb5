"""Expected errors of the toolchain and of the local stack.

::

    ScriptError                 message: what, where and why; ``next_step``: what to do about it
    ├── ToolchainError          a tool is unknown, missing or could not be built
    └── StackError              the local stack cannot do what was asked
        └── PartFailed          one part crashed or did not become ready; carries the end of its log

Callers print them without a traceback. They mirror the product's own errors by
shape (``next_step``, ``exit_code``) and not by inheritance: scripts import no
product package.
"""

from __future__ import annotations


class ScriptError(Exception):
    """An expected error; ``next_step`` is one sentence for the person at the terminal."""

    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class ToolchainError(ScriptError):
    """A tool is unknown, missing or could not be built."""


class StackError(ScriptError):
    """The local stack cannot do what was asked."""


class PartFailed(StackError):
    """The part ``name`` crashed or did not become ready; ``log_end`` holds the last lines it wrote."""

    def __init__(self, name: str, what: str, *, log_end: str, next_step: str) -> None:
        indented = "\n".join(f"    {line}" for line in log_end.splitlines()) or "    (its log is empty)"
        super().__init__(f"{name} {what}; the end of its log:\n{indented}", next_step=next_step)
        self.name = name
        self.log_end = log_end
