"""What the users of a unit would notice, judged by the objects that change. Pure.

An estimate from what the declarations say: how many pods restart, and whether
there is always one that answers. Where it cannot be known, it is "possible".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from infra.components.services import smallest_replica_count
from pipelines.preview.report import Disruption, Downtime, ResourceRow
from policies.change_set import FieldChange
from policies.desired_state import DesiredState, ServiceInputs, Unit
from policies.quantities import quantity
from policies.services.releases import is_new_release
from policies.services.spec import ServiceSpec
from policies.spec import Spec

MOST_REASONS = 3
_WORST: dict[Downtime, int] = {"certain": 0, "possible": 1, "none": 2}
_TEMPLATE = "spec.template"
_CONFIGURATION_DIGEST = "spec.template.metadata.annotations.adx/configuration-digest"
_VOLUME_TEMPLATES = "spec.volumeClaimTemplates"
_NEW, _NOTHING = "it is new, nobody uses it yet", "no pod restarts"
NAMESPACE_GOES = "its namespace goes with everything in it, volumes included"
QUIET = frozenset({_NEW, _NOTHING})  # what nobody needs to be told


class _Effect(Spec):
    """What one object's change means. ``why`` leaves out whose it is, so that alike units are told as one."""

    why: str
    downtime: Downtime = "none"
    pods: int = 0
    volumes: int = 0


class _Context(Spec):
    """The unit as it runs now and as it would be; None where it does not exist."""

    before: Unit | None
    after: Unit | None

    @property
    def running(self) -> ServiceSpec | None:
        """The service whose pods exist now."""
        return _service(self.before)

    @property
    def coming(self) -> ServiceSpec | None:
        """The service that would be there."""
        return _service(self.after)

    @property
    def is_taken_over(self) -> bool:
        """Whether a new release is ready beside the old one before that one goes."""
        before, after = self.before and self.before.inputs, self.after and self.after.inputs
        if not isinstance(before, ServiceInputs) or not isinstance(after, ServiceInputs):
            return False
        return is_new_release(before, after)


def disruptions(
    resources: Iterable[ResourceRow], before: DesiredState | None, after: DesiredState | None, units: Iterable[str]
) -> tuple[Disruption, ...]:
    """One judgement for each of ``units`` and each unit of ``resources``, ordered by unit.

    ``before`` is what is delivered now: its replicas are the pods that restart.
    """
    by_unit: dict[str, list[ResourceRow]] = {unit: [] for unit in units}
    for row in resources:
        by_unit.setdefault(row.unit, []).append(row)
    old, new = _by_id(before), _by_id(after)
    return tuple(
        _judged(unit, by_unit[unit], _Context(before=old.get(unit), after=new.get(unit))) for unit in sorted(by_unit)
    )


def _judged(unit: str, rows: list[ResourceRow], context: _Context) -> Disruption:
    effects = [effect for row in rows for effect in _effects(row, context)]
    effects.sort(key=lambda effect: (_WORST[effect.downtime], -effect.pods))
    reasons = list(dict.fromkeys(effect.why for effect in effects)) or [_quiet(rows, context)]
    more = len(reasons) - MOST_REASONS
    return Disruption(
        unit=unit,
        pods_restarted=sum(effect.pods for effect in effects),
        volumes_replaced=sum(effect.volumes for effect in effects),
        downtime=effects[0].downtime if effects else "none",
        why="; ".join(reasons[:MOST_REASONS]) + (f"; and {more} more" if more > 0 else ""),
    )


def _quiet(rows: list[ResourceRow], context: _Context) -> str:
    """Why nobody notices anything."""
    if context.before is None:
        return _NEW
    if any(row.kind == "ConfigMap" for row in rows):
        return "read from mounted files: no pod restarts"
    return _NOTHING


def _effects(row: ResourceRow, context: _Context) -> Iterator[_Effect]:
    judge = _JUDGES.get(row.kind)
    if judge is not None:
        yield from judge(row, context)


def _namespace(row: ResourceRow, _: _Context) -> Iterator[_Effect]:
    if row.is_dangerous:
        yield _Effect(why=NAMESPACE_GOES, downtime="certain")


def _deployment(row: ResourceRow, context: _Context) -> Iterator[_Effect]:
    pods, words = _pods(context.running)
    if row.action == "delete" and context.is_taken_over:
        yield _Effect(why=f"{row.name} goes with {words} once the new release has all requests")
    elif row.action == "delete":
        yield _Effect(why=f"{row.name} is deleted with {words}", downtime="certain")
    elif row.action == "replace":
        because = f" ({', '.join(row.replaced_because)} cannot be changed in place)" if row.replaced_because else ""
        why = f"{row.name} is deleted and created anew{because}: {words} go before new ones come"
        yield _Effect(why=why, downtime="certain", pods=pods)
    elif row.action == "update":
        yield from _rolled(row, context, pods, words)


def _rolled(row: ResourceRow, context: _Context, pods: int, words: str) -> Iterator[_Effect]:
    """An update in place: pods are replaced one by one when what they are made of changes."""
    changed = [field.path for field in row.fields if _is_below(field.path, _TEMPLATE)]
    if _is_scaled_to_nothing(context):
        yield _Effect(why=f"{row.name} gets 0 replicas: no pod remains", downtime="certain")
    elif any(_is_below(field.path, "spec.selector") for field in row.fields):
        yield _Effect(why=f"the selector of {row.name} changes", downtime="possible", pods=pods)
    elif not changed:
        yield from _scaled(row)
    elif context.running is not None and pods == 0:
        yield _Effect(why=f"{row.name} has no pods now")
    else:
        yield _restart(context, pods, words, is_only_configuration=set(changed) == {_CONFIGURATION_DIGEST})


