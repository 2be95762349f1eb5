"""Rollouts under way in production, and what the pages say that a person can say to them, each at its moment."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal

from tests.delivery.delivery import Delivery
from tests.documented.pages import Command
from tests.documented.running import shell
from tests.documented.scene import Scene
from tests.documented.tables import LIVING, which
from tests.support.waiting import wait_until

PATIENCE_SECONDS = 180
_REASON = re.compile(r" --reason (\"[^\"]*\"|\S+)")


class Stories:
    """Says each of ``commands`` once; those that differ in their reasons alone are the same."""

    def __init__(self, scene: Scene, commands: list[Command]) -> None:
        self._scene = scene
        self._waiting = {_REASON.sub("", one.text): one for one in commands if which(LIVING, one)}

    @property
    def unsaid(self) -> list[str]:
        """What no story has a moment for."""
        return [f"{one.place}: {one.text}" for one in self._waiting.values()]

    def tell_releases(self) -> None:
        """A new release of the cart is led to its end and switched back; the next one is aborted."""
        scene = self._scene
        for version in ("v0.10.5", "v0.10.6"):
            scene.declared.raise_version("production", "cart", version)
            scene.commit(f"Raise the cart to {version}")
            scene.has("deploy", "production")
            self._baking(5)
            if version == "v0.10.5":
                self._say("services promote production cart")
                self._baking(50)
                self._say("services promote production cart --full")
                self._until(lambda rollout: rollout["kept_until"])
                self._say("services switch-back production")
            else:
                self._say("services abort production cart")
            self._until(lambda rollout: rollout["outcome"] == "restored")
        scene.declared.raise_version("production", "cart", "v0.10.4")

    def tell_waves(self) -> None:
        """A change of every tenant: held by a freeze, failed for one, asked for, cancelled."""
        scene = self._scene
        scene.declared.declare_waves(more_pods=1)
        scene.commit("Give every tenant one pod more")
        scene.has("deploy", "production")
        watched = self._waiting.pop(next(text for text in self._waiting if "| jq" in text))
        with shell(scene.environ, scene.work, scene.folder / "watching") as watcher:
            with refusing(scene, "production-tenant-globex", pods=7):
                self._until(lambda rollout: rollout["held_until"])
                told = watcher.tell(watched.text)
                self._say("fleet override production")
                self._until_waves(lambda view: _is_held(view, "calendar"))
                scene.has("fleet", "override", "production", "--reason", "the waves as well")
                self._asked("2")
                self._until_told("tenant/globex", told)
            for words in ("status", "pause", "resume"):
                self._say(f"fleet {words} production")
            self._say("fleet retry production tenant/globex")
            self._say("fleet skip production acme")
            self._asked("2")
            self._say("fleet approve production 2")
            self._asked("3")
            self._say("fleet cancel production")
            self._until(lambda rollout: rollout["outcome"])
            assert watcher.answer(watched.text) == 0, told.with_suffix(".err").read_text("utf-8")
        scene.declared.declare_no_waves()
        scene.commit("Ask nobody")

    def _say(self, words: str) -> None:
        """Every documented command that begins so, now; more options than it has are another command's."""
        text = next((text for text in self._waiting if _begins(text, words)), None)
        if text is None:
            return  # the pages do not say it any more
        command = self._waiting.pop(text)
        ran = self._scene.adx(*shlex.split(command.text)[1:])
        assert ran.code == command.documented_exit, f"{command.place}: {command.text}: {ran}\n{self._scene.logs()}"

    def _until_told(self, wanted: str, told: Path) -> None:
        """Wait until a command in the shell has written this; what it complained of shows where it does not."""
        said, complained = told.with_suffix(".out"), told.with_suffix(".err")
        wait_until(
            lambda: (said.read_text("utf-8"), complained.read_text("utf-8")),
            lambda texts: wanted in texts[0],
            timeout_seconds=PATIENCE_SECONDS,
        )

    def _rollout(self) -> Any:
        rollout = json.loads(self._scene.has("status", "production", "--json").out)["rollout"]
        assert not rollout or rollout["outcome"] != "refused", rollout["failure"]
        return rollout

    def _until(self, is_reached: Callable[[Any], bool]) -> None:
        wait_until(
            self._rollout, lambda rollout: bool(rollout and is_reached(rollout)), timeout_seconds=PATIENCE_SECONDS
        )

    def _baking(self, percent: int) -> None:
        """Wait until the cart's new release has this share of the requests, and is judged."""

        def read() -> Any:
            (found,) = json.loads(self._scene.has("services", "releases", "production", "cart", "--json").out)
            return found.get("under_way") or {}

        def is_reached(release: Any) -> bool:
            return bool(release.get("phase") == "baking" and release["shares"]["green"]["weight_percent"] == percent)

        wait_until(read, is_reached, timeout_seconds=PATIENCE_SECONDS)

    def _asked(self, wave: str) -> None:
        """Wait until this wave waits for its approval and nothing is under way."""

        def is_reached(view: Any) -> bool:
            counts = view["counts"]
            return _is_held(view, "approval", wave) and not counts.get("under_way") and not counts.get("restoring")

        self._until_waves(is_reached)

    def _until_waves(self, is_reached: Callable[[Any], bool]) -> None:
        def read() -> Any:
            ran = self._scene.adx("fleet", "status", "production", "--json")
            return json.loads(ran.out) if ran.code == 0 else None

        wait_until(read, lambda view: bool(view and is_reached(view)), timeout_seconds=PATIENCE_SECONDS)


def _is_held(view: Any, kind: str, wave: str = "") -> bool:
    return any(hold["kind"] == kind and hold.get("wave", "") == wave for hold in view.get("holds", []))


def _begins(text: str, words: str) -> bool:
    rest = text.removeprefix(f"adx {words}")
    return text != rest and not rest.startswith(" --full")


@contextlib.contextmanager
def refusing(scene: Scene, namespace: str, *, pods: int) -> Iterator[None]:
    """Let the cluster refuse a tenant's quota of so many pods."""
    nobody: Any = None
    delivery = Delivery("production", scene.environ, scene.folder, nobody, nobody, nobody, nobody, nobody)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(delivery.refusing_pods(namespace, pods=pods)),
    ):
        yield
