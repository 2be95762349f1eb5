"""`adx flags serve`: keeps what is answered up to date, and runs the server.

The flags are those at the commit that the ledger calls delivered, or at one
commit, or of a file. What cannot be read leaves the last flags in place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pipelines.flags.declared import declared_flags
from pipelines.flags.ofrep import ServedFlags, application
from pipelines.flags.source import FileSource
from pipelines.http.listening import is_loopback, stopped
from policies.configuration.flags.errors import FlagsUnreadable
from policies.configuration.flags.evaluator import compiled
from policies.configuration.flags.flagd import definition
from policies.configuration.flags.wire import read_flags
from policies.errors import AdxError
from workflows.telemetry.serving import bind, served

LOOK_SECONDS = 2.0

Next = Callable[[ServedFlags | None], Awaitable[ServedFlags | None]]
"""Given what is served now, what is to be served instead; None for no change. Raises AdxError."""


@dataclass
class Served:
    """What is answered at the moment."""

    flags: ServedFlags

    def current(self) -> ServedFlags:
        """The flags of now."""
        return self.flags


def from_file(path: Path) -> Next:
    """The delivered document ``flags.json`` at ``path``, read again when it is replaced."""
    source = FileSource(path)

    async def look(_now: ServedFlags | None) -> ServedFlags | None:
        document = source.changed()
        if document is None:
            return None
        try:
            return _of_document(document)
        except AdxError:
            source.forget()  # so that it stays an error until the file is mended
            raise

    return look


def _of_document(document: bytes) -> ServedFlags:
    read = read_flags(document)
    return ServedFlags(
        evaluator=compiled(read.flags, unreadable=read.unreadable),
        adx_json=document,
        flagd_json=msgspec.json.encode(definition(read.flags), order="deterministic"),
    )


def from_commits(folder: Path, environment: str, delivered: Callable[[], Awaitable[str | None]]) -> Next:
    """The flags of ``environment`` at the commit that ``delivered`` names, read from the repository ``folder``."""

    async def look(now: ServedFlags | None) -> ServedFlags | None:
        commit = await delivered()
        if commit is None:
            raise FlagsUnreadable(
                f"nothing was delivered to {environment} yet",
                next_step=f"deliver it with `adx deploy {environment}`, or serve another commit with --ref",
            )
        if now is not None and now.commit == commit:
            return None
        declared = await asyncio.to_thread(declared_flags, folder, environment, commit)
        return declared.served()

    return look


def checked_token(listen: str, token_file: Path | None) -> bytes | None:
    """The token in the file. Raises AdxError when it is empty, or missing for more than this machine."""
    if token_file is None:
        if not is_loopback(listen):
            raise AdxError(
                f"{listen} can be reached from outside, and no token is asked for: flags name users",
                next_step="write a long random value to a file and give it with --token-file, or listen on 127.0.0.1",
            )
        return None
    try:
        token = token_file.read_bytes().strip()
    except OSError as error:
        raise AdxError(
            f"the token cannot be read from {token_file}: {error.strerror}", next_step="write it there, mode 0600"
        ) from error
    if not token:
        raise AdxError(f"{token_file} is empty, so anybody could read", next_step="write a long random value to it")
    return token


async def serve(look: Next, listen: str, token: bytes | None, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises AdxError when there are no flags to begin with, or the port is taken."""
    first = await look(None)
    if first is None:
        raise FlagsUnreadable("there are no flags to serve")
    state = Served(first)
    stopping = stopped()
    async with served(application(state.current, token), bind(listen)) as address:
        say(f"flags are served at http://{address} (OFREP, flags.flagd.json, flags.json)")
        while not stopping.is_set():
            await refresh(state, look, say)
            try:
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue


async def refresh(state: Served, look: Next, say: Callable[[str], None]) -> None:
    """Look once; what cannot be read is said once and leaves the flags as they are, marked stale."""
    try:
        found = await look(state.flags)
    except AdxError as error:
        if not state.flags.is_stale:
            say(f"the flags may be old: {error}")
        state.flags = replace(state.flags, is_stale=True)
        return
    if found is not None:
        say(f"flags changed: {found.commit or 'the file was replaced'}")
        state.flags = found
    elif state.flags.is_stale:
        say("the flags are current again")
        state.flags = replace(state.flags, is_stale=False)
