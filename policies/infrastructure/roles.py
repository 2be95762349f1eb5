"""Who is meant where approvers are listed: people by name, and ``role:NAME`` for everybody with that role. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ROLE_PREFIX = "role:"
Roles = Mapping[str, Sequence[str]]


def role_of(approver: str) -> str:
    """The role that an approver stands for; empty for a person."""
    return approver.removeprefix(ROLE_PREFIX) if approver.startswith(ROLE_PREFIX) else ""


def people(approvers: Sequence[str], roles: Roles) -> dict[str, str]:
    """Everybody who may approve, in the order of the list → the role by which they may; empty for those who are named.

    A role that has nobody stays as it is written: an empty list would mean that anybody may, and no person's name
    has a colon.
    """
    found: dict[str, str] = {}
    for approver in approvers:
        role = role_of(approver)
        members = roles.get(role, ()) if role else ()
        for member in members or (approver,):
            found.setdefault(member, role if members else "")
    return found | {name: "" for name in approvers if name in found}


def names(found: Mapping[str, str]) -> str:
    """People and their roles, for a person: ``ines.keller, tom.okafor (release-manager)``."""
    return ", ".join(f"{name} ({role})" if role else name for name, role in found.items())
