"""An evaluator that follows its source. Knows nothing of OpenFeature's objects or of HTTP.

What cannot be read changes nothing: the flags stay what they were, and that
they may be old is told once. Looking at the source never raises.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from pipelines.flags.source import CallableSource, FileSource
from policies.configuration.flags.errors import FlagsUnreadable
from policies.configuration.flags.evaluator import Evaluator, compiled
from policies.configuration.flags.wire import ReadFlags, read_flags

Told = Callable[[list[str]], None]
ToldWhy = Callable[[str], None]

logger = logging.getLogger("adx.flags")


class LiveFlags:
    """Flags that are read again when their source changes."""

    def __init__(self, source: FileSource | CallableSource, overrides: FileSource | None = None) -> None:
        """Reads nothing yet: :meth:`look` does."""
        self.evaluator = compiled({})
        self.is_stale = True
        self._source, self._overrides = source, overrides
        self._read = ReadFlags({}, {})
        self._overridden: Mapping[str, bool] = {}
        self._looking = threading.Lock()

    def look(self, *, changed: Told, stale: ToldWhy, fresh: Callable[[], None]) -> None:
        """Read what is new. Calls ``fresh`` when flags are current again, ``changed`` with the flags that are others,
        ``stale`` with the reason when they may have become old.
        """
        with self._looking:
            try:
                names = self._update()
            except Exception as error:  # noqa: BLE001 - a service's own callable may raise anything; flags must live on
                self._source.forget()
                if self._overrides is not None:
                    self._overrides.forget()
                if not self.is_stale:
                    logger.warning("flags may be old: %s", error)
                self.is_stale = True
                stale(str(error))
                return
            was_stale, self.is_stale = self.is_stale, False
        if was_stale:
            fresh()
        if names:
            changed(names)

    def _update(self) -> list[str]:
        document = self._source.changed()
        overridden = self._overrides.changed() if self._overrides is not None else None
        if document is None and overridden is None:
            return []
        before, switched = self._read, self._overridden
        read = before if document is None else read_flags(document)
        overrides = switched if overridden is None else _overrides_in(overridden)
        self.evaluator = _evaluator(read, overrides)
        self._read, self._overridden = read, overrides
        return _differing(before, read, switched, overrides)


def overrides_source(path: str | Path | None) -> FileSource | None:
    """The source of a tenant's own switches; None for none."""
    return None if path is None else FileSource(Path(path))


def _evaluator(read: ReadFlags, overrides: Mapping[str, bool]) -> Evaluator:
    return compiled(read.flags, overrides=overrides, unreadable=read.unreadable)


def _overrides_in(document: bytes) -> dict[str, bool]:
    try:
        return msgspec.json.decode(document, type=dict[str, bool])
    except msgspec.DecodeError as error:
        raise FlagsUnreadable(f"the overrides are no mapping of flags to true or false: {error}") from error


def _differing(
    before: ReadFlags, after: ReadFlags, switched: Mapping[str, bool], switches: Mapping[str, bool]
) -> list[str]:
    """Flags that are decided otherwise than before; those that need a changed flag change with it."""
    names = before.flags.keys() | after.flags.keys() | before.unreadable.keys() | after.unreadable.keys()
    found = {
        name
        for name in names
        if before.flags.get(name) != after.flags.get(name)
        or before.unreadable.get(name) != after.unreadable.get(name)
        or switched.get(name) != switches.get(name)
    }
    while (
        more := {name for name, flag in after.flags.items() if any(one.flag in found for one in flag.prerequisites)}
        - found
    ):
        found |= more
    return sorted(found)
