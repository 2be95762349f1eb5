"""Where a database is: a URL, taken apart once. The password stays out of ``repr`` and of every message."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote, urlsplit

from policies.migrations.spec import Engine
from workflows.clients.databases.errors import AddressInvalid

_ENGINES: dict[str, Engine] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_PORTS: dict[Engine, int] = {"postgresql": 5432, "mysql": 3306}
_OPTIONS: dict[Engine, frozenset[str]] = {
    "postgresql": frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"}),
    "mysql": frozenset({"ssl_ca"}),
}


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """One database, and in PostgreSQL the schema in it. ``options`` are the TLS settings of the URL's query."""

    engine: Engine
    host: str
    port: int
    user: str
    database: str
    password: str = field(default="", repr=False)
    schema: str = "public"
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str, schema: str = "public") -> DatabaseAddress:
        """``postgresql://user:password@host:port/database?sslmode=…``, or ``mysql://…``. Raises AddressInvalid."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise AddressInvalid("the URL of the database cannot be read", next_step=_FORM) from None
        engine = _ENGINES.get(parts.scheme.partition("+")[0])
        database = unquote(parts.path.removeprefix("/"))
        if engine is None or not parts.hostname or not database or not parts.username:
            raise AddressInvalid("the URL names no engine, host, user or database", next_step=_FORM)
        options = tuple(parse_qsl(parts.query))
        unknown = sorted({key for key, _ in options} - _OPTIONS[engine])
        if unknown:
            allowed = ", ".join(sorted(_OPTIONS[engine]))
            raise AddressInvalid(f"the URL has the unknown option {unknown[0][:40]}", next_step=f"known: {allowed}")
        return cls(
            engine=engine,
            host=parts.hostname,
            port=port or _PORTS[engine],
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            database=database,
            schema=schema,
            options=options,
        )

    def at(self, *, database: str | None = None, schema: str | None = None) -> DatabaseAddress:
        """The same server, another database or schema."""
        return replace(self, database=database or self.database, schema=schema or self.schema)

    def shown(self) -> str:
        """For messages: host, port, database, and the schema where there is one."""
        place = f"{self.host}:{self.port}/{self.database}"
        return f"{place} (schema {self.schema})" if self.engine == "postgresql" else place


_FORM = "write postgresql://user:password@host:port/database or mysql://user:password@host:port/database"
