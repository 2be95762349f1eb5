"""The engine: Pulumi behind one small asynchronous interface. Import from here."""

from __future__ import annotations

from infra.engine.engine import Engine, OnEvent
from infra.engine.environment import plan_environment
from infra.engine.plan import Applied, Plan, Progress, Repaired, ResourceChange
from infra.engine.settings import EngineSettings

__all__ = [
    "Applied",
    "Engine",
    "EngineSettings",
    "OnEvent",
    "Plan",
    "Progress",
    "Repaired",
    "ResourceChange",
    "plan_environment",
]
