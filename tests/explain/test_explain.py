"""What a declaration becomes and who depends on it, on real declarations."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.render import render
from pipelines.explaining.address import UnknownDeclaration, parse
from pipelines.explaining.explain import broken, explain
from pipelines.explaining.model import Explanation, Place, UnitExplanation
from policies.desired_state import resolve
from policies.errors import DeclarationError
from policies.folder_tree import FolderTree
from policies.loader import load
from tests.explain.repositories import SAMPLES, explained, written
from tests.support.declared import base_documents

CANARY = "canary-4d1f"
DEVELOPMENT = "environments/development"


def only(explanation: Explanation) -> UnitExplanation:
    """The one unit that an explanation is about."""
    (unit,) = explanation.units
    return unit


def consumers(unit: UnitExplanation) -> dict[str, list[str]]:
    """Names of the consumers by how they are connected."""
    found: dict[str, list[str]] = {}
    for consumer in unit.consumers:
        found.setdefault(consumer.how, []).append(consumer.name)
    return found


def test_a_service_by_name_becomes_its_unit_and_objects(tmp_path: Path) -> None:
    """Kind, namespace and name of everything that is rendered; where it is declared and by whom."""
    told = explained(written(tmp_path), f"{DEVELOPMENT}/services.yaml#services.frontend")
    unit = only(told)

    assert (told.kind, told.title) == ("services", "frontend: The pages.")
    assert told.place.path == "services[0]"
    assert (unit.environment, unit.unit, unit.owner) == ("development", "service/frontend", "team-storefront")
    assert {(row.kind, row.name) for row in unit.objects} == {
        ("ServiceAccount", "frontend"),
        ("ConfigMap", "frontend-configuration"),
        ("Deployment", "frontend"),
        ("Service", "frontend"),
        ("PodDisruptionBudget", "frontend"),
    }
    assert {row.namespace for row in unit.objects} == {"shop-development"}


def test_a_service_is_consumed_by_callers_tenants_overrides_and_tests(tmp_path: Path) -> None:
    """Each of the ways in which something else names a service; a test also by its address or its command."""
    documents = base_documents()
    tests = documents["environments/production/environment.yaml"].setdefault("post_deployment_tests", [])
    tests.append({"name": "page", "http_check": {"url": "http://frontend.shop-production.svc/"}})
    tests.append({"name": "smoke", "command": {"arguments": ["./smoke", "--of=frontend"]}})
    tests.append({"name": "other", "command": {"arguments": ["./smoke", "frontend-of-another"]}})
    services = documents["environments/production/services.yaml"]["services"]
    next(service for service in services if service["name"] == "store")["dependencies"] = ["frontend"]
    frontend = next(service for service in services if service["name"] == "frontend")
    frontend["dependencies"] = []

    found = consumers(only(explained(written(tmp_path, documents), "production", "service/frontend")))

    assert found["called by"] == ["store"]
    assert found["reached by"] == ["acme"]
    assert found["overridden by"] == ["acme"]
    assert {"page", "smoke"} <= set(found["tested by"])
    assert "other" not in found["tested by"]


def test_a_line_is_the_declaration_that_is_there() -> None:
    """In the samples, the line of a service's version leads to that service."""
    text = (SAMPLES / "environments/staging/services.yaml").read_text()
    line = 1 + text[: text.index("name: cartservice")].count("\n")

    told = explained(SAMPLES, f"environments/staging/services.yaml:{line + 4}")

    assert only(told).unit == "service/cartservice"
    assert told.place == Place(file="environments/staging/services.yaml", path="services[2].version", line=line + 4)
    assert told.value.startswith('"v')


def test_a_tenant_becomes_a_unit_in_each_of_its_environments(tmp_path: Path) -> None:
    """One declaration, several environments; a flag that lists the tenant depends on it."""
    told = explained(written(tmp_path), "tenants/acme.yaml")

    assert [(unit.environment, unit.unit) for unit in told.units] == [
        ("development", "tenant/acme"),
        ("production", "tenant/acme"),
    ]
    assert told.units[0].objects[0].name == "development-tenant-acme"
    assert consumers(told.units[0])["named by"] == ["gift-wrapping"]


@pytest.mark.parametrize(
    ("path", "environments", "kinds"),
    [
        ("overrides.production", ["production"], {"Namespace", "ConfigMap", "NetworkPolicy"}),
        ("overrides.production.flags", ["production"], {"ConfigMap"}),
        ("environments[0]", ["development"], {"Namespace", "ConfigMap", "NetworkPolicy"}),
        ("network.services", ["development", "production"], {"Namespace", "ConfigMap", "NetworkPolicy"}),
    ],
)
def test_a_part_of_a_tenant_narrows_environments_and_objects(
    tmp_path: Path, path: str, environments: list[str], kinds: set[str]
) -> None:
    """An override concerns its environment alone; what it configures is one document."""
    told = explained(written(tmp_path), f"tenants/acme.yaml#{path}")

    assert [unit.environment for unit in told.units] == environments
    found = {row.kind for row in told.units[0].objects}
    assert found >= kinds
    assert (len(found) == 1) == (len(kinds) == 1)


def test_a_flag_is_read_by_services_on_for_tenants_and_overridden(tmp_path: Path) -> None:
    """Flags are the platform's; who reads each is what matters."""
    folder = written(tmp_path)
    express = only(explained(folder, "environments/production/flags.yaml#flags.express-checkout"))
    wrapping = only(explained(folder, f"{DEVELOPMENT}/flags.yaml#flags[1]"))

    assert [(row.kind, row.name) for row in express.objects] == [("ConfigMap", "feature-flags")]
    assert consumers(express) == {"read by": ["frontend"], "overridden by": ["acme"]}
    assert consumers(wrapping) == {"on for": ["acme"]}


