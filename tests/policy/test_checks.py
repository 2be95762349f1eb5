"""Every check of ADX, run by the real checkov: what is broken fails, what ADX renders passes.

All cases go through one process.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policies.checkov.context import context_of
from policies.checkov.policy_set import OwnCheck, PolicySet
from policies.checkov.rules import RULES
from policies.checkov.runner import CheckedObject, RawResults, run_checks
from policies.checkov.spec import PoliciesSpec
from tests.policy.objects import (
    BOUNDED,
    COMMIT,
    Manifest,
    autoscaled_objects,
    broken_pod,
    given,
    one_of_kind,
    platform_objects,
    service_objects,
    tenant_objects,
    with_image,
)

OWN_CHECK = """
from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.kubernetes.checks.resource.base_spec_check import BaseK8Check


class Owned(BaseK8Check):
    def __init__(self):
        super().__init__("Carts have an owner", "SHOP_1", (CheckCategories.KUBERNETES,), ("Service",), "add the label")

    def scan_spec_conf(self, conf):
        print("whatever a check prints must not disturb the answer")
        return CheckResult.PASSED if conf["metadata"]["labels"].get("adx/owner") else CheckResult.FAILED


check = Owned()
"""


def _edited(body: Manifest, edit: Callable[[Manifest], object]) -> Manifest:
    edit(body)
    return body


def _in_namespace(body: Manifest, namespace: str) -> Manifest:
    return _edited(body, lambda found: found["metadata"].update(namespace=namespace))


def _config_map() -> Manifest:
    return one_of_kind(tenant_objects(), "ConfigMap")


def _replicas(count: int) -> Manifest:
    return _edited(one_of_kind(service_objects(), "Deployment"), lambda body: body["spec"].update(replicas=count))


def _pod(**fields: Any) -> Manifest:
    return broken_pod(lambda pod, _: pod.update(fields))


def _container(**fields: Any) -> Manifest:
    return broken_pod(lambda _, container: container["securityContext"].update(fields))


# The check that must fail, the unit that the object belongs to, and the object.
BROKEN: dict[str, tuple[str, str, Manifest]] = {
    "image with the tag latest": ("ADX_K8S_1", "service/cart", with_image("shop/cart:latest")),
    "image without a tag": ("ADX_K8S_1", "service/cart", with_image("registry.example:5000/shop/cart")),
    "image of a branch": ("ADX_K8S_1", "service/cart", with_image("shop/cart:main")),
    "container without a memory limit": (
        "ADX_K8S_2", "service/cart", broken_pod(lambda _, container: container["resources"]["limits"].pop("memory")),
    ),
    "init container without resources": (
        "ADX_K8S_2", "service/cart", _pod(initContainers=[{"name": "init", "image": "shop/init:v1"}]),
    ),
    "tenant in the namespace of another": ("ADX_K8S_3", "tenant/acme", _in_namespace(_config_map(), "test-tenant-b")),
    "tenant in the namespace of the platform": (
        "ADX_K8S_3", "tenant/acme", _in_namespace(_config_map(), "shop-test"),
    ),
    "tenant without a namespace": (
        "ADX_K8S_3", "tenant/acme", _edited(_config_map(), lambda body: body["metadata"].pop("namespace")),
    ),
    "cluster role of a tenant": (
        "ADX_K8S_4", "tenant/acme", {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                                     "metadata": {"name": "all"}, "rules": []},
    ),
    "second namespace of a tenant": (
        "ADX_K8S_4", "tenant/acme", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "more"}},
    ),
    "pod that may run as root": (
        "ADX_K8S_5", "service/cart", broken_pod(lambda pod, _: pod["securityContext"].pop("runAsNonRoot")),
    ),
    "container that runs as user 0": ("ADX_K8S_5", "service/cart", _container(runAsUser=0)),
    "container that undoes what the pod says": ("ADX_K8S_5", "service/cart", _container(runAsNonRoot=False)),
    "container that may gain privileges": ("ADX_K8S_6", "service/cart", _container(allowPrivilegeEscalation=True)),
    "privileged container": ("ADX_K8S_6", "service/cart", _container(privileged=True)),
    "container that keeps capabilities": ("ADX_K8S_7", "service/cart", _container(capabilities={})),
    "container that adds a capability": (
        "ADX_K8S_7", "service/cart", _container(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    ),
    "pod without a seccomp profile": (
        "ADX_K8S_8", "service/cart", broken_pod(lambda pod, _: pod["securityContext"].pop("seccompProfile")),
    ),
    "container without seccomp": ("ADX_K8S_8", "service/cart", _container(seccompProfile={"type": "Unconfined"})),
    "pod in the network of the machine": ("ADX_K8S_9", "service/cart", _pod(hostNetwork=True)),
    "pod among the processes of the machine": ("ADX_K8S_9", "service/cart", _pod(hostPID=True)),
    "pod in the IPC of the machine": ("ADX_K8S_9", "service/cart", _pod(hostIPC=True)),
    "pod with a folder of the machine": (
        "ADX_K8S_9", "service/cart", _pod(volumes=[{"name": "etc", "hostPath": {"path": "/etc"}}]),
    ),
    "container with a port of the machine": (
        "ADX_K8S_9", "service/cart", broken_pod(lambda _, container: container["ports"][0].update(hostPort=80)),
    ),
    "namespace that admits anything": (
        "ADX_K8S_10", "platform",
        _edited(one_of_kind(platform_objects(), "Namespace"),
                lambda body: body["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "privileged"})),
    ),
    "data outside its region": (
        "ADX_K8S_11", "tenant/acme", one_of_kind(tenant_objects(data_residency="us"), "ConfigMap"),
    ),
    "data in a region that only looks alike": (
        "ADX_K8S_11", "tenant/acme", one_of_kind(tenant_objects(data_residency="eu-w"), "ConfigMap"),
    ),
    "card data unencrypted": (
        "ADX_K8S_12", "tenant/acme", one_of_kind(tenant_objects(encryption_at_rest=False), "ConfigMap"),
    ),
    "too many replicas": ("ADX_K8S_13", "service/cart", _replicas(11)),
    "too large a step": ("ADX_K8S_13", "service/cart", _replicas(8)),
    "autoscaler that may go too far": (
        "ADX_K8S_13", "service/scaled",
        _edited(one_of_kind(autoscaled_objects(), "HorizontalPodAutoscaler"),
                lambda body: body["spec"].update(maxReplicas=11)),
    ),
    "object with the label of another unit": ("ADX_K8S_14", "service/other", one_of_kind(service_objects(), "Service")),
    "object with a wish to be left alone": (
        "ADX_K8S_1", "service/cart",
        _edited(with_image("shop/cart:latest"),
                lambda body: body["metadata"]["annotations"].update({"checkov.io/skip1": "ADX_K8S_1=please"})),
    ),
}  # fmt: skip
GOOD = {
    "platform": platform_objects(),
    "service/cart": service_objects(),
    "service/scaled": autoscaled_objects(),
    "tenant/acme": tenant_objects(),
}
DELIVERED = {"service/cart": 3, "service/scaled": 2}


def _policies(spec: PoliciesSpec = BOUNDED) -> PolicySet:
    own = OwnCheck(path="policies/checkov/check_owner.py", source=OWN_CHECK, ids=("SHOP_1",))
    return PolicySet(commit=COMMIT, spec=spec, own_checks=(own,))


def _batch() -> dict[str, list[Manifest]]:
    """The good objects, then the broken ones, by unit; the order within a unit is that of BROKEN."""
    units = {unit: list(bodies) for unit, bodies in GOOD.items()}
    for _, unit, body in BROKEN.values():
        units.setdefault(unit, []).append(body)
    return units


@pytest.fixture(scope="module")
def raw(checkov_python: Path) -> RawResults:
    """The verdicts on everything, from one process."""
    return run_checks([given(_batch(), delivered_replicas=DELIVERED)], _policies(), checkov_python)


def _verdicts(checked: CheckedObject) -> dict[str, bool]:
    return {verdict.check: verdict.has_passed for verdict in checked.verdicts}


def _good(raw: RawResults) -> list[CheckedObject]:
    of_unit = {unit: [found for found in raw.objects if found.unit == unit] for unit in GOOD}
    return [found for unit, bodies in GOOD.items() for found in of_unit[unit][: len(bodies)]]


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_fails(raw: RawResults, case: str) -> None:
    """Each check finds its own fault and says in words what is wrong."""
    check, unit, _ = BROKEN[case]
    before = [name for name, (_, other, _) in BROKEN.items() if other == unit].index(case)
    checked = [found for found in raw.objects if found.unit == unit][len(GOOD.get(unit, ())) + before]
    verdict = next(found for found in checked.verdicts if found.check == check)
    assert not verdict.has_passed
    assert verdict.details


def test_what_adx_renders_passes_every_check_of_its_own(raw: RawResults) -> None:
    """Given a service, a tenant and a platform that use everything, no check of ADX fails."""
    failed = [(one.resource, check) for one in _good(raw) for check, passed in _verdicts(one).items() if not passed]
    assert [item for item in failed if item[1].startswith("ADX_")] == []


@pytest.mark.parametrize("check", RULES)
def test_every_check_has_something_to_say_about_what_adx_renders(raw: RawResults, check: str) -> None:
    """A check that never applies would find nothing either."""
    assert any(_verdicts(one).get(check) for one in _good(raw))


def test_checks_of_the_repository_are_run_beside_the_others(raw: RawResults) -> None:
    """Their title and fix come from the check itself."""
    assert next(_verdicts(one)["SHOP_1"] for one in raw.objects if one.resource == "Service shop-test/cart")
    assert raw.loaded["SHOP_1"] == ("Carts have an owner", "add the label")


def test_checkovs_own_checks_find_the_same_faults(raw: RawResults) -> None:
    """What is privileged, or uses the host's network, is known to checkov too."""
    failed = {check for one in raw.objects for check, has_passed in _verdicts(one).items() if not has_passed}
    assert {"CKV_K8S_14", "CKV_K8S_16", "CKV_K8S_19", "CKV_K8S_23", "CKV_K8S_39"} <= failed


