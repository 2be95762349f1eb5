"""The local stack: real Temporal, Kubernetes and PostgreSQL servers in one folder, without Docker or an account.

``Stack(home)`` is all that callers need; ``Part`` describes a process of
theirs (worker, receiver) that is to run with the rest.
"""

from __future__ import annotations

from scripts.stack.home import Home
from scripts.stack.part import Command, Context, Part
from scripts.stack.probes import HttpProbe
from scripts.stack.stack import PartStatus, Stack

__all__ = ["Command", "Context", "Home", "HttpProbe", "Part", "PartStatus", "Stack"]
