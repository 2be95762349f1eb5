"""What is wrong with declarations, in a form that a person can act on.

::

    AdxError                    every expected error of ADX: printed without a traceback
    └── DeclarationError        one or more problems in declarations
"""

from __future__ import annotations

from policies.spec import Spec


class Problem(Spec):
    """One thing wrong in one place. ``line`` and ``column`` count from 1; 0 when the whole file is meant.

    ``path`` is the place in the document (``services[2].image``), ``what`` is
    wrong, ``fix`` says what would be right, ``rule`` names the rule broken.
    """

    file: str
    line: int
    column: int
    path: str
    what: str
    fix: str
    rule: str


class AdxError(Exception):
    """An expected error: what happened, where, why and what to do next.

    ``next_step`` is printed after the message; subclasses set ``exit_code``.
    """

    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class DeclarationError(AdxError):
    """The declarations cannot be used; ``problems`` lists everything found, in file order."""

    exit_code = 3

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(f"{len(problems)} problem(s) in the declarations", next_step="run `adx validate` for the list")
        self.problems = problems
