"""Components of others: what they may render, what ADX makes of it, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra import own_components
from infra.errors import ComponentFailed
from infra.own_components import GROUP, KINDS, TENANT_KINDS, OwnComponent, load
from infra.render import render, render_unit
from policies.desired_state import Unit
from tests.pipelines.command import SOURCE, adx, environment
from tests.support.desired import desired_state, platform_unit, service_unit, tenant_unit
from workflows.cells.activities import TENANT_KINDS as COMPARED_OF_TENANTS
from workflows.clients.kubernetes.kinds import KINDS as COMPARED
from workflows.retry import as_application_error

ENVIRONMENT = "test"
Use = Callable[[Callable[[Unit], list[dict[str, Any]]]], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Lets a function be the one installed component, ``extra``."""

    def install(render: Callable[[Unit], list[dict[str, Any]]]) -> None:
        component = OwnComponent("extra", render)
        monkeypatch.setattr(own_components, "installed", lambda: (component,))
        monkeypatch.setattr("infra.render.installed", lambda: (component,))

    return install


def config_map(name: str = "extra", **metadata: Any) -> dict[str, Any]:
    """What a component returns."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "b"}}


def test_an_object_lies_beside_ours_and_is_marked_as_ours_are(use: Use) -> None:
    """Given a component, then its object comes last, with the unit's namespace and the labels ADX finds it by."""
    unit = tenant_unit(ENVIRONMENT)
    ours = render_unit(unit)
    use(lambda _: [config_map(labels={"shop.example/a": "b"}, annotations={"shop.example/c": "d"})])

    *before, extra = render_unit(unit)

    assert before == ours
    metadata = extra["metadata"]
    assert metadata["namespace"] == unit.inputs.namespace
    assert extra["data"] == {"a": "b"}
    alike = {"adx/unit", "adx/environment", "adx/unit-kind", "adx/tenant", "app.kubernetes.io/managed-by"}
    assert {name: metadata["labels"][name] for name in alike} == {
        name: ours[1]["metadata"]["labels"][name] for name in alike
    }
    assert metadata["labels"] | {"shop.example/a": "b", "app.kubernetes.io/component": "extra"} == metadata["labels"]
    assert metadata["annotations"]["shop.example/c"] == "d"
    assert ours[1]["metadata"]["annotations"].items() <= metadata["annotations"].items()


def test_the_content_of_a_tenants_object_is_named_by_everything_in_it(use: Use) -> None:
    """Given two labels, then the objects differ in the label that says whether what was declared is there."""
    seen = set()
    for value in ("b", "c"):
        use(lambda _, value=value: [config_map(labels={"shop.example/a": value})])  # type: ignore[misc]
        seen.add(render_unit(tenant_unit(ENVIRONMENT))[-1]["metadata"]["labels"]["adx/content"])

    assert len(seen) == 2


def test_a_component_does_not_see_the_commit(use: Use) -> None:
    """Given another commit, then nothing that a component renders differs."""
    use(lambda unit: [{**config_map(), "data": {"commit": unit.commit}}])
    unit = tenant_unit(ENVIRONMENT)

    later = msgspec.structs.replace(unit, commit="f" * 40)

    assert render_unit(later)[-1] == render_unit(unit)[-1]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "x"}}, "Deployment cannot be rendered"),
        ({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}}, "Secret cannot be rendered"),
        ({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "x"}}, "Namespace cannot be rendered"),
        ({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "x"}}, "Service cannot be rendered"),
        ({"kind": "ConfigMap", "metadata": {"name": "x"}}, "each with its apiVersion"),
        ({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {}}, "no metadata.name"),
        (config_map(namespace="test-tenant-other"), "in another namespace"),
        (config_map(ownerReferences=[]), "metadata.ownerReferences"),
        (config_map(labels={"adx/unit": "tenant.other"}), "adx/unit among its labels"),
        (config_map(annotations={"pulumi.com/patchForce": "true"}), "pulumi.com/patchForce among its annotations"),
        (config_map(labels={"a": 1}), "labels that are not text"),
        (config_map("tenant-quota") | {"kind": "ResourceQuota"}, "which is rendered already"),
        ("no object", "ValidationError"),
        ({"a": object()}, "TypeError"),
    ],
)
def test_what_does_not_fit_is_refused(use: Use, body: Any, told: str) -> None:
    """Given an object that reaches out of its unit or is no object, then it is named with what it broke."""
    use(lambda _: [body])

    with pytest.raises(ComponentFailed, match=told) as caught:
        render_unit(tenant_unit(ENVIRONMENT))

    assert "extra" in str(caught.value)


