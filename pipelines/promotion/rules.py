"""Which of the values that differ are brought to the target. Pure.

==================  ====================================================================
image and version   always, of services that both environments run
other fields of     where the target had what the source had before it was changed
a version           (:data:`pipelines.promotion.documents.TRAVELS`)
configuration,      the same, and only where both have it; ``promotion.follow`` brings it
flags               in any case, ``promotion.keep`` never
secrets             never: they are bound to their environment
==================  ====================================================================

"Where the target had the same" is the rule of a three-way merge: going back
in history from what the source delivered, the newest commit at which both
agreed is looked for. When the target still has that value, only the source
has moved on, and the target follows. When it has another, somebody chose that,
and it stays and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.promotion.documents import CellKey, Cells, Documents, same
from pipelines.promotion.model import KINDS, Change, Kept, Kind, Version, name_of
from policies.configuration.values_secrets import is_secret_text
from policies.desired_state import PLATFORM_UNIT, service_unit_id
from policies.infrastructure.promotion_rules import EVERY, FLAGS
from policies.infrastructure.spec import Promotion

# Both environments at one commit: the cells of the source, those of the target.
Moment = tuple[Cells, Cells]
_ALWAYS = frozenset({"image", "image_digest", "version"})


@dataclass(frozen=True)
class Wish:
    """What is asked for: all kinds and services, unless some are named. ``source`` and ``target`` are names."""

    source: str
    target: str
    kinds: frozenset[Kind] = frozenset(KINDS)
    services: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """What travels and what stays."""

    changes: tuple[Change, ...] = ()
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class _Judge:
    wish: Wish
    rules: Promotion
    history: Callable[[], Iterable[Moment]]
    flags_needed: set[str] = field(default_factory=set)

    def judge(self, key: CellKey, delivered: Any, declared: Any) -> Change | Kept | None:
        """None where the difference is none of a promotion's business."""
        kind, path = key
        why = self._why_kept(key, delivered, declared)
        if why is None:
            return None
        if why:
            return self._kept(key, delivered, declared, why)
        after, said = delivered, ""
        if kind == "flags" and declared is None:
            after, said = switched_off(delivered), "new here, so it comes switched off"
        return Change(kind=kind, path=path, unit=_unit_of(key), before=declared, after=after, why=said)

    def _why_kept(self, key: CellKey, delivered: Any, declared: Any) -> str | None:
        """Empty when it travels; None when it is not even to be told."""
        kind, path = key
        source, target = self.wish.source, self.wish.target
        if kind == "services":
            return "" if path[1] in _ALWAYS or self._has_followed(key, declared) else f"{target} has its own"
        if delivered is None:
            return None
        if is_secret_text(delivered) or is_secret_text(declared):
            return "a secret stays with its environment"
        patterns = _patterns(key)
        if patterns & set(self.rules.keep):
            return "promotion.keep"
        if patterns & set(self.rules.follow):
            return ""
        if declared is None:
            is_needed = kind == "flags" and path[0] in self.flags_needed
            return "" if is_needed else f"only {source} has it; promotion.follow would bring it"
        return "" if self._has_followed(key, declared) else f"{target} has its own"

    def _has_followed(self, key: CellKey, declared: Any) -> bool:
        """Whether the target still has what both had when they last agreed."""
        for of_source, of_target in self.history():
            if same(key, of_source.get(key), of_target.get(key)):
                return same(key, of_target.get(key), declared)
        return False

    def _kept(self, key: CellKey, delivered: Any, declared: Any, why: str) -> Kept:
        is_secret = is_secret_text(delivered) or is_secret_text(declared)
        shown = (None, None) if is_secret else (delivered, declared)
        return Kept(name=name_of(key[1], key[0]), source=shown[0], target=shown[1], why=why)


