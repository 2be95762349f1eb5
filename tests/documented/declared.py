"""What the scene's repository declares: this repository's samples, with the names that the pages use."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.documented.pages import ROOT

ENVIRONMENTS = ("staging", "production")
# The samples' other services are more of the same, and each costs every delivery its pods.
SERVICES = ("frontend", "checkoutservice", "cart", "redis-cart")
TOO_MANY = ("lumen-pharmacy", "nordlicht-outdoor")
LEFT_AT_HOME = ("tests/", "docs/")
Document = dict[str, Any]


class _Dumper(yaml.SafeDumper):
    """Quotes dates as ADX wants them quoted, those too that PyYAML would not."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    is_a_date = re.match(r"\d{4}-\d\d-\d\d|\d+:\d\d", text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if is_a_date else None)


_Dumper.add_representer(str, _text)


def written(document: Document) -> str:
    """The document as YAML."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False)


def copy_repository(target: Path) -> None:
    """Every file that git knows here, tests and pages apart."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.split("\0"):
        if name and not name.startswith(LEFT_AT_HOME) and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


class Declared:
    """The declarations below ``work``, edited file by file."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def change(self, path: str, change: Callable[[Document], None]) -> None:
        """Read ``path``, change what it says, and write it."""
        document: Document = yaml.safe_load((self.work / path).read_text("utf-8"))
        change(document)
        (self.work / path).write_text(written(document), "utf-8")

    def prepare(self, *, database: str) -> None:
        """Make the samples what the pages speak of; tenants' rows are to be in ``database``."""
        for name in ("development", *ENVIRONMENTS):
            self.change(f"environments/{name}/services.yaml", _rename_cart)
            self.change(f"environments/{name}/services.yaml", _keep_few)
            self.change(f"environments/{name}/environment.yaml", _hasten)
            self.change(f"environments/{name}/configuration.yaml", _keep_values_of_few)
        self.change("environments/development/flags.yaml", _add_the_flag_with_rules)
        for name in ENVIRONMENTS:
            self.change(f"environments/{name}/migrations.yaml", _on_a_server)
        for name in TOO_MANY:
            (self.work / f"tenants/{name}.yaml").unlink()
        for path in sorted((self.work / "tenants").glob("*.yaml")):
            self.change(f"tenants/{path.name}", lambda tenant: _place(tenant, database))
        sample: Document = yaml.safe_load((self.work / "tenants/casa-oliva.yaml").read_text("utf-8"))
        for name in ("acme", "globex"):
            tenant = copy.deepcopy(sample) | {"name": name, "display_name": name.title()}
            tenant["isolation_strategy"], tenant["database"]["schema"] = "schema_per_tenant", name
            tenant["environments"] += ["staging"] if name == "acme" else []
            (self.work / f"tenants/{name}.yaml").write_text(written(tenant), "utf-8")

    def declare_waves(self, *, more_pods: int) -> None:
        """Let production change all its tenants in waves, held by a freeze; two waves are asked for."""

        def freeze(environment: Document) -> None:
            fleet = environment["rollout"]["fleet"]
            fleet |= {"steps": [2, 3, "100%"], "approval_before": [2, 3], "approvers": ["ines.keller"]}
            freeze = {"name": "year-end", "reason": "The books are closed.", "time_zone": "Europe/Berlin"}
            environment["freezes"] = [freeze | {"from": "2020-01-01T00:00", "until": "2099-01-01T00:00"}]

        self.change("environments/production/environment.yaml", freeze)
        for path in sorted((self.work / "tenants").glob("*.yaml")):
            self.change(f"tenants/{path.name}", lambda tenant: _more_pods(tenant, more_pods))

    def declare_no_waves(self) -> None:
        """Let production deliver without asking anybody again."""

        def thaw(environment: Document) -> None:
            del environment["freezes"]
            environment["rollout"]["fleet"] = _fleet()

        self.change("environments/production/environment.yaml", thaw)

    def raise_version(self, environment: str, service: str, version: str) -> None:
        """Another version of a service."""

        def change(document: Document) -> None:
            _service(document, service)["version"] = version

        self.change(f"environments/{environment}/services.yaml", change)


def _fleet() -> Document:
    return {"canaries": ["globex", "casa-oliva"], "failure_budget": 2, "max_parallel": 10}


def _hasten(environment: Document) -> None:
    """Nobody is asked, nothing is waited for, and promotions have no gates: the pages are about what then follows."""
    environment["approval"] = {"required": False}
    environment["post_deployment_tests"] = environment["post_deployment_tests"][:1]
    if environment["name"] == "production":
        environment["rollout"] |= {"cells": 1, "fleet": _fleet()}
    environment.pop("promotion", None)


def _rename_cart(document: Document) -> None:
    for service in document["services"]:
        text = written(service).replace("cartservice", "cart")
        service.clear()
        service.update(yaml.safe_load(text))


def _keep_few(document: Document) -> None:
    document["services"] = [service for service in document["services"] if service["name"] in SERVICES]
    for service in document["services"]:
        service["dependencies"] = [name for name in service.get("dependencies", []) if name in SERVICES]
        ranges = service.get("dependency_versions", {})
        service["dependency_versions"] = {name: ranges[name] for name in ranges if name in SERVICES}
    cart = _service(document, "cart")
    cart["delivery"] = {
        "strategy": "canary",
        "gateway": "gateway-api",
        "route": {"gateway_name": "public", "gateway_namespace": "gateways"},
        "steps": [{"weight_percent": 5, "bake_seconds": 3600}, {"weight_percent": 50, "bake_seconds": 3600}],
        "bake_seconds": 3600,
        "keep_blue_seconds": 3600,
        "drain_seconds": 0,
    }


def _keep_values_of_few(document: Document) -> None:
    document["values"] = {name: values for name, values in document["values"].items() if name in SERVICES}
    document["values"]["frontend"]["PAGE_SIZE"] = 24


def _add_the_flag_with_rules(document: Document) -> None:
    """The one of the guide to flags, which its commands are about."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/flags.md").read_text("utf-8"), re.DOTALL)
    flags = [flag for block in blocks for flag in (yaml.safe_load(block) or {}).get("flags", [])]
    document["flags"].append(next(flag for flag in flags if flag["name"] == "checkout-layout"))


def _on_a_server(document: Document) -> None:
    document["databases"][0] |= {"server": document["environment"], "version": 1}


def _place(tenant: Document, database: str) -> None:
    """Its rows in this scene's database; it calls only services that are left."""
    if tenant["database"]["engine"] == "postgresql":
        tenant["database"]["name"] = database
    network = tenant.get("network", {})
    network["services"] = [name for name in network.get("services", []) if name in SERVICES]


def _more_pods(tenant: Document, more: int) -> None:
    tenant["resource_limits"]["pods"] += more


def _service(document: Document, name: str) -> Document:
    found: Document = next(service for service in document["services"] if service["name"] == name)
    return found
