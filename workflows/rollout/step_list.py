"""The steps of a rollout after its snapshot, and the progress that queries show, changed together. Workflow code."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.guarded import Step
from workflows.models import StepProgress


@dataclass(frozen=True)
class StepList:
    """``steps`` are run in their order; ``progress`` holds those before the snapshot, too."""

    steps: list[Step]
    progress: list[StepProgress]

    def insert_after(self, name: str, step: Step) -> None:
        """Let ``step`` follow the one called ``name``."""
        self.steps.insert([one.name for one in self.steps].index(name) + 1, step)
        self.progress.insert([one.name for one in self.progress].index(name) + 1, StepProgress(step.name))

    def replace(self, step: Step) -> None:
        """Let ``step`` take the place of the one of its name."""
        self.steps[[one.name for one in self.steps].index(step.name)] = step
