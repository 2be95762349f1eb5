"""`adx promote` on real parts: git, the ledger, a GitHub; from what was delivered to a pull request."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.promotion.shop import BRANCH, CONFIGURATION, ENVIRONMENT, FLAGS, SERVICES, SOURCE, TARGET, Shop
from workflows.ledger import audit, drift
from workflows.ledger.drift import DriftCheckRecord, UnitSeen
from workflows.ledger.units import units_of

VERSION = ("version: v1.2.0", "version: v1.3.0")


async def raised(shop: Shop) -> str:
    """A new version of the frontend and another page size are delivered to the source."""
    shop.edit(SERVICES.format(SOURCE), *VERSION)
    shop.edit(CONFIGURATION.format(SOURCE), "PAGE_SIZE: 24", "PAGE_SIZE: 48")
    commit = shop.commit()
    await shop.deliver(commit)
    return commit


def declare(shop: Shop, rules: str) -> None:
    """Put `promotion` into the target's environment.yaml and commit it."""
    shop.append(ENVIRONMENT.format(TARGET), f"promotion:\n  from: {SOURCE}\n{rules}")
    shop.commit()


def pulls(shop: Shop) -> list[dict[str, Any]]:
    """Every pull request at the hosting."""
    return list(shop.server.state.pulls.values())


async def trail(shop: Shop) -> list[tuple[str, str]]:
    """Action and actor of what the audit trail has about the target, oldest first."""
    rows = await audit.entries(shop.ledger, environment=TARGET)
    return [(row.action, row.actor) for row in reversed(rows)]


async def test_a_pull_request_brings_what_was_delivered(shop: Shop) -> None:
    """Only the lines that change do; it says from where, what, the gates and the commits."""
    commit = await raised(shop)
    main = shop.head("main")

    ended = await shop.promote()

    assert ended.code == 0, ended.err
    (pull,) = pulls(shop)
    assert f"opened {pull['html_url']}" in ended.out
    assert (pull["head"]["ref"], pull["base"]["ref"]) == (BRANCH, "main")
    assert pull["title"] == "Promote development to production: frontend v1.3.0, 1 value"
    for told in (
        commit,
        "`frontend`",
        "`v1.2.0`",
        "`v1.3.0`",
        "`frontend.PAGE_SIZE`",
        "not frozen",
        "rollout-2",
        "`ana`",
    ):
        assert told in pull["body"]
    assert shop.repository.git("diff", "--unified=0", "main", BRANCH).splitlines()[4:] == [
        "@@ -5 +5 @@ values:",
        "-  frontend: {CURRENCY: EUR, PAGE_SIZE: 24, SHOW_BANNER: false}",
        "+  frontend: {CURRENCY: EUR, PAGE_SIZE: 48, SHOW_BANNER: false}",
        "diff --git a/environments/production/services.yaml b/environments/production/services.yaml",
        *shop.repository.git("diff", "--unified=0", "main", BRANCH).splitlines()[8:11],
        "@@ -9 +9 @@ services:",
        "-    version: v1.2.0",
        "+    version: v1.3.0",
    ]
    assert shop.head("main") == main
    assert shop.repository.git("log", "--format=%an <%ae> %P", "-1", BRANCH) == f"ADX <adx@localhost> {main}"
    assert "Delivered-commit: " + commit in shop.repository.git("log", "--format=%B", "-1", BRANCH)
    assert await trail(shop) == [("promotion.proposed", "ana")]


async def test_the_same_promotion_again_finds_its_pull_request(shop: Shop) -> None:
    """No second branch, commit or pull request; the comment with how things stand is written once."""
    await raised(shop)
    await shop.promote()
    head = shop.head(BRANCH)

    again = [await shop.promote() for _ in range(2)]

    assert [one.code for one in again] == [0, 0]
    assert shop.head(BRANCH) == head
    (pull,) = pulls(shop)
    assert f"up to date: {pull['html_url']}" in again[0].out
    assert len(shop.server.state.comments) == 1
    assert await trail(shop) == [("promotion.proposed", "ana")]


async def test_a_promotion_is_brought_up_to_date(shop: Shop) -> None:
    """The source has moved on: the same pull request, another head; also when the main branch has moved on."""
    await raised(shop)
    await shop.promote()
    shop.edit(SERVICES.format(SOURCE), "version: v1.3.0", "version: v1.3.1")
    await shop.deliver(shop.commit())

    ended = await shop.promote()

    assert ended.code == 0, ended.err
    (pull,) = pulls(shop)
    assert "version: v1.3.1" in shop.at(BRANCH, SERVICES.format(TARGET))
    assert shop.repository.git("rev-list", "--count", f"main..{BRANCH}") == "1"
    (comment,) = shop.server.state.comments.values()
    assert comment["issue"] == pull["number"]
    assert "v1.3.1" in comment["body"]


