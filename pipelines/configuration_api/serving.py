"""Runs the API until it is told to end."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.configuration_api.app import application
from pipelines.configuration_api.grants import Grants
from pipelines.http.listening import stopped
from workflows.configuration.reading import ConfigurationReader
from workflows.telemetry import logs
from workflows.telemetry.serving import bind, served

CONNECTIONS = 2_000  # a service that waits for changes holds one all the time


async def serve(environ: Mapping[str, str], listen: str) -> None:
    """Answer at ``listen`` (``host:port``) until SIGTERM or SIGINT. Put TLS in front of it.

    Raises AdxError when grants, settings or the address cannot be used.
    """
    grants, stopping = Grants.from_settings(environ), stopped()
    reader = ConfigurationReader.from_settings(environ)
    listener = bind(listen)
    async with reader, served(application(reader, grants, stopping), listener, concurrency=CONNECTIONS) as address:
        logs.logger().info("configuration api ready", address=address)
        await stopping.wait()
    logs.logger().info("configuration api stopped")
