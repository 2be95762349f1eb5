"""A sample environment as ADX renders it, applied by somebody else, imported, and rendered again.

What differs then, found here by a plain comparison of manifests, is what the
import had reported: no more, no less.
"""

from __future__ import annotations

import copy
import uuid
from pathlib import Path
from typing import Any

import msgspec

from infra.render import render
from pipelines.importing.model import ProposedFile
from pipelines.validate import validate
from policies.desired_state import DesiredState, resolve
from policies.folder_tree import FolderTree
from policies.loader import load
from tests.importing.cluster import imported, namespace_of
from tests.support.local_stack import LocalStack

SAMPLES = Path(__file__).parents[2]
ENVIRONMENT = "development"
OWN_LABELS = ("adx/", "pulumi.com/", "app.kubernetes.io/")
SELECTED_BY = ("app.kubernetes.io/name", "app.kubernetes.io/instance")
Manifest = dict[str, Any]


def of_nobody(body: Manifest, namespace: str) -> Manifest:
    """A manifest without ADX's labels, but for those that select pods, in another namespace."""
    made = copy.deepcopy(body)
    template = made["spec"]["template"] if made["kind"] == "Deployment" else {}
    for metadata in (made["metadata"], template.get("metadata", {})):
        for field in {"labels", "annotations"} & metadata.keys():
            kept = {
                key: value
                for key, value in metadata[field].items()
                if key in SELECTED_BY or not key.startswith(OWN_LABELS)
            }
            metadata[field] = kept
    if made["kind"] == "Namespace":
        made["metadata"]["name"] = namespace
    else:
        made["metadata"]["namespace"] = namespace
    return made


def manifests_of(folder: Path) -> list[Manifest]:
    """The platform and the services of the environment, without its tenants."""
    state = resolve(load(FolderTree(folder)), ENVIRONMENT, "0" * 40)
    units = tuple(unit for unit in state.units if not unit.id.startswith("tenant/"))
    return render(msgspec.structs.replace(state, units=units, sources={})) if isinstance(state, DesiredState) else []


def leaves(value: Any, place: str = "") -> dict[str, Any]:
    """Every scalar by its place; items of lists by their name, mount path or number."""
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= leaves(item, f"{place}.{key}" if place else key)
        return found
    if isinstance(value, list) and value:
        found = {}
        for number, item in enumerate(value):
            name = item.get("mountPath", item.get("name", number)) if isinstance(item, dict) else number
            found |= leaves(item, f"{place}[{name}]")
        return found
    return {place: value}


def differing(before: list[Manifest], after: list[Manifest]) -> set[tuple[str, str]]:
    """``(Kind/name, place)`` of every leaf that is not the same on both sides."""
    sides = [{f"{body['kind']}/{body['metadata']['name']}": leaves(body) for body in side} for side in (before, after)]
    return {
        (name, place)
        for name in sides[0].keys() | sides[1].keys()
        for place in sides[0].get(name, {}).keys() | sides[1].get(name, {}).keys()
        if sides[0].get(name, {}).get(place, KeyError) != sides[1].get(name, {}).get(place, KeyError)
    }


def test_what_differs_is_what_was_reported(local_stack: LocalStack, tmp_path: Path) -> None:
    """Flags are what a cluster cannot tell from any file; everything else comes back as it was."""
    namespace = f"again-{uuid.uuid4().hex[:8]}"
    original = [of_nobody(body, namespace) for body in manifests_of(SAMPLES)]
    with namespace_of(local_stack, namespace, original):
        found = imported(local_stack, namespace, "--env", ENVIRONMENT, repository=tmp_path)
    for file in msgspec.convert(found["files"], list[ProposedFile]):
        (tmp_path / file.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.path).write_text(file.text)
    again = [of_nobody(body, namespace) for body in manifests_of(tmp_path)]

    unlike = differing(original, again)
    # A volume and its mount are one thing to whoever reads the report.
    unlike = {(name, place) for name, place in unlike if ".volumes[" not in place}
    reported = {(row["object"], row["field"]) for row in found["rows"] if row["kind"] in {"lost", "changed", "added"}}

    assert validate(tmp_path).problems == ()
    assert {name for name, _ in unlike} == {name for name, _ in reported}
    unsaid = {(n, p) for n, p in unlike if not any(n == name and p.startswith(at) for name, at in reported)}
    imagined = {(n, at) for n, at in reported if not any(n == name and p.startswith(at) for name, p in unlike)}
    assert (unsaid, imagined) == (set(), set())
    assert {at for _, at in reported if "/etc/adx/flags" not in at} == {"data.flags.json", "data.flags.flagd.json"}
