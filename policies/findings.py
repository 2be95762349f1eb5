"""What a rule is and what it finds. No rule lives here.

A rule is a generator function that yields findings and does nothing else; its
decorator says how it is called and under which id it is reported:

======================  =======================================================
``environment_rule``    once for each environment, with its name and documents
``tenant_rule``         once for each tenant, with its name, itself and the rest
``repository_rule``     once, with all declarations
======================  =======================================================

A finding has no line yet: that costs a second parse and is only worth it once
something is wrong (see :func:`policies.rules.check`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from policies.declarations import Declarations, EnvironmentDeclarations
from policies.spec import Spec
from policies.tenancy.spec import TenantSpec


class Finding(Spec):
    """One thing wrong: where, what it is and what would be right. Never quotes a value that may be secret."""

    file: str
    path: str
    what: str
    fix: str


EnvironmentCheck = Callable[[str, EnvironmentDeclarations], Iterator[Finding]]
TenantCheck = Callable[[str, TenantSpec, Declarations], Iterator[Finding]]
RepositoryCheck = Callable[[Declarations], Iterator[Finding]]


@dataclass(frozen=True)
class EnvironmentRule:
    """A rule about one environment's documents."""

    id: str
    check: EnvironmentCheck


@dataclass(frozen=True)
class TenantRule:
    """A rule about one tenant in the light of everything else."""

    id: str
    check: TenantCheck


@dataclass(frozen=True)
class RepositoryRule:
    """A rule about how several documents go together."""

    id: str
    check: RepositoryCheck


Rule = EnvironmentRule | TenantRule | RepositoryRule


def environment_rule(id_: str) -> Callable[[EnvironmentCheck], EnvironmentRule]:
    """Make a rule, reported as ``id_``, of a function that looks at one environment."""
    return lambda check: EnvironmentRule(id_, check)


def tenant_rule(id_: str) -> Callable[[TenantCheck], TenantRule]:
    """Make a rule, reported as ``id_``, of a function that looks at one tenant."""
    return lambda check: TenantRule(id_, check)


def repository_rule(id_: str) -> Callable[[RepositoryCheck], RepositoryRule]:
    """Make a rule, reported as ``id_``, of a function that looks at everything."""
    return lambda check: RepositoryRule(id_, check)


def environment_file(environment: str, document: str) -> str:
    """The path of ``document`` (without its ending) of an environment."""
    return f"environments/{environment}/{document}.yaml"


def tenant_file(tenant: str) -> str:
    """The path of a tenant's file."""
    return f"tenants/{tenant}.yaml"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was most likely meant to be; None when nothing is like it."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def suggestion(name: str, known: Iterable[str], otherwise: str) -> str:
    """A fix for an unknown name: the nearest known one, else ``otherwise`` with what is known."""
    names = sorted(known)
    match = nearest(name, names)
    if match is not None:
        return f"write {match}, or {otherwise}"
    if not names:
        return otherwise
    listed = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f"{otherwise}; known: {listed}"


def repeated(names: Iterable[str]) -> Iterator[tuple[int, str, int]]:
    """Index, name and first index of every name that was there before."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            yield index, name, first[name]
        first.setdefault(name, index)
