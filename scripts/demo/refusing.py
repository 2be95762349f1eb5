"""Lets the demo's cluster refuse one tenant's change, by an admission policy as an administrator of it may have one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflows.clients.kubernetes.connection import Connection
from workflows.clients.kubernetes.errors import ClusterRefused
from workflows.clients.kubernetes.kubeconfig import load

NAME = "demo-cap-pods"
_API = "/apis/admissionregistration.k8s.io/v1"
_JSON, _MERGE = "application/json", "application/merge-patch+json"
TAKEN_IN_WITHIN_SECONDS = 30
_MESSAGE = "the pods of this namespace are capped"
_ABSURD = {"spec": {"hard": {"pods": "9999"}}}


@contextlib.contextmanager
def capped(home: Path, namespace: str) -> Iterator[None]:
    """While the block runs, the cluster refuses every change of the number of pods that ``namespace`` may have."""
    asyncio.run(_cap(home, namespace))
    try:
        yield
    finally:
        asyncio.run(_uncap(home))


async def _cap(home: Path, namespace: str) -> None:
    async with contextlib.aclosing(_opened(home)) as connection:
        await connection.send("POST", f"{_API}/validatingadmissionpolicies", _policy(namespace), _JSON)
        await connection.send("POST", f"{_API}/validatingadmissionpolicybindings", _binding(namespace), _JSON)
        quota = f"/api/v1/namespaces/{namespace}/resourcequotas/tenant-quota"
        try:
            async with asyncio.timeout(TAKEN_IN_WITHIN_SECONDS):
                await _until_refused(connection, quota)
        except TimeoutError as error:
            raise SystemExit("the cluster did not take the demo's policy in; see `adx logs kube-apiserver`") from error


async def _until_refused(connection: Connection, quota: str) -> None:
    """The API server needs a moment to take a policy in."""
    while True:
        try:
            await connection.send("PATCH", quota, _ABSURD, _MERGE, {"dryRun": "All"})
        except ClusterRefused as error:
            if _MESSAGE not in str(error):
                raise
            return
        await asyncio.sleep(0.1)


async def _uncap(home: Path) -> None:
    async with contextlib.aclosing(_opened(home)) as connection:
        await connection.send("DELETE", f"{_API}/validatingadmissionpolicybindings/{NAME}", {}, _JSON)
        await connection.send("DELETE", f"{_API}/validatingadmissionpolicies/{NAME}", {}, _JSON)


class _Closing(Connection):
    """A connection that ``aclosing`` can close."""

    async def aclose(self) -> None:
        await self.close()


def _opened(home: Path) -> _Closing:
    settings = json.loads((home / "env.json").read_text())
    return _Closing(load(settings["KUBECONFIG"], settings["ADX_KUBE_CONTEXT"], os.environ))


def _policy(namespace: str) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["resourcequotas"]}
    unchanged = "string(object.spec.hard['pods']) == string(oldObject.spec.hard['pods'])"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule], **_only_in(namespace)},
            "validations": [{"expression": unchanged, "message": _MESSAGE}],
        },
    }


def _binding(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": NAME},
        "spec": {"policyName": NAME, "validationActions": ["Deny"], "matchResources": _only_in(namespace)},
    }


def _only_in(namespace: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
