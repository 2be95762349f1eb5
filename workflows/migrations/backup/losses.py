"""Three moments of a schema → what a restore would lose. Pure.

``before`` is the backup, ``mark`` the end of the migration, ``now`` the moment
before the restore. Rows that the migration itself may have changed can only be
compared with the mark; all others are compared with the backup, so that writes
during the migration count too. What cannot be told is a loss.
"""

from __future__ import annotations

from collections.abc import Iterator

from workflows.migrations.backup.models import BackupPlan, Loss, Point, TableMark


def losses(plan: BackupPlan, before: Point, mark: Point | None, now: Point) -> tuple[Loss, ...]:
    """What restoring ``plan``'s backup would lose of what is in the schema ``now``."""
    return tuple(loss for one in now.tables for loss in _of_table(plan, one, before, mark))


def is_overwritten(plan: BackupPlan, table: str) -> bool:
    """Whether the restore puts the backup's rows in the place of the table's."""
    return plan.strategy == "dump" or (plan.strategy == "table_copy" and table in plan.tables)


def _of_table(plan: BackupPlan, now: TableMark, before: Point, mark: Point | None) -> Iterator[Loss]:
    if now.rows < 0:  # nothing touches it
        return
    old = before.table(now.table)
    then = mark.table(now.table) if mark is not None else None
    if old is None:
        yield from _of_new_table(now, mark, then)
        return
    if is_overwritten(plan, now.table):
        yield from _of_kept_columns(plan, now, old, mark, then)
    if now.added and (then is None or now.added != then.added):
        names = ", ".join(name for name in now.columns if name not in old.columns)
        if then is not None or not now.added.startswith("0:0"):
            yield Loss(table=now.table, rows=_written(now, then or old), what=f"values in new columns ({names})")


def _of_new_table(now: TableMark, mark: Point | None, then: TableMark | None) -> Iterator[Loss]:
    if then is not None:
        if (now.rows, now.kept) != (then.rows, then.kept):
            yield Loss(table=now.table, rows=_written(now, then), what="rows in a table that the migration made")
    elif mark is not None:
        yield Loss(table=now.table, rows=now.rows, what="a table that somebody made after the migration")
    elif now.rows:
        yield Loss(table=now.table, rows=now.rows, what="rows in a table that is newer than the backup")


def _of_kept_columns(
    plan: BackupPlan, now: TableMark, old: TableMark, mark: Point | None, then: TableMark | None
) -> Iterator[Loss]:
    if (now.rows, now.kept) == (old.rows, old.kept):
        return
    is_touched = plan.touches_all or now.table in plan.touched
    if not is_touched:
        yield Loss(table=now.table, rows=_written(now, old), what="rows written since the backup")
    elif mark is None:
        what = "rows that the migration, or somebody else, wrote since the backup: no mark tells which"
        yield Loss(table=now.table, rows=_written(now, old), what=what)
    elif then is None or (now.rows, now.kept) != (then.rows, then.kept):
        yield Loss(table=now.table, rows=_written(now, then or old), what="rows written after the migration")


def _written(now: TableMark, then: TableMark) -> int:
    """About how many rows: by the server's own count where it has one, by the difference in rows at least, never 0."""
    counted = now.writes - then.writes if min(now.writes, then.writes) >= 0 else 0
    return max(counted, abs(now.rows - then.rows), 1)
