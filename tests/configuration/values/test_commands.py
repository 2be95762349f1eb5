"""`adx config` on a repository: what it shows, and the one line that it changes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.support.configuration import author, key, plain, postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.support.configuration_command import COMMENTED, Shop, make_shop
from workflows.configuration.repository import ConfigurationStore

FILE = "environments/development/configuration.yaml"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path)


def test_get_shows_what_a_service_would_get_and_from_where(shop: Shop) -> None:
    """The tenant's own value, else the environment's."""
    screen = shop.adx("get", "production", "frontend", "--tenant", "acme").stdout
    found = shop.json("get", "production", "frontend", "CURRENCY", "--tenant", "acme")

    assert "tenant acme" not in screen.splitlines()[0]
    assert [(one["value"], one["layer"], one["file"]) for one in found] == [("USD", "tenant", "tenants/acme.yaml")]
    assert all(len(line) <= 80 for line in screen.splitlines())


@pytest.mark.parametrize(
    "arguments", [("developmnt",), ("development", "frontend", "NOTHING"), ("development", "nobody", "CURRENCY")]
)
def test_get_of_what_is_not_there_is_an_error(shop: Shop, arguments: tuple[str, ...]) -> None:
    """With the exit status for what was not found."""
    assert "error: " in shop.adx("get", *arguments, fails=6).stderr


def test_set_changes_one_line_and_leaves_a_commit(shop: Shop) -> None:
    """Comments, quotes, order and blank lines stay."""
    shop.adx("set", "development", "frontend", "PAGE_SIZE", "48")

    assert shop.text(FILE) == COMMENTED.replace("PAGE_SIZE: 24 ", "PAGE_SIZE: 48 ")
    assert shop.git("log", "-1", "--format=%B").strip() == ("Set development/frontend/PAGE_SIZE\n\nChanged-by: ada")
    assert shop.git("status", "--porcelain") == ""
    assert shop.git("diff", "--stat", "HEAD~1").count("|") == 1


def test_set_leaves_what_else_was_prepared_for_a_commit_alone(shop: Shop) -> None:
    """A person's own staged work is not swept in."""
    (shop.folder / "notes.txt").write_text("mine")
    shop.git("add", "notes.txt")

    shop.adx("set", "development", "frontend", "PAGE_SIZE", "48")

    assert shop.git("status", "--porcelain") == "A  notes.txt\n"


def test_set_with_a_branch_touches_neither_checkout_nor_index(shop: Shop) -> None:
    """Also when the file has changes that nobody has committed."""
    (shop.folder / FILE).write_text(COMMENTED.replace("24", "30"))

    made = shop.json("set", "development", "frontend", "PAGE_SIZE", "48", "--branch", "page-size")

    assert shop.git("show", f"page-size:{FILE}") == COMMENTED.replace("PAGE_SIZE: 24 ", "PAGE_SIZE: 48 ")
    assert shop.git("rev-parse", "page-size~1") == shop.git("rev-parse", "main")
    assert shop.git("rev-parse", "page-size").strip() == made["commit"]
    assert shop.text(FILE) == COMMENTED.replace("24", "30")
    assert shop.git("diff", "--cached") == ""
    shop.adx("set", "development", "frontend", "PAGE_SIZE", "49", "--branch", "page-size", fails=1)


def test_set_refuses_to_take_somebodys_uncommitted_change_along(shop: Shop) -> None:
    """The file stays as it is."""
    mine = COMMENTED.replace("24", "30")
    (shop.folder / FILE).write_text(mine)

    shop.adx("set", "development", "frontend", "PAGE_SIZE", "48", fails=1)

    assert shop.text(FILE) == mine


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("frontend", "CURRENCY", "USD"), "CURRENCY: 'USD'    # as in the contract"),
        (("frontend", "CURRENCY", "12"), "CURRENCY: '12'    # as in the contract"),
        (("frontend", "SHOW_BANNER", "true"), "SHOW_BANNER: true"),
        (("checkout", "TIMEOUT_SECONDS", "3"), "{TIMEOUT_SECONDS: 3}"),
        (("frontend", "RATIO", "0.5"), "RATIO: 0.5"),
        (("frontend", "RATIO", "0.5", "--text"), 'RATIO: "0.5"'),
        (("frontend", "MODE", "no"), 'MODE: "no"'),
    ],
)
def test_set_keeps_the_type_that_the_value_has(shop: Shop, arguments: tuple[str, ...], line: str) -> None:
    """A new value is what it looks like, unless it is said to be a text."""
    shop.adx("set", "development", *arguments, "--no-commit")

    assert line in shop.text(FILE)
    assert "configuration.yaml" in shop.git("status", "--porcelain")


