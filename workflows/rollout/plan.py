"""Pure: what a change set is called, what of it is refused, which part of it is delivered when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from policies.change_set import ChangeSet, UnitChange
from policies.infrastructure.spec import EnvironmentSpec
from policies.lowered_versions import lowered_versions
from policies.renames import WAY_OUT, recreations
from policies.services.lowering import WAY_OUT as SAY_WHY
from workflows.errors import RolloutRefused
from workflows.rollout.activity_models import Validated

NAMES_SHOWN = 4
_VERBS = {"add": "added", "change": "changed", "remove": "removed"}


def summary_of(change_set: ChangeSet) -> str:
    """The change set in one line: ``tenant/acme added; service/cart changed``, or counts where it is long."""
    changes = change_set.changes
    if not changes:
        return "nothing to change"
    if len(changes) <= NAMES_SHOWN:
        return "; ".join(f"{change.unit} {_VERBS[change.action]}" for change in changes)
    return "; ".join(
        f"{count} {kind}(s) {_VERBS[action]}" for (kind, action), count in sorted(_counts(changes).items())
    )


def changed_services(change_set: ChangeSet) -> list[str]:
    """Names of the services that the change set adds or changes, in order."""
    return [
        change.unit.partition("/")[2]
        for change in change_set.changes
        if change.action != "remove" and change.unit.startswith("service/")
    ]


def check_no_recreation(change_set: ChangeSet) -> None:
    """Raise RolloutRefused when a delivered tenant would be deleted and created anew under another name or namespace.

    Who insists is not kept from it: the removal and the creation are delivered one after the other.
    """
    found = recreations(change_set)
    if not found:
        return
    first, more = found[0], len(found) - 1
    names = first.before if first.before == first.after else f"{first.before} → {first.after}"
    others = f"; and {more} more tenant(s)" if more else ""
    # The message says it all: the ledger, the quarantine and the commit status keep nothing else.
    raise RolloutRefused(f"a tenant would be deleted and created anew: {names} ({first.why}){others}; {WAY_OUT}")


def check_no_lowering(change_set: ChangeSet) -> None:
    """Raise RolloutRefused when a delivered service would get a lower version, and nobody said why.

    Not for rollbacks: they lower versions by design.
    """
    found = [one.what for one in lowered_versions(change_set)]
    if found:
        more = len(found) - NAMES_SHOWN
        others = f"; and {more} more service(s)" if more > 0 else ""
        raise RolloutRefused(f"{'; '.join(found[:NAMES_SHOWN])}{others}; {SAY_WHY}")


def is_fleet(rules: EnvironmentSpec) -> bool:
    """Whether tenants are delivered in waves and each for itself."""
    return rules.rollout.fleet is not None or rules.rollout.cells > 0


def late_removals(change_set: ChangeSet) -> list[str]:
    """Unit ids of the services that go away: where tenants are delivered in waves, after the tenants.

    A tenant that has not been delivered yet may still call them.
    """
    return [one.unit for one in change_set.changes if one.action == "remove" and one.unit.startswith("service/")]


def core_changes(change_set: ChangeSet) -> list[str]:
    """Unit ids of what is delivered as one before the first wave: platform and services, without those that go."""
    late = set(late_removals(change_set))
    return [one.unit for one in change_set.changes if not one.unit.startswith("tenant/") and one.unit not in late]


def waves_line(validated: Validated) -> str:
    """What is delivered in waves: ``12 tenant(s) in waves, then 1 service(s) removed``; empty for nothing."""
    if not validated.core_state:
        return ""
    removed = len(validated.late_removals)
    tenants = validated.changed_units - validated.core_units - removed
    parts = [f"{tenants} tenant(s) in waves"] if tenants else []
    return ", then ".join([*parts, f"{removed} service(s) removed"] if removed else parts)


def _counts(changes: Sequence[UnitChange]) -> Counter[tuple[str, str]]:
    return Counter((change.unit.partition("/")[0], change.action) for change in changes)
