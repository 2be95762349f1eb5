"""A secret in a broken declaration is in no report, whatever is broken and in whatever format."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pipelines.source_lines import shown_lines
from pipelines.validate import FORMATS, run, validate
from tests.loading.repositories import base_files, write_folder

CANARY = "canary-7f3a9c"
TOKEN = "ghp_" + "c4n4ry" * 6
ACME = base_files()["tenants/acme.yaml"].decode()
TAIL = "{CURRENCY: USD}"

PLANTED = {
    "an unknown key that looks secret": f"{ACME}password: {CANARY}\n",
    "an unknown key with a mapping": f"{ACME}credentials:\n  user: ana\n  password: {CANARY}\n",
    "an unknown key that looks harmless": f"{ACME}passwrod: {CANARY}\n",
    "a secret beside another fault on its line": f"{ACME}database2: {{password: {CANARY}, size: 0777}}\n",
    "a secret in a block text with a control character": f"{ACME}api_key: |\n  {CANARY}\x07\n",
    "a secret in a quoted text over two lines": f'{ACME}token: "first\n  {CANARY}\u202e"\n',
    "a secret in a line without indentation": f'{ACME}token: "first\n{CANARY}\u200b"\n',
    "a secret before a syntax error": f"{ACME}password: {CANARY}: [\n",
    "a secret that is a duplicate": f"{ACME}password: {CANARY}\npassword: {CANARY}\n",
    "a secret with a tag": f"{ACME}password: !vault {CANARY}\n",
    "a secret with an anchor": f"{ACME}password: &x {CANARY}\n",
    "a secret of the wrong type": ACME.replace(TAIL, f"{{DB_PASSWORD: [{CANARY}]}}"),
    "a secret that is allowed by its form": ACME.replace(TAIL, f"{{DB_PASSWORD: {CANARY}}}"),
    "a secret under a key in another case": ACME.replace(TAIL, f"{{dbPassword: {CANARY}, X: 0777}}"),
    "a secret list item": f"{ACME}secrets:\n  - {CANARY}\u200b\n",
    "a secret in a comment of its line": f"{ACME}password: x # {CANARY}\u200b\n",
    "a token under a harmless key": ACME.replace("Acme Outfitters", f"{TOKEN}\u200b"),
    "a token in place of an enumeration": ACME.replace("schema_per_tenant", TOKEN),
    "a token as a key": f"{ACME}{TOKEN}: 1\n",
    "a token as a duplicate key": f"{ACME}x: 1\n{TOKEN}: 1\n{TOKEN}: 2\n",
    "a token as a tag": f"{ACME}x: !{TOKEN} 1\n",
    "a token as an anchor": f"{ACME}x: &{TOKEN} 1\n",
    "a password in an address": ACME.replace("Their warehouse.", f'"https://ana:{CANARY}@example.com/"'),
}  # fmt: skip


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("name", PLANTED)
def test_no_report_shows_it(name: str, output_format: str, tmp_path: Path) -> None:
    """The fault is reported, the secret is not."""
    folder = write_folder(tmp_path, base_files() | {"tenants/acme.yaml": PLANTED[name].encode()})
    output = io.StringIO()
    assert run(folder, None, output_format, output)  # type: ignore[arg-type] - one of the formats
    assert "tenants/acme.yaml" in output.getvalue()
    assert CANARY not in output.getvalue()
    assert TOKEN not in output.getvalue()


@pytest.mark.parametrize("name", PLANTED)
def test_no_problem_holds_it(name: str, tmp_path: Path) -> None:
    """Nor does anything that others could log."""
    folder = write_folder(tmp_path, base_files() | {"tenants/acme.yaml": PLANTED[name].encode()})
    report = repr(validate(folder))
    assert CANARY not in report
    assert TOKEN not in report


def test_harmless_lines_are_shown_as_they_are() -> None:
    """Given keys that only sound like secrets, nothing is hidden."""
    text = "PASSWORD_MIN_LENGTH: 12\nname: acme # the tenant\n  - key: value\ntokens_per_minute: 5\n"
    lines = text.splitlines()
    assert shown_lines(text, dict.fromkeys(range(1, 5), False)) == dict(enumerate(lines, start=1))


def test_what_stands_below_a_secret_key_is_hidden_until_its_block_ends() -> None:
    """Indentation decides, as it does for YAML."""
    text = "a: 1\npassword:\n  deep:\n    x: 1\nb: 2\n"
    shown = shown_lines(text, dict.fromkeys(range(1, 6), False))
    assert [shown[number] for number in range(1, 6)] == ["a: 1", "password:", "  •••", "    •••", "b: 2"]
