"""The ports of a service and the probes that ask them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.importing.model import Json
from pipelines.importing.notes import Notes
from pipelines.importing.secrets_in_clear import why_secret

PROBES = {"readiness": "readinessProbe", "liveness": "livenessProbe", "startup": "startupProbe"}
_TIMINGS = {
    "initialDelaySeconds": ("initial_delay_seconds", 0),
    "periodSeconds": ("period_seconds", 10),
    "timeoutSeconds": ("timeout_seconds", 1),
    "failureThreshold": ("failure_threshold", 3),
}
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,13}[a-z0-9])?\Z")
_HTTP_PATH = re.compile(r"/([!\"$-.0-~][!\"$-~]*)?\Z")


def numbers_by_name(container: Json) -> dict[str, int]:
    """``{name: number}`` of the ports that a container names."""
    return {one["name"]: int(one["containerPort"]) for one in container.get("ports") or () if one.get("name")}


class Ports:
    """The ports of one service, as they are found: those of its address, then those that only probes ask."""

    def __init__(self, container: Json, service: Json | None) -> None:
        self._named = numbers_by_name(container)
        self.declared: list[Json] = []
        for port in (service or {"spec": {}})["spec"].get("ports") or ():
            target = self.number(port.get("targetPort", port["port"]))
            if target is not None and port.get("protocol", "TCP") == "TCP":
                self._add(int(port["port"]), target, [port.get("name", ""), *self._names_of(target)])

    def number(self, port: object) -> int | None:
        """The number that a name or number of a port stands for."""
        text = str(port)
        return int(text) if text.isdecimal() else self._named.get(text)

    def of_probe(self, port: object) -> tuple[str, bool] | None:
        """Name of the port that a probe asks, and whether it had to be added; None where it cannot be."""
        target = self.number(port)
        if target is None:
            return None
        for one in self.declared:
            if one.get("target_port", one["port"]) == target:
                return str(one["name"]), False
        if any(one["port"] == target for one in self.declared):
            return None
        return self._add(target, target, self._names_of(target)), True

    def _names_of(self, target: int) -> list[str]:
        return [name for name, number in self._named.items() if number == target]

    def _add(self, port: int, target: int, wished: Iterable[str]) -> str:
        taken = {one["name"] for one in self.declared}
        name = next((one for one in wished if _NAME.match(one) and one not in taken), f"port-{port}")
        entry: Json = {"name": name, "port": port}
        if target != port:
            entry["target_port"] = target
        self.declared.append(entry)
        return name


def probes_of(container: Json, ports: Ports, notes: Notes) -> Json:
    """The probes that ask by HTTP, gRPC or TCP; adds to ``ports`` what they ask and no Service has."""
    made: Json = {}
    for name, field in PROBES.items():
        live = container.get(field)
        place = f"spec.template.spec.containers[{container['name']}].{field}"
        probe = _probe(live, ports, notes, place, name) if live else None
        if probe is not None:
            made[name] = probe
    return made


def _probe(live: Json, ports: Ports, notes: Notes, place: str, name: str) -> Json | None:
    asked = live.get("httpGet") or live.get("grpc") or live.get("tcpSocket")
    found = ports.of_probe(asked["port"]) if asked else None
    if not asked or found is None:
        return None
    port, is_new = found
    if is_new:
        notes.add("guessed", f"{place}", f"a port for this probe: callers can dial {port}, too", at="ports")
    if "httpGet" in live:
        path = str(asked.get("path") or "/")
        if not _HTTP_PATH.match(path):
            return None
        made: Json = {"port": port, "http_path": path} | _headers(asked, notes, place, name)
    else:
        made = {"port": port, "grpc" if "grpc" in live else "tcp": True}
    return made | _timing(live)


def _headers(asked: Mapping[str, Any], notes: Notes, place: str, name: str) -> Json:
    kept = {}
    for header in asked.get("httpHeaders") or ():
        key, value = str(header["name"]), str(header.get("value", ""))
        if why_secret(key, value) is not None:
            notes.add("secret", f"{place}.httpGet.httpHeaders[{key}]", "looks like a secret: not taken over",
                      at=f"probes.{name}")  # fmt: skip
        else:
            kept[key] = value
    return {"http_headers": kept} if kept else {}


def _timing(live: Json) -> Json:
    """What differs from Kubernetes' own figures."""
    return {
        name: live[field]
        for field, (name, default) in _TIMINGS.items()
        if isinstance(live.get(field), int) and live[field] != default
    }
