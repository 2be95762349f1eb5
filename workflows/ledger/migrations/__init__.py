"""Alembic environment of the ledger; the versions are in ``versions/``. Loaded by Alembic, not imported."""
