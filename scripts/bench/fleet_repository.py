"""A repository with one environment and a number of equal small tenants, for the fleet's benchmarks.

Each tenant is a Namespace, a ResourceQuota, a LimitRange, two NetworkPolicies
and, where it has an override, a ConfigMap.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from scripts.bench.tenant_repository import commit, git, tenant_name

TENANTS_PER_CELL = 16
SERVICE = {
    "name": "frontend",
    "description": "The pages.",
    "owner": "team-storefront",
    "image": "registry.example.com/shop/frontend",
    "version": "v1.2.0",
    "replicas": 1,
    "resources": {
        "requests": {"cpu": "100m", "memory": "64Mi"},
        "limits": {"cpu": "200m", "memory": "128Mi"},
    },
    "ports": [{"name": "http", "port": 80, "target_port": 8080}],
}


class FleetRepository:
    """``remote`` is what ADX delivers; ``declare`` writes all tenants, ``push`` commits and pushes."""

    def __init__(self, folder: Path, environment: str, tenants: int) -> None:
        self.environment, self.tenants = environment, tenants
        self.remote, self.work = folder / "remote.git", folder / "work"
        self.work.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.remote))
        git(self.work, "init", "--quiet", "--initial-branch=main")
        git(self.work, "remote", "add", "origin", str(self.remote))
        self._write_environment()

    def declare(self, pods: int) -> None:
        """Every tenant, with a quota of ``pods`` pods."""
        shutil.rmtree(self.work / "tenants", ignore_errors=True)
        (self.work / "tenants").mkdir()
        for number in range(self.tenants):
            self.declare_one(number, pods)

    def declare_one(self, number: int, pods: int) -> None:
        """One tenant."""
        name = tenant_name(number)
        document = {
            "apiVersion": "adx/v1",
            "kind": "Tenant",
            "name": name,
            "display_name": name.title(),
            "owner": "team-accounts",
            "isolation_strategy": "schema_per_tenant",
            "database": {"engine": "postgresql", "name": "fleet", "schema": name.replace("-", "_")},
            "resource_limits": {"cpu": "1", "memory": "1Gi", "storage": "5Gi", "pods": pods},
            "environments": [self.environment],
        }
        (self.work / "tenants" / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    def push(self, message: str) -> str:
        """Commit what is declared and push it; the commit id."""
        made = commit(self.work, message)
        git(self.work, "push", "--quiet", "--force", "origin", "HEAD:main")
        return made

    def _write_environment(self) -> None:
        name = self.environment
        head = {"apiVersion": "adx/v1"}
        documents = {
            "environment": head
            | {
                "kind": "Environment",
                "name": name,
                "description": "A fleet to be measured.",
                "owner": "team-platform",
                "region": "eu-central-1",
                "namespace": f"shop-{name}",
                "rollout": {
                    "cells": max(1, self.tenants // TENANTS_PER_CELL),
                    "fleet": {"max_parallel": self.tenants, "failure_budget": "1%"},
                },
            },
            "services": head | {"kind": "Services", "environment": name, "services": [SERVICE]},
            "configuration": head | {"kind": "Configuration", "environment": name, "values": {}},
            "flags": head | {"kind": "Flags", "environment": name, "flags": []},
        }
        folder = self.work / "environments" / name
        folder.mkdir(parents=True)
        for kind, document in documents.items():
            (folder / f"{kind}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
