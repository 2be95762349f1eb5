"""The requests of one operation: tried again where that is harmless, looked after first where it is not.

=========  ==================================================================
request    after an answer that was lost, or "I am failing"
=========  ==================================================================
get        asked again
pages      the page is asked for again
change     sent again: twice is once (an edit to a text, a deletion)
create     not sent again; ``once`` looks first whether it was done
=========  ==================================================================

"Too many requests" means that nothing was done: every request waits and is
sent again, within the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from workflows.clients.hosting.answers import Answer
from workflows.clients.hosting.errors import HostingRateLimited, HostingRefused, HostingTimedOut, HostingUnreachable
from workflows.clients.hosting.patience import Patience
from workflows.clients.hosting.transport import PAGE_SIZE, Call

Value = TypeVar("Value")

MOST_PAGES = 100


class Sender(Protocol):
    """Sends one request."""

    def send(self, call: Call) -> Answer:
        """The answer of status 200 to 299; raises the errors of ``errors``."""
        ...


class Operation:
    """One operation's requests, under one budget of waiting."""

    def __init__(self, sender: Sender, patience: Patience) -> None:
        self._sender = sender
        self._patience = patience

    def get(self, call: Call, kind: type[Value]) -> Value:
        """What the call answers."""
        return self._repeated(lambda: self._allowed(call).value(kind))

    def pages(self, path: str, kind: type[Value], *, permission: str, **query: str) -> Iterator[Value]:
        """The items of all pages, a page at a time, for as long as they are asked for."""
        page = {**query, "per_page": str(PAGE_SIZE)}
        for _ in range(MOST_PAGES):
            items, following = self._repeated(partial(self._page, Call("GET", path, permission, query=page), kind))
            yield from items
            if following is None:
                return
            page = following
        raise HostingRefused(
            f"GitHub: {path} has more than {MOST_PAGES * PAGE_SIZE} entries",
            next_step="delete those that are not needed",
        )

    def change(self, call: Call) -> None:
        """Send what may be sent twice."""
        self._repeated(lambda: self._allowed(call))

    def create(self, call: Call, kind: type[Value]) -> Value:
        """Send what must not be sent twice; to be called within ``once``."""
        return self._allowed(call).value(kind)

    def once(self, look: Callable[[], Value | None], create: Callable[[], Value]) -> Value:
        """What ``look`` finds, otherwise what ``create`` makes.

        When it stays unknown whether ``create`` made it, looks again before
        another attempt.
        """
        while True:
            if (found := look()) is not None:
                return found
            try:
                return create()
            except (HostingUnreachable, HostingTimedOut) as error:
                self._patience.before_retry(error)

    def _repeated(self, ask: Callable[[], Value]) -> Value:
        while True:
            try:
                return ask()
            except (HostingUnreachable, HostingTimedOut) as error:
                self._patience.before_retry(error)

    def _page(self, call: Call, kind: type[Value]) -> tuple[list[Value], dict[str, str] | None]:
        answer = self._allowed(call)
        return answer.value(list[kind]), answer.next_page()  # type: ignore[valid-type] # a list of that kind

    def _allowed(self, call: Call) -> Answer:
        """The answer, once GitHub wants requests again."""
        while True:
            try:
                return self._sender.send(call)
            except HostingRateLimited as error:
                self._patience.until_allowed(error)


def without_empty(body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` without empty texts, which GitHub takes for wrong addresses."""
    return {name: value for name, value in body.items() if value != ""}