async def test_a_main_branch_that_moves_on_elsewhere_changes_nothing(shop: Shop) -> None:
    """The branch would still leave the same behind, so its approvals are not lost."""
    await raised(shop)
    await shop.promote()
    head = shop.head(BRANCH)
    shop.append("tenants/globex.yaml", "# a comment\n")
    shop.commit()

    ended = await shop.promote()

    assert (ended.code, shop.head(BRANCH)) == (0, head)


async def test_a_main_branch_that_moves_on_in_the_same_place_is_followed(shop: Shop) -> None:
    """The branch would no longer merge, or leave something else behind."""
    await raised(shop)
    await shop.promote()
    shop.edit(SERVICES.format(TARGET), "version: v1.2.0", "version: v1.2.5")
    main = shop.commit()

    ended = await shop.promote()

    assert ended.code == 0, ended.err
    assert shop.repository.git("rev-parse", f"{BRANCH}^") == main
    assert "version: v1.3.0" in shop.at(BRANCH, SERVICES.format(TARGET))


async def test_somebody_elses_commits_are_never_overwritten(shop: Shop) -> None:
    """A reviewer may have added to the branch."""
    await raised(shop)
    await shop.promote()
    files = {**shop.files, SERVICES.format(TARGET): shop.at(BRANCH, SERVICES.format(TARGET)).encode() + b"# mine\n"}
    theirs = shop.repository.commit(files, parents=(str(shop.head(BRANCH)),), branch=BRANCH)
    shop.edit(SERVICES.format(SOURCE), "version: v1.3.0", "version: v1.3.1")
    await shop.deliver(shop.commit())

    ended = await shop.promote()

    assert ended.code == 1
    assert "has commits of test@localhost" in ended.err
    assert shop.head(BRANCH) == theirs


async def test_what_is_merged_needs_no_promotion(shop: Shop) -> None:
    """Nothing is done, and that is no failure; the next promotion takes the branch again."""
    nothing = await shop.promote()
    await raised(shop)
    await shop.promote()
    merged = str(shop.head(BRANCH))
    shop.repository.git("update-ref", "refs/heads/main", merged)
    shop.server.merge(pulls(shop)[0]["number"], merged)
    shop.files |= {
        path: shop.at("main", path).encode() for path in (SERVICES.format(TARGET), CONFIGURATION.format(TARGET))
    }

    done = await shop.promote()
    shop.edit(SERVICES.format(SOURCE), "version: v1.3.0", "version: v1.4.0")
    await shop.deliver(shop.commit())
    following = await shop.promote()

    assert (nothing.code, done.code, following.code) == (0, 0, 0)
    assert "nothing to promote" in nothing.out
    assert "nothing to promote" in done.out
    assert len(pulls(shop)) == 2


async def test_the_ledger_decides_not_the_branch(shop: Shop) -> None:
    """What is merged and not delivered does not travel; what was restored is what it was before."""
    commit = await raised(shop)
    shop.edit(SERVICES.format(SOURCE), "version: v1.3.0", "version: v9.0.0")
    undelivered = shop.commit()
    await shop.fail(undelivered, "service/frontend")

    ended = await shop.promote("--json")

    found = json.loads(ended.out)
    assert (ended.code, found["status"], found["commit"]) == (0, "proposed", commit)
    assert [(one["service"], one["after"]) for one in found["versions"]] == [("frontend", "v1.3.0")]
    assert "v9.0.0" not in ended.out


async def test_values_that_the_target_chose_stay_and_are_told(shop: Shop) -> None:
    """Found in the history of the branch."""
    shop.edit(CONFIGURATION.format(TARGET), "CURRENCY: EUR", "CURRENCY: JPY")
    shop.edit(CONFIGURATION.format(SOURCE), "CURRENCY: EUR", "CURRENCY: USD")
    await raised(shop)

    ended = await shop.promote("--only", "configuration", "--json")

    found = json.loads(ended.out)
    assert [one["path"] for one in found["changes"]] == [["frontend", "PAGE_SIZE"]]
    assert [(one["name"], one["why"]) for one in found["kept"]] == [("frontend.CURRENCY", "production has its own")]


