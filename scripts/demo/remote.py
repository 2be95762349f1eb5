"""The demo's own bare remote, filled with this repository's declarations, and a clone to change them in."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from policies.tree import FOLDERS

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "development"
IDENTITY = {"user.name": "Demo", "user.email": "demo@example.com", "commit.gpgsign": "false"}


class Remote:
    """``path`` is the bare repository, ``work`` the clone that plays the developer's machine."""

    def __init__(self, folder: Path) -> None:
        self.path, self.work = folder / "remote.git", folder / "work"

    def create(self) -> str:
        """Make both, with the declarations as the first commit; returns its id."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _git("init", "--quiet", "--bare", "--initial-branch=main", str(self.path))
        _git("init", "--quiet", "--initial-branch=main", str(self.work))
        self.git("remote", "add", "origin", str(self.path))
        # Whoever tries a change of their own in this clone can commit without having set up git.
        for name, value in IDENTITY.items():
            self.git("config", name, value)
        for folder in FOLDERS:
            if (ROOT / folder).exists():
                shutil.copytree(ROOT / folder, self.work / folder)
        self._declare_fleet()
        self._declare_server()
        return self.merge("Declare the shop")

    def merge(self, message: str) -> str:
        """Commit everything and push it to main; returns the commit id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        """Run git in the clone; its output."""
        return _git("-C", str(self.work), *arguments)

    def add_tenant(self, name: str, environment: str) -> None:
        """A new tenant in ``environment``, written as a team would write it."""
        (self.work / "tenants" / f"{name}.yaml").write_text(TENANT.format(name=name, environment=environment))

    def set_version(self, environment: str, service: str, version: str) -> str:
        """Change one line of services.yaml; returns the version that stood there."""
        return self._replace(
            f"environments/{environment}/services.yaml",
            rf"(- name: {service}\n(?: {{4}}.*\n)*?    version: )(\S+)",
            version,
        )

    def declare_delivery(self, environment: str, service: str) -> None:
        """Let ``service`` change its releases behind the gateway, in seconds instead of minutes."""
        file = self.work / "environments" / environment / "services.yaml"
        pattern = rf"(- name: {service}\n(?: {{4}}.*\n)*?    replicas: \S+\n)"
        text, count = re.subn(pattern, lambda found: found[1] + DELIVERY, file.read_text())
        if count != 1:
            raise SystemExit(f"{file} has no {service} with replicas")
        file.write_text(text)

    def enable_flag(self, environment: str) -> str:
        """Switch the first Boolean flag to its other value; returns the flag's name."""
        path = f"environments/{environment}/flags.yaml"
        text = (self.work / path).read_text()
        found = re.search(r"- name: (\S+)\n(?: {4}.*\n)*?    enabled: (true|false)", text)
        if found is None:
            raise SystemExit(f"{path} has no Boolean flag to change")
        name, value = found.groups()
        self._replace(
            path, rf"(- name: {name}\n(?: {{4}}.*\n)*?    enabled: )(\S+)", "false" if value == "true" else "true"
        )
        return name

    def merge_branch(self, branch: str) -> None:
        """Merge a branch that somebody else has pushed, and push the result to main."""
        self.git("fetch", "--quiet", "origin", branch)
        self.git("merge", "--quiet", "--no-edit", "FETCH_HEAD")
        self.git("push", "--quiet", "origin", "HEAD:main")

    def raise_pods(self, by: int) -> None:
        """Give every tenant more pods, everywhere."""
        for file in sorted((self.work / "tenants").glob("*.yaml")):
            raised = re.sub(r"(?m)^( +pods: )(\d+)", lambda found: f"{found[1]}{int(found[2]) + by}", file.read_text())
            file.write_text(raised)

    def add_migration(self, database: str, description: str, up: str, down: str, environment: str) -> int:
        """A script behind the last one, and the environment raised to it; returns its version."""
        scripts = self.work / "infra" / "databases" / database
        version = max(int(file.name[:4]) for file in scripts.glob("*.up.sql")) + 1
        for direction, text in (("up", up), ("down", down)):
            (scripts / f"{version:04d}_{description}.{direction}.sql").write_text(text)
        path = f"environments/{environment}/migrations.yaml"
        self._replace(path, rf"(- name: {database}\n(?: {{4}}.*\n)*?    version: )(\S+)", str(version))
        return version

    def _declare_server(self) -> None:
        """Let the databases of the demo's environment be where the local stack has a place for them."""
        file = self.work / "environments" / ENVIRONMENT / "migrations.yaml"
        text, count = re.subn(r"(?m)^(    engine: postgresql\n)", r"\1    server: local\n", file.read_text())
        if count != 1:
            raise SystemExit(f"{file} has no database to put on a server")
        file.write_text(text)

    def _declare_fleet(self) -> None:
        """Let the demo's environment deliver its tenants in waves."""
        file = self.work / "environments" / ENVIRONMENT / "environment.yaml"
        text, count = re.subn(r"(?m)^rollout:\n", f"rollout:\n{FLEET}", file.read_text())
        if count != 1:
            raise SystemExit(f"{file} has no rollout to put the waves into")
        file.write_text(text)

    def _replace(self, path: str, pattern: str, value: str) -> str:
        file = self.work / path
        text = file.read_text()
        found = re.search(pattern, text)
        if found is None:
            raise SystemExit(f"{path} has nothing that looks like {pattern}")
        file.write_text(text[: found.start(2)] + value + text[found.end(2) :])
        return found.group(2)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"git {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout.strip()


FLEET = """\
  cells: 2
  fleet:
    canaries: [kestrel-cycles]
    steps: ["50%"]
    failure_budget: 1
    gates:
      - name: all-ready
        workloads_ready: {timeout_seconds: 60}
"""
DELIVERY = """\
    delivery:
      strategy: canary
      gateway: caddy
      steps: [{weight_percent: 25, bake_seconds: 6}]
      bake_seconds: 4
      keep_blue_seconds: 3
      drain_seconds: 1
      analysis:
        interval_seconds: 2
        minimum_requests: 60
        success_rate: {worse_by_percent: 2}
"""
TENANT = """\
apiVersion: adx/v1
kind: Tenant
name: {name}
display_name: Quayside Books
owner: team-accounts
isolation_strategy: schema_per_tenant
database:
  engine: postgresql
  name: retail_shared
  schema: quayside_books
resource_limits:
  cpu: "1"
  memory: 2Gi
  storage: 10Gi
  pods: 10
environments: [{environment}]
network:
  services: [frontend]
"""
