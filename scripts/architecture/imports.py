"""Which part of ADX imports which, counted from the source without running it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("pipelines", "workflows", "infra", "policies", "scripts")
ABOVE, BELOW = "above", "below"


@dataclass(frozen=True, order=True)
class Part:
    """A folder of a package; or its modules that lie in none: those ``above`` its folders, and those ``below``."""

    package: str
    name: str


@dataclass(frozen=True)
class Imports:
    """``between`` counts a module that a module imports once, however much is taken of it.

    ``modules`` names the modules of parts that are no folders.
    """

    between: Counter[tuple[Part, Part]]
    modules: dict[Part, list[str]]

    def between_packages(self) -> Counter[tuple[str, str]]:
        """The same by package."""
        found: Counter[tuple[str, str]] = Counter()
        for (source, target), count in self.between.items():
            if source.package != target.package:
                found[source.package, target.package] += count
        return found

    def parts_of(self, package: str) -> list[Part]:
        """The parts of ``package`` that import something or are imported, by name."""
        parts = {part for pair in self.between for part in pair}
        return sorted(part for part in parts if part.package == package)


def count_imports(root: Path) -> Imports:
    """Those of all packages under ``root``; tests are left out."""
    paths = {_name(root, path): path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))}
    imported = {name: set(_imported(path, paths)) for name, path in paths.items()}
    folders = {name: _folder(root, path) for name, path in paths.items()}
    parts = {name: _part(name, imported[name], folders) for name in paths}
    between = Counter(
        (parts[name], parts[target])
        for name, targets in imported.items()
        for target in targets
        if parts[name] != parts[target]
    )
    alone: dict[Part, list[str]] = {}
    for name in (name for name, folder in folders.items() if not folder and "." in name):
        alone.setdefault(parts[name], []).append(name.partition(".")[2])
    return Imports(between, alone)


def _name(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _folder(root: Path, path: Path) -> str:
    """The folder of a package that the module lies in, empty for one that lies in none."""
    parts = path.relative_to(root).parts
    return parts[1] if len(parts) > 2 else ""


def _part(name: str, targets: set[str], folders: Mapping[str, str]) -> Part:
    package, folder = name.partition(".")[0], folders[name]
    takes_folders = any(folders[target] for target in targets if target.partition(".")[0] == package)
    return Part(package, folder or (ABOVE if takes_folders else BELOW))


def _imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Also what is imported within functions, and what only types need: each is knowledge of the other."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in known else node.module for name in named if node.module in known)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
