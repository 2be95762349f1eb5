"""Taking in a merge: from a commit on the branch to a submission for each environment it declares."""

from __future__ import annotations

from temporalio import workflow

from workflows.intake.activities import IntakeActivities
from workflows.intake.models import Intake, TakenIn
from workflows.invoke import ActivityCall
from workflows.models import Timeouts


@workflow.defn
class IntakeWorkflow:
    """Started by the webhook receiver, by ``adx deploy`` and, on a schedule, to find what a webhook lost."""

    @workflow.run
    async def run(self, intake: Intake) -> TakenIn:
        """Submit ``intake`` to its environments."""
        return await ActivityCall(Timeouts()).read(IntakeActivities.take_in, intake)
