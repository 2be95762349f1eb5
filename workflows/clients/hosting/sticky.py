"""The one comment of a pull request: made once, edited ever after, found again by a marker that nobody sees.

Two runs may both find no comment and both create one, since no git hosting has
"create unless there". Hence every run lists again after it created: the
comment with the lowest id stays, the others go, and all runs agree on which.

A run for a head that is no longer the head writes nothing. The head is asked
for right before every write; what remains is the moment between that answer
and the write, which no call of the hosting closes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from workflows.clients.hosting.errors import HostingNotFound, HostingRefused
from workflows.clients.hosting.model import CommentPut

# GitHub takes 65,536 characters. One less, and counted as UTF-16 counts them, is right whatever it means by character.
LONGEST_COMMENT = 65_535

_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/]|-(?!-)){0,99}")
_HEAD = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SUPERSEDED = CommentPut(id=0, url="", action="superseded")


@dataclass(frozen=True, slots=True)
class Written:
    """A comment that is there. ``is_ours`` when this token's owner wrote it."""

    id: int
    url: str
    body: str
    is_ours: bool


class Conversation(Protocol):
    """The comments of one pull request, as far as the algorithm needs them."""

    def head(self) -> str:
        """The commit id of the pull request's head, now."""
        ...

    def comments(self) -> list[Written]:
        """All comments."""
        ...

    def create(self, body: str) -> Written:
        """A new comment; whether it was made may remain unknown."""
        ...

    def edit(self, comment_id: int, body: str) -> None:
        """Give a comment another text. Raises HostingNotFound when it is gone."""
        ...

    def delete(self, comment_id: int) -> None:
        """Remove a comment; one that is gone is no error."""
        ...

    def once(self, look: Callable[[], Written | None], create: Callable[[], Written]) -> Written:
        """What is found, otherwise what is created; looks again when it is unknown whether it was."""
        ...


def marker(key: str, head: str) -> str:
    """The first line of a comment, invisible in Markdown. Raises HostingRefused for what would break it."""
    if not _KEY.fullmatch(key) or key.endswith("-"):
        raise HostingRefused(
            f"{key!r} cannot be the key of a comment", next_step="use letters, digits, and . _ / - between"
        )
    if not _HEAD.fullmatch(head):
        raise HostingRefused(f"{head!r} is no full commit id", next_step="give the 40 digits that git rev-parse prints")
    return f"<!-- adx:{key} head={head} -->"


def length(text: str) -> int:
    """The length of ``text`` as it counts for a comment: in UTF-16 units, of which rare characters take two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def longest_body(key: str, head: str) -> int:
    """How long the body of a comment may be, counted by ``length``."""
    return LONGEST_COMMENT - len(marker(key, head)) - 1


def put(conversation: Conversation, *, key: str, body: str, head: str) -> CommentPut:
    """Make ``body`` the one comment with ``key``; see ``Hosting.put_comment``."""
    text = f"{marker(key, head)}\n{body}"
    if length(text) > LONGEST_COMMENT:
        raise HostingRefused(
            f"the comment {key!r} has {length(body)} characters, more than the {longest_body(key, head)} that fit",
            next_step="shorten or fold it before it is sent",
        )
    try:
        return _Attempt(conversation, key, head, text).put()
    except HostingNotFound:
        # A person deleted it between the listing and the edit. Once more; a second time is no coincidence.
        return _Attempt(conversation, key, head, text).put()


class _Superseded(Exception):
    """The head moved on before anything was written."""


class _Attempt:
    """One attempt to put one text."""

    def __init__(self, conversation: Conversation, key: str, head: str, text: str) -> None:
        self._conversation = conversation
        self._key = key
        self._head = head
        self._text = text
        self._seen: list[Written] = []
        self._has_created = False

    def put(self) -> CommentPut:
        try:
            found = self._conversation.once(self._oldest, self._create)
        except _Superseded:
            return _SUPERSEDED
        oldest, *others = self._all_with(found)
        is_current = self._is_current()
        # What this run itself has made must not stay beside an older one, whatever the head is now.
        if is_current or self._has_created:
            for other in others:
                self._conversation.delete(other.id)
        return self._settle(oldest, is_current=is_current)

    def _settle(self, oldest: Written, *, is_current: bool) -> CommentPut:
        is_same = _normalised(oldest.body) == _normalised(self._text)
        if is_same and self._has_created:
            return CommentPut(id=oldest.id, url=oldest.url, action="created")
        if not is_current:
            return _SUPERSEDED
        if is_same:
            return CommentPut(id=oldest.id, url=oldest.url, action="unchanged")
        self._conversation.edit(oldest.id, self._text)
        return CommentPut(id=oldest.id, url=oldest.url, action="edited")

    def _oldest(self) -> Written | None:
        self._seen = self._ours()
        return self._seen[0] if self._seen else None

    def _create(self) -> Written:
        if not self._is_current():
            raise _Superseded
        self._has_created = True
        return self._conversation.create(self._text)

    def _all_with(self, found: Written) -> list[Written]:
        """Ours, oldest first. After creating they are listed again; a list that lags behind may lack ``found``."""
        present = self._ours() if self._has_created else self._seen
        return sorted({one.id: one for one in (found, *present)}.values(), key=lambda one: one.id)

    def _ours(self) -> list[Written]:
        """Comments with this key at the very start: one that quotes ours starts differently, or is another's."""
        start = f"<!-- adx:{self._key} "
        ours = [one for one in self._conversation.comments() if one.is_ours and one.body.startswith(start)]
        return sorted(ours, key=lambda one: one.id)

    def _is_current(self) -> bool:
        return self._conversation.head() == self._head


def _normalised(text: str) -> str:
    """Line ends and trailing blanks are not a difference: a hosting may keep them otherwise than they were sent."""
    return text.replace("\r\n", "\n").rstrip()
