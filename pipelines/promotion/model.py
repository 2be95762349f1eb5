"""What a promotion consists of. Pure data."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from policies.spec import Spec

Kind = Literal["services", "configuration", "flags"]
KINDS: tuple[Kind, ...] = ("services", "configuration", "flags")
Status = Literal["nothing-to-promote", "gates-not-met", "not-proposed", "branch-left", "proposed"]


class Change(Spec):
    """One value that is brought to the target. ``after`` is None where it goes, ``before`` where it comes.

    ``path`` leads to it below the document: service, field and variable, or
    service and key, or flag. ``unit`` is the unit that delivered it.
    """

    kind: Kind
    path: tuple[str, ...]
    unit: str
    before: Any = None
    after: Any = None
    why: str = ""


class Kept(Spec):
    """One value that differs and stays as the target has it, and why."""

    name: str
    source: Any
    target: Any
    why: str


class Version(Spec):
    """A service whose version changes; ``is_back``: to a lower one. ``image`` is named where it changes too."""

    service: str
    before: str
    after: str
    image: str = ""
    is_back: bool = False


class Gate(Spec):
    """One condition: how it stands (``said``) and, where time alone will meet it, when."""

    name: str
    is_met: bool
    said: str
    met_at: datetime | None = None


class SourceCommit(Spec):
    """A commit that brought something of what is promoted to the source."""

    commit: str
    subject: str


class Promotion(Spec):
    """What `adx promote` found and did.

    ``base`` is the head of the branch that it is proposed for, ``commit`` what
    the source holds, ``forced`` the reason for going past gates that are not
    met. ``url`` leads to the pull request, ``branch`` holds the proposal.
    """

    source: str
    target: str
    commit: str
    base: str
    base_branch: str
    requested_by: str
    status: Status
    changes: tuple[Change, ...] = ()
    kept: tuple[Kept, ...] = ()
    versions: tuple[Version, ...] = ()
    gates: tuple[Gate, ...] = ()
    commits: tuple[SourceCommit, ...] = ()
    rollouts: tuple[str, ...] = ()
    forced: str = ""
    diff: str = ""
    branch: str = ""
    proposed: str = ""
    number: int = 0
    url: str = ""
    is_new: bool = True

    @property
    def blocked_by(self) -> tuple[Gate, ...]:
        """The gates that are not met."""
        return tuple(gate for gate in self.gates if not gate.is_met)


def name_of(path: tuple[str, ...], kind: Kind) -> str:
    """How a value is called: ``frontend.CURRENCY``, ``frontend env.PORT``, ``flags.express-checkout``."""
    if kind == "flags":
        return f"flags.{path[0]}"
    if kind == "services":
        return f"{path[0]} {'.'.join(path[1:])}"
    return ".".join(path)
