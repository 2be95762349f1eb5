"""docs/pull-requests.md names what the workflows want, and nothing that they do not."""

from __future__ import annotations

import json
import re

from tests.github_workflows.runner import ROOT, WORKFLOWS, load

GUIDE = (ROOT / "docs" / "pull-requests.md").read_text("utf-8")


def test_the_guide_lists_exactly_the_variables_and_secrets_that_are_read() -> None:
    """Somebody sets up from this table, and only from it."""
    texts = "".join(path.read_text("utf-8") for path in WORKFLOWS.iterdir())
    read = set(re.findall(r"\b(?:secrets|vars)\.([A-Z_]+)", texts))
    part = GUIDE.split("## Variables and secrets")[1].split("\n## ")[0]
    listed = {name for line in part.splitlines() if line.startswith("| `") for name in names_in(line.split("|")[1])}

    assert listed == read


def test_secrets_are_called_secrets_and_variables_variables() -> None:
    """A password set as a variable would be shown to everybody."""
    texts = "".join(path.read_text("utf-8") for path in WORKFLOWS.iterdir())
    secrets = set(re.findall(r"\bsecrets\.([A-Z_]+)", texts))
    rows = [line.split("|") for line in GUIDE.splitlines() if re.match(r"\| `[A-Z_]+`", line)]
    listed = {name for row in rows if row[2].strip().startswith("secret") for name in names_in(row[1])}

    assert listed == secrets


def test_the_guide_names_every_github_environment() -> None:
    """And the one check to require, as the job is called."""
    jobs = [job for workflow in ("pull-request", "deliver", "drift") for job in load(workflow)["jobs"].values()]
    environments = {
        job["environment"].replace("${{ matrix.environment }}", "<env>") for job in jobs if "environment" in job
    }

    assert environments == {"preview-<env>", "deliver", "drift"}
    assert [name for name in environments if f"| `{name}`" not in GUIDE] == []
    assert f"**`{load('pull-request')['jobs']['ready']['name']}`** required" in GUIDE


def test_every_status_that_a_job_may_write_is_explained() -> None:
    """The comment beside `statuses: write` says which one."""
    texts = "".join(path.read_text("utf-8") for path in WORKFLOWS.iterdir())
    comments = "\n".join(re.findall(r"the status(?:es)? (adx/.*)", texts))
    written = {name.replace("ENVIRONMENT", "<env>") for name in re.findall(r"adx/[\w/]+", comments)}

    assert written == {"adx/validate", "adx/policy", "adx/preview/<env>", "adx/rollout/<env>", "adx/drift/<env>"}
    assert [name for name in written if f"| `{name}` |" not in GUIDE] == []


def test_the_trust_policy_can_be_pasted() -> None:
    """It names one repository and one GitHub environment, without wildcards."""
    policy = json.loads(GUIDE.split("```json")[1].split("```")[0])
    condition = policy["Statement"][0]["Condition"]

    assert list(condition) == ["StringEquals"]
    assert "*" not in json.dumps(policy)


def names_in(cell: str) -> list[str]:
    """The names in backticks of one cell of a table."""
    return re.findall(r"`([A-Z_]+)`", cell)
