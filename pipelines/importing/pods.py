"""Folders that a service may write to, how its pods are spread, and whom it seems to call. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from pipelines.importing.model import Json
from pipelines.importing.workloads import containers_of

_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+\Z")
_LONGEST_PATH = 200
_HOST = re.compile(r"(?:HOST|ADDR|ADDRESS|SERVER|URL|ENDPOINT)\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?([a-z][a-z0-9-]{0,39})(?:[:./?].*)?\Z")


def writable_paths_of(deployment: Json, container: Json) -> list[str]:
    """Where an empty folder of its own is mounted: once, in this container, whole and writable."""
    spec = deployment["spec"]["template"]["spec"]
    folders = {one["name"] for one in spec.get("volumes") or () if one.get("emptyDir") == {}}
    every = [*containers_of(deployment), *(spec.get("initContainers") or ())]
    uses = Counter(mount["name"] for one in every for mount in one.get("volumeMounts") or ())
    return [
        str(mount["mountPath"])
        for mount in container.get("volumeMounts") or ()
        if mount["name"] in folders and uses[mount["name"]] == 1 and _is_plain(mount)
    ]


def spread_of(deployment: Json) -> list[Json]:
    """Rules of spreading in words of declarations; one for each label of nodes."""
    found: dict[str, Json] = {}
    for rule in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints") or ():
        made: Json = {"topology_key": rule["topologyKey"]}
        if rule.get("maxSkew", 1) != 1:
            made["max_skew"] = rule["maxSkew"]
        if rule.get("whenUnsatisfiable") == "DoNotSchedule":
            made["when_unsatisfiable"] = "DoNotSchedule"
        found.setdefault(rule["topologyKey"], made)
    return list(found.values())


def called_by(settings: Mapping[str, Mapping[str, str]], ports: Collection[str]) -> dict[str, dict[str, str]]:
    """``{service: {service it calls: variable that says so}}``: values of variables that are another's address.

    ``ports`` are the services that can be called. What would close a circle is left out: ADX starts services in the
    order of their dependencies.
    """
    found: dict[str, dict[str, str]] = {}
    for service in sorted(settings):
        for variable, value in sorted(settings[service].items()):
            match = _ADDRESS.match(value)
            called = match.group(1) if match else ""
            is_address = called in ports and called != service and (value != called or _HOST.search(variable))
            if is_address and called not in found.get(service, {}) and not _reaches(found, called, service):
                found.setdefault(service, {})[called] = variable
    return found


def _reaches(calls: Mapping[str, Mapping[str, str]], start: str, wanted: str) -> bool:
    seen, open_ = set(), [start]
    while open_:
        one = open_.pop()
        if one == wanted:
            return True
        if one not in seen:
            seen.add(one)
            open_ += calls.get(one, {})
    return False


def _is_plain(mount: Json) -> bool:
    path = str(mount["mountPath"])
    is_whole = not mount.get("readOnly") and not mount.get("subPath") and not mount.get("subPathExpr")
    return is_whole and len(path) <= _LONGEST_PATH and _PATH.match(path) is not None