def test_checks_that_are_off_are_not_run(raw: RawResults) -> None:
    """Given the defaults, what contradicts how ADX renders is not even asked."""
    assert {check for one in raw.objects for check in _verdicts(one)}.isdisjoint({"CKV_K8S_15", "CKV_K8S_40"})


def test_the_verdicts_are_those_of_checkovs_own_command(raw: RawResults, checkov_python: Path, tmp_path: Path) -> None:
    """Given the same objects, ``checkov`` itself with the same checks says the same about each of them."""
    folder = tmp_path / "objects"
    folder.mkdir()
    bodies = [(unit, body) for unit, group in _batch().items() for body in group]
    for number, (unit, body) in enumerate(bodies):
        stamped = {**body, "x-adx": {"unit": unit, "environment": "test"}}
        # Asking to be left alone is granted by the command and not by ADX.
        stamped["metadata"] = {key: value for key, value in body["metadata"].items() if key != "annotations"}
        (folder / f"{number:03}.json").write_text(json.dumps(stamped, indent=1))
    context = tmp_path / "context.json"
    context.write_text(json.dumps(context_of([given({}, delivered_replicas=DELIVERED)], BOUNDED)))
    found = _of_command(checkov_python, folder, context)
    ours = [{check: passed for check, passed in _verdicts(one).items() if check != "SHOP_1"} for one in raw.objects]
    assert found == ours


def _of_command(python: Path, folder: Path, context: Path) -> list[dict[str, bool]]:
    """Verdicts by object and check, from checkov's command line."""
    root = Path(__file__).parents[2]
    checks = [check for check in _policies().checks() if check != "SHOP_1"]
    script = f"import sys; sys.path.append({str(root)!r}); from checkov.main import Checkov; sys.exit(Checkov().run())"
    arguments = ["-d", str(folder), "--framework", "kubernetes", "-o", "json", "--skip-download", "--compact"]
    external = ["--external-checks-dir", str(root / "policies" / "checkov" / "checks"), "--check", ",".join(checks)]
    done = subprocess.run(
        [python, "-I", "-B", "-c", script, *arguments, *external],
        capture_output=True,
        env={"PATH": os.defpath, "HOME": str(context.parent), "ADX_POLICY_CONTEXT": str(context)},
        cwd=context.parent,
        check=False,
    )
    results = json.loads(done.stdout)["results"]
    found: list[dict[str, bool]] = [{} for _ in folder.iterdir()]
    for has_passed, records in ((True, results["passed_checks"]), (False, results["failed_checks"])):
        for record in records:
            found[int(Path(record["file_path"]).stem)][record["check_id"]] = has_passed
    return found
