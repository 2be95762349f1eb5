"""Asks the real parts about each pull request: a local stack that has the beginning delivered, and what previews read.

The facts are found by the code that `adx preview` runs, and it is made sure that the command says the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from pipelines.cli.previewing import tools_of
from pipelines.exit_codes import ExitCode
from pipelines.preview.changes import PullRequestChange, read
from pipelines.preview.gather import Facts, Gatherer
from pipelines.preview.markdown import markdown
from pipelines.preview.policy import PolicyQuestion, answer
from pipelines.toolchain import with_toolchain
from scripts.example.adx import Adx, console
from scripts.example.repository import ExampleFailed, Repository
from scripts.gallery.beginning import CIPHERTEXTS, NEXT, SECRET_KEY, SECRET_SERVICE, WITH_SECRET, begin
from scripts.gallery.facts import facts_of, gathered, keep, report_of
from scripts.gallery.scenes import BASE, SCENES, Scene, propose

APPROVED, APPROVER, APPROVAL_SECONDS = "production", "ines.keller", 300
PROMOTION = ("promote", "staging", "production", "--force", "--reason", "recording the gallery")
# Rows of orders by database and schema of staging: of sizes a reviewer is told what the server has counted.
ORDERS = {
    ("nordlicht_outdoor", "public"): 120_000,
    ("lumen_pharmacy", "public"): 30_000,
    ("boutique", "brightside_kids"): 4_000,
}
_FILL = """\
INSERT INTO {schema}.orders (order_id, shipping_country, total)
SELECT gen_random_uuid(), 'DE', (n % 90 + 10) || '.50 EUR' FROM generate_series(1, {rows}) n
"""


def record(folder: Path, scenes: Sequence[Scene] = SCENES) -> None:
    """Ask about ``scenes`` and keep the answers; what was started has ended then. Raises ExampleFailed.

    Secrets are encrypted anew only where all scenes are asked about: they are part of the first commit.
    """
    repository = Repository(folder / "repository")
    adx = Adx(folder / "home", repository)
    try:
        begin(repository)
        if len(scenes) == len(SCENES):
            adx.run("up", "--with", "vault")
            _encrypt(adx)
            shutil.rmtree(folder / "repository")
            begin(repository)
        else:
            adx.run("up")
        recording = _Recording(adx, repository)
        for scene in scenes:
            recording.record(scene)
    finally:
        adx.run("down")


@dataclass
class _Recording:
    """One stack; ``delivered`` are the environments that hold what ``main`` does, ``is_filled``: there are orders."""

    adx: Adx
    repository: Repository
    delivered: set[str] = field(default_factory=set)
    is_filled: bool = False

    def record(self, scene: Scene) -> None:
        """Make the pull request, deliver what it starts from, ask, keep, and compare with the command."""
        if scene.merged_before is not None:
            scene.merged_before(self.repository)
            self.repository.git("push", "--quiet", "origin", f"HEAD:{BASE}")
            self.delivered.clear()
        propose(scene, self.repository)
        change = read(self.repository.work, BASE, scene.branch)
        names = change.chosen(())
        for name in [*names, "staging"]:
            self._deliver(name)
        if scene.is_promotion:
            _require_same_as_promoted(self.adx, self.repository, scene)
        environ = with_toolchain({**_outside(), **self.adx.settings()})
        found = asyncio.run(_all(Gatherer(change, environ, lambda text: console.print(f"  {text}")), names))
        policies = answer(PolicyQuestion(change, tuple(names)), lambda _: None)
        keep(scene, gathered(found, policies, tools_of(policies.checkov_version)))
        _require_same_as_command(self.adx, scene, change)

    def _deliver(self, environment: str) -> None:
        if environment in self.delivered:
            return
        with ThreadPoolExecutor(1) as pool:
            delivery = pool.submit(self.adx.run, "deploy", environment, "--watch")
            if environment == APPROVED:
                _approve(self.adx, delivery)
            delivery.result()
        if environment == "staging" and not self.is_filled:
            _fill(self.adx.settings()["ADX_DATABASE_LOCAL_URL"])
            self.is_filled = True
        self.delivered.add(environment)


def _encrypt(adx: Adx) -> None:
    """Let Vault encrypt tokens, one for each environment, and a successor. The tokens themselves are kept nowhere."""
    places = {**{name: name for name in WITH_SECRET}, NEXT: WITH_SECRET[0]}
    made = {name: _ciphertext(adx, environment) for name, environment in places.items()}
    CIPHERTEXTS.write_text(json.dumps(made, indent=1) + "\n", "utf-8")


def _ciphertext(adx: Adx, environment: str) -> str:
    printed = adx.run("config", "encrypt", environment, SECRET_SERVICE, SECRET_KEY, given=os.urandom(24).hex())
    return next(word for word in printed.split() if word.startswith("vault:"))


def _approve(adx: Adx, delivery: Future[str]) -> None:
    """Agree as somebody who may, once it is asked for."""
    until = time.monotonic() + APPROVAL_SECONDS
    while not delivery.done() and time.monotonic() < until:
        adx.run("approve", APPROVED, "--by", APPROVER, "--reason", "recording", accepted=tuple(ExitCode))
        time.sleep(3)  # a person looks now and then


def _fill(url: str) -> None:
    """Write orders into the databases that the delivery has made, and have them counted."""
    for (database, schema), rows in ORDERS.items():
        with psycopg.connect(url, dbname=database, autocommit=True) as connection:
            name = sql.Identifier(schema)
            connection.execute(sql.SQL(_FILL).format(schema=name, rows=sql.Literal(rows)))
            connection.execute(sql.SQL("ANALYZE {}.orders").format(name))


async def _all(gatherer: Gatherer, names: list[str]) -> list[Facts]:
    return list(await asyncio.gather(*map(gatherer.facts, names)))


def _require_same_as_command(adx: Adx, scene: Scene, change: PullRequestChange) -> None:
    command = ("preview", "--base", BASE, "--head", scene.branch, "--format", "markdown")
    printed = adx.run(*command, accepted=(ExitCode.OK, ExitCode.FAILED)).strip()
    made = markdown(report_of(scene, change, facts_of(scene))).strip()
    if printed != made:
        console.print(printed, markup=False)
        raise ExampleFailed(
            f"what was recorded of {scene.name} at {change.head[:12]} does not tell what `adx preview` tells",
            next_step="compare what stands above with its golden file: scripts/gallery/facts.py leaves something out",
        )


def _require_same_as_promoted(adx: Adx, repository: Repository, scene: Scene) -> None:
    """The branch is what `adx promote` proposes, file by file."""
    ours = repository.git("rev-parse", f"{scene.branch}^{{tree}}")
    repository.git("push", "--quiet", "--delete", "origin", scene.branch)
    adx.run(*PROMOTION)
    repository.git("fetch", "--quiet", "origin", scene.branch)
    if repository.git("rev-parse", "FETCH_HEAD^{tree}") != ours:
        difference = repository.git("diff", scene.branch, "FETCH_HEAD")
        raise ExampleFailed(
            f"`adx promote` proposes something else:\n{difference}", next_step="correct scripts/gallery/changes.py"
        )


def _outside() -> dict[str, str]:
    """What the terminal is set up for, without settings of ADX."""
    return {name: value for name, value in os.environ.items() if value and not name.startswith(("ADX_", "PULUMI_"))}
