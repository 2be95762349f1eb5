"""`adx flags` as its users run it, on the declarations of this repository and on small ones."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-m", "tests.configuration.flags.adx_flags")


def environ(tmp_path: Path) -> dict[str, str]:
    """Nothing of the developer's own settings."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "ADX_HOME": str(tmp_path / "home"), "COLUMNS": "80"}


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `adx flags` on the base declarations of the tests."""
    return subprocess.run(
        [*PROGRAM, "flags", *arguments, "--repo", str(tmp_path / "repository")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environ(tmp_path),
        timeout=120,
    )


@pytest.fixture(autouse=True)
def repository(tmp_path: Path) -> Path:
    """A small repository without git, with one flag that has rules."""
    import shutil

    from tests.support.declared import BASE

    folder = tmp_path / "repository"
    shutil.copytree(BASE, folder)
    flags = folder / "environments" / "development" / "flags.yaml"
    flags.write_text(
        flags.read_text() + "  - name: layout\n    description: d\n    owner: team-a\n    type: rules\n"
        "    variants: {wide: 1200, narrow: 800}\n    default: narrow\n"
        "    lifetime: {created: '2025-01-01', days: 10}\n"
        "    rules:\n      - {name: gold, attributes: {plan: [gold]}, variant: wide}\n"
        "      - {name: rest, variant: wide, percentage: 50}\n"
    )
    return folder


def test_flags_are_listed_with_owner_and_readers(tmp_path: Path):
    """Readable in eighty columns."""
    done = run(tmp_path, "list", "development")

    assert done.returncode == 0, done.stderr
    assert re.search(r"express-checkout\s+on\s+team-checkout\s+frontend", done.stdout)
    assert re.search(r"layout\s+2 rules\s+team-a\s+-", done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "evaluation"),
    [
        (("layout", "--attr", "plan=gold"), 0, {"value": 1200, "variant": "wide", "reason": "TARGETING_MATCH"}),
        (("gift-wrapping", "-t", "acme"), 0, {"value": True, "variant": "on", "reason": "TARGETING_MATCH"}),
        (("layout",), 1, {"variant": None, "reason": "ERROR", "error_code": "TARGETING_KEY_MISSING"}),
    ],
)
def test_an_evaluation_is_told_as_json(
    tmp_path: Path, arguments: tuple[str, ...], code: int, evaluation: dict[str, Any]
) -> None:
    """Exit status 1 when there is no answer."""
    done = run(tmp_path, "eval", *arguments, "--env", "development", "--json")

    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["evaluation"].items() >= evaluation.items()


def test_an_explanation_names_the_rule_and_the_bucket(tmp_path: Path):
    """For people."""
    done = run(tmp_path, "explain", "layout", "--env", "development", "--user", "ann")

    assert done.returncode == 0, done.stderr
    assert re.search(r"✗ rule gold", done.stdout)
    assert re.search(r"▸ rule rest\s+(wide|narrow): bucket [0-9.]+ is in [0-9.]+ to [0-9.]+ of 100", done.stdout)


def test_a_tenants_own_switch_is_told(tmp_path: Path):
    """It counts in the tenant's namespace, which an evaluation for all cannot know."""
    done = run(tmp_path, "eval", "express-checkout", "-e", "production", "-t", "acme")

    assert "acme overrides it: off for workloads in its own namespace" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("eval", "layuot", "-e", "development"), 6, "write layout"),
        (("eval", "layout", "-e", "developmnt"), 3, "there is no such file"),
        (("eval", "layout", "-e", "development", "--attr", "plan"), 2, "NAME=VALUE"),
        (("eval", "layout", "-e", "development", "--at", "2026-01-01T00:00"), 2, "needs a zone"),
        (("eval", "layout", "-e", "development", "-t", "nobody"), 6, "there is no tenant nobody"),
        (("serve", "development", "--listen", "0.0.0.0:0"), 1, "no token is asked for"),
        (("serve", "development", "--file", "missing.json"), 6, "cannot be read from missing.json"),
    ],
)
def test_mistakes_are_told_without_traceback(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str):
    """What is wrong and what would be right."""
    done = run(tmp_path, *arguments)

    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_stale_flags_are_told_with_their_owner(tmp_path: Path):
    """Exit status 1."""
    done = run(tmp_path, "stale", "development")

    assert done.returncode == 1, done.stderr
    assert re.search(r"layout\s+team-a\s+2025-01-11", done.stdout)


def test_the_export_is_what_flagd_reads(tmp_path: Path):
    """Its own evaluator takes it."""
    core = FlagdCore()
    core.set_flags(run(tmp_path, "export", "development").stdout)

    assert core.resolve_boolean_value("express-checkout", False).value is True


def test_flags_are_served_until_the_process_is_ended(tmp_path: Path):
    """From a file here; OFREP answers, SIGTERM ends it cleanly."""
    file = tmp_path / "flags.json"
    file.write_text('{"on": {"type": "boolean", "enabled": true}}')
    command = [*PROGRAM, "flags", "serve", "development", "--file", str(file), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ(tmp_path), cwd=tmp_path) as process:
        try:
            assert process.stderr is not None
            address = re.search(r"http://[0-9.:]+", process.stderr.readline())
            assert address is not None
            found = httpx.post(f"{address[0]}/ofrep/v1/evaluate/flags/on", json={"context": {}}, timeout=60)
        finally:
            process.send_signal(signal.SIGTERM)

    assert found.json() == {"key": "on", "reason": "STATIC", "variant": "on", "value": True}
    assert process.returncode == 0
