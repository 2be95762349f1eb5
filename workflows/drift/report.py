"""Tells the git hosting about drift: one status per environment, on the commit that was delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workflows.clients.hosting import CommitStatus, Hosting, HostingSettings, open_hosting
from workflows.clients.hosting.model import StatusState
from workflows.drift.findings import EnvironmentDrift, Status, sentence

# A rollout under way, or nothing delivered, says nothing about drift: the status that is there stays.
_STATES: dict[Status, StatusState] = {"as-delivered": "success", "drifted": "failure", "unchecked": "error"}


@dataclass(frozen=True)
class StatusWriter:
    """Sets ``adx/drift/<environment>``. ``shown`` makes a sentence fit for anybody to read."""

    hosting: Hosting
    run_url: str
    shown: Callable[[str], str]

    @classmethod
    def open(cls, environ: Mapping[str, str], shown: Callable[[str], str]) -> StatusWriter:
        """A writer for the hosting that ``environ`` describes. Contacts nobody. Raises HostingMisconfigured."""
        return cls(open_hosting(environ), HostingSettings.from_environment(environ).run_url, shown)

    def write(self, found: EnvironmentDrift, said: str = "") -> None:
        """Set the status of one environment; ``said`` (one line) instead of the sentence about it.

        Raises the errors of ``workflows.clients.hosting.errors``.
        """
        state = state_of(found)
        if state is None:
            return
        context, description = f"adx/drift/{found.environment}", self.shown(said or sentence(found))
        status = CommitStatus(context=context, state=state, description=description, target_url=self.run_url)
        self.hosting.set_status(found.commit, status)


def state_of(found: EnvironmentDrift) -> StatusState | None:
    """The state of the status; None where nothing is to be told."""
    return _STATES.get(found.status) if found.commit else None
