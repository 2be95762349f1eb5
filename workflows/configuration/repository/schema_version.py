"""The version of the tables that this code needs: the newest of ``migrations/versions`` (a test compares them)."""

from __future__ import annotations

HEAD = "0001"
TABLE = "adx_configuration_version"
