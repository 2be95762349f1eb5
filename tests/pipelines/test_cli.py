"""The command line: exit statuses, no tracebacks, global options, help that teaches."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pipelines.cli.app import COMMANDS, build
from pipelines.cli.group import AdxGroup, exit_status, hoisted
from pipelines.cli.invocation import Invocation
from pipelines.exit_codes import MEANINGS, ExitCode
from policies.errors import AdxError, DeclarationError
from tests.pipelines.command import ADX, SOURCE, Ran, adx, environment
from workflows.errors import AdxConnectionError, AdxTimeoutError, RestoreNotVerified

NOBODY = "127.0.0.1:1"  # port 1 is reserved: nothing listens there
CANARY = "canary-4d1f-password"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ran]:
    """Runs `adx` in an empty folder with an empty home."""

    def run_in_empty_home(*arguments: str, **variables: str) -> Ran:
        return adx(*arguments, environ=environment(tmp_path / "home", **variables), folder=tmp_path)

    return run_in_empty_home


def test_help_lists_every_command_and_exit_status(run: Callable[..., Ran]) -> None:
    shown = run("--help")
    assert shown.code == 0
    assert all(meaning in shown.out for meaning in MEANINGS.values())
    assert all(command.__name__.replace("_", "-") in shown.out for command, _ in COMMANDS)


@pytest.mark.parametrize("command", [command for command, _ in COMMANDS], ids=lambda command: command.__name__)
def test_help_of_each_command_has_an_example_that_names_it(command: Callable[..., None]) -> None:
    name = command.__name__.replace("_", "-")
    shown = CliRunner().invoke(build(), [name, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output
    assert f"adx {name}" in shown.output.partition("Example")[2]
    assert max(map(len, shown.output.splitlines())) <= 100


@pytest.mark.parametrize("arguments", [["--help"], ["validate"], ["validate", "--json"], ["env"]])
def test_nothing_heavy_is_imported_for_what_must_start_fast(tmp_path: Path, arguments: list[str]) -> None:
    """What is imported at the start is paid by every run, in every pull request."""
    code = (
        f"import sys\nfrom pipelines.cli import main\nsys.argv = ['adx', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "heavy = {'temporalio', 'pulumi', 'sqlalchemy', 'boto3', 'uvicorn', 'structlog', 'rich', 'lightkube'}\n"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), cwd=SOURCE, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("history", "--nonsense"), ("show",), ("history", "--unit", "a", "--tenant", "b")]
)
def test_wrong_usage_exits_with_2(run: Callable[..., Ran], arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert ended.code == ExitCode.USAGE
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", [("history",), ("deploy",), ("status", "production"), ("worker",), ("webhook",)])
def test_missing_settings_are_named_without_traceback(run: Callable[..., Ran], command: tuple[str, ...]) -> None:
    ended = run(*command)
    assert ended.code == ExitCode.UNREACHABLE
    assert "is not set" in ended.err
    assert "adx up" in ended.err
    assert "Traceback" not in ended.err


def test_unreachable_ledger_is_named_without_traceback_or_password(run: Callable[..., Ran]) -> None:
    ended = run("history", ADX_LEDGER_URL=f"postgresql+psycopg://adx:{CANARY}@{NOBODY}/adx")
    assert ended.code == ExitCode.UNREACHABLE
    assert "the ledger cannot be reached" in ended.err
    assert "Traceback" not in ended.err
    assert CANARY not in ended.out + ended.err


def test_unreachable_temporal_is_named_without_traceback(run: Callable[..., Ran]) -> None:
    ended = run("cancel", "production", ADX_TEMPORAL_ADDRESS=NOBODY)
    assert ended.code == ExitCode.UNREACHABLE
    assert f"Temporal does not answer at {NOBODY}" in ended.err
    assert "Traceback" not in ended.err


def test_error_is_json_with_json(run: Callable[..., Ran]) -> None:
    ended = run("history", "--json")
    error = json.loads(ended.err)["error"]
    assert (ended.out, error["exit_code"]) == ("", ended.code)
    assert "ADX_LEDGER_URL" in error["message"]


def test_receiver_with_an_empty_secret_does_not_start(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    ended = run(
        "webhook",
        ADX_LEDGER_URL=f"postgresql+psycopg://adx@{NOBODY}/adx",
        ADX_TEMPORAL_ADDRESS=NOBODY,
        ADX_WEBHOOK_SECRET_FILE=str(tmp_path / "secret"),
    )
    assert ended.code == ExitCode.FAILED
    assert "anybody could start a rollout" in ended.err


def test_stack_that_is_down_says_so(run: Callable[..., Ran]) -> None:
    ended = run("status")
    assert ended.code == ExitCode.OK
    assert "`adx up` starts it" in ended.out


def test_env_masks_secrets_until_they_are_asked_for(run: Callable[..., Ran]) -> None:
    url = f"postgresql+psycopg://adx:{CANARY}@db/adx"
    assert CANARY not in run("env", ADX_LEDGER_URL=url, VAULT_TOKEN=CANARY).out
    assert f"export ADX_LEDGER_URL={url}" in run("env", "--reveal", ADX_LEDGER_URL=url).out.splitlines()


def test_following_a_log_ends_quietly_with_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "home" / "logs").mkdir(parents=True)
    (tmp_path / "home" / "logs" / "worker.log").write_text("first\n")
    process = subprocess.Popen(
        [*ADX, "logs", "worker", "-f"],
        env=environment(tmp_path / "home"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    with (tmp_path / "home" / "logs" / "worker.log").open("a") as log:
        log.write("second\n")
    assert process.stdout.readline() == "second\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in err


def test_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*ADX, "--help"],
        env=environment(tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=30)
    process.stderr.close()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["history", "--json"], ["--json", "history"]),
        (["diff", "a", "b", "--repo", "x", "c"], ["--repo", "x", "diff", "a", "b", "c"]),
        (["history", "--repo=x", "--verbose"], ["--repo=x", "--verbose", "history"]),
        (["logs", "--", "--json"], ["logs", "--", "--json"]),
        (["history", "--repo"], ["--repo", "history"]),
        ([], []),
    ],
)
def test_global_options_are_taken_anywhere_before_a_double_dash(given: list[str], expected: list[str]) -> None:
    assert hoisted(given) == expected


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AdxError("x"), 1),
        (DeclarationError(()), 3),
        (RestoreNotVerified("x"), 5),
        (AdxConnectionError("x"), 6),
        (AdxTimeoutError("x"), 6),
    ],
)
def test_exit_status_of_each_kind_of_error(error: AdxError, status: int) -> None:
    assert exit_status(error) == status


def failing_app(error: BaseException) -> typer.Typer:
    """An application of ADX's kind whose only command fails."""
    app = typer.Typer(cls=AdxGroup, pretty_exceptions_enable=False)

    @app.callback()
    def options(ctx: typer.Context, verbose: bool = False) -> None:
        ctx.obj = Invocation(verbose=verbose)

    @app.command()
    def fail() -> None:
        raise error

    return app


def test_defect_is_told_without_traceback_or_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VAULT_TOKEN", CANARY)
    monkeypatch.setenv("ADX_HOME", str(tmp_path))
    ended = CliRunner().invoke(failing_app(KeyError(f"no {CANARY}")), ["fail"])
    assert ended.exit_code == ExitCode.INTERNAL
    assert "a defect in ADX: KeyError" in ended.output
    assert "Traceback" not in ended.output
    assert CANARY not in ended.output


def test_traceback_of_a_defect_is_shown_on_request_without_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", CANARY)
    monkeypatch.setenv("ADX_HOME", str(tmp_path))
    ended = CliRunner().invoke(failing_app(KeyError(f"no {CANARY}")), ["--verbose", "fail"])
    assert "Traceback" in ended.output
    assert CANARY not in ended.output


def test_interruption_exits_with_130() -> None:
    ended = CliRunner().invoke(failing_app(KeyboardInterrupt()), ["fail"])
    assert ended.exit_code == ExitCode.INTERRUPTED
    assert "Traceback" not in ended.output
