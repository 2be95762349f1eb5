"""Runs checkov's Kubernetes checks over objects: a program for checkov's own environment, not to be imported.

Reads one JSON document from standard input and writes one to standard output::

    {"checks": [id, …], "folders": [path, …], "objects": [{…}, …]}
    {"version": "3.3.30", "loaded": {id: [title, guideline]},
     "objects": [[[id, "passed" | "failed", [detail, …]], …], …],
     "errors": [what went wrong, …]}

``folders`` hold further checks, each a file ``*.py``. Only the registry of
checks is imported: checkov's command imports its other frameworks, a graph
library and cloud clients, which takes twenty times as long, and asks a server
for guidelines. Its command also skips what an object asks to have skipped,
and lets a check that crashes look like one that has nothing to say; here the
first is ignored and the second is an error.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

MAX_ERRORS = 20


def main() -> int:
    """Answer one request; whatever checks print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Last, so that nothing beside ADX can take the place of one of checkov's own dependencies.
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    request = json.load(sys.stdin)
    errors = [error for folder in request["folders"] for error in _load(Path(folder))]
    chosen = set(request["checks"])
    objects = [_judge(index, body, chosen, errors) for index, body in enumerate(request["objects"])]
    answer = {
        "version": importlib.metadata.version("checkov"),
        "loaded": {check.id: [check.name, check.guideline or ""] for _, check in _registry().all_checks()},
        "objects": objects,
        "errors": errors[:MAX_ERRORS],
    }
    json.dump(answer, answers)
    answers.close()
    return 0


def _registry() -> Any:
    from checkov.kubernetes.checks.resource import registry  # noqa: PLC0415 - checkov takes half a second to import

    return registry.registry


def _load(folder: Path) -> list[str]:
    """Import every check in ``folder`` under a name that cannot hide another module."""
    _registry()
    errors = []
    for number, file in enumerate(sorted(folder.glob("*.py"))):
        name = f"adx_external_{folder.name}_{number}"
        spec = importlib.util.spec_from_file_location(name, file)
        if file.name == "__init__.py" or spec is None or spec.loader is None:
            continue
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # noqa: BLE001 - a check may fail in any way, and must not look like a passed one
            errors.append(f"{file.name} cannot be loaded: {type(error).__name__}{_where(error)}")
    return errors


def _judge(index: int, body: dict[str, Any], chosen: set[str], errors: list[str]) -> list[Any]:
    """What each chosen check says about one object, where it says anything."""
    kind = str(body.get("kind", ""))
    results: list[Any] = []
    for check in _registry().get_checks(kind):
        if check.id not in chosen:
            continue
        try:
            check.details = []
            result = check.scan_entity_conf(body, kind)
        except Exception as error:  # noqa: BLE001 - as above
            errors.append(f"{check.id} failed on object {index} ({kind}): {type(error).__name__}{_where(error)}")
            continue
        verdict = str(getattr(result, "value", result)).lower()
        if verdict in {"passed", "failed"}:
            results.append([check.id, verdict, [str(line) for line in check.details]])
        elif verdict not in {"unknown", "skipped"}:
            errors.append(f"{check.id} gave {type(result).__name__} for object {index} ({kind}), which is no result")
    return results


def _where(error: Exception) -> str:
    """The file and line where it happened; the text of an error could repeat a value."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f" at {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else ""


if __name__ == "__main__":
    sys.exit(main())
