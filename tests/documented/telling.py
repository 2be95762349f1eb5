"""Runs the commands of one page as its reader would: in order, in one folder, in one shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.documented.pages import ROOT, Command
from tests.documented.places import DEFAULTS
from tests.documented.running import Ran, Shell
from tests.documented.scene import Scene
from tests.documented.tables import SERVERS, which
from tests.support.waiting import wait_until

_NOT_FOUND = 22
FIRST = "docs/index.md"


class Page:
    """One page's folder and shell."""

    def __init__(self, scene: Scene, name: str) -> None:
        self._scene, self._places = scene, scene.places
        # The first hour is about the delivered checkout itself; whatever else a page commits stays with it.
        own = re.sub(r"\W+", "-", name)
        self.folder = scene.work if name == FIRST else scene.clone(own)
        self._logs = scene.folder / "shells" / own
        self._shell: Shell | None = None
        self._is_serving = False
        home = Path(scene.environ["HOME"]) / "platform"
        home.unlink(missing_ok=True)
        home.symlink_to(self.folder)
        _furnish(self, name)

    def run(self, command: Command) -> str:
        """Run one command; the problem, or nothing."""
        server = which(SERVERS, command)
        ran = self._serve(command, SERVERS[server]) if server else self._run(self._places.here(command.text), command)
        if ran.code == expected(command):
            self._remember(command, ran)
            return ""
        return f"{command.place}: `{command.text}` ended with {ran.code}:\n{ran.out[-1500:]}{ran.err[-2500:]}"

    def go_back_to_the_first_script(self) -> None:
        """Leave one script of the database, as if the second one were still to be written."""
        for path in self.folder.glob("infra/databases/shop/000[2-9]_*.sql"):
            path.unlink()
        assert self._scene.adx("migrate", "sum", "shop", folder=self.folder).code == 0
        for path in self.folder.glob("environments/*/migrations.yaml"):
            path.write_text(re.sub(r"version: \d+", "version: 1", path.read_text("utf-8")))
        self._scene.git("commit", "--quiet", "--all", "--message", "Begin with orders", folder=self.folder)

    def end(self) -> None:
        """End the shell and the servers that it has started."""
        if self._shell is not None:
            self._shell.end()

    @property
    def _bash(self) -> Shell:
        if self._shell is None:
            self._shell = Shell(self._scene.environ, self.folder, self._logs)
        return self._shell

    def _run(self, text: str, command: Command) -> Ran:
        if command.is_plain_adx:
            home = self._scene.environ["HOME"]
            words = [re.sub(r"^~(?=/|$)", home, word) for word in shlex.split(text)[1:]]
            return self._scene.adx(*words, folder=self.folder, stdin="a secret of the pages\n")
        ran = self._bash.run(text)
        if text.startswith("cd "):
            self.folder = Path(self._bash.run("pwd").out.strip())
        return ran

    def _serve(self, command: Command, path: str) -> Ran:
        """Start it, in the place of the one before, and wait until it answers."""
        if self._is_serving:
            self._bash.run("kill $!; wait $!")
        self._is_serving = True
        text = self._places.here(command.text).removesuffix("&").strip()
        started = self._bash.run(f"{text} &")
        given = re.search(r"127\.0\.0\.1:\d+", text)
        address = given[0] if given else self._default_of(text)
        wait_until(lambda: _answers(f"http://{address}{path}"), bool)
        return started

    def _default_of(self, text: str) -> str:
        name = next(name for name in DEFAULTS if name.split("_")[1].lower()[:5] in text)
        return self._scene.environ[name]

    def _remember(self, command: Command, ran: Ran) -> None:
        """Tokens that were printed once are the pages' `$TOKEN` and `$ADMIN` from now on."""
        if command.text.startswith("adx api token "):
            boss = self._scene.adx(
                "api", "token", "boss", "--role", "admin", "--file", "tokens.json", folder=self.folder
            )
            self._bash.run(f"TOKEN={ran.out.strip()}; ADMIN={boss.out.strip()}")


@contextmanager
def page(scene: Scene, name: str) -> Iterator[Page]:
    """A page whose servers end with the block."""
    opened = Page(scene, name)
    try:
        yield opened
    finally:
        opened.end()


def expected(command: Command) -> int:
    """The exit status that a command has to end with; curl's own where the page says that the answer is an error."""
    is_refused = command.programs[:1] and command.programs[0][:1] == ("curl",) and re.match(r"4\d\d ", command.comment)
    return _NOT_FOUND if is_refused else command.documented_exit


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def _furnish(page: Page, name: str) -> None:
    """Files that a page's commands speak of and its reader has."""
    folder = page.folder
    if name == "docs/flags.md":
        program = re.search(r"```python\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)
        assert program is not None
        (folder / "service.py").write_text(program[1])
    if name == "docs/policies.md":
        (folder / "rendered").mkdir()
        (folder / "rendered/settings.yaml").write_text(_RENDERED)
    if name == "docs/migrations.md":
        page.go_back_to_the_first_script()


_RENDERED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: boutique-staging, labels: {app.kubernetes.io/name: frontend}}
data: {PAGE_SIZE: "24"}
"""
