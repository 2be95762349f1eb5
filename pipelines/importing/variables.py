"""Environment variables: fixed ones, values of ConfigMaps, and secrets, which become references. Pure.

No value of a Secret is ever here: Secrets are not read. What looks like a
secret all the same is replaced by a reference into Vault that leads nowhere
yet; its value appears in no file and in no row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.importing.model import Json
from pipelines.importing.notes import Notes
from pipelines.importing.secrets_in_clear import why_secret
from policies.yaml_text import refusals_of_characters

_WORDS = {"secretRef": "Secret", "configMapRef": "ConfigMap"}
SECRETS = "secrets"  # the folder in Vault's key-value store that placeholders lead to
LONGEST_VALUE = 4096
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a container: its value and the ConfigMap that it is from, or where else it is from."""

    name: str
    value: str | None
    config_map: tuple[str, str] | None = None
    source: Json = field(default_factory=dict)


@dataclass(slots=True)
class Settings:
    """What of the variables stands where: ``env`` of services.yaml, ``values`` of configuration.yaml."""

    env: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


def variables_of(container: Json, config_maps: Mapping[str, Json]) -> dict[str, Variable]:
    """The variables as the process gets them: later ones hide earlier ones.

    A whole Secret or a ConfigMap that is not there is one entry, under ``envFrom`` and its name.
    """
    found: dict[str, Variable] = {}
    for number, source in enumerate(container.get("envFrom") or ()):
        for one in _all_of(number, source, config_maps):
            found[one.name] = one
    for entry in container.get("env") or ():
        one = _single(entry, config_maps)
        found[one.name] = one
    return found


def settings_of(
    container: Json, config_maps: Mapping[str, Json], vault_path: str, env: Notes, values: Notes
) -> Settings:
    """Sort the variables of ``container`` into declarations.

    ``vault_path`` (``kv/secrets/staging/cart``) is where references to secrets lead; ``env`` and ``values`` take what
    is to be said of services.yaml and configuration.yaml.
    """
    made = Settings()
    for name, one in variables_of(container, config_maps).items():
        place = f"spec.template.spec.containers[{container['name']}].env[{name}]"
        if "secretKeyRef" in one.source and _NAME.match(name):
            made.values[name] = f"vault:{vault_path}#{name}"
            whence = f"key {one.source['secretKeyRef'].get('key')} of Secret {one.source['secretKeyRef'].get('name')}"
            values.add("secret", place, f"{whence}: put it where the reference leads", at=name)
        elif one.value is None or not _is_writable(name, one.value):
            continue  # the comparison of objects says so
        elif (why := why_secret(name, one.value)) is not None:
            made.values[name] = f"vault:{vault_path}#{name}"
            values.add("secret", place, why, at=name)
        elif one.config_map is not None:
            made.values[name] = one.value
        else:
            made.env[name] = one.value
            if "$(" in one.value:
                env.add("changed", place, "$(…) is filled in only from names before it; ADX sorts variables by name",
                        at=f"env.{name}")  # fmt: skip
    return made


def _all_of(number: int, source: Json, config_maps: Mapping[str, Json]) -> Iterator[Variable]:
    reference = source.get("configMapRef") or {}
    config_map = config_maps.get(str(reference.get("name")))
    if config_map is None:
        kind = next((key for key in ("secretRef", "configMapRef") if key in source), "unknown")
        whose = f"{_WORDS.get(kind, 'source')} {(source.get(kind) or {}).get('name', number)}"
        yield Variable(f"every key of {whose}", None, source={kind: source.get(kind) or {}})
        return
    for key, value in (config_map.get("data") or {}).items():
        yield Variable(f"{source.get('prefix', '')}{key}", str(value), (str(reference["name"]), str(key)))


def _single(entry: Json, config_maps: Mapping[str, Json]) -> Variable:
    name, source = str(entry["name"]), entry.get("valueFrom")
    if not source:
        return Variable(name, str(entry.get("value", "")))
    reference = source.get("configMapKeyRef") or {}
    data = (config_maps.get(str(reference.get("name"))) or {}).get("data") or {}
    if reference.get("key") in data:
        return Variable(name, str(data[reference["key"]]), (str(reference["name"]), str(reference["key"])))
    return Variable(name, None, source=source)


def _is_writable(name: str, value: str) -> bool:
    if not _NAME.match(name) or len(value) > LONGEST_VALUE or _CONTROL.search(value):
        return False
    return not any(refusals_of_characters(value))
