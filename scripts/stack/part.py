"""What a part of the stack is: a name, a command, ports, a readiness probe and what it needs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.stack.home import Home
from scripts.stack.probes import Probe


@dataclass(frozen=True, slots=True)
class Command:
    """What is executed. Secrets go by file or ``environment``, never into ``argv``, which everybody can read.

    A part gets a small environment of its own; ``inherits_environment`` adds that of the caller.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    inherits_environment: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What a part may ask while it is started.

    ``port(part, name)`` gives a port that was chosen for it, ``tool(name)`` the
    path of a toolchain binary, ``settings()`` the settings as far as they are known.
    """

    home: Home
    port: Callable[[str, str], int]
    tool: Callable[[str], Path]
    settings: Callable[[], dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the stack, described.

    ``needs`` are parts that must be ready before (those not in the stack are
    ignored). ``prepare`` runs before each start, ``finish`` whenever the part has
    become ready; both must be harmless when repeated. ``address`` is for people.
    """

    name: str
    command: Callable[[Context], Command]
    probe: Callable[[Context], Probe]
    ports: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    prepare: Callable[[Context], None] | None = None
    finish: Callable[[Context], None] | None = None
    address: Callable[[Context], str] = lambda _: ""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    ready_within_seconds: float = 90.0
