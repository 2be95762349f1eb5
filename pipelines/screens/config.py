"""`adx config`: values, their history and what two versions differ in."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from pipelines.output import plain, table
from pipelines.words import counted, moment
from policies.configuration.values_resolution import Declared
from workflows.configuration.declaring import Committed
from workflows.configuration.models import Difference, Version

SECRET = "(secret)"  # noqa: S105 - what stands for one


def values_screen(found: Sequence[Declared]) -> RenderableType:
    """One line a value: what counts and from which layer; where that stands is said with --json."""
    if not found:
        return Text("No values.")
    made = table("service", "key", "value", "from")
    for one in found:
        value = SECRET if one.is_secret else _json(one.value)
        layer = one.layer if one.key.tenant_id is None else f"tenant {one.key.tenant_id}"
        made.add_row(*map(plain, (one.key.service, one.key.key, value, layer)))
    return made


def history_screen(versions: Sequence[Version]) -> RenderableType:
    """One line a version, newest first."""
    made = table("version", "when (UTC)", "what", "by", "value")
    for one in versions:
        value = "" if one.operation == "delete" else SECRET if one.value.is_secret else _json(one.value.value)
        made.add_row(*map(plain, (one.version, moment(one.at), one.operation, one.by, value)))
    return made


def difference_screen(found: Difference) -> RenderableType:
    """The two values below one another; a secret only says whether it changed."""
    if not found.is_changed:
        return plain(f"{found.key}: versions {found.old_version} and {found.new_version} are equal")
    if found.is_secret:
        return plain(f"{found.key}: the secret changed between versions {found.old_version} and {found.new_version}")
    old = plain(f"- {found.old_version}: {_json(found.old)}", "red")
    return Group(plain(str(found.key)), old, plain(f"+ {found.new_version}: {_json(found.new)}", "green"))


def committed_screen(made: Committed) -> RenderableType:
    """What was written, and what is to be done with it."""
    lines = [plain(f"changed: {', '.join(made.files)}")]
    if made.branch:
        lines.append(plain(f"branch {made.branch} at {made.commit[:10]}: push it and open a pull request"))
    elif made.commit:
        lines.append(plain(f"commit {made.commit[:10]} on the branch that is checked out"))
    else:
        lines.append(plain("not committed"))
    return Group(*lines)


def rewrapped_screen(count: int, made: Committed | None) -> RenderableType:
    """How many ciphertexts are new."""
    if made is None:
        return plain("Every ciphertext is made with the newest version of the key already.")
    return Group(plain(f"rewrapped {counted(count, 'secret')}"), committed_screen(made))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
