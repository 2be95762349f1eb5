"""The repository that all pull requests of the gallery start from: the samples, with a database server, a secret, rows.

What the samples leave open is declared here, so that ten changes of one shop can be told: staging's databases are on
a server, the last script of the database shop is not written yet, and paymentservice has a secret.
"""

from __future__ import annotations

import json
from pathlib import Path

from policies.migrations.authoring import new_sum
from scripts.example.repository import ROOT, Repository

RECORDED = Path(__file__).with_name("recorded")
CIPHERTEXTS = RECORDED / "ciphertexts.json"
DATABASE = "shop"
SCRIPTS = f"infra/databases/{DATABASE}"
LAST_SCRIPT = "0004_drop_order_total"
SECRET_SERVICE, SECRET_KEY = "paymentservice", "PROVIDER_TOKEN"
SERVERS = {"staging": "local"}
WITH_SECRET, NEXT = ("staging", "production"), "next"
_CONFIGURATION = """\
    configuration:
      - {key: ENABLE_TRACING, schema: {type: integer}, default: 0}
      - {key: PROVIDER_TOKEN, secret: true}
"""


def begin(repository: Repository) -> None:
    """Make the repository and what ``main`` holds before any pull request. Raises ExampleFailed."""
    repository.create()
    _name_servers(repository)
    _unwrite_last_script(repository)
    _write_for_schema(repository)
    _declare_secret(repository)
    repository.push("Name the server of staging's databases; paymentservice gets a token", "main")


def ciphertext(name: str) -> str:
    """What Vault made of a token when the gallery was recorded: that of an environment, or ``next`` of staging."""
    found: dict[str, str] = json.loads(CIPHERTEXTS.read_text("utf-8"))
    return found[name]


def write_sum(repository: Repository) -> None:
    """Note the scripts of the database in adx.sum, as `adx migrate sum` does."""
    folder = repository.work / SCRIPTS
    (folder / "adx.sum").write_bytes(new_sum(DATABASE, {file.name: file.read_bytes() for file in folder.iterdir()}))


def sample_script(direction: str) -> str:
    """The text of the script that the samples have and the gallery's beginning has not."""
    return (ROOT / SCRIPTS / f"{LAST_SCRIPT}.{direction}.sql").read_text("utf-8")


def _name_servers(repository: Repository) -> None:
    for environment, server in SERVERS.items():
        file = f"environments/{environment}/migrations.yaml"
        repository.edit(file, r"^(    engine: postgresql\n)", rf"\g<1>    server: {server}\n")


def _unwrite_last_script(repository: Repository) -> None:
    for direction in ("up", "down"):
        (repository.work / SCRIPTS / f"{LAST_SCRIPT}.{direction}.sql").unlink()
    write_sum(repository)
    repository.edit("environments/development/migrations.yaml", r"^(    version: )4\n", r"\g<1>3\n")


def _write_for_schema(repository: Repository) -> None:
    """checkoutservice still reads the column that one of the pull requests drops."""
    for environment in ("staging", "production"):
        before = r"(  - name: checkoutservice\n(?:    .*\n)*?    version: \S+\n)"
        file = f"environments/{environment}/services.yaml"
        repository.edit(file, before, rf"\g<1>    schema_versions: {{{DATABASE}: 1}}\n")


def _declare_secret(repository: Repository) -> None:
    for environment in WITH_SECRET:
        folder = f"environments/{environment}"
        before = rf"(  - name: {SECRET_SERVICE}\n(?:    .*\n)*?)(    env:\n)"
        repository.edit(f"{folder}/services.yaml", before, rf"\g<1>{_CONFIGURATION}\g<2>")
        value = rf"\g<1>    {SECRET_KEY}: {ciphertext(environment)}\n"
        repository.edit(f"{folder}/configuration.yaml", rf"^(  {SECRET_SERVICE}:\n)", value)
