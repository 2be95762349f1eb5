"""What a check lets pass: said as an assertion, since a call that merely returns says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from policies.errors import AdxError


@contextmanager
def accepted() -> Iterator[None]:
    """Fails the test, in the refusal's words, when what is inside is refused."""
    try:
        yield
    except AdxError as error:
        raise AssertionError(f"refused: {error}") from error
