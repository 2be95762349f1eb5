"""Which tables the statements of a plan made before a given one, so that nobody has rows in them. Pure.

Order decides, and the schema: ``DROP TABLE orders; CREATE TABLE orders (…)`` drops a table that has rows, and
``archive.orders`` is not ``orders``. A table is known by how it is written: what is written in another way, or may have
been there before (IF NOT EXISTS), counts as one that has rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from policies.migrations.model import Statement
from policies.migrations.spec import Engine
from policies.migrations.statements import actions, placed_names, spelled

_Place = tuple[str, str]  # schema as it is written, empty without one, and table
_NOT_THE_TABLE = frozenset({"COLUMN", "CONSTRAINT", "INDEX", "KEY"})
# A table that gets rows of others by one of these holds what was there before.
_TAKES_OVER = frozenset({("ATTACH", "PARTITION"), ("EXCHANGE", "PARTITION"), ("INHERIT",)})

_OF_SCHEMAS = frozenset((verb, what) for verb in ("ALTER", "DROP") for what in ("SCHEMA", "DATABASE"))


def replaces_table(statement: Statement) -> bool:
    """Whether it is ``CREATE OR REPLACE TABLE``, which drops a table that is there."""
    return statement.begins("CREATE", "OR", "REPLACE", "TABLE")


class MadeTables:
    """Takes notice of statements in their order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made = set[_Place]()

    def has_all(self, statement: Statement, tables: Collection[str]) -> bool:
        """Whether each of ``tables`` (by the catalog's spelling) was made before, wherever ``statement`` names it."""
        return bool(tables) and all(self._has(statement.words, table) for table in tables)

    def see(self, statement: Statement) -> None:
        """Take notice of ``statement``, once it was judged."""
        words = statement.words
        if (made := self._created(statement)) is not None:
            self._made.add(made)
        elif words[:2] == ("DROP", "TABLE"):
            self._forget(placed_names(words[2:], self._engine))
        elif words[:2] == ("ALTER", "TABLE"):
            self._alter(words)
        elif words[:2] == ("RENAME", "TABLE"):
            self._made.clear()  # any of them may be swapped with another
        elif words[:2] in _OF_SCHEMAS:
            self._made.clear()

    def _has(self, words: Sequence[str], table: str) -> bool:
        places = [
            (spelled(words[at - 2]) if at > 1 and words[at - 1] == "." else "", _folded(table, self._engine))
            for at, word in enumerate(words)
            if _folded(spelled(word), self._engine) == _folded(table, self._engine)
        ]
        return bool(places) and self._made.issuperset(places)

    def _created(self, statement: Statement) -> _Place | None:
        """The table that is made for sure."""
        words = statement.words
        start = 4 if replaces_table(statement) else 3 if statement.begins("CREATE", "UNLOGGED", "TABLE") else 2
        is_table = start > 2 or statement.begins("CREATE", "TABLE")
        if not is_table or words[start : start + 3] == ("IF", "NOT", "EXISTS"):
            return None
        found = placed_names(words[start:], self._engine)[:1]
        return self._place(found[0]) if found else None

    def _alter(self, words: tuple[str, ...]) -> None:
        found = placed_names(words[2:], self._engine)[:1]
        for action in actions(words, self._engine):
            new = self._renamed(found[0], action) if found else None
            if new is not None:
                is_made = self._place(found[0]) in self._made
                self._forget((*found, new))
                self._made |= {new} if is_made else set()
            elif not found or any(action[: len(one)] == one for one in _TAKES_OVER):
                self._made.clear()  # what takes part in it is told in many ways

    def _renamed(self, old: _Place, action: tuple[str, ...]) -> _Place | None:
        """What the table is called after the action; None when it keeps its name."""
        if action[:2] == ("SET", "SCHEMA") and len(action) > 2:
            return spelled(action[2]), self._place(old)[1]
        if action[:1] != ("RENAME",) or not _NOT_THE_TABLE.isdisjoint(action[1:2]):
            return None
        rest = action[2:] if action[1:2] in (("TO",), ("AS",), ("=",)) else action[1:]
        if "TO" in rest:  # RENAME a TO b: a column
            return None
        found = placed_names(rest, self._engine)
        return self._place((found[0][0] or old[0], found[0][1])) if found else None

    def _forget(self, places: Collection[_Place]) -> None:
        """They are no more what was made; all are, where it cannot be read which."""
        if not places:
            self._made.clear()
        self._made -= {self._place(one) for one in places}

    def _place(self, found: _Place) -> _Place:
        return found[0], _folded(found[1], self._engine)


def _folded(name: str, engine: Engine) -> str:
    """MySQL may keep names as they are written: which, the words do not tell."""
    return name.lower() if engine == "mysql" else name
