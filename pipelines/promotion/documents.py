"""The declarations of one environment as cells: single values that travel, or not, by themselves. Pure.

A cell of a service is one of its fields, of ``env`` one variable; of
configuration one value; of flags one flag without its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import field

from pipelines.promotion.model import Kind
from policies.spec import Spec
from policies.yaml_reader import RefusedError, read

CellKey = tuple[Kind, tuple[str, ...]]
Cells = Mapping[CellKey, Any]

# Belongs to the image: the same wherever this version runs.
TRAVELS = frozenset(
    {
        "image",
        "image_digest",
        "version",
        "semantic_version",
        "ports",
        "probes",
        "dependencies",
        "dependency_versions",
        "feature_flags",
        "configuration",
        "env",
        "writable_paths",
        "schema_versions",
        "serves_api_versions",
        "api_versions",
    }
)
# Belongs to the environment: how much of it runs there, for whom, how long that may take, and what went before.
STAYS = frozenset(
    {
        "name",
        "description",
        "owner",
        "resources",
        "replicas",
        "autoscaling",
        "min_available",
        "max_unavailable",
        "topology_spread",
        "delivery",
        "ready_timeout_seconds",
        "allow_downgrade",
    }
)
_UNORDERED = frozenset(
    {"ports", "dependencies", "feature_flags", "configuration", "writable_paths", "serves_api_versions"}
)


class Documents(Spec):
    """The documents of an environment as they are written, by name; what is not there, or not readable, is empty."""

    services: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    flags: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> dict[CellKey, Any]:
        """Every cell that could travel."""
        cells: dict[CellKey, Any] = {}
        for name, service in self.services.items():
            for key, value in service.items():
                if key == "env" and isinstance(value, dict):
                    cells |= {("services", (name, key, variable)): item for variable, item in value.items()}
                elif key in TRAVELS:
                    cells["services", (name, key)] = value
        for name, values in self.configuration.items():
            cells |= {("configuration", (name, key)): value for key, value in values.items()}
        for name, flag in self.flags.items():
            cells["flags", (name,)] = {key: value for key, value in flag.items() if key != "name"}
        return cells


def documents_of(services: bytes, configuration: bytes, flags: bytes) -> Documents:
    """The documents in the files. Old commits may hold anything: what cannot be read counts as empty."""
    values = _document(configuration).get("values")
    return Documents(
        services=_by_name(_document(services).get("services")),
        configuration={
            name: below
            for name, below in (values.items() if isinstance(values, dict) else ())
            if isinstance(below, dict)
        },
        flags=_by_name(_document(flags).get("flags")),
    )


def same(key: CellKey, one: Any, other: Any) -> bool:
    """Whether two values of a cell mean the same; None is none, and lists whose order means nothing are sorted."""
    return _canonical(key, one) == _canonical(key, other)


def _canonical(key: CellKey, value: Any) -> bytes:
    kind, path = key
    if kind == "services" and path[1] in _UNORDERED and isinstance(value, list):
        if path[1] == "ports":
            value = [{"target_port": port.get("port"), **port} if isinstance(port, dict) else port for port in value]
        return b"\n".join(sorted(msgspec.json.encode(one, order="deterministic") for one in value))
    # An empty list or mapping is what is there when nothing is said.
    return msgspec.json.encode(None if value in ([], {}) else value, order="deterministic")


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = read(data) if data else {}
    except RefusedError:
        return {}
    return document if isinstance(document, dict) else {}


def _by_name(items: Any) -> dict[str, Any]:
    found = items if isinstance(items, list) else []
    return {str(one["name"]): one for one in found if isinstance(one, dict) and "name" in one}
