"""What a schema holds, in a normal form that two schemas can be compared in, and how two differ. Pure.

Read from the server's catalog by ``workflows.clients.databases``; texts are the
server's own spelling, without the name of the schema. ADX's own tables are not
in it. The order of columns is kept apart: a column that was dropped and added
again stands last on PostgreSQL, and nothing can change that.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import field

from policies.desired_state import digest_of
from policies.migrations.spec import Engine
from policies.spec import Spec


class CatalogObject(Spec):
    """One thing with a name; ``attributes`` as ``column id``, ``constraint orders_pkey``, ``grant app``.

    ``columns`` are the names of columns in their order.
    """

    attributes: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


class Catalog(Spec):
    """Everything in a schema, by kind and name: ``table orders``, ``view v``, ``function f(integer)``."""

    engine: Engine
    objects: dict[str, CatalogObject]

    def digest(self) -> str:
        """Equal when nothing differs, the order of columns included."""
        return digest_of(self)


class Difference(Spec):
    """One attribute that differs; ``before`` is None where it was added, ``after`` where it is gone.

    ``is_order_only``: the columns are the same and stand in another order.
    """

    object: str
    attribute: str
    before: str | None
    after: str | None
    is_order_only: bool = False


def compare(before: Catalog, after: Catalog) -> tuple[Difference, ...]:
    """Everything that differs, ordered by object and attribute."""
    found: list[Difference] = []
    for name in sorted(before.objects.keys() | after.objects.keys()):
        old, new = before.objects.get(name), after.objects.get(name)
        if old is None or new is None:
            states = ("is not there" if one is None else "is there" for one in (old, new))
            first, second = states
            found.append(Difference(object=name, attribute="", before=first, after=second))
        else:
            found += _attributes(name, old, new)
    return tuple(found)


def is_same(differences: tuple[Difference, ...]) -> bool:
    """Whether nothing but the order of columns differs."""
    return all(one.is_order_only for one in differences)


def lines(differences: tuple[Difference, ...]) -> tuple[str, ...]:
    """The differences as a person reads them: the object, then ``-`` what was and ``+`` what is."""
    shown: list[str] = []
    last = ""
    for one in differences:
        if one.object != last:
            shown.append(one.object)
            last = one.object
        if not one.attribute:
            shown.append(f"  was: {one.before}, now: {one.after}")
            continue
        shown += [f"  - {one.attribute}: {text}" for text in [one.before] if text is not None]
        shown += [f"  + {one.attribute}: {text}" for text in [one.after] if text is not None]
    return tuple(shown)


def _attributes(name: str, old: CatalogObject, new: CatalogObject) -> list[Difference]:
    found = [
        Difference(object=name, attribute=key, before=old.attributes.get(key), after=new.attributes.get(key))
        for key in sorted(old.attributes.keys() | new.attributes.keys())
        if old.attributes.get(key) != new.attributes.get(key)
    ]
    if old.columns != new.columns and sorted(old.columns) == sorted(new.columns):
        first, second = ", ".join(old.columns), ", ".join(new.columns)
        order = Difference(object=name, attribute="order of columns", before=first, after=second, is_order_only=True)
        found.append(order)
    return found


def collected(engine: Engine, rows: Mapping[str, Mapping[str, str]], columns: Mapping[str, tuple[str, ...]]) -> Catalog:
    """A catalog of ``{object: {attribute: text}}`` and ``{object: names of columns}``."""
    objects = {
        name: CatalogObject(attributes=dict(sorted(attributes.items())), columns=columns.get(name, ()))
        for name, attributes in sorted(rows.items())
    }
    return Catalog(engine=engine, objects=objects)
