"""What can go wrong between ADX and a git repository, as types.

::

    AdxError
    └── GitError                    anything the git modules raise
        ├── AddressRefused          the address could run a program, leak a secret or be read as an option
        ├── RefRefused              the name could be read as an option, or is no name of a commit
        ├── CommitMissing           no such ref or commit in the repository
        ├── CommitNotOnBranch       the commit exists, but the protected branch does not contain it
        ├── HistoryRewritten        the branch no longer contains what was delivered
        ├── NotNewer                the commit does not contain what was delivered
        ├── NotMergeable            the two commits conflict
        ├── UnrelatedHistory        the two commits have nothing in common, or the clone is too shallow to tell
        ├── RepositoryUnreachable   the repository does not answer, or is none
        └── GitFailed               git ran and refused, or took too long
"""

from __future__ import annotations

from policies.errors import AdxError


class GitError(AdxError):
    """Anything that the git modules raise on purpose."""


class AddressRefused(GitError):
    """The address of a repository is not one of the safe forms."""


class RefRefused(GitError):
    """The text cannot be the name of a branch, tag or commit."""


class CommitMissing(GitError):
    """The repository has no such ref or commit."""

    exit_code = 6


class CommitNotOnBranch(GitError):
    """The commit is not part of the protected branch, so nobody agreed to it."""


class HistoryRewritten(GitError):
    """The protected branch was moved so that it no longer contains the delivered commit."""


class NotNewer(GitError):
    """The commit is on the branch, but what was delivered is not part of its history."""


class NotMergeable(GitError):
    """The two commits change the same lines in different ways."""

    exit_code = 3


class UnrelatedHistory(GitError):
    """The two commits have no common ancestor that this clone knows."""

    exit_code = 3


class RepositoryUnreachable(GitError):
    """The repository does not answer, cannot be opened, or is none."""

    exit_code = 6


class GitFailed(GitError):
    """Git refused the operation or took too long."""
