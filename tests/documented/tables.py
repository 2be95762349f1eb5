"""What of the documented commands is not simply run, and what is done instead; an entry without use fails a test."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.documented.pages import ROOT, Block, Command
from tests.documented.resolving import problem_of


@dataclass(frozen=True)
class Elsewhere:
    """Commands that no test can run as they are: why, and what is looked at instead (the problem, or nothing)."""

    pattern: str
    reason: str
    problem_of: Callable[[Command], str]


def _of_make(command: Command) -> str:
    """Whether `make` knows the target and could begin (``-n`` prints what it would run)."""
    environ = {"PATH": os.environ["PATH"]}
    asked = ["make", "-n", *command.programs[0][1:]]
    done = subprocess.run(asked, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr


def _of_adx(command: Command) -> str:
    return problem_of(command.programs[0][1:])


def _unseen(command: Command) -> str:
    """Nothing here knows the program; that the shell could read the command was seen when it was cut into words."""
    return "" if command.programs else "no program"


NOT_RUN = (
    Elsewhere(r"make .*", "installs, builds or runs everything, for minutes; CI does", _of_make),
    Elsewhere(r"adx (--repo \S+ )?up\b.*", "a second stack; tests/pipelines/test_up.py starts one", _of_adx),
    Elsewhere(r"(gcloud|az) .*", "needs an account of a cloud", _unseen),
    Elsewhere(r"python -m (hatchling|scripts\.mutants) .*", "builds a package, changes code: for minutes", _unseen),
    Elsewhere(r"uv pip compile .*", "asks an index for a package that was put there", _unseen),
    Elsewhere(r"pulumi preview --stack staging", "the state of another repository; README.md's is run", _unseen),
    Elsewhere(r"flagd .*", "flagd is no part of ADX; its own library reads the file in tests/configuration", _unseen),
)

SERVERS = {
    r".*adx api serve.*": "/healthz",
    r".*adx config serve.*": "/healthz",
    r".*adx flags serve.*": "/flags.json",
    r".*adx worker.*": "/readyz",
}
"""Commands that run until they are ended: started, asked for this path until they answer, ended with their page."""

LIVING = (
    r"adx fleet override production.*",
    r"adx fleet status production",
    r"adx fleet retry production tenant/globex",
    r"adx fleet pause production.*",
    r"adx fleet resume production",
    r"adx fleet skip production acme.*",
    r"adx fleet approve production 2 --by ines.keller",
    r"adx watch production --json \| jq .*",
    r"adx fleet cancel production.*",
    r"adx services promote production cart( --reason .*)?",
    r"adx services promote production cart --full.*",
    r"adx services switch-back production.*",
    r"adx services abort production cart.*",
)
"""Words to a rollout under way. Each is said at its moment of two stories (``stories.py``), once for every text."""


def which(patterns: Iterable[str], command: Command) -> str:
    """The pattern among ``patterns`` that the command is one of; empty where it is none."""
    return next((one for one in patterns if re.fullmatch(one, command.text, re.DOTALL)), "")


def not_run(command: Command) -> Elsewhere | None:
    """The entry of the table that says why the command is not run."""
    return next((one for one in NOT_RUN if which((one.pattern,), command)), None)


def commands_of(blocks: list[Block]) -> Iterator[Command]:
    """All of them, page by page."""
    return (command for block in blocks for command in block.commands)
