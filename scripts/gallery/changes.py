"""What the author of each pull request did: commits on a branch, or what `adx` and git did for them."""

from __future__ import annotations

import re
from collections.abc import Callable

from scripts.example.proposal import TENANT
from scripts.example.repository import Repository
from scripts.gallery.beginning import (
    DATABASE,
    LAST_SCRIPT,
    NEXT,
    SCRIPTS,
    SECRET_KEY,
    ciphertext,
    sample_script,
    write_sum,
)

Change = Callable[[Repository], None]
_VERSION = r"(  - name: {service}\n(?:    .*\n)*?    version: )(\S+)"
RAISED = "Raise checkoutservice to v0.10.6 in staging"
_ADDED = """\
-- What buyers write on a gift's card.
-- adx: phase=expand
-- adx: created=2026-03-02
-- adx: lock_timeout_ms=2000
ALTER TABLE orders ADD COLUMN gift_message text;
"""
_NOT_ADDED = "ALTER TABLE orders DROP COLUMN gift_message;\n"
_BADGES = r"(  - name: stock-level-badges\n(?:    .*\n)*?)    type: boolean\n    enabled: false\n"


def add_tenant(repository: Repository) -> None:
    """A new customer rehearses in staging."""
    (repository.work / "tenants" / "quayside-books.yaml").write_text(TENANT, "utf-8")
    repository.commit("Welcome Quayside Books")


def raise_quota(repository: Repository) -> None:
    """A customer of production gets half as much again."""
    quota = r'(^resource_limits:\n  cpu: )"8"(\n  memory: )16Gi'
    repository.edit("tenants/lumen-pharmacy.yaml", quota, r'\g<1>"12"\g<2>24Gi')
    repository.commit("Give Lumen Pharmacy room for the flu season")


def raise_version(repository: Repository) -> None:
    """One service, in staging."""
    repository.edit("environments/staging/services.yaml", _version("checkoutservice"), r"\g<1>v0.10.6")
    repository.commit(RAISED)


def promote(repository: Repository) -> None:
    """What ``adx promote staging production`` proposes: the versions that staging holds. The recording compares."""
    staging = (repository.work / "environments/staging/services.yaml").read_text("utf-8")
    production = (repository.work / "environments/production/services.yaml").read_text("utf-8")
    for service in re.findall(r"^  - name: (\S+)$", production, re.MULTILINE):
        found = re.search(_version(service), staging)
        if found is not None:
            repository.edit("environments/production/services.yaml", _version(service), rf"\g<1>{found[2]}")
    repository.commit("Promote staging to production")


def open_flag(repository: Repository) -> None:
    """A flag that was off for everybody reaches one visitor in twenty."""
    share = r"\g<1>    type: percentage\n    percentage: 5\n"
    repository.edit("environments/production/flags.yaml", _BADGES, share)
    repository.commit("Show stock badges to 5 % of production")


def rotate_secret(repository: Repository) -> None:
    """``adx config encrypt staging paymentservice PROVIDER_TOKEN --set`` writes this line."""
    file = "environments/staging/configuration.yaml"
    repository.edit(file, rf"^(    {SECRET_KEY}: ).+", rf"\g<1>{ciphertext(NEXT)}")
    repository.commit("Rotate the token of the payment provider")


def add_column(repository: Repository) -> None:
    """A script of the phase expand, and staging raised to it."""
    _script(repository, "0004_add_gift_message", _ADDED, _NOT_ADDED)
    repository.commit("Orders carry a gift message")


def drop_column(repository: Repository) -> None:
    """The clean-up after ``total_units`` and ``currency``, while checkoutservice still reads ``total``."""
    _script(repository, LAST_SCRIPT, sample_script("up"), sample_script("down"))
    repository.commit("Drop the text of an order's total")


def rename_tenant(repository: Repository) -> None:
    """The customer has a new name, so its file and everything that names it get the same."""
    repository.git("mv", "tenants/brightside-kids.yaml", "tenants/sunnyside-kids.yaml")
    repository.edit("tenants/sunnyside-kids.yaml", r"^name: .+", "name: sunnyside-kids")
    repository.edit("tenants/sunnyside-kids.yaml", r"^display_name: .+", "display_name: Sunnyside Kids")
    for environment in ("development", "staging"):
        flags = repository.work / "environments" / environment / "flags.yaml"
        flags.write_text(flags.read_text("utf-8").replace("brightside-kids", "sunnyside-kids"), "utf-8")
    repository.commit("Brightside Kids is now Sunnyside Kids")


def revert(repository: Repository) -> None:
    """``git revert`` of the merge before, and the reason that a lowered version needs."""
    repository.git("revert", "--no-edit", "main")
    reason = "\n    allow_downgrade: v0.10.6 charges some cards twice"
    repository.edit("environments/staging/services.yaml", _version("checkoutservice"), rf"\g<1>\g<2>{reason}")
    repository.commit("Say why the version goes down")


def _script(repository: Repository, name: str, up: str, down: str) -> None:
    for direction, text in (("up", up), ("down", down)):
        (repository.work / SCRIPTS / f"{name}.{direction}.sql").write_text(text, "utf-8")
    write_sum(repository)
    version = rf"(  - name: {DATABASE}\n(?:    .*\n)*?    version: )\d+"
    repository.edit("environments/staging/migrations.yaml", version, r"\g<1>4")


def _version(service: str) -> str:
    return _VERSION.format(service=re.escape(service))
