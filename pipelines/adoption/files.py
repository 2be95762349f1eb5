"""Names → every file of a new GitOps repository. Pure, but for the texts that it begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.adoption import sources
from pipelines.adoption.errors import InitRefused
from pipelines.adoption.package import requirement, unknown
from policies.tree_layout import MAX_ENVIRONMENT_NAME, MAX_TENANT_NAME, declaration_at

_ENVIRONMENT = "environments/ENVIRONMENT/"
# In ADX's own repository the action installs the ADX beside it; elsewhere it installs what the lock names.
_BESIDE = 'default: ""\n  programs:'
_LOCKED = 'default: "requirements.txt"\n  programs:'


@dataclass(frozen=True)
class NewRepository:
    """What a repository is called, its environments in the order of promotion, the version of ADX.

    ``package`` says where that version is installed from (``package.requirement``); empty: nobody knows yet.
    """

    name: str
    environments: Sequence[str]
    version: str
    package: str = ""

    def files(self) -> dict[str, str]:
        """Text by path; raises InitRefused for names that nothing can have, and for a package."""
        self._check()
        made = sources.schemas() | {"infra/__main__.py": sources.program()}
        made |= {f".github/{path}": _with_lock(path, text) for path, text in sources.workflows().items()}
        for path, text in sources.templates():
            if path.startswith(_ENVIRONMENT):
                for position, name in enumerate(self.environments):
                    promoted = self.environments[position - 1] if position else ""
                    made[path.replace("ENVIRONMENT", name)] = self._filled(text, name, promoted)
            else:
                target = path.replace("github/", ".github/", 1) if path.startswith("github/") else path
                made[".gitignore" if target == "gitignore" else target] = self._filled(text)
        return dict(sorted(made.items()))

    def _filled(self, text: str, environment: str = "", promoted_from: str = "") -> str:
        values = {
            "PROMOTION": f"promotion:\n  from: {promoted_from}" if promoted_from else "",
            "NAME": self.name,
            "ENVIRONMENT": environment,
            "FIRST": self.environments[0],
            "DATABASE": self.name.replace("-", "_"),
            "VERSION": self.version,
            "PACKAGE": requirement(self.package, self.version) if self.package else unknown(self.version),
        }
        for name, value in values.items():
            text = text.replace(f"__{name}__", value)
        return text.rstrip("\n") + "\n"

    def _check(self) -> None:
        rule = "lower-case letters, digits and hyphens, beginning with a letter"
        if declaration_at(f"tenants/{self.name}.yaml") is None:
            raise InitRefused(
                f"{self.name!r} is no name for a repository",
                next_step=f"name it with --name: {rule}, at most {MAX_TENANT_NAME}",
            )
        for name in self.environments:
            if declaration_at(f"environments/{name}/environment.yaml") is None:
                raise InitRefused(
                    f"{name!r} is no name for an environment", next_step=f"use {rule}, at most {MAX_ENVIRONMENT_NAME}"
                )
        if len(set(self.environments)) != len(self.environments):
            raise InitRefused("an environment is named twice", next_step="name each --environment once")


def _with_lock(path: str, text: str) -> str:
    """The action that sets ADX up, told to install what ``requirements.txt`` locks."""
    return text.replace(_BESIDE, _LOCKED, 1) if path == "actions/setup-adx/action.yml" else text