async def test_a_gate_that_is_not_met_stops_before_anything_is_pushed(shop: Shop) -> None:
    """It says why, and when time will meet it; later it does."""
    await raised(shop)
    declare(shop, "  time_in_place_seconds: 86400\n  tests_passed: true\n")

    early = await shop.promote()
    await shop.age(days=2)
    later = await shop.promote()

    assert (early.code, later.code) == (1, 0)
    assert "✗ time in place" in early.out
    assert "met at 20" in " ".join(early.out.split())
    assert "✓ tests passed" in early.out
    assert "✓ time in place" in later.out
    assert await trail(shop) == [("promotion.proposed", "ana")]


async def test_a_failure_since_counts_against_it(shop: Shop) -> None:
    """A restore of the unit, even though it holds its version again."""
    await raised(shop)
    await shop.age(days=2)
    failed = await shop.fail(shop.commit(), "service/frontend")
    declare(shop, "  no_failure_within_seconds: 86400\n  tests_passed: true\n")

    ended = await shop.promote()
    await shop.age(days=1)
    later = await shop.promote()

    assert (ended.code, later.code) == (1, 0)
    assert "✗ no failure" in ended.out
    assert failed in ended.out


async def test_tests_that_did_not_pass_count_against_it(shop: Shop) -> None:
    """Those of the very rollout that delivered what is promoted."""
    shop.edit(SERVICES.format(SOURCE), *VERSION)
    await shop.deliver(shop.commit(), tests=False)
    declare(shop, "  tests_passed: true\n")

    ended = await shop.promote()

    assert ended.code == 1
    assert "✗ tests passed" in ended.out
    assert not pulls(shop)


async def test_drift_counts_where_that_is_asked(shop: Shop) -> None:
    """Never looked, looked at something else, looked and found, looked and found nothing."""
    shop.append(ENVIRONMENT.format(SOURCE), "drift: {check_every_seconds: 900}\n")
    await raised(shop)
    declare(shop, "  no_drift: true\n")
    (unit,) = [one for one in await units_of(shop.ledger, SOURCE) if one.unit == "service/frontend"]

    async def looked(*objects: dict[str, Any], digest: str = str(unit.digest)) -> int:
        check = DriftCheckRecord(environment=SOURCE, at=datetime.now(UTC), status="drifted", commit=unit.commit)
        seen = UnitSeen(unit=unit.unit, digest=digest, commit=unit.commit, objects=objects)
        await drift.record(shop.ledger, check, [seen], calm=timedelta(0))
        return (await shop.promote()).code

    never = (await shop.promote()).code

    other = await looked(digest="of other inputs")

    assert (never, other, await looked({"kind": "Deployment"}), await looked()) == (1, 1, 1, 0)


async def test_drift_that_nobody_looks_for_is_no_gate(shop: Shop) -> None:
    """It could never be met: the declarations refuse it before anything is pushed."""
    await raised(shop)
    declare(shop, "  no_drift: true\n")

    ended = await shop.promote()

    assert ended.code == 3
    assert "infrastructure.promotion-drift" in ended.err
    assert shop.head(BRANCH) is None


async def test_what_is_going_on_in_the_source_is_waited_for(shop: Shop) -> None:
    """Without any declaration of gates."""
    commit = await raised(shop)
    rollout = await shop.start(commit)

    ended = await shop.promote()

    assert ended.code == 1
    assert f"✗ settled {rollout} is under way" in " ".join(ended.out.split())


async def test_gates_are_gone_past_with_a_reason_that_is_kept(shop: Shop) -> None:
    """In the pull request and in the audit trail, once."""
    await raised(shop)
    declare(shop, "  time_in_place_seconds: 86400\n")

    ended = await shop.promote("--force", "--reason", "the shop | is down")
    again = await shop.promote("--force", "--reason", "the shop | is down")

    assert (ended.code, again.code) == (0, 0)
    assert "forced past time in place: the shop | is down" in ended.out
    assert "Forced by `ana` past `time in place`" in pulls(shop)[0]["body"]
    rows = await audit.entries(shop.ledger, environment=TARGET)
    assert {row.action for row in rows} == {"promotion.forced"}
    assert rows[0].detail["reason"] == "the shop | is down"
    assert rows[0].detail["not_met"][0].startswith("time in place: ")


async def test_a_dry_run_shows_the_diff_and_the_gates_and_does_nothing(shop: Shop) -> None:
    """Not even the hosting is asked."""
    await raised(shop)
    declare(shop, "  tests_passed: true\n")

    ended = await shop.promote("--dry-run", hosted=False)

    assert ended.code == 0, ended.err
    assert "+    version: v1.3.0" in ended.out
    assert "✓ tests passed" in ended.out
    assert "nothing was proposed" in ended.out
    assert shop.head(BRANCH) is None
    assert await trail(shop) == []
    assert all(len(line) <= 80 for line in ended.out.splitlines() if line[:1] not in {"+", "-", " ", "@"})


