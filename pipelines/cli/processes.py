"""`adx worker` and `adx webhook`: the two processes of ADX that keep running."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from pipelines.cli.invocation import Invocation, current


def worker(
    ctx: typer.Context,
    listen: Annotated[
        str, typer.Option(envvar="ADX_WORKER_LISTEN", help="Address of /metrics, /healthz and /readyz.")
    ] = "127.0.0.1:9464",
    kinds: Annotated[
        str,
        typer.Option(
            envvar="ADX_WORKER_KINDS",
            metavar="KIND[,KIND]",
            help="Which work to do: workflows, cells (whatever runs Pulumi), checks. Left out: all.",
        ),
    ] = "",
) -> None:
    """Run a worker: it does what rollouts need. `adx up` starts one; in production run several.

    Ends on SIGTERM or Ctrl-C; what it was doing is taken over by another worker.
    ADX_MAX_PULUMI_OPERATIONS bounds what one process runs at once, about 250 MB each.

    \b
    Examples:
      adx worker
      adx worker --listen 0.0.0.0:9464      probes for a cluster's kubelet and Prometheus
      adx worker --kinds cells              another machine that only runs Pulumi
    """
    from workflows.task_queues import kinds_from

    chosen = kinds_from(kinds)
    invocation = current(ctx)
    _prepare(invocation, "worker")
    from workflows.worker import run_worker

    asyncio.run(run_worker(invocation.settings.values, listen=listen, kinds=chosen))


def webhook(
    ctx: typer.Context,
    listen: Annotated[
        str, typer.Option(envvar="ADX_WEBHOOK_LISTEN", help="Address of the webhook, /metrics, /healthz and /readyz.")
    ] = "127.0.0.1:8787",
) -> None:
    """Run the receiver of GitHub's push events, at POST /webhooks/github.

    The shared secret is read from the file that ADX_WEBHOOK_SECRET_FILE names; it must not be empty.
    ADX_WEBHOOK_REPOSITORY is the repository (owner/name) whose events count; by default the last two parts of ADX_REPO.
    In GitHub choose content type application/json and the event "push". Put TLS in front of it.

    \b
    Example:
      ADX_WEBHOOK_REPOSITORY=acme/platform adx webhook --listen 127.0.0.1:8787
    """
    invocation = current(ctx)
    _prepare(invocation, "webhook")
    from pipelines.receiver import run_receiver

    asyncio.run(run_receiver(invocation.settings, listen=listen, redactor=invocation.redactor))


def _prepare(invocation: Invocation, service: str) -> None:
    """Logs without secrets first of all; then the settings into the environment, for child processes."""
    from workflows.telemetry import logs

    logs.configure(service, redactor=invocation.redactor, level="DEBUG" if invocation.verbose else "INFO")
    for name in ("ADX_LEDGER_URL", "ADX_TEMPORAL_ADDRESS"):
        invocation.settings.required(name)
    invocation.settings.fill(os.environ)
