"""Reading, judging and replacing the stored state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from infra.engine import Engine, EngineSettings
from infra.engine.repair import settle
from infra.engine.state import decompress, parse, stored_path
from infra.errors import DamagedState
from tests.engine.cluster import Cluster
from tests.support.desired import desired_state, platform_unit

STACK = {"urn": "urn:pulumi:test::adx::pulumi:pulumi:Stack::adx-test", "type": "pulumi:pulumi:Stack", "custom": False}
CHILD = {
    "urn": "urn:pulumi:test::adx::kubernetes:core/v1:ConfigMap::child",
    "type": "kubernetes:core/v1:ConfigMap",
    "custom": True,
    "parent": STACK["urn"],
    "inputs": {"metadata": {"name": "child", "namespace": "shop"}},
}


def export(*resources: dict[str, Any], **deployment: Any) -> bytes:
    """An exported state of these resources."""
    return json.dumps({"version": 3, "deployment": {"resources": resources, **deployment}}).encode()


async def test_the_engine_exports_what_the_cli_exports(engine: Engine, environment: str):
    """Reading the file gives the same document as asking pulumi, without its process."""
    await engine.up(desired_state(environment, platform_unit(environment)))
    lines: list[bytes] = []
    await engine._pulumi(["stack", "export", "--stack", environment], lines.append)

    by_cli, by_file = json.loads(b"".join(lines)), json.loads(await engine.export_state())

    assert by_file["deployment"]["resources"] == by_cli["deployment"]["resources"]
    assert by_file["version"] == by_cli["version"]


@pytest.mark.parametrize("damage", ["truncated", "tampered", "emptied", "replaced"])
async def test_a_damaged_state_is_recognised_and_replaced_by_an_import(
    engine: Engine, settings: EngineSettings, cluster: Cluster, environment: str, damage: str
):
    """Given damage of the stored state, then no operation runs on it, and importing a good export heals it."""
    state = desired_state(environment, platform_unit(environment))
    await engine.up(state)
    good = await engine.export_state()
    path = stored_path(settings, environment)
    assert path is not None
    break_state(path, damage)

    for operation in (engine.preview(state), engine.up(state), engine.refresh(), engine.repair()):
        with pytest.raises(DamagedState):
            await operation
    await engine.import_state(good)

    assert (
        json.loads(await engine.export_state())["deployment"]["resources"]
        == json.loads(good)["deployment"]["resources"]
    )
    assert (await engine.preview(state)).is_empty
    assert list(path.parent.glob("damaged-*")) == []


async def test_attributes_that_a_kill_has_cut_off_do_not_make_a_sound_state_unreadable(
    engine: Engine, settings: EngineSettings, environment: str
):
    """Given an empty file of attributes beside a sound state, pulumi cannot read it; the engine deletes that file."""
    state = desired_state(environment, platform_unit(environment))
    await engine.up(state)
    path = stored_path(settings, environment)
    assert path is not None
    attributes = path.with_name(f"{path.name}.attrs")
    assert attributes.stat().st_size > 0
    attributes.write_bytes(b"")

    await engine.import_state(await engine.export_state())

    assert (await engine.preview(state)).is_empty


def break_state(path: Path, damage: str) -> None:
    """Damage the stored state in one of the ways that happen."""
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "replaced":
        path.write_bytes(b'{"hello": "world"}')
    else:
        document = json.loads(decompress(content))
        del document["checkpoint"]["latest"]["resources"][0]
        path.write_bytes(zstandard.compress(json.dumps(document).encode()))


async def test_a_damaged_export_is_never_imported(engine: Engine, environment: str):
    """The state in place is kept."""
    await engine.up(desired_state(environment, platform_unit(environment)))
    before = await engine.export_state()

    with pytest.raises(DamagedState):
        await engine.import_state(before[: len(before) // 2])

    assert await engine.export_state() == before


def test_a_healthy_state_is_read():
    """Resources refer only to earlier ones."""
    assert [resource.urn for resource in parse(export(STACK, CHILD)).resources] == [STACK["urn"], CHILD["urn"]]


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"", "not a Pulumi state"),
        (b"[]", "not a Pulumi state"),
        (export(CHILD), "refers to"),
        (export(CHILD, STACK), "refers to"),
        (export(STACK, CHILD, CHILD), "twice"),
        (export(STACK, CHILD | {"dependencies": ["urn:gone"]}), "urn:gone"),
    ],
)
def test_damage_is_named(damaged: bytes, reason: str):
    """The error says what is wrong with the state."""
    with pytest.raises(DamagedState, match=reason):
        parse(damaged)


def test_settling_enters_creations_under_the_id_that_kubernetes_gives():
    """The refresh that follows keeps those whose object exists."""
    pending = [{"type": "creating", "resource": CHILD}]

    settled = json.loads(settle(export(STACK, pending_operations=pending)))["deployment"]

    assert "pending_operations" not in settled
    assert settled["resources"][-1] == CHILD | {"id": "shop/child"}


@pytest.mark.parametrize("kind", ["updating", "deleting", "reading"])
def test_settling_leaves_what_the_state_already_has(kind: str):
    """An interrupted change of a known object is judged by the refresh."""
    known = CHILD | {"id": "shop/child"}
    pending = [{"type": kind, "resource": known}]

    settled = json.loads(settle(export(STACK, known, pending_operations=pending)))["deployment"]

    assert settled == {"resources": [STACK, known]}


def test_settling_never_enters_a_resource_twice():
    """A creation that is both pending and recorded stays recorded once."""
    pending = [{"type": "creating", "resource": CHILD}]

    settled = json.loads(settle(export(STACK, CHILD | {"id": "shop/child"}, pending_operations=pending)))

    assert len(settled["deployment"]["resources"]) == 2
