"""The twenty tests that take longest, with why they may, from the XML report of ``pytest --junitxml``."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from scripts.suite.blocks import table

_SHOWN = 20
REASONS = (
    (
        "tests/delivery/test_fleet_crashes",
        "a hundred tenants while workers are killed at random: fewer kills prove less",
    ),
    ("tests/delivery/test_fleet_faults", "the fault is a server that is away for longer than a heartbeat may be late"),
    ("tests/delivery/test_crashes", "a worker is killed in each step, and the next one takes over after its heartbeat"),
    ("tests/delivery", "a whole delivery: a worker process, Temporal, Pulumi, the cluster, the ledger, all real"),
    ("tests/engine", "runs Pulumi; each operation is a process of its own that starts in seconds"),
    ("tests/migrations/backup", "dumps and restores a real database, of each server and by each strategy"),
    ("tests/migrations", "real PostgreSQL and MariaDB: locks are waited for, sessions are killed and proven dead"),
    ("tests/stack", "starts and ends whole stacks"),
    ("tests/toolchain", "builds a program, or installs Python tools into an environment of their own"),
    ("tests/policy", "runs Checkov, whose start alone takes seconds"),
    ("tests/api", "asks a real server every operation of its contract, with random requests"),
    ("tests/configuration", "Vault, Redis and PostgreSQL are cut off and come back; leases run out"),
    ("tests/services/gateway", "a real gateway under live traffic while releases are exchanged"),
    ("tests/services/registry", "instances die unannounced; their checks must run out in a real Consul"),
    ("tests/services/analysis", "thousands of simulated releases: fewer would not tell the rate of errors promised"),
    ("tests/adoption", "builds the wheel and installs it with all it needs into an empty environment"),
    ("tests/importing", "proposes declarations of what runs in a real cluster"),
    ("tests/upgrade", "state and ledger of an older version are read by this one"),
    ("tests/documented", "runs the commands that the guides name"),
    ("tests/docs_site", "builds the whole site, every warning an error"),
    ("tests/github_workflows", "runs the steps of the GitHub workflows"),
    ("tests/hosting", "a real HTTP server that fails in each way a host does"),
    ("tests/preview", "asks real servers for the facts of a preview"),
    ("tests/drift", "looks at a real cluster before and after somebody changed it"),
    ("tests/fleet", "whole rollouts in Temporal's test server, which skips waits but not work"),
    ("tests/rollout", "whole rollouts in Temporal's test server, which skips waits but not work"),
    ("tests/ledger", "a real PostgreSQL; every step of its schema forwards and back"),
    ("tests/loading", "random trees, read step by step and at once"),
)
"""Path (a beginning of it; the first that fits counts) and why tests there may take long."""


def slowest(report: Path) -> str:
    """Of the tests of ``report`` that passed, set-up and tear-down included, in seconds."""
    root = ElementTree.parse(report)  # noqa: S314 - written by pytest in the run before
    # How long a test took that failed says when it was given up.
    cases = [case for case in root.iter("testcase") if case.find("failure") is None and case.find("error") is None]
    timed = sorted(((float(case.get("time", 0)), _name(case)) for case in cases), reverse=True)[:_SHOWN]
    return table(("test", "seconds", "why"), [(name, f"{seconds:.1f}", _why(name)) for seconds, name in timed])


def _name(case: ElementTree.Element) -> str:
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"


def _why(name: str) -> str:
    return next((reason for beginning, reason in REASONS if name.startswith(beginning)), "**not justified**")
