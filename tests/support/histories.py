"""Recorded histories as they are kept: without the machine that they were recorded on."""

from __future__ import annotations

import re
from pathlib import Path

from temporalio.client import WorkflowHistory

_STACK_TRACE = re.compile(r'("stackTrace": )"(?:[^"\\]|\\.)*"')


def keep(history: WorkflowHistory, file: Path) -> None:
    """Write the history as JSON; stack traces, which a replay does not read, would name folders of this machine."""
    file.write_text(_STACK_TRACE.sub(r'\1""', history.to_json()) + "\n")
