"""The tests' own plugin: a run ends its servers even after failures, and fails when something is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scripts.stack import processes
from tests.support import test_run

_REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one-process", "xdist"])
def test_servers_end_with_a_failing_run(tmp_path: Path, workers: list[str]) -> None:
    """A failed test must not leave servers behind."""
    done = _run(
        tmp_path,
        "def test_one(s3_server):\n    print(s3_server.endpoint)\n    assert False\n"
        "def test_two(s3_server):\n    assert s3_server.endpoint\n",
        *workers,
    )
    assert "1 failed, 1 passed" in done.stdout
    assert done.returncode == 1
    assert _left_running(tmp_path) == []
    assert list((tmp_path / "tmp").glob("adx-test-run-*")) == []


def test_run_that_leaves_a_process_fails_and_names_it(tmp_path: Path) -> None:
    """Even when all tests passed."""
    done = _run(tmp_path, "import subprocess\ndef test_one():\n    subprocess.Popen(['sleep', '613'])\n")
    assert "1 passed" in done.stdout
    assert "processes were left behind" in done.stdout
    assert "sleep 613" in done.stdout
    assert done.returncode == 1
    assert _left_running(tmp_path) == []


def test_next_run_ends_what_a_killed_run_left(tmp_path: Path) -> None:
    """SIGKILL gives nobody a chance to clean up, so the next run does it."""
    killed = _run(tmp_path, "import os, signal\ndef test_one(s3_server):\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    assert killed.returncode < 0
    assert _left_running(tmp_path) != []
    _run(tmp_path, "def test_one():\n    assert True\n")
    assert _left_running(tmp_path) == []
    assert list((tmp_path / "tmp").glob("adx-test-run-*")) == []


def _run(folder: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one small test file, with a temporary folder of its own."""
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "test_small.py").write_text(test)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environ.pop(test_run.VARIABLE, None)
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.support.local_stack", "-p", "no:cacheprovider"),
            *("--rootdir", str(folder), "-c", os.devnull, *options, str(folder / "test_small.py")),
        ],
        cwd=folder,
        env={**environ, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(_REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


def _left_running(folder: Path) -> list[psutil.Process]:
    """What still runs of the runs whose folders lie (or lay) in ``folder``."""
    return [process for process in psutil.process_iter() if processes.is_alive(process) and _mentions(process, folder)]


def _mentions(process: psutil.Process, folder: Path) -> bool:
    try:
        environ = process.environ()
    except (psutil.Error, OSError):
        return False
    return any(environ.get(name, "").startswith(str(folder)) for name in (test_run.VARIABLE, processes.HOME_VARIABLE))
