"""A check that could not be made is an error, never an empty list of findings; nothing secret gets out or stays."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from policies.checkov.errors import PolicyCheckFailed
from policies.checkov.policy_set import OwnCheck, PolicySet
from policies.checkov.runner import run_checks
from tests.policy.objects import COMMIT, Manifest, given, one_of_kind, policies, service_objects, tenant_objects
from tests.support.processes import found
from tests.support.waiting import wait_until

CANARY = "canary-2c9e51"
TOKEN = "ghp_" + "k" * 36
NO_NETWORK = """
import runpy, sys
def refuse(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        print("a connection was tried:", event, file=sys.__stderr__)
        raise SystemExit(9)
sys.addaudithook(refuse)
import socket
"""


def program(folder: Path, body: str) -> Path:
    """A stand-in for checkov's Python that runs ``body`` whatever it is asked."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return path


def handing_over(python: Path, arguments: str) -> str:
    """The body of a stand-in that becomes the real ``python`` with ``arguments`` (an expression)."""
    return f"import os, sys\nos.execv({str(python)!r}, [{str(python)!r}, *{arguments}])"


def watched(folder: Path, python: Path) -> Path:
    """checkov's Python under a watch that ends it at the first use of a socket."""
    script = folder / "watched.py"
    script.write_text(f"{NO_NETWORK}\nrunpy.run_path(sys.argv[1], run_name='__main__')\n")
    return program(folder, handing_over(python, f"['-I', {str(script)!r}, sys.argv[-1]]"))


def run(python: Path, policy_set: PolicySet | None = None, **options: float) -> object:
    """Check the objects of one service."""
    return run_checks([given({"service/cart": service_objects()})], policy_set or policies(), python, **options)


def own(source: str, id_: str = "SHOP_1") -> PolicySet:
    """Policies with one check of the repository's own."""
    check = OwnCheck(path="policies/checkov/check_own.py", source=source, ids=(id_,))
    return PolicySet(commit=COMMIT, own_checks=(check,))


CHECK = """
from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.kubernetes.checks.resource.base_spec_check import BaseK8Check

class Own(BaseK8Check):
    def __init__(self):
        super().__init__("Own", "SHOP_1", (CheckCategories.KUBERNETES,), ("*",))

    def scan_spec_conf(self, conf):
        {body}

check = Own()
"""


def test_checkov_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """Named with what to do about it."""
    with pytest.raises(PolicyCheckFailed, match="cannot be started: No such file") as failed:
        run(tmp_path / "nothing")
    assert "scripts.toolchain build checkov" in failed.value.next_step


def test_a_python_without_checkov_is_an_error() -> None:
    """Our own environment does not have it."""
    with pytest.raises(PolicyCheckFailed, match="ended with status 1: ModuleNotFoundError: No module named 'checkov'"):
        run(Path(sys.executable))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
        ("import sys; print('out of memory', file=sys.stderr); sys.exit(3)", "ended with status 3: out of memory"),
        ("print('[]')", "not the answer that was expected"),
        ("print('nonsense')", "not the answer that was expected"),
        ("", "not the answer that was expected"),
        ("""print('{"version": "3", "loaded": {}, "objects": [], "errors": []}')""", "checkov does not have"),
    ],
    ids=["killed", "failed", "other JSON", "no JSON", "nothing", "no checks"],
)
def test_a_process_that_does_not_answer_is_an_error(tmp_path: Path, body: str, said: str) -> None:
    """Killed, failed, silent or talking nonsense: none of them is a pass."""
    with pytest.raises(PolicyCheckFailed, match=said):
        run(program(tmp_path, body))


def test_objects_that_are_left_out_of_the_answer_are_an_error(tmp_path: Path, checkov_python: Path) -> None:
    """Given a checkov that answers for all objects but one, it is not believed."""
    body = f"""
import json, subprocess, sys
done = subprocess.run([{str(checkov_python)!r}, *sys.argv[1:]], stdout=subprocess.PIPE)
answer = json.loads(done.stdout)
answer["objects"][2] = []
print(json.dumps(answer))
"""
    with pytest.raises(PolicyCheckFailed, match="said nothing about 1 of 5 objects"):
        run(program(tmp_path, body))


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """Its children too; the caller hears meanwhile that work goes on."""
    ticks: list[str] = []
    pid_file = tmp_path / "pid"

    def tick() -> None:
        """Its time is over only once it has a child, however long its start takes."""
        ticks.append(wait_until(lambda: pid_file.read_text() if pid_file.exists() else "", bool))

    body = f"""
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))
time.sleep(600)
"""
    with pytest.raises(PolicyCheckFailed, match="took over 3 s"):
        run_checks(
            [given({"service/cart": service_objects()})],
            policies(),
            program(tmp_path, body),
            timeout_seconds=3,
            tick=tick,
        )
    assert ticks
    wait_until(lambda: _running(int(pid_file.read_text())), lambda running: running == [])