def _restart(context: _Context, pods: int, words: str, *, is_only_configuration: bool) -> _Effect:
    cause = "configuration is read at the start: " if is_only_configuration else ""
    if context.coming is not None and context.coming.ports and context.coming.probes.readiness is None:
        why = f"{cause}{words} restart; without a readiness probe new ones get requests at once"
        return _Effect(why=why, downtime="possible", pods=pods)
    manner = (
        "restarts: the new one is ready before the old one goes" if pods == 1 else "restart one by one, a new one first"
    )
    return _Effect(why=f"{cause}{words} {manner}", pods=pods)


def _scaled(row: ResourceRow) -> Iterator[_Effect]:
    for field in row.fields:
        if field.path == "spec.replicas":
            yield _Effect(why=f"{field.before or '?'} → {field.after or 'as many as needed'} replicas: no pod restarts")


def _service_address(row: ResourceRow, context: _Context) -> Iterator[_Effect]:
    is_other_pods = any(_is_below(field.path, "spec.selector") for field in row.fields)
    if context.is_taken_over and _is_of_one_release(row, context):
        return
    if row.is_dangerous:
        comes_back = "" if row.action == "delete" else " and comes back as another"
        yield _Effect(why=f"the address of {row.name} goes{comes_back}", downtime="certain")
    elif is_other_pods and context.is_taken_over:
        yield _Effect(why=f"the address of {row.name} leads to the new release once that is ready")
    elif is_other_pods:
        yield _Effect(why=f"the address of {row.name} leads to other pods", downtime="possible")
    elif context.before is not None and any(_is_taken(field, "spec.ports") for field in row.fields):
        yield _Effect(why=f"ports of {row.name} change: who calls the old ones fails", downtime="possible")


def _is_of_one_release(row: ResourceRow, context: _Context) -> bool:
    """Whether only the service's own route dials the address: its name goes on behind that of the service."""
    return context.coming is not None and row.name != context.coming.name


def _claim(row: ResourceRow, _: _Context) -> Iterator[_Effect]:
    if row.is_dangerous:
        yield _Effect(why=f"volume {row.name} goes with its data", downtime="certain", volumes=1)


def _stateful_set(row: ResourceRow, context: _Context) -> Iterator[_Effect]:
    pods, words = _pods(context.running)
    is_other_volume = any(_is_below(field.path, _VOLUME_TEMPLATES) for field in row.fields)
    if row.is_dangerous:
        volumes = max(pods, 1) if row.action == "delete" or is_other_volume else 0
        yield _Effect(why=f"{row.name} goes with {words}", downtime="certain", pods=pods, volumes=volumes)
    elif any(_is_below(field.path, _TEMPLATE) for field in row.fields):
        yield _Effect(why=f"{words} of {row.name} restart, each before its successor", downtime="possible", pods=pods)


def _quota(row: ResourceRow, _: _Context) -> Iterator[_Effect]:
    smaller = [field.path.removeprefix("spec.hard.") for field in row.fields if _is_smaller(field)]
    if smaller:
        why = f"quota lowered ({', '.join(smaller)}): pods that run stay, new ones may be refused"
        yield _Effect(why=why, downtime="possible")
    elif row.action == "update" and any(_is_below(field.path, "spec.hard") for field in row.fields):
        yield _Effect(why="quota raised: nothing restarts")


def _network_policy(row: ResourceRow, context: _Context) -> Iterator[_Effect]:
    is_narrower = any(_is_taken(field, "spec") for field in row.fields)
    is_new_limit = row.action == "create" and context.before is not None
    if row.action == "replace" or is_narrower or is_new_limit:
        yield _Effect(why="network rules change: a connection may be refused", downtime="possible")
    elif row.action == "update" and any(_is_below(field.path, "spec") for field in row.fields):
        yield _Effect(why="network rules are added: nothing that works stops")


_JUDGES: dict[str, Callable[[ResourceRow, _Context], Iterator[_Effect]]] = {
    "Namespace": _namespace,
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "Service": _service_address,
    "PersistentVolumeClaim": _claim,
    "ResourceQuota": _quota,
    "NetworkPolicy": _network_policy,
}


def _pods(spec: ServiceSpec | None) -> tuple[int, str]:
    """How many pods the service runs, at least, and how to say it."""
    if spec is None:
        return 0, "its pods"
    count = smallest_replica_count(spec)
    if spec.autoscaling is not None:
        return count, f"{count} or more pods (autoscaled)"
    return count, "the only pod" if count == 1 else f"{count} pods"


def _is_scaled_to_nothing(context: _Context) -> bool:
    running, coming = context.running, context.coming
    return (
        running is not None
        and coming is not None
        and smallest_replica_count(running) > 0
        and smallest_replica_count(coming) == 0
    )


def _is_taken(field: FieldChange, path: str) -> bool:
    """Whether something that was there is another or gone."""
    return field.before is not None and _is_below(field.path, path)


def _is_smaller(field: FieldChange) -> bool:
    if not _is_below(field.path, "spec.hard"):
        return False
    before, after = _amount(field.before), _amount(field.after)
    if before is None:
        return after is not None  # a limit where there was none
    return after is not None and after < before


def _amount(text: str | None) -> Any:
    """The quantity in JSON text; None where there is none."""
    if text is None:
        return None
    try:
        return quantity(str(msgspec.json.decode(text)))
    except (ValueError, msgspec.DecodeError):
        return None


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith((f"{root}.", f"{root}["))


def _service(unit: Unit | None) -> ServiceSpec | None:
    return unit.inputs.service if unit is not None and isinstance(unit.inputs, ServiceInputs) else None


def _by_id(state: DesiredState | None) -> Mapping[str, Unit]:
    return state.by_id() if state is not None else {}