async def test_without_a_hosting_the_branch_is_left(shop: Shop) -> None:
    """And it is said what to do."""
    await raised(shop)

    ended = await shop.promote(hosted=False)

    assert ended.code == 0, ended.err
    assert f"pushed {BRANCH}; no git hosting is configured" in ended.out
    assert shop.head(BRANCH) is not None
    assert not pulls(shop)


async def test_blanks_name_no_hosting(shop: Shop) -> None:
    """As CI sets a variable of a secret that is not there."""
    await raised(shop)

    ended = await shop.promote(hosted=False, settings={"GITHUB_TOKEN": " ", "ADX_GITHUB_TOKEN_FILE": " "})

    assert ended.code == 0, ended.err
    assert "no git hosting is configured" in ended.out


async def test_a_hosting_that_is_half_configured_is_told_before_anything_is_done(shop: Shop) -> None:
    """A token without a repository is a mistake."""
    await raised(shop)

    ended = await shop.promote(settings={"GITHUB_REPOSITORY": ""})

    assert ended.code == 1
    assert "GITHUB_REPOSITORY" in ended.err
    assert shop.head(BRANCH) is None


async def test_declarations_that_would_be_invalid_are_not_proposed(shop: Shop) -> None:
    """The new version needs a service that the target does not run."""
    shop.edit(SERVICES.format(SOURCE), "dependencies: [checkout]", "dependencies: [checkout, mailer]")
    shop.append(
        SERVICES.format(SOURCE),
        "  - name: mailer\n    description: Mails.\n    owner: team-checkout\n    image: shop/mailer\n"
        "    version: v1\n    replicas: 1\n    ports: [{name: http, port: 80}]\n    resources:\n"
        "      {requests: {cpu: 1m, memory: 8Mi}, limits: {cpu: 1m, memory: 8Mi}}\n",
    )
    await shop.deliver(shop.commit())

    ended = await shop.promote()

    assert ended.code == 3
    assert "environments/production/services.yaml" in ended.err
    assert "mailer" in ended.err
    assert shop.head(BRANCH) is None
    assert not pulls(shop)


async def test_a_unit_that_could_not_be_restored_does_not_travel(shop: Shop) -> None:
    """Even past the gates: what the source holds of it nobody knows."""
    commit = await raised(shop)
    await shop.fail(commit, "service/frontend", "frozen")

    ended = await shop.promote("--force", "--reason", "in a hurry", "--json")

    found = json.loads(ended.out)
    assert (ended.code, found["status"]) == (0, "nothing-to-promote")
    assert [one["name"] for one in found["kept"]] == ["service/frontend"]
    assert "is not known" in found["kept"][0]["why"]


async def test_a_ledger_that_does_not_fit_to_git_is_not_believed(shop: Shop) -> None:
    """What is written at the commit is not what was delivered: somebody has changed one of the two."""
    await raised(shop)
    async with shop.ledger.transaction() as connection:
        await connection.execute(text("UPDATE units SET digest = 'other' WHERE unit = 'service/frontend'"))

    ended = await shop.promote()

    assert ended.code == 1
    assert "the ledger has another digest" in " ".join(ended.err.split())
    assert shop.head(BRANCH) is None


async def test_flags_follow_like_values(shop: Shop) -> None:
    """Only the line that differs."""
    shop.edit(FLAGS.format(SOURCE), "type: boolean, enabled: true", "type: boolean, enabled: false")
    await shop.deliver(shop.commit())

    ended = await shop.promote("--only", "flags")

    assert ended.code == 0, ended.err
    assert "type: boolean, enabled: false}" in shop.at(BRANCH, FLAGS.format(TARGET))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((SOURCE, SOURCE), 2, "the same environment"),
        ((SOURCE, TARGET, "--force"), 2, "--force needs --reason"),
        ((SOURCE, TARGET, "--reason", "x"), 2, "--reason is for --force"),
        ((SOURCE, "produktion"), 6, "write production"),
        (("nowhere", TARGET), 6, "nothing was delivered to nowhere yet"),
        ((SOURCE, TARGET, "--service", "frontent"), 6, "write frontend"),
    ],
)
async def test_what_cannot_be_asked_for_is_said(shop: Shop, arguments: tuple[str, ...], code: int, words: str) -> None:
    """With what would be right."""
    await raised(shop)

    ended = await shop.promote(*arguments)

    assert (ended.code, words in " ".join(ended.err.split())) == (code, True), ended.err
