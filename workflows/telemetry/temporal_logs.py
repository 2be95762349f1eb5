"""Where the log lines of the Temporal SDK's core go: to ``logging``, as everybody's do.

By itself core writes to stdout: past the redaction, and into what programs read as JSON.
"""

from __future__ import annotations

import functools
import logging

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter


def forwarded() -> LoggingConfig:
    """Warnings of core and errors of what it uses, as lines of the logger ``temporalio.core``."""
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logging.getLogger("temporalio.core")),
    )


@functools.cache
def plain_runtime() -> Runtime:
    """The runtime of a process that has no metrics of the SDK to show; one per process, as each has its threads."""
    return Runtime(telemetry=TelemetryConfig(logging=forwarded()))
