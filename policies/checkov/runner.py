"""One checkov process for all environments: objects in, verdicts out, or an error. Decides nothing about them.

The process gets an environment of its own making, without anybody's
credentials, a home that is empty and gone afterwards, and objects in which
what looks secret is masked. It opens no connection. What it does not answer
for is never taken for passed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from msgspec import field

from policies.checkov.context import EnvironmentManifests, context_of
from policies.checkov.errors import PolicyCheckFailed
from policies.checkov.masking import masked
from policies.checkov.policy_set import PolicySet
from policies.checkov.surroundings import STAMP
from policies.secrets import credential_shape
from policies.spec import Spec
from policies.yaml_text import visible

TIMEOUT_SECONDS = 180.0
_TICK_SECONDS = 0.25
_MAX_SHOWN = 5
_LAUNCHER = Path(__file__).parent / "launcher.py"
_OWN_CHECKS = Path(__file__).parent / "checks"

Tick = Callable[[], None]


class Verdict(Spec):
    """What one check says about one object; ``details`` say what exactly is wrong."""

    check: str
    has_passed: bool
    details: tuple[str, ...] = ()


class CheckedObject(Spec):
    """One object and every verdict on it; ``resource`` is ``Kind namespace/name``."""

    environment: str
    unit: str
    resource: str
    verdicts: tuple[Verdict, ...]


class RawResults(Spec):
    """All verdicts. ``loaded`` gives title and guideline of every check that checkov has, by id."""

    checkov_version: str
    objects: tuple[CheckedObject, ...] = ()
    loaded: dict[str, tuple[str, str]] = field(default_factory=dict)


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    version: str
    loaded: dict[str, tuple[str, str]]
    objects: list[list[tuple[str, Literal["passed", "failed"], tuple[str, ...]]]]
    errors: list[str]


def run_checks(
    environments: Sequence[EnvironmentManifests],
    policies: PolicySet,
    checkov_python: Path,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    tick: Tick = lambda: None,
) -> RawResults:
    """Every verdict of the checks that ``policies`` do not switch off.

    ``checkov_python`` is the interpreter of checkov's environment; ``tick`` is
    called several times a second meanwhile. Raises PolicyCheckFailed.
    """
    given = [
        (each.environment, unit, body)
        for each in environments
        for unit, bodies in each.units.items()
        for body in bodies
    ]
    with tempfile.TemporaryDirectory(prefix="adx-policy-") as name:  # readable by its owner alone
        home = Path(name)
        request = {
            "checks": policies.checks(),
            "folders": [str(_OWN_CHECKS), str(_write_own_checks(home, policies))],
            "objects": [_stamped(*one) for one in given],
        }
        context_file = home / "context.json"
        context_file.write_text(json.dumps(context_of(environments, policies.spec)), "utf-8")
        command = [str(checkov_python), "-I", "-B", str(_LAUNCHER)]
        output = _run(command, json.dumps(request).encode(), _environment(home), timeout_seconds, tick)
    answer = _decoded(output)
    _refuse_gaps(answer, policies, len(given))
    objects = (_checked(one, verdicts) for one, verdicts in zip(given, answer.objects, strict=True))
    return RawResults(checkov_version=answer.version, objects=tuple(objects), loaded=answer.loaded)


def _stamped(environment: str, unit: str, body: dict[str, Any]) -> dict[str, Any]:
    """The copy that is checked: masked, and saying whose it is without having to be believed."""
    return {**masked(body), STAMP: {"environment": environment, "unit": unit}}


def _write_own_checks(home: Path, policies: PolicySet) -> Path:
    folder = home / "own"
    folder.mkdir()
    for own in policies.own_checks:
        (folder / Path(own.path).name).write_text(own.source, "utf-8")
    return folder


def _environment(home: Path) -> dict[str, str]:
    """All variables of the process; nothing is inherited, so no credential and no setting of checkov's."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C.UTF-8",
        "LOG_LEVEL": "ERROR",
        "ADX_POLICY_CONTEXT": str(home / "context.json"),
    }


def _run(command: list[str], request: bytes, environment: dict[str, str], timeout_seconds: float, tick: Tick) -> bytes:
    # From a file without a name: a pipe that is full would wait for a process that has not begun to read.
    with tempfile.TemporaryFile(dir=environment["HOME"]) as asked:
        asked.write(request)
        asked.seek(0)
        with _started(command, environment, asked) as process:
            output, errors = _communicate(process, timeout_seconds, tick)
    if process.returncode != 0:
        how = f"ended with status {process.returncode}"
        if process.returncode < 0:
            how = f"was ended by {signal.Signals(-process.returncode).name}"
        raise _failed(f"checkov {how}: {_last_line(errors)}")
    return output


def _communicate(process: subprocess.Popen[bytes], timeout_seconds: float, tick: Tick) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return process.communicate(timeout=_TICK_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise _failed(f"checkov took over {timeout_seconds:g} s") from None
            tick()


@contextmanager
def _started(command: list[str], environment: dict[str, str], asked: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The process, in a group of its own that is gone at the end, whatever happens."""
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=environment["HOME"],
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        raise _failed(f"checkov cannot be started: {error.strerror or type(error).__name__}") from error
    try:
        yield process
    except BaseException:
        # The group, not the process alone: what a check started would outlive it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()


def _decoded(output: bytes) -> _Answer:
    try:
        return msgspec.json.decode(output, type=_Answer)
    except msgspec.DecodeError as error:
        raise _failed("what checkov printed is not the answer that was expected") from error


def _refuse_gaps(answer: _Answer, policies: PolicySet, expected_objects: int) -> None:
    """Raise PolicyCheckFailed unless every check ran and every object was judged by at least one."""
    if answer.errors:
        more = f" (and {len(answer.errors) - _MAX_SHOWN} more)" if len(answer.errors) > _MAX_SHOWN else ""
        raise _failed(f"{'; '.join(map(_harmless, answer.errors[:_MAX_SHOWN]))}{more}")
    missing = sorted(set(policies.checks()) - answer.loaded.keys())
    if missing:
        raise _failed(f"checkov does not have {', '.join(missing[:_MAX_SHOWN])}")
    unjudged = sum(1 for verdicts in answer.objects if not verdicts)
    if len(answer.objects) != expected_objects or unjudged:
        count = expected_objects - len(answer.objects) + unjudged
        raise _failed(f"checkov said nothing about {count} of {expected_objects} objects")


def _checked(
    given: tuple[str, str, dict[str, Any]], verdicts: Sequence[tuple[str, str, tuple[str, ...]]]
) -> CheckedObject:
    environment, unit, body = given
    metadata = body.get("metadata", {})
    place = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
    return CheckedObject(
        environment=environment,
        unit=unit,
        resource=f"{body.get('kind')} {place}",
        verdicts=tuple(
            Verdict(check=check, has_passed=verdict == "passed", details=tuple(map(_harmless, details)))
            for check, verdict, details in verdicts
        ),
    )


def _last_line(errors: bytes) -> str:
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    return _harmless(lines[-1]) if lines else "it did not say why"


def _harmless(text: str) -> str:
    """``text`` from outside, fit to be shown."""
    kind = credential_shape(text)
    return visible(text)[:300] if kind is None else f"(not shown: it holds {kind})"


def _failed(what: str) -> PolicyCheckFailed:
    return PolicyCheckFailed(
        f"the policies could not be checked: {what}",
        next_step="run `python -m scripts.toolchain build checkov`; if checks of your own failed, correct them",
    )
