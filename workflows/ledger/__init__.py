"""The ledger: the durable record, in PostgreSQL, of rollouts, steps, units, fencing tokens and the audit trail.

``Ledger`` is the connection; what can be done with it is in the modules of
this package, as functions that take it first: ``rollouts.start(ledger, …)``.
Every write may be repeated: a call whose answer was lost finds its own row.
Secrets never belong here.
"""

from __future__ import annotations

from workflows.ledger import migrations_tables as _tables_of_databases  # noqa: F401 - the metadata holds all tables
from workflows.ledger.connection import Ledger

__all__ = ["Ledger"]
