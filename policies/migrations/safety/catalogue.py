"""Every safety check that ADX knows: how severe, and how to write it safely.

``pg.<rule>`` are squawk's rules under their own names; one that a newer squawk
brings and that is not here is of OTHER_SEVERITY with squawk's own advice.
``is_about_clients``: what it finds breaks programs that use the old schema; in
a contract script, which says which schema version it requires, it only warns,
and in a down script it is the purpose.
``is_about_size``: a table of few rows makes it harmless.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.checkov.findings import Severity
from policies.spec import Spec

OTHER_SEVERITY: Severity = "medium"
NOT_UNDERSTOOD = "sql.not-understood"


class SafetyCheck(Spec):
    """One check."""

    id: str
    severity: Severity
    title: str
    safe_way: str
    is_about_clients: bool = False
    is_about_size: bool = False


def _check(
    id_: str, severity: Severity, title: str, safe_way: str, *, clients: bool = False, size: bool = False
) -> tuple[str, SafetyCheck]:
    found = SafetyCheck(
        id=id_,
        severity=severity,
        title=title,
        safe_way=safe_way,
        is_about_clients=clients,
        is_about_size=size,
    )
    return id_, found


_CONTRACT = "do it in a contract script, once no delivered service uses it (phase=contract, requires=N)"
_RENAME = "add the new one, write both, backfill, switch the readers, drop the old one in a contract script"
_NOT_VALID = "add it NOT VALID, then VALIDATE CONSTRAINT in the next script"
_BATCHES = "give it to a backfill script of its own that writes in batches (`-- adx: batch=table.key`)"
_COPY = "say ALGORITHM=INSTANT or ALGORITHM=INPLACE, LOCK=NONE, and the server refuses rather than copies"

CHECKS: Mapping[str, SafetyCheck] = dict(
    [
        _check(
            NOT_UNDERSTOOD,
            "critical",
            "The statement is not understood, so nothing can be said about it",
            "write it so that the parser reads it, or let somebody answer for it with a waiver",
        ),
        _check(
            "pg.adding-field-with-default",
            "high",
            "A column with a volatile default rewrites the table",
            "add it without default, set the default, backfill in batches",
            size=True,
        ),
        _check(
            "pg.adding-foreign-key-constraint",
            "high",
            "A foreign key checks every row under a lock on both tables",
            _NOT_VALID,
            size=True,
        ),
        _check(
            "pg.adding-not-nullable-field",
            "high",
            "SET NOT NULL reads every row under an exclusive lock",
            "add CHECK (x IS NOT NULL) NOT VALID, validate it, then SET NOT NULL",
            size=True,
        ),
        _check(
            "pg.adding-required-field",
            "high",
            "A new column that must have a value breaks writers of the old schema",
            "add it nullable or with a constant default, make it NOT NULL once all write it",
            clients=True,
        ),
        _check(
            "pg.adding-serial-primary-key-field",
            "high",
            "A primary key is built under an exclusive lock",
            "CREATE UNIQUE INDEX CONCURRENTLY, then ADD PRIMARY KEY USING INDEX",
            size=True,
        ),
        _check(
            "pg.ban-alter-domain-with-add-constraint",
            "high",
            "A domain's constraint checks every table that uses it",
            "use a CHECK on the table, NOT VALID first",
        ),
        _check("pg.ban-char-field", "low", "char(n) pads with blanks", "use text"),
        _check(
            "pg.ban-concurrent-index-creation-in-transaction",
            "critical",
            "A concurrent index cannot be built in a transaction",
            "give it a script with transaction=none",
        ),
        _check(
            "pg.ban-create-domain-with-constraint",
            "medium",
            "A domain's constraint cannot be changed without a scan",
            "use a CHECK on the table",
        ),
        _check(
            "pg.ban-drop-column", "high", "Dropping a column breaks whoever still reads it", _CONTRACT, clients=True
        ),
        _check(
            "pg.ban-drop-database", "critical", "This drops a database", "do it by hand, with a backup", clients=True
        ),
        _check(
            "pg.ban-drop-not-null", "medium", "Readers of the old schema may not expect NULL", _CONTRACT, clients=True
        ),
        _check(
            "pg.ban-drop-table",
            "high",
            "Dropping a table breaks whoever still uses it, and loses its rows",
            _CONTRACT,
            clients=True,
        ),
        _check(
            "pg.ban-truncate-cascade",
            "critical",
            "TRUNCATE CASCADE empties tables that are not named here",
            "name every table, in a contract script",
        ),
        _check("pg.changing-column-type", "high", "Another type rewrites the table and may break its readers", _RENAME),
        _check(
            "pg.constraint-missing-not-valid",
            "high",
            "A constraint checks every row under a lock",
            _NOT_VALID,
            size=True,
        ),
        _check(
            "pg.disallowed-unique-constraint",
            "high",
            "A unique constraint builds its index under an exclusive lock",
            "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … UNIQUE USING INDEX",
            size=True,
        ),
        _check("pg.prefer-bigint-over-int", "low", "An int runs out at two billion", "use bigint"),
        _check("pg.prefer-bigint-over-smallint", "low", "A smallint runs out at 32,767", "use bigint"),
        _check("pg.prefer-identity", "low", "serial is harder to manage than identity", "use GENERATED … AS IDENTITY"),
        _check("pg.prefer-text-field", "low", "A longer varchar is another change later", "use text with a CHECK"),
        _check("pg.prefer-timestamp-tz", "low", "timestamp knows no time zone", "use timestamptz"),
        _check(
            "pg.renaming-column", "high", "A renamed column breaks whoever uses the old name", _RENAME, clients=True
        ),
        _check(
            "pg.renaming-table",
            "high",
            "A renamed table breaks whoever uses the old name",
            "rename it and leave a view under the old name until nobody uses it",
            clients=True,
        ),
        _check(
            "pg.require-concurrent-index-creation",
            "high",
            "Building an index blocks writes",
            "CREATE INDEX CONCURRENTLY in a script of its own",
            size=True,
        ),
        _check(
            "pg.require-concurrent-index-deletion",
            "medium",
            "Dropping an index locks its table exclusively",
            "DROP INDEX CONCURRENTLY in a script of its own",
        ),
        _check(
            "sql.whole-table-write",
            "high",
            "One statement writes every row and holds their locks until its end",
            _BATCHES,
            size=True,
        ),
        _check("sql.truncate", "high", "TRUNCATE loses every row under an exclusive lock", _CONTRACT, clients=True),
        _check(
            "pg.table-rewrite",
            "high",
            "The table is written anew under an exclusive lock",
            "use pg_repack, or leave it to autovacuum",
            size=True,
        ),
        _check("mysql.copying-alter", "high", "The table is copied while writes wait", _COPY, size=True),
        _check(
            "mysql.algorithm-not-stated",
            "medium",
            "Whether the table is copied is left to the server",
            _COPY,
            size=True,
        ),
        _check(
            "mysql.blocking-lock",
            "high",
            "Writes, or reads and writes, wait until it is done",
            "say LOCK=NONE, and the server refuses rather than blocks",
            size=True,
        ),
        _check(
            "mysql.dropped-column", "high", "Dropping a column breaks whoever still reads it", _CONTRACT, clients=True
        ),
        _check(
            "mysql.dropped-table",
            "high",
            "Dropping a table breaks whoever still uses it, and loses its rows",
            _CONTRACT,
            clients=True,
        ),
        _check(
            "mysql.renamed-column", "high", "A renamed column breaks whoever uses the old name", _RENAME, clients=True
        ),
        _check(
            "mysql.renamed-table",
            "high",
            "A renamed table breaks whoever uses the old name",
            "rename it and leave a view under the old name until nobody uses it",
            clients=True,
        ),
        _check("mysql.type-narrowing", "high", "The new type holds less than the old one", _RENAME),
        _check(
            "mysql.required-column",
            "high",
            "A new column that must have a value breaks writers of the old schema",
            "add it nullable or with a default",
            clients=True,
        ),
        _check(
            "mysql.index-locks",
            "medium",
            "Building an index may block writes",
            "ALTER TABLE … ADD INDEX …, ALGORITHM=INPLACE, LOCK=NONE",
            size=True,
        ),
        _check(
            "mysql.foreign-key-copies",
            "high",
            "A foreign key that is checked copies the table",
            "check the rows beforehand; add it when the table is small",
            size=True,
        ),
    ]
)
# squawk's rules about what the executor does by itself: time-outs, transactions, starting again.
DONE_BY_ADX = frozenset(
    {
        "prefer-robust-stmts",
        "require-timeout-settings",
        "require-lock-timeout",
        "require-statement-timeout",
        "transaction-nesting",
        "ban-uncommitted-transaction",
        "require-table-schema",
    }
)
