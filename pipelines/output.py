"""How commands write: tables and sentences for people, JSON for scripts, errors on stderr.

Results go to stdout and nothing else does, so that every command can be piped.
Colour only on a terminal (and never with NO_COLOR); 80 columns where nobody
says otherwise. All text from outside passes ``plain``: it can neither style
nor forge lines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from policies.errors import AdxError, DeclarationError, Problem
from scripts.errors import ScriptError

if TYPE_CHECKING:  # rich costs 30 ms, which `adx --json` and `adx validate` need not pay
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from workflows.telemetry.redaction import Redactor

WIDTH_OF_A_PIPE = 80
PROBLEMS_SHOWN = 20


def plain(text: object, style: str = "") -> Text:
    """``text`` as it is, on one line: no markup is read, control characters are written as escapes."""
    from rich.text import Text  # noqa: PLC0415 - see above

    from workflows.telemetry.redaction import escape_control  # noqa: PLC0415

    return Text(escape_control("" if text is None else str(text)), style=style)


def table(*columns: str) -> Table:
    """An empty table in the one style of ADX: a head, no frame, long cells folded and never cut."""
    from rich import box  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


@dataclass(frozen=True)
class Output:
    """Where one command writes. ``is_json`` is what ``--json`` asked for."""

    is_json: bool = False

    @cached_property
    def console(self) -> Console:
        """Standard output, for people."""
        from rich.console import Console  # noqa: PLC0415 - see above

        return Console(width=None if sys.stdout.isatty() else _width(), highlight=False, markup=False, emoji=False)

    @cached_property
    def notices(self) -> Console:
        """Standard error: progress, hints, errors."""
        from rich.console import Console  # noqa: PLC0415 - see above

        width = None if sys.stderr.isatty() else _width()
        return Console(stderr=True, width=width, highlight=False, markup=False, emoji=False)

    def result(self, value: object, screen: RenderableType) -> None:
        """Write ``value`` as JSON or ``screen`` for people."""
        if self.is_json:
            self.json(value)
        else:
            self.console.print(screen)

    def json(self, value: object) -> None:
        """Write ``value`` (records, dataclasses, plain values) as JSON on stdout, indented on a terminal."""
        encoded = msgspec.json.encode(value, enc_hook=str)
        if sys.stdout.isatty():
            encoded = msgspec.json.format(encoded, indent=2)
        sys.stdout.write(encoded.decode() + "\n")
        sys.stdout.flush()

    def say(self, text: str, style: str = "") -> None:
        """One sentence for a person on stderr; silent with ``--json``."""
        if not self.is_json:
            self.notices.print(plain(text, style), soft_wrap=True)

    def error(self, error: AdxError | ScriptError, redactor: Redactor) -> None:
        """The error and what to do next, on stderr; one JSON object with ``--json``."""
        message, next_step = redactor.text(str(error)), redactor.text(error.next_step)
        problems = error.problems if isinstance(error, DeclarationError) else ()
        if self.is_json:
            body = {"message": message, "next_step": next_step, "exit_code": int(error.exit_code)}
            shown = {"problems": problems} if problems else {}
            sys.stderr.write(msgspec.json.encode({"error": body | shown}).decode() + "\n")
            return
        self._problems(problems)
        for number, line in enumerate(message.splitlines() or [""]):
            self.notices.print(plain(("error: " if number == 0 else "  ") + line, "bold red"), soft_wrap=True)
        for line in next_step.splitlines():
            self.notices.print(plain(f"  → {line}"), soft_wrap=True)

    def _problems(self, problems: Sequence[Problem]) -> None:
        """Each on a line, as compilers print theirs; whoever wants their lines of the source runs `adx validate`."""
        for found in problems[:PROBLEMS_SHOWN]:
            place = f"{found.file}:{found.line}:{found.column}" if found.line else found.file
            at = f" ({found.path})" if found.path else ""
            self.notices.print(plain(f"{place}: {found.what}{at}; {found.fix}  [{found.rule}]"), soft_wrap=True)
        if len(problems) > PROBLEMS_SHOWN:
            self.notices.print(plain(f"and {len(problems) - PROBLEMS_SHOWN} more"))


def _width() -> int:
    """Columns of a pipe: what COLUMNS says, else 80."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isascii() and columns.isdecimal() and int(columns) > 0 else WIDTH_OF_A_PIPE
