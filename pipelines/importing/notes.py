"""What the mapping has to say about single places, while it maps. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.importing.model import Json, Kind, Row, name_of


@dataclass(slots=True)
class Notes:
    """Rows about one object, each at its place in ``path`` of ``file``."""

    item: Json
    file: str
    path: str
    rows: list[Row] = field(default_factory=list)

    def add(self, kind: Kind, place: str, what: str, *, at: str = "", value: str = "") -> None:
        """Say ``what`` of the place in the object; ``at`` is the field of the proposal below ``path``."""
        path = ".".join(step for step in (self.path, at) if step)
        self.rows.append(
            Row(kind=kind, object=name_of(self.item), field=place, what=what, value=value, file=self.file, path=path)
        )

    def within(self, file: str, path: str) -> Notes:
        """The same rows, with places in another file."""
        return Notes(self.item, file, path, self.rows)
