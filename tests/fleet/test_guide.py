"""The guide's example is a declaration, and it means what the guide says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from policies.infrastructure.spec import EnvironmentSpec
from policies.yaml_reader import read
from tests.fleet.fleets import tenants
from tests.support.declared import edited, problems_of
from workflows.fleet.models import FleetUnit
from workflows.fleet.waves import plan_waves

GUIDE = Path(__file__).parents[2] / "docs" / "waves.md"


def example() -> dict[str, Any]:
    """The example, read as the product reads it."""
    found = re.search(r"```yaml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    document: dict[str, Any] = read(found.group(1).encode())
    return document


def test_the_example_has_no_problem() -> None:
    """It can be copied as it stands."""
    edits = {
        "environments/production/environment.yaml": {"": example()},
        "tenants/globex.yaml": {"environments": ["development", "production"]},
    }
    assert problems_of(edited(edits)) == []


def test_the_waves_of_the_example_are_as_the_guide_counts_them() -> None:
    """200 tenants, both canaries among them: 2, 3, 45 after an approval, 150."""
    document = {key: value for key, value in example().items() if key not in {"apiVersion", "kind"}}
    rules = msgspec.convert(document, EnvironmentSpec).rollout.fleet
    assert rules is not None
    units = [FleetUnit("tenant/acme"), FleetUnit("tenant/globex"), *tenants(198)]
    waves = plan_waves(units, rules)
    assert [(wave.name, len(wave.units), wave.needs_approval) for wave in waves] == [
        ("canaries", 2, False), ("1", 3, False), ("2", 45, True), ("3", 150, False),
    ]  # fmt: skip