def test_a_process_that_begins_to_read_late_is_waited_for(tmp_path: Path, checkov_python: Path) -> None:
    """Given far more than a pipe holds, and a process that starts only once the caller has waited, all is answered."""
    begin = tmp_path / "begin"
    body = f"import pathlib\nwhile not pathlib.Path({str(begin)!r}).exists(): pass\n"
    slow = program(tmp_path, body + handing_over(checkov_python, "sys.argv[1:]"))
    many = [given({f"service/{number}": service_objects() for number in range(60)})]
    results = run_checks(many, policies(), slow, tick=begin.touch)
    assert len(results.objects) == 300


def _running(pid: int) -> list[psutil.Process]:
    """The process ``pid``; none once it has ended, waited for or not."""
    return found(lambda one: one.pid == pid and one.status() != psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_there\nID = 'SHOP_1'", "check_own.py cannot be loaded: ModuleNotFoundError at check_own.py:1"),
        ("raise SystemError(ID := 'SHOP_1')", "check_own.py cannot be loaded: SystemError at check_own.py:1"),
        ("ID = 'SHOP_1'", "checkov does not have SHOP_1"),
        (CHECK.format(body="return conf['nothing']"), "SHOP_1 failed on object 0 .*: KeyError at check_own.py:10"),
        (CHECK.format(body="return 'fine'"), "SHOP_1 gave str for object 0 .*, which is no result"),
        (CHECK.format(body="return None"), "SHOP_1 gave NoneType for object 0"),
    ],
    ids=["import fails", "raises", "no check in it", "crashes", "gives a text", "gives nothing"],
)
def test_a_check_of_the_repository_that_fails_is_an_error(checkov_python: Path, source: str, said: str) -> None:
    """checkov's own command would go on as if it had passed."""
    with pytest.raises(PolicyCheckFailed, match=said):
        run(checkov_python, own(source))


def test_no_connection_is_tried(tmp_path: Path, checkov_python: Path) -> None:
    """Given a Python that ends at the first use of a socket, every check still runs."""
    results = run_checks([given({"service/cart": service_objects()})], policies(), watched(tmp_path, checkov_python))
    assert len(results.objects) == 5


def test_a_connection_would_be_noticed(tmp_path: Path, checkov_python: Path) -> None:
    """The watch of the test above sees a check that asks for an address."""
    asking = CHECK.format(body="import socket; socket.getaddrinfo('localhost', 80); return CheckResult.PASSED")
    with pytest.raises(PolicyCheckFailed, match="ended with status 9"):
        run(watched(tmp_path, checkov_python), own(asking))


def _with_secrets() -> list[Manifest]:
    deployment = one_of_kind(service_objects(), "Deployment")
    variables = [{"name": "DB_PASSWORD", "value": CANARY}, {"name": "NOTE", "value": f"see {TOKEN}"}]
    deployment["spec"]["template"]["spec"]["containers"][0]["env"] = variables
    return [deployment]


def test_checks_never_see_a_secret_and_nothing_of_the_caller(
    checkov_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a check that copies all it can see to where the test looks, no canary is there."""
    seen = tmp_path / "seen"
    monkeypatch.setenv("BC_API_KEY", CANARY)
    monkeypatch.setenv("GITHUB_TOKEN", CANARY)
    body = (
        f"import os, json; open({str(seen)!r}, 'a').write(json.dumps([conf, dict(os.environ), os.getcwd()]));"
        " print(conf); return CheckResult.PASSED"
    )
    run_checks([given({"service/cart": _with_secrets()})], own(CHECK.format(body=body)), checkov_python)
    text = seen.read_text()
    assert '"Deployment"' in text
    assert CANARY not in text
    assert TOKEN not in text


def test_what_a_check_says_is_cleaned_before_it_is_shown(checkov_python: Path) -> None:
    """A detail that shows a credential or hidden characters is not passed on."""
    body = f"self.details = ['{TOKEN}', 'a' + chr(0x202e)]; return CheckResult.FAILED"
    results = run_checks([given({"service/cart": service_objects()[:1]})], own(CHECK.format(body=body)), checkov_python)
    verdict = next(found for found in results.objects[0].verdicts if found.check == "SHOP_1")
    assert verdict.details == ("(not shown: it holds a GitHub token)", "a\\u202e")


def test_the_temporary_folder_is_private_and_gone_afterwards(
    checkov_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a good run and after a failed one."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    mode = tmp_path / "mode"
    body = f"import os; open({str(mode)!r}, 'w').write(oct(os.stat(os.getcwd()).st_mode)); return CheckResult.PASSED"
    run(checkov_python, own(CHECK.format(body=body)))
    assert mode.read_text() == oct(0o40700)
    with pytest.raises(PolicyCheckFailed):
        run(checkov_python, own("raise SystemError('SHOP_1')"))
    assert list(temporary.iterdir()) == []


def test_everything_given_is_answered_for_in_its_order(checkov_python: Path) -> None:
    """Two environments and two units go through one process and come back as they went in."""
    first = given({"service/cart": service_objects()})
    second = given({"tenant/acme": tenant_objects()}, environment="other")
    results = run_checks([first, second], policies(), checkov_python)
    expected = [("test", "service/cart", body["kind"]) for body in service_objects()]
    expected += [("other", "tenant/acme", body["kind"]) for body in tenant_objects()]
    assert [(one.environment, one.unit, one.resource.split()[0]) for one in results.objects] == expected
    assert results.checkov_version.startswith("3.")
