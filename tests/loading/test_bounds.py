"""Hostile files cost no more than small honest ones: run under limits that the kernel enforces, not timed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.loading.repositories import Repository, base_files, write_folder

ROOT = Path(__file__).parents[2]
SIZE_BYTES = 100 * 1024 * 1024

# Validates under limits set after everything is imported and used once: what is left is what the hostile file may cost.
LIMITED = """
import resource, sys
from pathlib import Path
from pipelines.validate import validate
validate(Path(sys.argv[1]))
pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
memory = pages * resource.getpagesize() + 48 * 1024 * 1024
if pages:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_STACK, (1024 * 1024, 1024 * 1024))
used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
resource.setrlimit(resource.RLIMIT_CPU, (used + 6, used + 6))
report = validate(Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
print([f"{found.file}:{found.line}: {found.what}" for found in report.problems])
"""


def bomb(levels: int) -> bytes:
    """Nine times as many values with every level."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(lines).encode()


HOSTILE = {
    "an alias bomb": (bomb(500), "anchors and aliases"),
    "10,000 levels of flow lists": (b"[" * 10_000 + b"]" * 10_000, "32 levels deep"),
    "10,000 levels of flow mappings": (b"{a: " * 10_000 + b"1" + b"}" * 10_000, "32 levels deep"),
    "10,000 levels of block lists": (b"- " * 10_000 + b"x", "32 levels deep"),
    "10,000 levels of block mappings": (
        b"".join(b"%s? a\n%s:\n" % (b" " * level, b" " * level) for level in range(1_000)),
        "32 levels deep",
    ),
    "10,000 levels of complex keys": (b"? " * 10_000 + b"x", "a key is a list"),
    "a mebibyte of list items": (b"a: [" + b"1," * 500_000 + b"]", "values"),
    "a mebibyte of one number": (b"a: " + b"1" * 1_000_000, "same number"),
    "a mebibyte that is nearly a number": (b"a: " + b"1" * 500_000 + b"_." * 200_000 + b"x", "apiVersion"),
    "a mebibyte of unknown keys": (b"".join(b"k%06d: 1\n" % number for number in range(19_000)), "not known"),
    "a mebibyte of duplicate keys": (b"k: 1\n" * 200_000, "already there"),
    "a mebibyte of lines without keys": (b"x\n" * 300_000, "a mapping is expected"),
    "a mebibyte of hidden characters": (("\u200b" * 300_000).encode(), "cannot be seen"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_bounds(name: str, tmp_path: Path) -> None:
    """Given 48 MiB, a stack of 1 MiB and 6 seconds of processor time, the file is refused and the process lives."""
    data, what = HOSTILE[name]
    good = write_folder(tmp_path / "good", base_files())
    bad = write_folder(tmp_path / "bad", base_files() | {"tenants/hostile.yaml": data})
    assert what in limited(good, bad)


def test_a_file_of_100_megabytes_in_a_folder_is_not_read(tmp_path: Path) -> None:
    """Given a file larger than the memory that is left, its size alone is reason enough."""
    good = write_folder(tmp_path / "good", base_files())
    bad = write_folder(tmp_path / "bad", base_files() | {"tenants/huge.yaml": b""})
    with (bad / "tenants/huge.yaml").open("r+b") as file:
        file.truncate(SIZE_BYTES)
    assert "tenants/huge.yaml:0: the file has 104,857,600 bytes" in limited(good, bad)


def test_a_file_of_100_megabytes_in_a_commit_is_not_read(tmp_path: Path) -> None:
    """Given a blob larger than the memory that is left, git is not even asked for it."""
    good = write_folder(tmp_path / "good", base_files())
    repository = Repository(tmp_path / "repository.git")
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(SIZE_BYTES)
    oid = repository.git("hash-object", "-w", str(huge))
    commit = repository.commit(base_files())
    files = [f"100644 blob {oid}\ttenants/huge.yaml"]
    listing = repository.git("ls-tree", "-r", commit).splitlines() + files
    repository.git("update-index", "-z", "--index-info", stdin="\0".join([*listing, ""]).encode())
    tree = repository.git("write-tree")
    bad = repository.git("commit-tree", tree, "-m", "huge")
    assert "tenants/huge.yaml:0: the file has 104,857,600 bytes" in limited(good, repository.path, bad)


def limited(good: Path, *arguments: object) -> str:
    """What is found, by a process that has used its imports on ``good`` and may not use much more."""
    command = [sys.executable, "-c", LIMITED, str(good), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
