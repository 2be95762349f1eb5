"""Backups of what a migration touches, and restores that are verified and never lose a write silently.

``plan_backup`` → ``make_backup`` → (the migration) → ``mark_point`` → when it must be: ``restore_backup``;
``prune_backups`` when the rollout is settled. Activities call these; no Temporal here.
"""

from __future__ import annotations

from workflows.migrations.backup.errors import (
    BackupInterrupted,
    BackupRefused,
    BackupUnusable,
    RestoreFailed,
)
from workflows.migrations.backup.making import make_backup, mark_point
from workflows.migrations.backup.models import (
    BackupMark,
    BackupPlan,
    BackupRecord,
    Loss,
    RestoreReport,
    Strategy,
    Throughput,
)
from workflows.migrations.backup.planning import plan_backup, scripts_are_enough
from workflows.migrations.backup.restoring import restore_backup
from workflows.migrations.backup.retention import prune_backups

__all__ = [
    "BackupInterrupted",
    "BackupMark",
    "BackupPlan",
    "BackupRecord",
    "BackupRefused",
    "BackupUnusable",
    "Loss",
    "RestoreFailed",
    "RestoreReport",
    "Strategy",
    "Throughput",
    "make_backup",
    "mark_point",
    "plan_backup",
    "prune_backups",
    "restore_backup",
    "scripts_are_enough",
]
