"""Runs the API until it is told to end."""

from __future__ import annotations

from collections.abc import Mapping

import uvicorn

from pipelines.configuration_api.app import application
from pipelines.configuration_api.grants import Grants
from workflows.configuration.reading import ConfigurationReader
from workflows.errors import AdxValidationError


async def serve(environ: Mapping[str, str], listen: str) -> None:
    """Answer at ``listen`` (``host:port``). Put TLS in front of it. Raises what is wrong with the settings."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise AdxValidationError(f"{listen!r} is no address", next_step="write host:port, such as 127.0.0.1:8790")
    grants = Grants.from_settings(environ)
    async with ConfigurationReader.from_settings(environ) as reader:
        config = uvicorn.Config(
            application(reader, grants), host=host, port=int(port), access_log=False, log_config=None
        )
        await uvicorn.Server(config).serve()
