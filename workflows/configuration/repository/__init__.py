"""Where configuration is kept: PostgreSQL or MariaDB, with the same behaviour. Its tables are its own."""

from __future__ import annotations

from workflows.configuration.repository.store import ConfigurationStore

__all__ = ["ConfigurationStore"]
