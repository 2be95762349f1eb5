"""Who is meant by a role, and what is said of them."""

from __future__ import annotations

from policies.infrastructure.roles import names, people

ROLES = {"release-manager": ("ines.keller", "tom.okafor"), "empty": ()}


def test_a_role_stands_for_everybody_who_has_it() -> None:
    """In the order of the list; whoever is named as well needs no role."""
    assert people(("role:release-manager", "ana", "ines.keller"), ROLES) == {
        "ines.keller": "",
        "tom.okafor": "release-manager",
        "ana": "",
    }


def test_a_role_without_anybody_never_means_everybody() -> None:
    """An empty list of approvers would: it stays as it is written, which is nobody's name."""
    assert list(people(("role:empty", "role:unknown"), ROLES)) == ["role:empty", "role:unknown"]


def test_people_are_named_with_the_role_by_which_they_may() -> None:
    """So that whoever is refused knows whom to ask, and why."""
    assert names(people(("role:release-manager", "ana"), ROLES)) == (
        "ines.keller (release-manager), tom.okafor (release-manager), ana"
    )
