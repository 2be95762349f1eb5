"""Where ADX comes from, as ``requirements.in`` says it: a place and a digest, or an index, and never a name alone.

On a public index anybody may publish a package of any free name. What the
lock names is installed beside credentials of the cluster, so the line for ADX
is one that only the operator's own wheel answers (direct references: PEP 508;
``#sha256=``: pip, "Hash-checking Mode").
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote

from pipelines.adoption.errors import InitRefused

# Neither user, password nor query: these files are committed. No "$" either, which pip would take for a variable.
_PART = r"[A-Za-z0-9._~%+!,=-]+"
_PLACE = rf"https://[A-Za-z0-9.-]+(?::\d+)?(?:/{_PART})*"
_URL = re.compile(rf"(?:adx *@ *)?(?P<url>{_PLACE}/(?P<wheel>{_PART})#sha256=[0-9a-f]{{64}})")
_INDEXED = re.compile(rf"adx *== *(?P<version>[A-Za-z0-9.!+]+) +--(?:default-index|index-url)[ =](?P<index>{_PLACE}/?)")
_WHEEL = re.compile(r"adx-(?P<version>[^-/]+)(?:-\d[^-/]*)?-[^-/]+-[^-/]+-[^-/]+\.whl")
_HOW = (
    "name a wheel of ADX: its path, https://…/adx-VERSION-py3-none-any.whl#sha256=DIGEST,"
    " or 'adx==VERSION --index-url https://…' for an index of your own; without user, password or query"
)

# Both pip and uv stop at the second line and show it.
_UNKNOWN = """\
# adx @ https://HOST/adx-{version}-py3-none-any.whl#sha256=DIGEST
--requirement SAY-HERE-WHERE-YOUR-WHEEL-OF-ADX-IS-AS-IN-THE-LINE-ABOVE"""


def unknown(version: str) -> str:
    """What stands in ``requirements.in`` until somebody says where ADX comes from: nothing that can be installed."""
    return _UNKNOWN.format(version=version)


def requirement(package: str, version: str) -> str:
    """The lines for ``package``: the path of a wheel, a URL with its digest, or ``adx==VERSION --index-url URL``.

    A wheel on this machine is digested here. Raises InitRefused for everything else, for a wheel that is not there,
    and for one of another version than ``version``, which the new repository is made by.
    """
    if indexed := _INDEXED.fullmatch(package):
        _check_version(indexed["version"], version)
        return f"--index-url {indexed['index']}\nadx=={indexed['version']}"
    if named := _URL.fullmatch(package):
        _check_wheel(named["wheel"], version)
        return f"adx @ {named['url']}"
    if "://" in package or re.match(r"adx *(?:$|[@=<>~!])", package):
        raise InitRefused("--package does not say which wheel of ADX is meant, by its digest", next_step=_HOW)
    return _of_file(Path(package).expanduser().resolve(), version)


def _of_file(path: Path, version: str) -> str:
    _check_wheel(path.name, version)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InitRefused(f"{path} cannot be read: {error.strerror}", next_step=_HOW) from error
    if not zipfile.is_zipfile(path):
        raise InitRefused(f"{path} is no wheel", next_step=_HOW)
    return f"adx @ {path.as_uri()}#sha256={hashlib.sha256(content).hexdigest()}"


def _check_wheel(name: str, version: str) -> None:
    match = _WHEEL.fullmatch(unquote(name))
    if match is None:
        raise InitRefused(f"{name} is no name of a wheel of ADX", next_step=_HOW)
    _check_version(match["version"], version)


def _check_version(named: str, installed: str) -> None:
    if named.replace("_", ".") != installed:
        raise InitRefused(
            f"the package is of version {named}, and the ADX that makes the repository of {installed}",
            next_step="install the version that the repository is to have, and run its `adx init`",
        )
