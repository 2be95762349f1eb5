"""The receiver process: the webhook's HTTP side connected to Temporal and the ledger.

It starts, and says that it is not ready, while either of them is away: a
receiver that refuses to start would lose the deliveries of that time without
a word, where now GitHub lists each of them as failed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.http.listening import stopped
from pipelines.settings import Settings
from pipelines.webhook import Receiver, application
from policies.errors import AdxError
from workflows.client import Workflows
from workflows.connection import connect
from workflows.errors import AdxConnectionError
from workflows.ledger import Ledger, deliveries
from workflows.telemetry import logs
from workflows.telemetry.redaction import Redactor
from workflows.telemetry.serving import bind, served


@dataclass
class Connections:
    """Temporal, connected when it is first needed, and the ledger, whose pool connects by itself."""

    settings: Settings
    ledger: Ledger
    _workflows: Workflows | None = None
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def workflows(self) -> Workflows:
        """The client of the workflows. Raises AdxConnectionError."""
        async with self._connecting:
            if self._workflows is None:
                self._workflows = Workflows(await connect(self.settings.values), self.settings.task_queue)
        return self._workflows

    async def submit(self, commit: str, requested_by: str) -> str:
        """Start the intake of ``commit``; it is durable when this returns."""
        return await (await self.workflows()).submit_commit(commit, requested_by, "webhook")

    async def check_temporal(self) -> None:
        """Return when Temporal serves."""
        client = (await self.workflows()).client
        if not await client.service_client.check_health():
            raise AdxConnectionError("Temporal does not serve")

    async def is_known(self, delivery_id: str) -> bool:
        """Whether the ledger knows the delivery."""
        return await deliveries.is_known(self.ledger, delivery_id)

    async def remember(self, delivery_id: str, event: str) -> None:
        """Write the delivery into the ledger."""
        await deliveries.remember(self.ledger, delivery_id, event=event)


def secret_of(settings: Settings) -> bytes:
    """The webhook secret, without the line break that editors add. Raises AdxError when it is missing or empty."""
    path = Path(settings.required("ADX_WEBHOOK_SECRET_FILE"))
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise AdxError(
            f"the webhook secret cannot be read from {path}: {error.strerror}",
            next_step="write a long random value to it, mode 0600, and give GitHub the same",
        ) from error
    if not secret:
        raise AdxError(
            f"{path} is empty, so anybody could start a rollout",
            next_step="write a long random value to it and give GitHub the same",
        )
    return secret


def full_name_of(address: str) -> str:
    """``owner/name`` from a repository's address or path: its last two parts, without ``.git``."""
    parts = address.replace(":", "/").rstrip("/").removesuffix(".git").split("/")
    return "/".join(part for part in parts[-2:] if part)


async def run_receiver(settings: Settings, *, listen: str, redactor: Redactor) -> None:
    """Serve until SIGTERM or SIGINT. Raises AdxError when the secret or the address cannot be used."""
    connections = Connections(settings, Ledger(settings.ledger_url))
    _ = settings.temporal_address  # missing settings are told at the start, not with the first delivery
    receiver = Receiver(
        secret=secret_of(settings),
        repository=settings.optional("ADX_WEBHOOK_REPOSITORY") or full_name_of(settings.repository),
        branch=settings.branch,
        submit=connections.submit,
        deliveries=connections,
        redactor=redactor,
    )
    checks = {"ledger": connections.ledger.ping, "temporal": connections.check_temporal}
    try:
        async with served(application(receiver, checks), bind(listen)) as address:
            logs.logger().info(
                "receiver ready", address=address, repository=receiver.repository, branch=receiver.branch
            )
            await stopped().wait()
    finally:
        await connections.ledger.close()
