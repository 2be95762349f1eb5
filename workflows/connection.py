"""Connecting to Temporal, with payload encryption where it is switched on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime

from workflows.codec import EncryptingCodec
from workflows.errors import AdxConnectionError
from workflows.snapshots.settings import open_keys
from workflows.telemetry.temporal_logs import plain_runtime

ENCRYPTION_SWITCH = "ADX_ENCRYPT_PAYLOADS"


def data_converter(environ: Mapping[str, str]) -> DataConverter:
    """The converter of all clients and workers; it encrypts payloads when ``ADX_ENCRYPT_PAYLOADS`` is ``1``."""
    if environ.get(ENCRYPTION_SWITCH) != "1":
        return DataConverter.default
    return dataclasses.replace(DataConverter.default, payload_codec=EncryptingCodec(open_keys(environ)))


async def connect(environ: Mapping[str, str], *, runtime: Runtime | None = None) -> Client:
    """A client of the Temporal server that ``environ`` names; ``runtime`` None: without metrics.

    Raises AdxConnectionError.
    """
    address = environ["ADX_TEMPORAL_ADDRESS"]
    try:
        return await Client.connect(
            address,
            namespace=environ.get("ADX_TEMPORAL_NAMESPACE", "default"),
            data_converter=data_converter(environ),
            runtime=runtime or plain_runtime(),
        )
    except RuntimeError as error:  # what the SDK raises when nobody answers
        raise AdxConnectionError(
            f"Temporal does not answer at {address}", next_step="run `adx status`, then `adx up`"
        ) from error
