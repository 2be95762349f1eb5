"""A copy of the repository in which a core's modules hold every mutant of themselves.

mutmut writes the mutants: each function becomes a switch between itself and
its changed copies, chosen while it runs. Nothing is changed in the checkout.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("docs", "environments", "infra", "pipelines", "policies", "scripts", "tenants", "tests", "workflows")
_FILES = ("pyproject.toml", "Pulumi.yaml")
_UNDERSTOOD = ("staticmethod", "classmethod")
_MUTMUT = '\n[tool.mutmut]\nsource_paths = ["policies", "workflows"]\ntrack_dependencies = false\n'


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change. ``line`` counts from 1 in the checkout's file; ``before`` and ``after`` are that line."""

    name: str
    module: str
    line: int
    before: str
    after: str

    @property
    def function(self) -> str:
        """The function it is in, as its switch reports it."""
        return self.name.partition("__mutmut_")[0]


def copy_repository(target: Path) -> None:
    """What tests of pure code read; with mutmut's settings, which it wants to find in its working folder."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "histories", "toolchain")
    for name in _COPIED:
        shutil.copytree(ROOT / name, target / name, ignore=ignored, symlinks=True)
    shutil.copytree(ROOT / "scripts" / "toolchain", target / "scripts" / "toolchain", ignore=ignored)
    for name in _FILES:
        shutil.copy2(ROOT / name, target / name)
    with (target / "pyproject.toml").open("a") as settings:
        settings.write(_MUTMUT)


def mutate(folder: Path, module: str) -> list[Mutant]:
    """Write all mutants of ``module`` into its copy in ``folder``; the working folder must be ``folder``."""
    from mutmut.mutation.file_mutation import mutate_file_contents  # looks for its settings when it is imported

    source = undecorated((folder / module).read_text())
    mutated = mutate_file_contents(module, source)
    (folder / module).write_text(mutated.code)
    lines = mutated.code.splitlines()
    spans = mutated.line_span_by_function_name
    bodies = {name: _from_def(lines[span.start - 1 : span.end]) for name, span in spans.items()}
    starts = dict(_function_lines(ast.parse(source)))
    found = (_mutant(module, name, bodies, starts) for name in mutated.mutant_names)
    return [mutant for mutant in found if mutant is not None]


def undecorated(source: str) -> str:
    """``source`` with its decorators applied after each function: mutmut leaves out what is decorated.

    Lines keep their numbers: a decorator leaves an empty line and goes to the empty one after the function.
    """
    lines = source.splitlines()
    tree = ast.parse(source)
    scopes = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for function in (
        node for body in scopes for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ):
        names = [ast.unparse(decorator) for decorator in function.decorator_list]
        after = function.end_lineno or 0
        if not names or names[0] in _UNDERSTOOD or (after < len(lines) and lines[after].strip()):
            continue
        for index in range(function.decorator_list[0].lineno - 1, function.lineno - 1):
            lines[index] = ""
        applied = function.name
        for name in reversed(names):
            applied = f"{name}({applied})"
        lines[after : after + 1] = [f"{' ' * function.col_offset}{function.name} = {applied}"]
    return "\n".join(lines) + "\n"


def _mutant(module: str, name: str, bodies: dict[str, list[str]], starts: dict[str, int]) -> Mutant | None:
    key = name.partition("__mutmut_")[0]
    original, changed = bodies[f"{key}__mutmut_orig"], bodies[name]
    pairs = enumerate(zip(original[1:], changed[1:], strict=False), start=1)
    differing = next(((index, pair) for index, pair in pairs if pair[0] != pair[1]), None)
    if differing is None:  # a default in the signature, which the switch never sees
        return None
    index, (before, after) = differing
    dotted = module.removesuffix(".py").replace("/", ".")
    return Mutant(f"{dotted}.{name}", module, starts[key] + index, before.strip(), after.strip())


def _from_def(lines: list[str]) -> list[str]:
    """Without comments, blank lines and decorators before the function."""
    first = next(index for index, line in enumerate(lines) if line.lstrip().startswith(("def ", "async def ")))
    return lines[first:]


def _function_lines(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """mutmut's name of each function and method, and the line of its ``def``."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"x_{node.name}", node.lineno
        elif isinstance(node, ast.ClassDef):
            methods = (child for child in node.body if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)))
            yield from ((f"xǁ{node.name}ǁ{method.name}", method.lineno) for method in methods)
