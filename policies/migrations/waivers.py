"""``policies/migrations/waivers.yaml`` of a commit: who answers for findings in scripts.

Ask with the commit of the base branch, never with the head of a change: a
change must not be able to excuse itself.

::

    apiVersion: adx/v1
    kind: MigrationWaivers
    waivers:
      - check: pg.require-concurrent-index-creation
        script: infra/databases/shop/0007_index_orders.up.sql   # may end in *
        environment: production                                 # all when left out
        owner: team-shop
        reason: The shop is closed while this runs.
        expires: "2027-01-31"
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from policies.errors import DeclarationError, Problem
from policies.git_tree import GitTree, committed_at
from policies.migrations.safety.findings import ScriptWaiver
from policies.migrations.safety.judging import wrong_waiver
from policies.spec import Spec
from policies.yaml_reader import RefusedError, examine, read
from policies.yaml_text import MAX_FILE_BYTES

FILE = "policies/migrations/waivers.yaml"


class _Document(Spec):
    apiVersion: Literal["adx/v1"]  # noqa: N815 - as in the document
    kind: Literal["MigrationWaivers"]
    waivers: tuple[ScriptWaiver, ...]


def load_waivers(repository: Path, commit: str) -> tuple[ScriptWaiver, ...]:
    """The waivers at ``commit`` (a full id); none where there is no file. Raises DeclarationError."""
    tree = GitTree(repository, commit, (FILE,))
    entry = tree.entries().get(FILE)
    if entry is None:
        return ()
    if not entry.is_file() or entry.size_bytes > MAX_FILE_BYTES:
        raise DeclarationError((_problem(0, "this is no regular file of at most 1 MiB", "put the file itself here"),))
    return read_waivers(tree.read(FILE), committed_at(repository, commit).date())


def read_waivers(data: bytes, committed_on: date) -> tuple[ScriptWaiver, ...]:
    """The waivers in a document committed on that day (a date). Raises DeclarationError."""
    try:
        document = msgspec.convert(read(data), _Document)
    except RefusedError:
        refusals = examine(data).refusals
        raise DeclarationError(tuple(_problem(one.line, one.what, one.fix) for one in refusals)) from None
    except msgspec.ValidationError as error:
        raise DeclarationError((_problem(0, str(error), "see docs/migrations.md"),)) from None
    wrong = [(index, wrong_waiver(one, committed_on)) for index, one in enumerate(document.waivers)]
    problems = tuple(_problem(0, f"waivers[{index}]: {what}", "correct it") for index, what in wrong if what)
    if problems:
        raise DeclarationError(problems)
    return document.waivers


def _problem(line: int, what: str, fix: str) -> Problem:
    return Problem(file=FILE, line=line, column=1 if line else 0, path="", what=what, fix=fix, rule="migrations.waiver")
