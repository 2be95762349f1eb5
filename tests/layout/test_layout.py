"""The repository's shape: every system's slug in every mirror it belongs to, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLUGS = {
    "infrastructure",
    "services",
    "configuration",
    "migrations",
    "tenancy",
    "plugins",
    "api_versions",
    "observability",
}
# The systems that exist today, and the mirrors each has: a system without durable steps of its own has no workflows.
MIRRORS = {
    "infrastructure": ("policies", "infra", "workflows", "tests"),
    "services": ("policies", "infra", "workflows", "tests"),
    "configuration": ("policies", "infra", "workflows", "tests"),
    "tenancy": ("policies", "infra", "tests"),
}
NOT_SYSTEMS = {
    "policies": {"checkov"},
    "workflows": {"cells", "clients", "drift", "fleet", "intake", "ledger", "rollout", "snapshots", "telemetry"},
}
FILES = {
    "policies": ("schema.json", "spec.py", "rules.py"),
    "workflows": ("models.py", "plan.py", "activities.py"),
    "tests": ("test_schema.py", "test_rules.py", "test_component.py"),
}


@pytest.mark.parametrize(("system", "mirrors"), MIRRORS.items())
def test_a_system_has_its_fixed_files_in_each_of_its_mirrors(system: str, mirrors: tuple[str, ...]) -> None:
    """``git ls-files | grep <slug>`` shows a whole system."""
    expected = [ROOT / mirror / system / name for mirror in mirrors for name in FILES.get(mirror, ())]
    if "infra" in mirrors:
        expected.append(ROOT / "infra" / "components" / f"{system}.py")

    assert [path for path in expected if not path.is_file()] == []


@pytest.mark.parametrize("folder", NOT_SYSTEMS)
def test_a_folder_is_a_system_or_a_known_role(folder: str) -> None:
    """A system under another name would be found by nobody."""
    found = {path.name for path in (ROOT / folder).iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert found - NOT_SYSTEMS[folder] <= SLUGS


def test_components_are_called_after_systems() -> None:
    """One module per system."""
    found = {path.stem for path in (ROOT / "infra" / "components").glob("*.py")} - {"__init__"}

    # The Deployment of a service and the route to its releases fill modules of their own.
    assert found <= SLUGS | {"workload", "gateway_api"}


def test_the_pulumi_entry_point_stays_thin() -> None:
    """At most 20 lines: what it does is elsewhere, and tested."""
    assert len((ROOT / "infra" / "__main__.py").read_text().splitlines()) <= 20
