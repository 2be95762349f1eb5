"""What the commands of `adx config` share: their arguments, the declarations, and the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipelines.cli.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from policies.configuration.values import ConfigurationKey
    from policies.declarations import Declarations
    from policies.tree import Tree
    from workflows.configuration.repository import ConfigurationStore

Result = TypeVar("Result")
Environment = Annotated[str, typer.Argument(metavar="ENV", help="The environment, for example staging.")]
Service = Annotated[str, typer.Argument(help="The service.")]
Key = Annotated[str, typer.Argument(help="The key.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="The value of this tenant instead of everybody's.")]


def declared(invocation: Invocation, ref: str | None) -> tuple[Tree, Declarations]:
    """The files as they are, or as ``ref`` has them. Raises DeclarationError."""
    from policies.git_tree import FolderTree, GitTree
    from policies.loader import load

    folder = invocation.settings.folder
    tree: Tree = FolderTree(folder) if ref is None else GitTree.open(folder, ref)
    return tree, load(tree)


def check_environment(environments: Iterable[str], environment: str) -> None:
    """Raise ValueNotFound for an environment that is not among the declared ones."""
    from policies.findings import suggestion
    from workflows.configuration.errors import ValueNotFound

    names = list(environments)
    if environment not in names:
        next_step = suggestion(environment, names, "declare it first")
        raise ValueNotFound(f"there is no environment {environment}", next_step=next_step)


def key_of(
    declarations: Declarations, environment: str, service: str, key: str, tenant: str | None
) -> ConfigurationKey:
    """The key that the arguments name. Raises ValueNotFound and ValueRefused."""
    check_environment(declarations.environments, environment)
    return _key(declarations.environments[environment].environment.namespace, environment, service, key, tenant)


def kept_key_of(
    invocation: Invocation, environment: str, service: str, key: str, tenant: str | None
) -> ConfigurationKey:
    """As ``key_of``, from environment.yaml alone: what was kept is shown whatever is wrong with what is declared now.

    Raises DeclarationError where that file is wrong.
    """
    from policies.git_tree import FolderTree, environment_names
    from policies.loader import load_environment

    tree = FolderTree(invocation.settings.folder)
    check_environment(environment_names(tree), environment)
    return _key(load_environment(tree, environment).namespace, environment, service, key, tenant)


def _key(namespace: str, environment: str, service: str, key: str, tenant: str | None) -> ConfigurationKey:
    from policies.configuration.values import ConfigurationKey, why_key_is_refused
    from workflows.configuration.errors import ValueRefused

    named = ConfigurationKey(namespace=namespace, environment=environment, service=service, key=key, tenant_id=tenant)
    why = why_key_is_refused(named)
    if why is not None:
        raise ValueRefused(f"{named} is refused: {why}")
    return named


def stored(invocation: Invocation, ask: Callable[[ConfigurationStore], Awaitable[Result]]) -> Result:
    """What the store answers."""
    from workflows.configuration.repository import ConfigurationStore

    async def asked() -> Result:
        values = invocation.settings.values
        async with ConfigurationStore(values.get("ADX_CONFIGURATION_URL") or values.get("ADX_LEDGER_URL", "")) as store:
            return await ask(store)

    return asyncio.run(asked())
