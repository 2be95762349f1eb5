"""Which parts a start means, on which ports, and which parts follow when another one moves. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from scripts.errors import StackError
from scripts.stack import ports
from scripts.stack.part import Context, Part
from scripts.stack.parts import caddy, consul, kubernetes, mariadb, postgres, prometheus, redis, s3, temporal, vault
from scripts.stack.record import Record
from scripts.stack.supervisor import fingerprint, needs_within

OPTIONAL = (vault.PART, s3.PART, redis.PART, mariadb.PART, consul.PART, caddy.PART, prometheus.PART)
BUILT_IN = (*kubernetes.PARTS, temporal.PART, postgres.PART, *OPTIONAL)
KUBERNETES_PARTS = frozenset(part.name for part in kubernetes.PARTS)
OPTIONAL_PARTS = tuple(part.name for part in OPTIONAL)
DEFAULT_PARTS = tuple(part.name for part in BUILT_IN if part.name not in OPTIONAL_PARTS)


def select(
    parts: Iterable[str] | None, with_parts: Iterable[str], *, extra: Sequence[Part], known: Record
) -> dict[str, Part]:
    """The parts asked for and all that they need, by name.

    None means the default parts, every ``extra`` part and the optional parts that
    run already. The control plane is left out while the user's own context is in use.
    """
    definitions = {part.name: part for part in (*BUILT_IN, *extra)}
    asked = [*(_default(extra, known) if parts is None else parts), *with_parts]
    unknown = sorted(set(asked) - set(definitions))
    if unknown:
        raise StackError(
            f"there is no part called {', '.join(map(repr, unknown))}",
            next_step=f"choose among: {', '.join(definitions)}",
        )
    if known.context:
        definitions = {name: part for name, part in definitions.items() if name not in KUBERNETES_PARTS}
    chosen = _closure(asked, definitions)
    return {**chosen, **{part.name: _after_optional(part) for part in extra if part.name in chosen}}


def assign_ports(known: Record, chosen: Mapping[str, Part]) -> set[str]:
    """Give a port to whatever is to be started; returns the parts that could not have their old one."""
    moved: set[str] = set()
    for part in chosen.values():
        for key in () if part.name in known.parts else [f"{part.name}.{name}" for name in part.ports]:
            remembered = known.ports.get(key)
            if remembered is None or not ports.is_free(remembered):
                known.ports[key] = ports.choose(set(known.ports.values()))
                moved.update({part.name} if remembered is not None else ())
    return moved


def dependants(names: set[str], parts: Mapping[str, Part]) -> set[str]:
    """The parts that need one of ``names``, directly or not."""
    direct = {part.name for part in parts.values() if needs_within(part, parts) & names}
    return direct if direct <= names else direct | dependants(names | direct, parts)


def optional_in_use(known: Record, chosen: Mapping[str, Part]) -> tuple[str, ...]:
    """The optional parts that run or are about to."""
    return tuple(name for name in OPTIONAL_PARTS if name in known.parts or name in chosen)


def changed_parts(known: Record, chosen: Mapping[str, Part], context: Context) -> set[str]:
    """The running parts that would be started differently now: another program, other settings."""
    running = [(part, known.parts[part.name].fingerprint) for part in chosen.values() if part.name in known.parts]
    return {part.name for part, recorded in running if recorded != fingerprint(part.command(context), context)}


def _default(extra: Sequence[Part], known: Record) -> list[str]:
    running = [name for name in OPTIONAL_PARTS if name in known.parts]
    return [*DEFAULT_PARTS, *running, *(part.name for part in extra)]


def _closure(asked: list[str], definitions: Mapping[str, Part]) -> dict[str, Part]:
    chosen: dict[str, Part] = {}
    while asked:
        name = asked.pop()
        if name in definitions and name not in chosen:
            chosen[name] = definitions[name]
            asked.extend(needs_within(definitions[name], definitions))
    return chosen


def _after_optional(part: Part) -> Part:
    """Extra parts get the settings of everything else, so optional parts that are started come first."""
    return replace(part, needs=(*part.needs, *OPTIONAL_PARTS))
