"""What a safety check finds, and the figures that it is judged by. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import field

from policies.checkov.findings import Severity
from policies.spec import Spec


class TableAtStake(Spec):
    """A table that a statement touches; rows and bytes by the server's statistics, None where they are not known."""

    table: str
    rows: int | None = None
    bytes: int | None = None


class Statistics(Spec):
    """Sizes of tables in one environment, by name; ``server_version`` as ``14.0``, empty where it is not known."""

    tables: Mapping[str, TableAtStake] = field(default_factory=dict)
    server_version: str = ""


class ScriptWaiver(Spec):
    """Somebody answers for what a check finds in scripts until ``expires`` (ISO 8601 date, the last day it holds).

    ``script`` is the path of a script and may end in ``*``; empty ``environment`` means all.
    """

    check: str
    script: str
    owner: str
    reason: str
    expires: str
    environment: str = ""


class Effect(Spec):
    """What one statement does to the tables it touches, beside its purpose.

    ``lock`` is the server's name of it, ``blocks`` what has to wait. ``rewrites``: every row is written anew;
    ``scans``: every row is read while the lock is held.
    """

    lock: str
    blocks: str
    tables: tuple[str, ...]
    rewrites: bool = False
    scans: bool = False


class SafetyFinding(Spec):
    """One statement that breaks one check, at its line (from 1). ``safe_way`` says how to write it instead."""

    check: str
    title: str
    severity: Severity
    file: str
    line: int
    statement: str
    safe_way: str
    lock: str = ""
    blocks: str = ""
    rewrites: bool = False
    scans: bool = False
    tables: tuple[TableAtStake, ...] = ()
    is_blocking: bool = False
    detail: str = ""
    waiver: ScriptWaiver | None = None
    is_waiver_expired: bool = False
