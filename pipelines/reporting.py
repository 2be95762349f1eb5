"""Commit statuses of what a command does, when somebody asked for them with `--report-to`.

A token that may not write statuses (a pull request from a fork has such a
one) is told and does not fail the command: the job's own result is there
anyway. Any other failure to report is one: a required status would wait for ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.cli.invocation import Invocation
from policies.errors import AdxError
from workflows.errors import AdxValidationError

if TYPE_CHECKING:  # PyGithub costs 0.2 s
    from workflows.clients.hosting import Hosting

PREFIX = "adx/"
HOSTS = ("github",)


class UnknownHost(AdxError):
    """No git hosting of this name is known."""

    exit_code = 2


@dataclass
class Reporter:
    """Sets statuses of ``commit``; without ``hosting`` it does nothing."""

    invocation: Invocation
    commit: str
    hosting: Hosting | None = None
    link: str = ""
    _is_told: bool = field(default=False, repr=False)

    def started(self, context: str, description: str = "under way") -> None:
        """``adx/<context>`` is pending."""
        self._set(context, "pending", description)

    def ended(self, context: str, is_successful: bool, description: str) -> None:
        """``adx/<context>`` has a result."""
        self._set(context, "success" if is_successful else "failure", description)

    @contextlib.contextmanager
    def failing_all(self, contexts: Iterable[str]) -> Iterator[None]:
        """When the block raises, no status of ``contexts`` is left pending."""
        named = list(contexts)
        try:
            yield
        except BaseException as error:
            for context in named:
                with contextlib.suppress(AdxError):  # the first error is the one to tell
                    self._set(context, "error", _first_line(error))
            raise

    def _set(self, context: str, state: str, description: str) -> None:
        if self.hosting is None:
            return
        from workflows.clients.hosting import CommitStatus  # noqa: PLC0415 - see above

        shown = self.invocation.redactor.text(description)
        status = CommitStatus(context=f"{PREFIX}{context}", state=state, description=shown, target_url=self.link)  # type: ignore[arg-type] # callers above
        try:
            self.hosting.set_status(self.commit, status)
        except AdxValidationError as error:
            self._tell(error)

    def _tell(self, error: AdxError) -> None:
        if not self._is_told:
            self.invocation.output.say(f"no commit status is set: {error}", "yellow")
        self._is_told = True


def reporter_for(invocation: Invocation, host: str | None, commit: str) -> Reporter:
    """The reporter that ``--report-to`` asks for. Raises UnknownHost, and AdxError when a setting is missing."""
    if host is None:
        return Reporter(invocation, commit)
    if host not in HOSTS:
        raise UnknownHost(f"{host} is no git hosting that ADX knows", next_step=f"write {' or '.join(HOSTS)}")
    from workflows.clients.hosting import HostingSettings, open_hosting  # noqa: PLC0415 - see above

    values = invocation.settings.values
    return Reporter(invocation, commit, open_hosting(values), HostingSettings.from_environment(values).run_url)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
