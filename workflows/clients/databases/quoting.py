"""Names as they stand in a statement. Pure."""

from __future__ import annotations

from policies.migrations.spec import Engine


def quoted(engine: Engine, *parts: str) -> str:
    """``parts`` as one name that a statement of ``engine`` can hold, joined by dots."""
    mark = '"' if engine == "postgresql" else "`"
    return ".".join(mark + part.replace(mark, mark * 2) + mark for part in parts)
