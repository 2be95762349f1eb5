"""The change that the example proposes: what a week in staging may bring, in one branch."""

from __future__ import annotations

from scripts.example.repository import Repository

ENVIRONMENT = "staging"
BRANCH = "spring-release"
_FOLDER = f"environments/{ENVIRONMENT}"
_LIVENESS_OF_ADSERVICE = r"(  - name: adservice\n(?:.*\n)*?)      liveness:\n(?:        .*\n)+"


_FLEET = """roles:
  release-manager: [ines.keller, tom.okafor]
rollout:
  cells: 2
  fleet:
    canaries: [lumen-pharmacy]
    steps: [1, "50%"]
    failure_budget: 1
    max_parallel: 10
"""
_PROOF = """    bake_seconds: 600
    gates:
      - name: all-ready
        workloads_ready: {timeout_seconds: 120}
    approval_before: [1]
    approvers: ["role:release-manager"]
"""


def declare_waves(repository: Repository) -> None:
    """Let the environment deliver its tenants in waves, on ``main``. Raises ExampleFailed."""
    repository.edit(f"{_FOLDER}/environment.yaml", r"^rollout:\n", _FLEET)
    repository.push("Deliver tenants in waves", "main")


def take_time(repository: Repository) -> None:
    """From now on waves prove themselves, and somebody must agree: the first delivery waits for nobody and nothing."""
    repository.edit(f"{_FOLDER}/environment.yaml", r"^    failure_budget: 1\n", rf"\g<0>{_PROOF}")
    repository.push("Let waves prove themselves", "main")


def propose(repository: Repository) -> None:
    """Commit the change on its branch and push it. Raises ExampleFailed."""
    repository.git("checkout", "--quiet", "-b", BRANCH)
    raise_version(repository)
    change_configuration(repository)
    raise_quota(repository)
    add_tenant(repository)
    remove_tenant(repository)
    drop_probe(repository)
    repository.push("Prepare the spring release", BRANCH)


def raise_version(repository: Repository) -> None:
    """Pods of one service restart, and every tenant that uses it is affected."""
    before = r"(  - name: checkoutservice\n(?:    .*\n)*?    version: )\S+"
    repository.edit(f"{_FOLDER}/services.yaml", before, r"\g<1>v0.10.6")


def change_configuration(repository: Repository) -> None:
    """A text on the shop's pages."""
    text = '"Rehearsal of the spring sale. Nothing that you order here is sent."'
    repository.edit(f"{_FOLDER}/configuration.yaml", r"(    FRONTEND_MESSAGE: ).*", rf"\g<1>{text}")


def raise_quota(repository: Repository) -> None:
    """Of a customer whose staging overrides are small."""
    quota = r'cpu: )"2"(\n      memory: )4Gi(\n      storage: 20Gi\n      pods: )12'
    before = rf"(  {ENVIRONMENT}:\n    resource_limits:\n      {quota}"
    repository.edit("tenants/lumen-pharmacy.yaml", before, r'\g<1>"4"\g<2>8Gi\g<3>20')


def add_tenant(repository: Repository) -> None:
    """A new customer, as a team would write it."""
    (repository.work / "tenants" / "quayside-books.yaml").write_text(TENANT, "utf-8")


def remove_tenant(repository: Repository) -> None:
    """A customer leaves staging: its namespace goes, and the flag that names it must let it go."""
    repository.edit("tenants/brightside-kids.yaml", rf"^  - {ENVIRONMENT}\n", "")
    repository.edit(f"{_FOLDER}/flags.yaml", r"      - brightside-kids\n", "")


def drop_probe(repository: Repository) -> None:
    """What the policies warn of and do not forbid."""
    repository.edit(f"{_FOLDER}/services.yaml", _LIVENESS_OF_ADSERVICE, r"\g<1>")


TENANT = f"""\
# yaml-language-server: $schema=../policies/tenancy/schema.json
# Second-hand books from Bergen; rehearses before it opens.
apiVersion: adx/v1
kind: Tenant
name: quayside-books
display_name: Quayside Books AS
owner: team-accounts-west
isolation_strategy: schema_per_tenant
database:
  engine: postgresql
  name: boutique
  schema: quayside_books
resource_limits:
  cpu: "1"
  memory: 2Gi
  storage: 10Gi
  pods: 10
environments:
  - {ENVIRONMENT}
network:
  services:
    - frontend
    - checkoutservice
"""