def test_set_for_a_tenant_changes_the_tenants_file(shop: Shop) -> None:
    """The environment's value stays."""
    shop.adx("set", "production", "frontend", "CURRENCY", "CHF", "--tenant", "acme")

    assert "CURRENCY: CHF" in shop.text("tenants/acme.yaml")
    assert shop.git("show", "--stat", "--format=", "HEAD").count("|") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("frontend", "PAGE_SIZE", "9007199254740993"),
        ("frontend", "RATES_TOKEN", "in-clear"),
        ("frontend", "ANY", "vault:v1:short"),
        ("nobody", "PAGE_SIZE", "1"),
    ],
)
def test_set_writes_nothing_that_validation_would_refuse(shop: Shop, arguments: tuple[str, ...]) -> None:
    """A number too large, a secret in clear, a form of a secret that is none, a service that is not there."""
    shop.adx("set", "development", *arguments, fails=3)

    assert shop.text(FILE) == COMMENTED
    assert shop.git("status", "--porcelain") == ""
    assert shop.git("rev-list", "--count", "HEAD").strip() == "1"


def test_set_removes_a_value(shop: Shop) -> None:
    """And only that."""
    shop.adx("set", "development", "frontend", "SHOW_BANNER", "--remove")

    assert shop.text(FILE) == COMMENTED.replace("    SHOW_BANNER: false\n", "")


def test_the_same_value_makes_no_commit(shop: Shop) -> None:
    """An empty commit would say that something changed."""
    shop.adx("set", "development", "frontend", "PAGE_SIZE", "24", fails=1)

    assert shop.git("rev-list", "--count", "HEAD").strip() == "1"


def test_either_a_value_or_its_removal(shop: Shop) -> None:
    """Not both, not neither."""
    shop.adx("set", "development", "frontend", "PAGE_SIZE", fails=2)
    shop.adx("set", "development", "frontend", "PAGE_SIZE", "1", "--remove", fails=2)


async def kept(url: str) -> None:
    """Two versions of PAGE_SIZE and one of a secret, as deliveries would keep them."""
    async with ConfigurationStore(url) as store:
        await store.migrate()
        where = declared_key("PAGE_SIZE")
        await store.create(where, plain(12), author("ada"))
        await store.update(where, plain(24), author("bob"), expected=1)


def declared_key(name: str):

    return msgspec.structs.replace(key(name), namespace="shop-development", environment="development")


@pytest.fixture
async def delivered(tmp_path: Path, postgres_url: str) -> Shop:  # noqa: F811 - the fixture
    await kept(postgres_url)
    return make_shop(tmp_path, ADX_CONFIGURATION_URL=postgres_url)


async def in_thread(shop: Shop, *arguments: str, fails: int = 0) -> str:
    """Commands start an event loop of their own."""
    import asyncio

    result = await asyncio.to_thread(shop.adx, *arguments, fails=fails)
    return str(result.stdout)


async def test_history_diff_and_restore_go_round(delivered: Shop) -> None:
    """What was delivered is listed, compared, and declared again with a commit."""
    history = await in_thread(delivered, "history", "development", "frontend", "PAGE_SIZE")
    difference = await in_thread(delivered, "diff", "development", "frontend", "PAGE_SIZE", "1", "2")
    await in_thread(delivered, "restore", "development", "frontend", "PAGE_SIZE", "1")

    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["2", "1"]
    assert "ada" in history
    assert "- 1: 12" in difference
    assert "+ 2: 24" in difference
    assert delivered.text(FILE) == COMMENTED.replace("PAGE_SIZE: 24 ", "PAGE_SIZE: 12 ")
    await in_thread(delivered, "restore", "development", "frontend", "PAGE_SIZE", "9", fails=6)


async def test_what_was_kept_is_shown_whatever_is_wrong_with_the_declarations(delivered: Shop) -> None:
    """Of those only environment.yaml is read: it says in which namespace the values are."""
    (delivered.folder / "tenants/acme.yaml").write_text("no: tenant")
    (delivered.folder / FILE).write_text("{")

    for arguments, shown in ((("history",), "ada"), (("diff",), "+ 2: 24")):
        versions = ("1", "2") if arguments == ("diff",) else ()
        assert shown in await in_thread(delivered, *arguments, "development", "frontend", "PAGE_SIZE", *versions)
    await in_thread(delivered, "history", "developmnt", "frontend", "PAGE_SIZE", fails=6)
    await in_thread(delivered, "get", "development", fails=3)
    (delivered.folder / "environments/development/environment.yaml").write_text("{")
    await in_thread(delivered, "history", "development", "frontend", "PAGE_SIZE", fails=3)


async def test_a_store_that_is_away_is_named(tmp_path: Path) -> None:
    """With the exit status for what does not answer."""
    shop = make_shop(tmp_path, ADX_CONFIGURATION_URL="postgresql://adx:canary-1@127.0.0.1:1/adx")

    await in_thread(shop, "history", "development", "frontend", "PAGE_SIZE", fails=6)


async def test_migrate_makes_the_tables(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811 - the fixture
    """Once and again."""
    shop = make_shop(tmp_path, ADX_CONFIGURATION_URL=postgres_url)
    for _ in range(2):
        assert await in_thread(shop, "migrate", "--json") == '{"version":"0001"}\n'
