"""Pure: what a change set is called, which services it touches, which snapshots may go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from policies.change_set import ChangeSet, UnitChange

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


def _counts(changes: Sequence[UnitChange]) -> Counter[tuple[str, str]]:
    return Counter((change.unit.partition("/")[0], change.action) for change in changes)
