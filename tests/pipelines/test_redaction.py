"""Canaries: whatever way a secret takes into a log line, it does not come out."""

from __future__ import annotations

import base64
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from workflows.telemetry import logs
from workflows.telemetry.redaction import (
    LONGEST_TEXT,
    MASK,
    Redactor,
    escape_control,
    is_secret_name,
    known_secrets,
)

CANARY = "canary/Zx9+s3cr3t"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The stream that JSON lines are written to."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("test", redactor=Redactor.of([CANARY]), pretty=False, stream=stream)
    yield stream
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def events(stream: io.StringIO) -> list[dict[str, object]]:
    """Every line, decoded: fails when a line is not JSON of its own."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        quote(CANARY, safe=""),
        base64.b64encode(CANARY.encode()).decode(),
        json.dumps(CANARY)[1:-1],
        f"postgresql://adx:{quote(CANARY, safe='')}@127.0.0.1/ledger",
        f"prefix{CANARY}suffix",
        f"{CANARY}{CANARY}",
    ],
)
def test_canary_is_masked_in_every_encoding(form: str) -> None:
    clean = Redactor.of([CANARY]).text(f"before {form} after")
    assert MASK in clean
    assert not any(
        known in clean for known in (CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode())
    )
    assert clean.startswith("before ")
    assert clean.endswith(" after")


@pytest.mark.parametrize(
    "text",
    [
        "https://ana:pa55word-x@example.com/a",
        "token ghp_" + "a1" * 18,
        "hvs." + "a1" * 12,
        "Authorization: Bearer abcdefgh12345678",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_common_shapes_of_secrets_are_masked_unknown(text: str) -> None:
    clean = Redactor().text(text)
    assert MASK in clean
    assert not any(part in clean for part in ("pa55word-x", "a1a1a1", "abcdefgh", "MIIB"))


@pytest.mark.parametrize(
    "name", ["password", "DB_PASSWORD", "webhookSecret", "api_key", "VAULT_TOKEN", "authorization"]
)
def test_names_that_say_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["fencing_token", "ADX_WEBHOOK_SECRET_FILE", "key", "token_count", "unit", "secret_name"]
)
def test_names_that_hold_no_secret(name: str) -> None:
    assert not is_secret_name(name)


def test_secrets_are_found_in_variables_files_and_addresses(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file-1\n")
    environ = {
        "ADX_WEBHOOK_SECRET_FILE": str(tmp_path / "secret"),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "missing"),
        "ADX_SNAPSHOT_KEY": "from-a-variable-2",
        "ADX_LEDGER_URL": "postgresql+psycopg://adx:from%2Fan-address-3@h/d",
        "VAULT_TOKEN": "short",
        "ADX_BRANCH": "main",
        "ADX_SNAPSHOT_KEY_FILE": str(tmp_path / "secret"),
    }
    assert known_secrets(environ) == {"from-a-file-1", "from-a-variable-2", "from/an-address-3"}


def test_each_long_line_of_a_secret_is_masked() -> None:
    key = "first-line-0123456789\nsecond-line-0123456789"
    assert "0123456789" not in Redactor.of([key]).text("saw second-line-0123456789 here")


def test_canary_is_in_no_line_whatever_way_it_takes(lines: io.StringIO) -> None:
    log = logs.logger()
    with logs.bound(rollout=CANARY, unit="tenant/acme"):
        log.info(
            f"said {CANARY}",
            plain=CANARY,
            nested={"list": [CANARY, {CANARY: 1}]},
            raw=CANARY.encode(),
            path=Path(CANARY),
        )
        log.info("percent %s", CANARY)
        log.info("by name", password="unknown-value-7", nested={"api_key": "unknown-value-7", "token": 12345678})
        try:
            raise ValueError(f"refused {CANARY}")
        except ValueError:
            log.exception("failed")
        logging.getLogger("some.library").error("library said %s", CANARY, extra={"ignored": CANARY})
        warnings.warn(f"warned {CANARY}", UserWarning, stacklevel=1)
    assert CANARY not in lines.getvalue()
    assert "unknown-value-7" not in lines.getvalue()
    assert "12345678" not in lines.getvalue()
    assert len(events(lines)) == 6


def test_every_line_names_rollout_unit_and_commit(lines: io.StringIO) -> None:
    with logs.bound(rollout="r-1", environment="staging", unit="service/cart", commit="abc", nothing=None):
        logs.logger().info("step finished", step="apply")
        logging.getLogger("temporalio.activity").warning("retrying")
    for event in events(lines):
        known = {name: event[name] for name in ("rollout", "environment", "unit", "commit", "service")}
        assert known == {
            "rollout": "r-1",
            "environment": "staging",
            "unit": "service/cart",
            "commit": "abc",
            "service": "test",
        }
    assert [event["event"] for event in events(lines)] == ["step finished", "retrying"]


def test_workflow_of_temporals_own_lines_is_named(lines: io.StringIO) -> None:
    logging.getLogger("temporalio.workflow").warning("odd", extra={"temporal_workflow": {"workflow_id": "r-2"}})
    assert events(lines)[0]["rollout"] == "r-2"


def test_newlines_cannot_forge_an_event(lines: io.StringIO) -> None:
    forged = 'x\n{"event": "approved", "actor": "ana"}\r\x1b[2K\u202e\u2028'
    logs.logger().info(forged, value=forged, **{forged: 1})
    assert len(events(lines)) == 1
    assert not any(ord(character) < 32 or character in "\u202e\u2028" for character in lines.getvalue().rstrip("\n"))


def test_traceback_in_a_terminal_cannot_forge_an_event() -> None:
    stream = io.StringIO()
    logs.configure("test", redactor=Redactor.of([CANARY]), pretty=True, stream=stream)
    try:
        raise ValueError(f"{CANARY}\n2026-01-01T00:00:00Z [info] approved")
    except ValueError:
        logs.logger().exception("failed")
    assert CANARY not in stream.getvalue()
    assert all(line.startswith("  │ ") for line in stream.getvalue().splitlines()[1:])


def test_debug_lines_need_the_level(lines: io.StringIO) -> None:
    logs.logger().debug("quiet")
    assert events(lines) == []


def test_long_text_is_cut_after_masking() -> None:
    """Cut first, a secret at the edge would be torn in two and half of it shown."""
    text = "x" * (LONGEST_TEXT - 5) + CANARY + "y" * 10_000
    clean = Redactor.of([CANARY]).line(text)
    assert CANARY[:5] not in clean
    assert len(clean) < LONGEST_TEXT + 100


def test_deep_values_end() -> None:
    value: object = CANARY
    for _ in range(10_000):
        value = [value]
    assert CANARY not in str(Redactor.of([CANARY]).value(value))


@given(st.text())
def test_escaped_text_is_one_line_without_control_characters(text: str) -> None:
    escaped = escape_control(text)
    assert escaped.isprintable() or all(not ord(c) < 32 for c in escaped)
    assert len(escaped.splitlines()) <= 1
    escaped.encode()


@given(st.text(min_size=6, max_size=40), st.text(), st.text())
def test_known_secret_never_survives(secret: str, before: str, after: str) -> None:
    clean = Redactor.of([secret]).text(before + secret + after)
    # Part by part: what stood before and behind may be a secret of its own once it is joined.
    assert not any(secret in part for part in clean.split(MASK)) or secret in MASK
