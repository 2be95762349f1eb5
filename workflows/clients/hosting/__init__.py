"""Git hosting: what ADX tells and asks about pull requests, commits and deployments.

``model``      what is said, and ``Hosting``: the calls that ADX needs of any git hosting
``settings``   which hosting, which repository, which token
``errors``     what can go wrong
``sticky``     the one comment of a pull request: never two, never of an older head
``github``     GitHub, over ``operations`` (tries again within bounds) and ``transport`` (one request)

Blocking: activities call it through ``asyncio.to_thread``. One object serves
all threads.
"""

from __future__ import annotations

from collections.abc import Mapping

from workflows.clients.hosting.model import Approval, CommentPut, CommitStatus, Hosting, PullRequest
from workflows.clients.hosting.settings import HostingSettings
from workflows.clients.hosting.sticky import longest_body

__all__ = [
    "Approval",
    "CommentPut",
    "CommitStatus",
    "Hosting",
    "HostingSettings",
    "PullRequest",
    "longest_body",
    "open_hosting",
]


def open_hosting(environ: Mapping[str, str]) -> Hosting:
    """The git hosting that ``environ`` describes. Contacts nobody. Raises HostingMisconfigured."""
    # PyGithub costs memory: only loaded where a git hosting is used.
    from workflows.clients.hosting.github import GitHub  # noqa: PLC0415

    return GitHub(HostingSettings.from_environment(environ))
