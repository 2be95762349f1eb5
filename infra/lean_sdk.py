"""Leaves out what Pulumi's SDK does for every resource and nobody reads.

- Debug messages: four calls to the engine per resource.
- Stack traces: taken per resource and stored in the state, where they would
  also tell which machine and which folders an operation ran in.

A version of the SDK without these functions is only slower, so that what is
missing there is not an error.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.runtime import resource
from pulumi.runtime.proto import source_pb2


def apply() -> None:
    """Leave both out, for this process."""
    pulumi.log.debug = ignore
    if hasattr(resource, "_get_stack_trace"):
        resource._get_stack_trace = empty_stack_trace


def ignore(*arguments: Any, **named: Any) -> None:
    """Takes the place of a debug message."""
    del arguments, named


def empty_stack_trace() -> Any:
    """A stack trace without frames."""
    return source_pb2.StackTrace()
