"""Reads one namespace of a cluster. The thin edge: no decision about content is made here.

Secrets are neither read nor listed. Of kinds that ADX has no word for only the
names are kept, found through the API server's own list of kinds, so that a
custom one is not overlooked.
"""

from __future__ import annotations

import asyncio
import os
from urllib.parse import quote

from pipelines.importing.model import Contents, Json, Other
from policies.errors import AdxError
from workflows.clients.kubernetes import addresses, kubeconfig
from workflows.clients.kubernetes.connection import Connection
from workflows.clients.kubernetes.errors import ClusterFailed, ClusterRefused, ObjectNotFound
from workflows.clients.kubernetes.kinds import KINDS, Kind
from workflows.errors import AdxConnectionError, AdxTimeoutError

IN_FULL = tuple(kind for kind in KINDS if kind.kind not in {"Namespace", "HTTPRoute"})
# Never listed, or made of other objects by the cluster itself.
_NEVER = frozenset({"Secret"})
_MADE_BY_OTHERS = frozenset(
    {"ControllerRevision", "Endpoints", "EndpointSlice", "Event", "Lease", "PodMetrics", "ReplicaSet", "Binding"}
)


class NamespaceMissing(AdxError):
    """The cluster has no such namespace."""

    exit_code = 6


class NamespaceReader:
    """Reads namespaces of one API server. Close it at the end; raises the errors of the cluster's client."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, kubeconfig_paths: str | None, context: str | None) -> NamespaceReader:
        """Of the cluster of ``context`` in the kubeconfig files; refuses what ``Cluster.connect`` refuses."""
        access = await asyncio.to_thread(kubeconfig.load, kubeconfig_paths, context, os.environ)
        await addresses.check_server(access.server)
        return cls(Connection(access))

    async def read(self, namespace: str) -> Contents:
        """Everything in ``namespace`` that may be read. Raises NamespaceMissing; ClusterRefused without Deployments."""
        own, unread = quote(namespace, safe=""), dict[str, str]()
        itself = await self._itself(own, unread)
        if itself is None:
            raise NamespaceMissing(
                f"the cluster has no namespace {namespace}", next_step="check the name and --context"
            )
        kinds = [Kind("Pod", "v1", "/api/v1/pods"), *IN_FULL]
        answers = await asyncio.gather(*(self._all(kind, own, unread) for kind in kinds))
        found = dict(zip((kind.kind for kind in kinds), answers, strict=True))
        others = await self._others(own, unread)
        pods = found.pop("Pod")
        objects = {kind: items for kind, items in found.items() if items}
        objects["Namespace"] = ({**_bare(namespace), **itself},)
        return Contents(namespace, objects, tuple(others), unread, pods)

    async def namespace(self, name: str) -> Json | None:
        """The object of the namespace ``name``; None when there is none, its name alone when it may not be read."""
        itself = await self._itself(quote(name, safe=""), {})
        return None if itself is None else {**_bare(name), **itself}

    async def close(self) -> None:
        """Give back all connections."""
        await self._connection.close()

    async def __aenter__(self) -> NamespaceReader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _itself(self, namespace: str, unread: dict[str, str]) -> Json | None:
        """The namespace's own object; None when there is none, empty when it may not be read."""
        try:
            return await self._connection.get(f"/api/v1/namespaces/{namespace}")
        except ObjectNotFound:
            return None
        except ClusterRefused as error:
            unread["Namespace"] = str(error)
            return {}

    async def _all(self, kind: Kind, namespace: str, unread: dict[str, str]) -> tuple[Json, ...]:
        """All objects of ``kind``; none, and why, where they may not be read. Deployments have to be."""
        named = {"apiVersion": kind.api_version, "kind": kind.kind}
        try:
            items = await self._connection.list(_inside(kind.path, namespace))
        except ClusterRefused as error:
            if kind.kind == "Deployment":
                raise
            unread[kind.kind] = str(error)
            return ()
        return tuple({**item, **named} for item in items)

    async def _others(self, namespace: str, unread: dict[str, str]) -> list[Other]:
        """Names of the objects of all kinds that are not read in full, but for what a controller made."""
        known = {_collection(kind.path) for kind in IN_FULL}
        kinds = {path: kind for path, kind in (await self._kinds(unread)).items() if _collection(path) not in known}
        answers = await asyncio.gather(*(self._names(_inside(path, namespace)) for path in kinds))
        found: list[Other] = []
        for kind, answer in zip(kinds.values(), answers, strict=True):
            if isinstance(answer, str):
                unread[kind] = answer
            else:
                found += [Other(kind=kind, name=name) for name in answer]
        return found

    async def _names(self, path: str) -> list[str] | str:
        """The names at ``path`` of what nobody controls; why they cannot be read, if they cannot."""
        try:
            items = await self._connection.list(path)
        except ObjectNotFound:
            return []
        except ClusterRefused as error:
            return str(error)
        return [item["metadata"]["name"] for item in items if not item["metadata"].get("ownerReferences")]

    async def _kinds(self, unread: dict[str, str]) -> dict[str, str]:
        """``{path: kind}`` of all kinds that live in namespaces and can be listed, each in one version."""
        groups = (await self._connection.get("/apis")).get("groups") or ()
        versions = [f"/apis/{version['groupVersion']}" for group in groups for version in group["versions"]]
        paths = ["/api/v1", *versions]
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for path, answer in zip(
            paths, await asyncio.gather(*(self._resources(one, unread) for one in paths)), strict=True
        ):
            for resource in answer:
                kind, name = str(resource.get("kind")), f"{path}/{resource['name']}"
                is_listed = resource.get("namespaced") and "list" in resource.get("verbs", ())
                if is_listed and kind not in _NEVER | _MADE_BY_OTHERS:
                    found.setdefault(_collection(name), (name, kind))
        return dict(found.values())

    async def _resources(self, path: str, unread: dict[str, str]) -> list[Json]:
        """The kinds of one group; none, and why, where the server of the group is away."""
        try:
            return list((await self._connection.get(path)).get("resources") or ())
        except ObjectNotFound:
            return []
        except (AdxConnectionError, AdxTimeoutError, ClusterFailed, ClusterRefused) as error:
            unread[f"kinds of {path.removeprefix('/apis/')}"] = str(error)
            return []


def _bare(namespace: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}


def _collection(path: str) -> tuple[str, str]:
    """Group and plural of a kind, whatever its version: ``("apps", "deployments")``."""
    parts = path.split("/")
    return (parts[2] if parts[1] == "apis" else "", parts[-1])


def _inside(path: str, namespace: str) -> str:
    group, _, plural = path.rpartition("/")
    return f"{group}/namespaces/{namespace}/{plural}"
