"""`adx config set|encrypt|rewrap|restore`: what changes a declaration, and leaves a commit or a branch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.config_common import Environment, Key, Service, Tenant, check_environment, declared, key_of, stored
from pipelines.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from policies.configuration.spec import Scalar
    from workflows.configuration.declaring import Change, Committed

Branch = Annotated[str | None, typer.Option("--branch", help="Leave a new branch; the checkout stays as it is.")]
NoCommit = Annotated[bool, typer.Option("--no-commit", help="Only write the file.")]


def set_(
    ctx: typer.Context,
    *,
    environment: Environment,
    service: Service,
    key: Key,
    value: Annotated[str | None, typer.Argument(help="true, false, a number, or a text.")] = None,
    tenant: Tenant = None,
    is_text: Annotated[bool, typer.Option("--text", help="VALUE is a text, whatever it looks like.")] = False,
    is_removed: Annotated[bool, typer.Option("--remove", help="Take the value out.")] = False,
    branch: Branch = None,
    no_commit: NoCommit = False,
) -> None:
    """Change one value in place, comments and order kept, and leave a commit on the branch that is checked out.

    What `adx validate` would refuse is refused before anything is written (exit status 3). A secret is set with
    `adx config encrypt --set`.

    \b
    Examples:
      adx config set staging frontend PAGE_SIZE 48
      adx config set staging frontend CURRENCY USD --tenant acme
      adx config set production frontend PAGE_SIZE 48 --branch page-size
      adx config set staging frontend OLD_KEY --remove
    """
    from policies.configuration.values_resolution import resolve
    from workflows.configuration.declaring import setting

    if (value is None) != is_removed:
        raise typer.BadParameter("give either VALUE or --remove")
    invocation = current(ctx)
    tree, declarations = declared(invocation, "HEAD" if branch else None)
    where = key_of(declarations, environment, service, key, tenant)
    before = resolve(declarations, where)
    is_text = is_text or (before is not None and isinstance(before.value, str))
    wanted = None if value is None else _scalar(value, is_text=is_text)
    _finish(invocation, setting(tree, where, wanted, by=invocation.settings.actor), branch, no_commit)


def encrypt(
    ctx: typer.Context,
    *,
    environment: Environment,
    service: Service,
    key: Key,
    tenant: Tenant = None,
    is_set: Annotated[bool, typer.Option("--set", help="Put it into the declaration and commit that.")] = False,
    branch: Branch = None,
    no_commit: NoCommit = False,
) -> None:
    """Encrypt a secret with Vault, for one key, tenant and environment: anywhere else it does not decrypt.

    The secret is asked for, or read from standard input (one trailing line break is dropped). It is never an argument,
    which others could read. ADX_CONFIGURATION_VAULT_KEY names the transit key, which must be a derived one.

    \b
    Examples:
      adx config encrypt staging frontend RATES_TOKEN --set
      adx config encrypt production frontend RATES_TOKEN --tenant acme < token.txt
    """
    from policies.configuration.values_resolution import schemas_of
    from workflows.configuration.declaring import setting
    from workflows.configuration.secrets import Sealer

    invocation = current(ctx)
    tree, declarations = declared(invocation, "HEAD" if branch else None)
    where = key_of(declarations, environment, service, key, tenant)
    sealer = Sealer.from_settings(invocation.settings.values)
    schemas = schemas_of(declarations.environments[environment], service, key)
    ciphertext = sealer.seal(where, _asked(), schemas)
    if is_set or branch:
        _finish(invocation, setting(tree, where, ciphertext, by=invocation.settings.actor), branch, no_commit)
    elif invocation.is_json:
        invocation.output.json({"key": where, "ciphertext": ciphertext})
    else:
        typer.echo(ciphertext)


def rewrap(
    ctx: typer.Context,
    *,
    environment: Annotated[str | None, typer.Argument(metavar="ENV", help="All if none is given.")] = None,
    branch: Branch = None,
    no_commit: NoCommit = False,
) -> None:
    """Make every ciphertext again with the newest version of Vault's key. No value is shown, here or anywhere.

    Ciphertexts that are of the newest version already stay as they are. When one does not decrypt where it stands,
    nothing is changed.

    \b
    Examples:
      vault write -f transit/keys/adx-configuration/rotate && adx config rewrap --branch rewrap
      adx config rewrap staging
    """
    from pipelines.screens.config import rewrapped_screen
    from workflows.configuration.declaring import ciphertexts, replacing
    from workflows.configuration.secrets import Sealer

    invocation = current(ctx)
    tree, declarations = declared(invocation, "HEAD" if branch else None)
    if environment is not None:
        check_environment(declarations.environments, environment)
    sealed = list(ciphertexts(declarations, environment))
    renewed = Sealer.from_settings(invocation.settings.values).rewrap(sealed) if sealed else []
    changed = {key: new for (key, old), new in zip(sealed, renewed, strict=True) if _version(new) != _version(old)}
    made = None
    if changed:
        message = f"Rewrap secrets of {environment or 'all environments'}\n\nChanged-by: {invocation.settings.actor}\n"
        made = _write(invocation, replacing(tree, changed, message), branch, no_commit)
    invocation.output.result({"rewrapped": len(changed), "made": made}, rewrapped_screen(len(changed), made))


def restore(
    ctx: typer.Context,
    *,
    environment: Environment,
    service: Service,
    key: Key,
    version: Annotated[int, typer.Argument(help="The version, from `adx config history`.")],
    tenant: Tenant = None,
    branch: Branch = None,
    no_commit: NoCommit = False,
) -> None:
    """Put an older version of a value back into its declaration, and leave a commit or a branch.

    \b
    Examples:
      adx config restore staging frontend PAGE_SIZE 3
      adx config restore production frontend RATES_TOKEN 2 --branch back
    """
    from workflows.configuration.declaring import setting

    invocation = current(ctx)
    tree, declarations = declared(invocation, "HEAD" if branch else None)
    where = key_of(declarations, environment, service, key, tenant)
    found = stored(invocation, lambda store: store.version(where.id, version))
    wanted = found.value.encrypted_value if found.value.is_secret else found.value.value
    if isinstance(wanted, list | dict):
        raise typer.BadParameter("this version is a list or a mapping, which a declaration cannot hold")
    _finish(invocation, setting(tree, where, wanted, by=invocation.settings.actor), branch, no_commit)


def _scalar(text: str, *, is_text: bool) -> Scalar:
    """``text`` as YAML of ADX would read it."""
    import msgspec

    if is_text:
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _asked() -> str:
    """The secret, from whoever sits there or from standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Secret", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.read().removesuffix("\n")


def _version(ciphertext: str) -> str:
    return ciphertext.split(":", 2)[1]


def _finish(invocation: Invocation, change: Change, branch: str | None, no_commit: bool) -> None:
    from pipelines.screens.config import committed_screen

    made = _write(invocation, change, branch, no_commit)
    invocation.output.result(made, committed_screen(made))


def _write(invocation: Invocation, change: Change, branch: str | None, no_commit: bool) -> Committed:
    from workflows.configuration.declaring import commit_here, commit_to_branch, write_files

    folder = invocation.settings.folder
    if branch:
        return commit_to_branch(folder, change, branch)
    return write_files(folder, change) if no_commit else commit_here(folder, change)
