"""Versions of the ledger's tables. One that was released is never changed again: add the next one."""
