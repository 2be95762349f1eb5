"""What the commands of `adx config` share: their arguments, the declarations, and the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipelines.cli.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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


def check_environment(declarations: Declarations, environment: str) -> None:
    """Raise ValueNotFound for an environment that is not declared."""
    from policies.findings import suggestion
    from workflows.configuration.errors import ValueNotFound

    if environment not in declarations.environments:
        next_step = suggestion(environment, declarations.environments, "declare it first")
        raise ValueNotFound(f"there is no environment {environment}", next_step=next_step)


def key_of(
    declarations: Declarations, environment: str, service: str, key: str, tenant: str | None
) -> ConfigurationKey:
    """The key that the arguments name. Raises ValueNotFound and ValueRefused."""
    from policies.configuration.values import ConfigurationKey, why_key_is_refused
    from workflows.configuration.errors import ValueRefused

    check_environment(declarations, environment)
    named = ConfigurationKey(
        namespace=declarations.environments[environment].environment.namespace,
        environment=environment,
        service=service,
        key=key,
        tenant_id=tenant,
    )
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