def test_all_flags_name_each_reader_once(tmp_path: Path) -> None:
    """A service that reads two flags is one consumer."""
    documents = base_documents()
    services = documents[f"{DEVELOPMENT}/services.yaml"]["services"]
    services[0]["feature_flags"] = ["express-checkout", "gift-wrapping"]

    unit = only(explained(written(tmp_path, documents), f"{DEVELOPMENT}/flags.yaml"))

    assert consumers(unit)["read by"] == ["frontend"]


def test_a_configured_value_is_overridden_by_those_who_override_that_key(tmp_path: Path) -> None:
    """Not by those who override another key of the same service."""
    file = "environments/production/configuration.yaml"
    folder = written(tmp_path)

    currency = explained(folder, f"{file}#values.frontend.CURRENCY")
    size = explained(folder, f"{file}#values.frontend.PAGE_SIZE")

    assert consumers(only(currency)) == {"overridden by": ["acme"]}
    assert consumers(only(size)) == {}
    assert [row.kind for row in only(currency).objects] == ["ConfigMap"]
    assert "restarts them" in currency.notes[0]


@pytest.mark.parametrize("part", ["approval", "rollout", "post_deployment_tests", "snapshots"])
def test_what_becomes_no_object_says_so(part: str) -> None:
    """These decide how things are delivered, not what."""
    told = explained(SAMPLES, f"environments/production/environment.yaml#{part}")

    assert told.units == ()
    assert "no object" in told.notes[0]


def test_a_platform_is_used_by_everything_in_its_environment(tmp_path: Path) -> None:
    """Its namespace holds the services, and tenants talk to it."""
    unit = only(explained(written(tmp_path), "development", "platform"))

    assert {"frontend", "checkout", "store", "acme", "globex"} <= set(consumers(unit)["used by"])
    assert unit.declared == Place(file=f"{DEVELOPMENT}/environment.yaml")


def test_a_unit_without_environment_is_explained_in_each_that_has_it(tmp_path: Path) -> None:
    """In the order of names, each with its own place."""
    told = explained(written(tmp_path), "service/checkout")

    assert [unit.environment for unit in told.units] == ["development", "production"]
    assert {unit.declared.path for unit in told.units} == {"services[1]"}


def test_all_declarations_together_become_every_object_exactly_once() -> None:
    """Nothing that is rendered is left out, nothing is made up: on the samples, unit by unit."""
    declarations = load(FolderTree(SAMPLES))
    for name in declarations.environments:
        state = resolve(declarations, name, "")
        manifests = [
            (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]) for body in render(state)
        ]
        told = [explained(SAMPLES, name, unit.id) for unit in state.units]
        objects = [(row.kind, row.namespace, row.name) for one in told for row in only(one).objects]

        assert sorted(objects) == sorted(manifests)


@pytest.mark.parametrize(
    ("words", "suggests"),
    [
        (["tenants/acm.yaml"], "write tenants/acme.yaml"),
        (["acme"], "write tenants/acme.yaml"),
        (["production"], "write environments/production/environment.yaml"),
        (["environments/developmnt/services.yaml"], "write environments/development/services.yaml"),
        (["tenants/quite-another.yaml"], "adx validate"),
        (["developmnt", "platform"], "write development"),
        (["development", "service/chekout"], "write service/checkout"),
        (["tenant/initech"], "tenant/acme"),
    ],
)
def test_what_is_not_declared_is_answered_with_the_nearest_that_is(
    tmp_path: Path, words: list[str], suggests: str
) -> None:
    """Files, environments and units alike; a script sees exit status 6."""
    with pytest.raises(UnknownDeclaration) as refused:
        explained(written(tmp_path), *words)

    assert suggests in refused.value.next_step
    assert refused.value.exit_code == 6


def test_problems_of_the_file_asked_about_come_first_and_alone(tmp_path: Path) -> None:
    """With places and source lines; other files' problems are for `adx validate`. No secret is among them."""
    documents = base_documents()
    documents["tenants/acme.yaml"]["environments"] = ["developmnt"]
    documents[f"{DEVELOPMENT}/configuration.yaml"]["values"]["frontend"]["DB_PASSWORD"] = CANARY
    tree = FolderTree(written(tmp_path, documents))

    def problems_of(file: str) -> str:
        address = parse([file])
        with pytest.raises(DeclarationError) as refused:
            explain(tree, address, file)
        report = broken(tree, tmp_path, address, refused.value)
        assert {problem.file for problem in report.problems} == {file}
        assert all(problem.line for problem in report.problems)
        return repr(report)

    assert "developmnt" in problems_of("tenants/acme.yaml")
    assert CANARY not in problems_of(f"{DEVELOPMENT}/configuration.yaml")


def test_a_sound_file_among_broken_ones_is_answered_with_what_is_broken(tmp_path: Path) -> None:
    """What does not agree as a whole becomes nothing, so there is nothing to explain yet."""
    documents = base_documents()
    documents["tenants/acme.yaml"]["owner"] = 5
    tree, address = FolderTree(written(tmp_path, documents)), parse(["tenants/globex.yaml"])

    with pytest.raises(DeclarationError) as refused:
        explain(tree, address, "")

    assert {p.file for p in broken(tree, tmp_path, address, refused.value).problems} == {"tenants/acme.yaml"}
