"""One cluster, as ADX looks at it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote

from workflows.clients.kubernetes import addresses, kubeconfig
from workflows.clients.kubernetes.connection import Connection
from workflows.clients.kubernetes.errors import ObjectNotFound
from workflows.clients.kubernetes.kinds import ALL_KINDS, KINDS, Kind, path_of
from workflows.clients.kubernetes.normalise import digests_by_unit
from workflows.clients.kubernetes.selectors import made_by_adx
from workflows.clients.kubernetes.workloads import (
    POD_TEMPLATE_HASH,
    WorkloadStatus,
    newest_hash,
    selector_text,
    status_of,
)
from workflows.clients.kubernetes.writing import Writer

Json = dict[str, Any]


class Cluster:
    """A connection to one API server. One per process and event loop; close it at the end.

    Raises the errors of ``workflows.clients.kubernetes.errors``.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def connect(
        cls, kubeconfig_paths: str | None, context: str | None = None, *, environ: Mapping[str, str] | None = None
    ) -> Cluster:
        """The cluster of ``context`` (default: the current one) in the kubeconfig files (default: kubectl's own).

        Nothing is asked of it yet. Raises KubeconfigRefused for a kubeconfig
        that runs programs, skips TLS or points at a metadata service.
        """
        settings = os.environ if environ is None else environ
        access = await asyncio.to_thread(kubeconfig.load, kubeconfig_paths, context, settings)
        await addresses.check_server(access.server)
        return cls(Connection(access))

    async def version(self) -> str:
        """The API server's version, ``v1.36.3``; the cheapest proof that it answers."""
        return str((await self._connection.get("/version"))["gitVersion"])

    async def live_objects(self, selector: str, kinds: Collection[str] = ALL_KINDS) -> list[Json]:
        """All objects of ``kinds`` which ``selector`` (labels) chooses, as the API server has them."""
        found = await asyncio.gather(*(self._list(kind, selector) for kind in KINDS if kind.kind in kinds))
        return [item for items in found for item in items]

    async def find(self, body: Mapping[str, Any]) -> Json | None:
        """The live object of the kind, namespace and name of ``body``, a manifest; None when there is none."""
        try:
            return await self._connection.get(path_of(body))
        except ObjectNotFound:
            return None

    async def pods(self, namespace: str) -> list[Json]:
        """All pods of ``namespace``, as the API server has them; none where there is no such namespace."""
        return await self._connection.list(f"/api/v1/namespaces/{quote(namespace, safe='')}/pods", "")

    def writer(self, manager: str) -> Writer:
        """Who changes single objects as the field manager ``manager``."""
        return Writer(self._connection, manager)

    async def live_digests(
        self, environment: str, unit_kinds: Collection[str] | None = None
    ) -> dict[str, dict[str, str]]:
        """``{unit: {object id: SHA-256}}`` of all that ADX made for ``environment``, for units of these kinds or all.

        Equal for untouched objects however much time passes: without status and
        what servers and autoscalers change by themselves.
        """
        return digests_by_unit(await self.live_objects(made_by_adx(environment, unit_kinds=unit_kinds)))

    async def rollout_status(self, namespace: str, deployment: str) -> WorkloadStatus:
        """How far the Deployment is, and why it will not get further. Raises ObjectNotFound.

        Pods of earlier declarations are not looked at: a crash of theirs is no
        failure of this one.
        """
        path = f"/apis/apps/v1/namespaces/{quote(namespace, safe='')}/deployments/{quote(deployment, safe='')}"
        found = await self._connection.get(path)
        status = status_of(found)
        if status.is_ready or not status.observed or status.failure is not None:
            return status
        return status_of(found, await self._newest_pods(namespace, found))

    async def close(self) -> None:
        """Give back all connections."""
        await self._connection.close()

    async def __aenter__(self) -> Cluster:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _list(self, kind: Kind, selector: str) -> list[Json]:
        # Items of a list do not say what they are.
        named = {"apiVersion": kind.api_version, "kind": kind.kind}
        try:
            return [{**item, **named} for item in await self._connection.list(kind.path, selector)]
        except ObjectNotFound:
            if not kind.is_custom:
                raise
            return []

    async def _newest_pods(self, namespace: str, deployment: Json) -> list[Json]:
        selector, namespace = selector_text(deployment["spec"]["selector"]), quote(namespace, safe="")
        replica_sets = await self._connection.list(f"/apis/apps/v1/namespaces/{namespace}/replicasets", selector)
        template_hash = newest_hash(deployment, replica_sets)
        if template_hash is None:
            return []
        own = f"{selector},{POD_TEMPLATE_HASH}={template_hash}"
        return await self._connection.list(f"/api/v1/namespaces/{namespace}/pods", own)
