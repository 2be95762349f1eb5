"""docs/operations.md names metrics and modules that there are."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import yaml

from workflows.telemetry.metrics import REGISTRY

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count", "")}


def test_every_metric_that_is_named_is_served() -> None:
    """In the table, and in the alerts, which would stay silent for ever."""
    served = {family.name + suffix for family in REGISTRY.collect() for suffix in _SUFFIXES.get(family.type, ("",))}
    named = set(re.findall(r"\badx_[a-z_]+\b", PAGE))

    assert len(named) > 10
    assert named - served == set()


def test_the_alerts_are_rules_of_prometheus() -> None:
    """Each has a name of its own and an expression."""
    found = re.search(r"```yaml\n(groups:.*?)```", PAGE, re.DOTALL)
    assert found is not None
    rules = [rule for group in yaml.safe_load(found[1])["groups"] for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules) > 5
    assert [rule for rule in rules if not rule["expr"] or rule.keys() - {"alert", "expr", "for"}] == []


def test_every_module_that_is_to_be_run_exists() -> None:
    """``python -m …`` on the page."""
    named = set(re.findall(r"python -m ([\w.]+\w)", PAGE))

    assert named == {"scripts.drills.recovery"}
    assert [name for name in named if importlib.util.find_spec(name) is None] == []
