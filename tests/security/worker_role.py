"""The rights in Kubernetes that docs/security.md gives a worker, and a kubeconfig of somebody who has no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lightkube import Client, KubeConfig
from lightkube.resources.core_v1 import ServiceAccount, ServiceAccountToken
from lightkube.resources.rbac_authorization_v1 import ClusterRole, ClusterRoleBinding

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def described_role() -> dict[str, Any]:
    """The ClusterRole of the page."""
    found = re.search(r"```yaml\n(apiVersion: rbac.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    role: dict[str, Any] = yaml.safe_load(found[1])
    return role


@contextmanager
def limited_kubeconfig(kubeconfig: Path, context: str, folder: Path, name: str) -> Iterator[Path]:
    """A kubeconfig in ``folder`` with the same context, for a service account called ``name`` with only that role."""
    client = Client(config=KubeConfig.from_file(kubeconfig).get(context_name=context))
    try:
        yield _written(yaml.safe_load(kubeconfig.read_text()), _token(client, name), folder / "limited-kubeconfig")
    finally:
        client.delete(ClusterRoleBinding, name)
        client.delete(ClusterRole, name)
        client.delete(ServiceAccount, name, namespace="default")


def _token(client: Client, name: str) -> str:
    """Make the role, and somebody who has it; his token."""
    client.create(ServiceAccount.from_dict({"metadata": {"name": name, "namespace": "default"}}))
    client.create(ClusterRole.from_dict(described_role() | {"metadata": {"name": name}}))
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": "default"}]
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": subjects}
    client.create(ClusterRoleBinding.from_dict(binding))
    request = {"metadata": {}, "spec": {"audiences": [], "expirationSeconds": 3600}}
    made = client.create(ServiceAccountToken.from_dict(request), name, namespace="default")
    return str(made.status.token)


def _written(config: dict[str, Any], token: str, path: Path) -> Path:
    for user in config["users"]:
        user["user"] = {"token": token}
    path.touch(0o600)
    path.write_text(yaml.safe_dump(config))
    return path
