"""Restore by the down scripts: rows stay where they are, and must be the same afterwards."""

from __future__ import annotations

from workflows.migrations.backup.fingerprint import read_point
from workflows.migrations.backup.making import one_moment, read_tables
from workflows.migrations.backup.models import RestoreReport
from workflows.migrations.backup.restore import Restore
from workflows.migrations.backup.undoing import undo_scripts
from workflows.migrations.backup.verifying import differences


async def restore(restore: Restore) -> RestoreReport:
    """Take the plan back. Writes to columns that stay are kept; what is in new columns and tables would be lost."""
    manifest = restore.manifest
    async with one_moment(restore.session):
        now = await read_point(restore.session, restore.address, manifest.point, only=read_tables(manifest.plan))
    lost = restore.losses(now)
    if restore.is_refused(lost):
        return restore.report("refused", lost)
    await undo_scripts(restore.database, manifest.plan.plan)
    return restore.verdict(lost, await differences(restore, now))
