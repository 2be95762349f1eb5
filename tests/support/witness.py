"""Watches what a cluster does to the objects of an environment: every form that each of them ever had, in order.

A server-side apply that changes nothing is no event, so what is applied twice
in vain is not seen, and what changes to and fro is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightkube import AsyncClient
from lightkube.core.resource import NamespacedResource
from lightkube.resources.core_v1 import ConfigMap, LimitRange, Namespace, ResourceQuota
from lightkube.resources.networking_v1 import NetworkPolicy

from workflows.clients.kubernetes.normalise import digests_by_unit

# All that tenants are made of.
KINDS: tuple[type[Any], ...] = (Namespace, ConfigMap, ResourceQuota, LimitRange, NetworkPolicy)
CAUGHT_UP_WITHIN_SECONDS = 30
Form = str | None


@dataclass
class Witness:
    """``forms[unit][object id]`` are the digests that the object had, None where it was not there."""

    client: AsyncClient
    labels: dict[str, str]
    forms: dict[str, dict[str, list[Form]]] = field(default_factory=dict)

    def assert_changed_once(
        self, delivered: Iterable[str], restored: Iterable[str] = (), *, round_trips: int = 1
    ) -> None:
        """No object of a unit that was delivered changed more than once, and no other was touched.

        Those of restored units may have gone to one other form and come back, so often at most: an attempt at a cell
        that is killed before it has recorded its end is made again.
        """
        new, back = set(delivered), set(restored)
        too_often = {
            name: forms
            for unit, objects in self.forms.items()
            for name, forms in objects.items()
            if not _is_fine(forms, is_new=unit in new, round_trips=round_trips if unit in back else 0)
        }
        assert too_often == {}

    def touched(self) -> set[str]:
        """The units of which at least one object changed."""
        return {unit for unit, objects in self.forms.items() if any(len(forms) > 1 for forms in objects.values())}

    async def caught_up(self) -> None:
        """Until everything that has happened so far was seen."""
        async with asyncio.timeout(CAUGHT_UP_WITHIN_SECONDS):
            while await self._now() != self._last():
                await asyncio.sleep(0.1)

    async def _now(self) -> dict[str, Form]:
        listed = [
            _item(kind, one)
            for kind in KINDS
            async for one in self.client.list(kind, labels=self.labels, **_everywhere(kind))
        ]
        return _flat(digests_by_unit(listed))

    def _last(self) -> dict[str, Form]:
        last = _flat({unit: {name: forms[-1] for name, forms in one.items()} for unit, one in self.forms.items()})
        return {name: form for name, form in last.items() if form is not None}

    def _saw(self, item: dict[str, Any], *, is_gone: bool = False, is_first: bool = False) -> None:
        if item["metadata"].get("deletionTimestamp") and not is_gone:
            return  # on its way out it has no form of its own: it is there until it is gone
        for unit, objects in digests_by_unit([item]).items():
            for name, digest in objects.items():
                forms = self.forms.setdefault(unit, {}).setdefault(name, [] if is_first else [None])
                form = None if is_gone else digest
                if not forms or forms[-1] != form:
                    forms.append(form)

    async def watch(self, kind: type[Any], is_listed: asyncio.Event) -> None:
        """See objects of one kind, from those that are there now on, until cancelled."""
        found = self.client.list(kind, labels=self.labels, **_everywhere(kind))
        async for one in found:
            self._saw(_item(kind, one), is_first=True)
        is_listed.set()
        since = found.resourceVersion
        async for event, one in self.client.watch(
            kind, labels=self.labels, resource_version=since, **_everywhere(kind)
        ):
            self._saw(_item(kind, one), is_gone=event == "DELETED")


@contextlib.asynccontextmanager
async def witnessed(client: AsyncClient, environment: str) -> AsyncIterator[Witness]:
    """Watch for as long as the block runs; at its end everything that happened in it was seen."""
    witness = Witness(client, {"adx/environment": environment, "adx/unit-kind": "tenant"})
    listed = [asyncio.Event() for _ in KINDS]
    tasks = [asyncio.create_task(witness.watch(kind, event)) for kind, event in zip(KINDS, listed, strict=True)]
    try:
        await asyncio.gather(*(event.wait() for event in listed))
        yield witness
        await witness.caught_up()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_fine(forms: list[Form], *, is_new: bool, round_trips: int) -> bool:
    if is_new:
        return len(forms) <= 2
    return forms[0] == forms[-1] and len(set(forms)) <= 2 and len(forms) <= 1 + 2 * round_trips


def _everywhere(kind: type[Any]) -> dict[str, Any]:
    return {"namespace": "*"} if issubclass(kind, NamespacedResource) else {}


def _item(kind: type[Any], one: Any) -> dict[str, Any]:
    return {**one.to_dict(), "kind": kind.__name__}


def _flat(by_unit: Mapping[str, Mapping[str, Form]]) -> dict[str, Form]:
    return {name: form for objects in by_unit.values() for name, form in objects.items()}