def test_a_component_that_fails_says_where_and_for_whom(use: Use) -> None:
    """Given a defect in a component, then it is an expected error that names the component and the unit."""

    def broken(unit: Unit) -> list[dict[str, Any]]:
        raise LookupError(unit.id)

    use(broken)

    with pytest.raises(ComponentFailed, match="the component extra failed for platform: LookupError"):
        render_unit(platform_unit(ENVIRONMENT))


def test_two_units_cannot_render_one_object(use: Use) -> None:
    """Given one name for every service, then both units are named: two owners would undo each other."""
    use(lambda unit: [config_map()] if not unit.id.startswith("tenant/") else [])

    with pytest.raises(ComponentFailed, match="ConfigMap extra is rendered for platform and for service/"):
        render(desired_state(ENVIRONMENT, platform_unit(ENVIRONMENT), service_unit(ENVIRONMENT)))


def test_only_what_is_compared_after_a_restore_can_be_rendered() -> None:
    """A kind that nobody looks at in the cluster would be delivered and never verified."""
    assert {kind.kind for kind in COMPARED} - KINDS == {"Namespace", "Deployment"}
    assert {kind.kind for kind in COMPARED} >= KINDS
    assert COMPARED_OF_TENANTS - {"Namespace"} == TENANT_KINDS


@pytest.mark.parametrize(
    ("names", "value", "told"),
    [
        (("a", "a"), "json:loads", "named by two packages"),
        (("A b",), "json:loads", "is no name"),
        (("a",), "nowhere.at.all:x", "cannot be imported: ModuleNotFoundError"),
        (("a",), "infra.own_components:GROUP", "cannot be imported: TypeError: .* is no function"),
    ],
)
def test_entry_points_that_cannot_be_used_are_named(names: tuple[str, ...], value: str, told: str) -> None:
    """Given a wrong package, then the component is named: an object less would be a deletion."""
    with pytest.raises(ComponentFailed, match=told):
        load([EntryPoint(name, value, GROUP) for name in names])


@pytest.mark.parametrize(
    ("code", "told"),
    [("import nowhere_at_all\n", "ModuleNotFoundError"), ("raise SystemExit(0)\n", "SystemExit: 0")],
    ids=["raises", "exits"],
)
def test_a_worker_does_not_start_with_a_component_that_cannot_be_imported(tmp_path: Path, code: str, told: str) -> None:
    """Given a broken package, then no worker takes up a rollout that it could not restore: it says which, and ends.

    It ends before it connects to anything: nothing listens at the addresses that it is given.
    """
    (tmp_path / "shop_broken.py").write_text(code)
    information = tmp_path / "shop_broken-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-broken\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{GROUP}]\nsupport = shop_broken:support\n")
    environ = environment(
        tmp_path / "home",
        PYTHONPATH=f"{SOURCE}:{tmp_path}",
        ADX_TEMPORAL_ADDRESS="127.0.0.1:1",
        ADX_LEDGER_URL="postgresql://nobody@127.0.0.1:1/none",
    )

    ran = adx("worker", "--listen", "127.0.0.1:0", "--json", environ=environ, folder=tmp_path)

    assert ran.code == 1
    error = json.loads(ran.err.splitlines()[-1])["error"]
    assert error["message"].startswith(f"the component support cannot be imported: {told}")
    assert error["message"].endswith("(package shop-broken 1.0)")
    assert error["next_step"].startswith("correct or uninstall the package")


def test_what_a_component_does_wrong_is_not_tried_again() -> None:
    """Given the failure of a component, then Temporal is told that the same inputs fail again."""
    assert as_application_error(ComponentFailed("broken"), 1).non_retryable
