"""How flags depend on one another. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from policies.configuration.flags.checks import ON_OFF
from policies.configuration.flags.spec import FlagDecision
from policies.findings import suggestion

DEEPEST = 5
"""Prerequisites of prerequisites are followed so far: each is evaluated again wherever it is asked for."""


class FlagTrouble(NamedTuple):
    """One thing wrong with how ``flag`` depends on others, at ``path`` within it."""

    flag: str
    path: str
    what: str
    fix: str


def order_of(flags: Mapping[str, FlagDecision]) -> list[str]:
    """The names, each after its prerequisites; only for flags without a cycle."""
    return [name for name in TopologicalSorter(_graph(flags)).static_order() if name in flags]


def missing(flags: Mapping[str, FlagDecision]) -> Iterator[FlagTrouble]:
    """Prerequisites on flags, or variants of flags, that there are not."""
    for name, flag in flags.items():
        for index, wanted in enumerate(flag.prerequisites):
            path, other = f"prerequisites[{index}]", flags.get(wanted.flag)
            if other is None:
                fix = suggestion(wanted.flag, flags.keys() - {name}, "declare the flag, or take the prerequisite out")
                yield FlagTrouble(name, f"{path}.flag", f"there is no flag {wanted.flag}, its prerequisite", fix)
                continue
            variants = other.variants if other.variants is not None else ON_OFF
            if wanted.variant not in variants:
                what = f"{wanted.flag}, its prerequisite, has no variant {wanted.variant}"
                yield FlagTrouble(name, f"{path}.variant", what, suggestion(wanted.variant, variants, "name one"))


def cycles(flags: Mapping[str, FlagDecision]) -> Iterator[FlagTrouble]:
    """Flags that wait for one another: one cycle at a time, named from its first member by name."""
    try:
        TopologicalSorter(_graph(flags)).prepare()
    except CycleError as error:
        names = list(reversed(error.args[1][:-1]))  # it lists each before what waits for it
        start = names.index(min(names))
        cycle = [*names[start:], *names[:start], names[start]]
        first, second = cycle[0], cycle[1]
        place = [one.flag for one in flags[first].prerequisites].index(second)
        what = f"flags wait for one another: {' → '.join(cycle)}"
        yield FlagTrouble(first, f"prerequisites[{place}].flag", what, "take one of these prerequisites out")


def too_deep(flags: Mapping[str, FlagDecision]) -> Iterator[FlagTrouble]:
    """Flags with more than DEEPEST prerequisites behind one another; only for flags without a cycle."""
    depths: dict[str, int] = {}
    for name in order_of(flags):
        behind = [depths[one.flag] + 1 for one in flags[name].prerequisites if one.flag in depths]
        depths[name] = max(behind, default=0)
        if depths[name] == DEEPEST + 1:
            what = f"more than {DEEPEST} prerequisites lie behind one another"
            yield FlagTrouble(name, "prerequisites", what, "depend on a flag that is nearer to the root")


def troubles(flags: Mapping[str, FlagDecision]) -> Iterator[FlagTrouble]:
    """Everything that is wrong with how the flags depend on one another."""
    yield from missing(flags)
    found = list(cycles(flags))
    yield from found
    if not found:
        yield from too_deep(flags)


def _graph(flags: Mapping[str, FlagDecision]) -> dict[str, list[str]]:
    return {name: [one.flag for one in flag.prerequisites if one.flag in flags] for name, flag in sorted(flags.items())}