def verdict(
    wish: Wish,
    source: Documents,
    target: Documents,
    *,
    rules: Promotion | None,
    history: Callable[[], Iterable[Moment]],
    unclear: frozenset[str] = frozenset(),
) -> Verdict:
    """Every difference between what ``source`` delivered and ``target`` declares, judged.

    ``history`` gives both environments at earlier commits, newest first; it is
    asked only where a difference needs it. ``unclear`` are units of the source
    whose state the ledger does not know.
    """
    judge = _Judge(wish, rules or Promotion(from_=wish.source), history)
    changes: list[Change] = []
    kept: list[Kept] = [*_unclear(wish, unclear), *_missing_services(wish, source, target)]
    of_source, of_target = source.cells(), target.cells()
    for key in _wanted(wish, source, target, [*of_target, *(key for key in of_source if key not in of_target)]):
        delivered, declared = of_source.get(key), of_target.get(key)
        if same(key, delivered, declared) or _unit_of(key) in unclear:
            continue
        found = judge.judge(key, delivered, declared)
        if isinstance(found, Change):
            changes.append(found)
            if key[0] == "services" and key[1][1] == "feature_flags":
                judge.flags_needed.update(found.after or ())
        elif found is not None:
            kept.append(found)
    return Verdict(tuple(changes), tuple(kept))


def versions_of(changes: Sequence[Change], target: Documents) -> tuple[Version, ...]:
    """The services whose image or version changes, in the order of the target's declarations."""
    found: dict[str, dict[str, Change]] = {}
    for change in changes:
        if change.kind == "services" and change.path[1] in _ALWAYS:
            found.setdefault(change.path[0], {})[change.path[1]] = change
    rows = []
    for service in target.services:
        if service not in found:
            continue
        declared = str(target.services[service].get("version", ""))
        version, image = found[service].get("version"), found[service].get("image")
        after = str(version.after) if version is not None else declared
        rows.append(
            Version(
                service=service,
                before=declared,
                after=after,
                image=str(image.after) if image is not None else "",
                is_back=_is_lower(after, declared),
            )
        )
    return tuple(rows)


def switched_off(flag: dict[str, Any]) -> dict[str, Any]:
    """``flag`` (without its name) as it reaches an environment that did not have it: on for nobody."""
    off: dict[str, dict[str, Any]] = {
        "boolean": {"enabled": False},
        "percentage": {"percentage": 0},
        "user_list": {"users": []},
        "tenant_list": {"tenants": []},
    }
    return {**flag, **off.get(str(flag.get("type")), {"disabled": True})}


def _wanted(wish: Wish, source: Documents, target: Documents, keys: Iterable[CellKey]) -> Iterator[CellKey]:
    """The cells that were asked for; services before flags, whose need they decide."""
    both = source.services.keys() & target.services.keys()
    read = {flag for name in wish.services for flag in source.services.get(name, {}).get("feature_flags") or ()}
    for kind, path in sorted(keys, key=lambda key: key[0] == "flags"):
        if kind not in wish.kinds:
            continue
        if kind == "flags":
            is_wanted = not wish.services or path[0] in read
        else:
            is_wanted = path[0] in both and (not wish.services or path[0] in wish.services)
        if is_wanted:
            yield kind, path


def _unit_of(key: CellKey) -> str:
    kind, path = key
    return PLATFORM_UNIT if kind == "flags" else service_unit_id(path[0])


def _unclear(wish: Wish, units: Iterable[str]) -> Iterator[Kept]:
    """Units of which nobody knows what the source holds: a restore of them failed."""
    for unit in sorted(units):
        service = unit.partition("/")[2]
        if not wish.services or not service or service in wish.services:
            why = f"what {wish.source} holds of it is not known: `adx restore {wish.source}`"
            yield Kept(name=unit, source=None, target=None, why=why)


def _missing_services(wish: Wish, source: Documents, target: Documents) -> Iterator[Kept]:
    """Services that only the source runs: how much of one runs in the target, a person decides."""
    if "services" not in wish.kinds:
        return
    for name, service in source.services.items():
        if name not in target.services and (not wish.services or name in wish.services):
            why = f"{wish.target} does not run it: add it there with its replicas and resources"
            yield Kept(name=name, source=service.get("version"), target=None, why=why)


def _patterns(key: CellKey) -> set[str]:
    kind, path = key
    service, name = (FLAGS, path[0]) if kind == "flags" else (path[0], path[1])
    every = {f"{EVERY}.{name}", f"{EVERY}.{EVERY}"} if kind == "configuration" else set()
    return {f"{service}.{name}", f"{service}.{EVERY}"} | every


def _is_lower(after: str, before: str) -> bool:
    """Whether both are plain numbers with dots and the first is lower; of other versions nobody can tell."""
    new, old = _numbers(after), _numbers(before)
    return new is not None and old is not None and new < old


def _numbers(version: str) -> tuple[int, ...] | None:
    parts = version.removeprefix("v").split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdecimal() for part in parts) else None
