"""Reading with few rights: what may not be read is said, and a Secret is never asked for."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import yaml
from lightkube import Client, KubeConfig
from lightkube.models.authentication_v1 import TokenRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ServiceAccountToken

from tests.importing.cluster import namespace_of, people, ran_import
from tests.support.local_stack import LocalStack

RULES = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["services", "configmaps"], "verbs": ["list"]},
]


def rights(name: str) -> list[dict[str, Any]]:
    """An account that may list Deployments, Services and ConfigMaps of its namespace, and nothing else."""
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": name}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "reader"}, "rules": RULES},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "reader"},
            "subjects": [subject],
        },
    ]


def test_what_may_not_be_read_is_a_row_and_the_rest_is_proposed(local_stack: LocalStack, tmp_path: Path) -> None:
    """An account without rights to Secrets, namespaces, pods or anything else is enough."""
    name = f"few-{uuid.uuid4().hex[:8]}"
    with namespace_of(local_stack, name, [*rights(name), *people()]):
        config = yaml.safe_load(local_stack.kubeconfig.read_text())
        access = KubeConfig.from_file(local_stack.kubeconfig).get(context_name=local_stack.kube_context)
        asked = ServiceAccountToken(spec=TokenRequestSpec(audiences=[]), metadata=ObjectMeta())
        token = Client(config=access).create(asked, "reader", namespace=name).to_dict()["status"]["token"]
        config["users"] = [{"name": one["name"], "user": {"token": token}} for one in config["users"]]
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        ran = ran_import(
            local_stack, name, "--env", "live", "--json", repository=tmp_path, KUBECONFIG=str(tmp_path / "kubeconfig")
        )

    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    unread = {row["object"] for row in found["rows"] if "could not be read" in row["what"]}
    assert {"Namespace", "Pod", "HorizontalPodAutoscaler", "StatefulSet"} <= unread
    assert "Secret" not in json.dumps(sorted(unread))
    assert found["rows"][0]["kind"] == "danger"  # whether the new namespace is there is not known
