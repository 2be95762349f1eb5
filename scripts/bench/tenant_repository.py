"""A repository of many realistic tenants, for benchmarks: what this one declares, and tenants made up by number."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST_NAMES = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "iris", "juniper")
TRADES = ("books", "bikes", "coffee", "garden", "glass", "music", "optics", "shoes", "tea", "toys")
FRAMEWORKS = ("gdpr", "soc2", "iso27001", "pci_dss")
_DOCUMENT = """\
# yaml-language-server: $schema=../policies/tenancy/schema.json
# Sells {trade}; plan {plan}, onboarded in wave {wave}.
apiVersion: adx/v1
kind: Tenant
name: {name}
display_name: {display_name}
owner: team-accounts-{side}
isolation_strategy: schema_per_tenant
database:
  engine: postgresql
  name: boutique_{database}
  schema: {schema}
  storage_gb: {storage_gb}
  connection_limit: {connections}
resource_limits:
  cpu: "{cpu}"
  memory: {memory_gi}Gi
  storage: {storage_gb}Gi
  pods: {pods}
environments:
{environments}
compliance:
  frameworks:
    - {framework}
  retention_days: {retention_days}
network:
  services:
{services}
  egress:
    - cidr: 203.0.113.{network}/28
      port: 443
      reason: Their warehouse and its stock levels.
overrides:
  development:
    configuration:
      frontend:
        FRONTEND_MESSAGE: "Campaign {number}: the new season is here."
    flags:
      express-checkout: {express_checkout}
"""
SERVICES = ("frontend", "checkoutservice", "productcatalogservice", "recommendationservice", "shippingservice")


def make_repository(folder: Path, tenants: int) -> None:
    """A git repository in ``folder`` with ``tenants`` tenants and one commit, packed as a clone would be."""
    shutil.copytree(ROOT / "environments", folder / "environments", ignore=shutil.ignore_patterns("Pulumi.*"))
    shutil.copytree(ROOT / "tenants", folder / "tenants")  # flags name some of them
    for number in range(tenants - len(list((folder / "tenants").iterdir()))):
        name = tenant_name(number)
        (folder / "tenants" / f"{name}.yaml").write_text(tenant_document(number), "utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "Declare tenants")
    git(folder, "repack", "-adq")


def commit(folder: Path, message: str) -> str:
    """Commit everything in ``folder``; the full commit id."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    """What git prints; raises CalledProcessError when it fails."""
    who = {"NAME": "Benchmark", "EMAIL": "benchmark@localhost"}
    identity = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True, env=os.environ | identity
    )
    return done.stdout.strip()


def tenant_name(number: int) -> str:
    """``cedar-tea-00042``."""
    return f"{FIRST_NAMES[number % 10]}-{TRADES[number // 10 % 10]}-{number:05}"


def tenant_document(number: int, cpu: str = "2") -> str:
    """The file of one tenant, about as long as the samples; what it holds varies with ``number``."""
    name = tenant_name(number)
    return _DOCUMENT.format(
        name=name,
        trade=TRADES[number // 10 % 10],
        plan=number % 7,
        wave=number // 100,
        display_name=name.replace("-", " ").title(),
        side=("west", "east", "us")[number % 3],
        database=number % 40,
        schema=name.replace("-", "_"),
        storage_gb=10 + number % 90,
        connections=5 + number % 50,
        cpu=cpu,
        memory_gi=1 + number % 16,
        pods=6 + number % 40,
        environments=_listed(("development", "staging", "production")[: 1 + number % 3], indent=2),
        framework=FRAMEWORKS[number % 4],
        retention_days=365 + number % 1000,
        services=_listed(SERVICES[: 1 + number % 4], indent=4),
        network=number % 16 * 16,
        number=number,
        express_checkout="true" if number % 2 else "false",
    )


def _listed(names: Sequence[str], *, indent: int) -> str:
    return "\n".join(f"{' ' * indent}- {name}" for name in names)
