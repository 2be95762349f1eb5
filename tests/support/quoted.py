"""Texts that YAML writes with quotes, as declarations must write what looks like a date."""

from __future__ import annotations

import yaml


class Quoted(str):
    """A text that ``yaml.safe_dump`` quotes."""


def _represent(dumper: yaml.SafeDumper, text: Quoted) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')


yaml.SafeDumper.add_representer(Quoted, _represent)
