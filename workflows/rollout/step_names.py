"""What the steps of a rollout and of its restore are called: in statuses, in the ledger and on screens.

Those of databases are in :mod:`workflows.migrations.in_rollout`.
"""

from __future__ import annotations

DELIVERY_STEPS = ("validate", "snapshot", "plan", "apply", "deploy", "test", "status")
TENANTS_STEP = "tenants"  # stands before "status" where tenants are delivered in waves
CONFIGURATION_STEP = "configuration"  # stands after "deploy", and last in a restore, where values go into a store
RELEASE_STEP = "release"  # stands after "deploy" and "configuration" where services change their release
CLEANUP_STEP = "cleanup"  # stands after "test" where they do: takes the old releases away
TRAFFIC_STEP = "traffic"  # stands first in a restore that gives requests back to old releases
REBUILD_STEP = "rebuild"  # before it, where the old releases were taken away already
RESTORE_STEPS = ("repair", "reapply", "redeploy", "verify")
