"""Gathers what a preview needs from git, the engine and the policies, for each environment, two at a time.

Whatever cannot be found out becomes part of the report, as something that was
not checked, and makes it fail; it never makes a half report look whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from infra.binding import PlanBinding, binding_of
from infra.engine import Engine, EngineSettings, Plan, plan_environment
from infra.inputs import with_pinned_commits
from pipelines.preview.build import environment_report
from pipelines.preview.changes import EnvironmentChange, PullRequestChange, delivered_state
from pipelines.preview.migrations.changes import is_touched
from pipelines.preview.migrations.report import FoundMigrations
from pipelines.preview.occupied import occupied
from pipelines.preview.policy import PolicyAnswer
from pipelines.preview.report import EnvironmentReport, Holds
from pipelines.preview.waves import holds_now
from policies.change_set import FieldChange, diff, field_changes
from policies.desired_state import DesiredState
from policies.errors import AdxError
from policies.git_errors import CommitMissing
from workflows.clients.kubernetes import Cluster
from workflows.drift.before import drift_before
from workflows.infrastructure.occupied import Occupied, occupied_namespaces

AT_ONCE = 2
UNDER_WAY = "A rollout is under way: what it leaves behind may change this plan."
Say = Callable[[str], None]


@dataclass(frozen=True)
class Previewed:
    """One environment: its report, and the binding to record; None where no plan could be made."""

    report: EnvironmentReport
    binding: PlanBinding | None


@dataclass
class Facts:
    """What is found out about one environment, as far as it goes; ``change`` is its change from what is delivered.

    ``occupied`` are namespaces that it would deliver into although others made them.
    """

    delivered: DesiredState | None = None
    is_delivered_known: bool = False
    change: EnvironmentChange | None = None
    migrations: FoundMigrations = field(default_factory=FoundMigrations)
    plan: Plan | None = None
    binding: PlanBinding | None = None
    unchecked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    occupied: tuple[Occupied, ...] = ()

    @property
    def known_change(self) -> EnvironmentChange:
        """The change, once it is known. Raises ValueError before."""
        if self.change is None:
            raise ValueError("the change of this environment is not known yet")
        return self.change


class Gatherer:
    """Previews the environments of one pull request. ``environ`` are the settings of the engine."""

    def __init__(self, change: PullRequestChange, environ: Mapping[str, str], say: Say) -> None:
        self._change = change
        self._environ = environ
        self._say = say
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def preview(
        self, names: Sequence[str], policy: Callable[[], PolicyAnswer]
    ) -> tuple[list[Previewed], PolicyAnswer]:
        """Each environment of ``names``, in that order, and what ``policy`` says, which runs beside them."""
        judged = asyncio.ensure_future(asyncio.to_thread(policy))
        try:
            facts = await asyncio.gather(*(self.facts(name) for name in names))
        except BaseException:
            judged.cancel()
            raise
        answer = await judged
        return [told(found, answer) for found in facts], answer

    async def facts(self, environment: str) -> Facts:
        """Everything but the policies; what could not be found out is among it."""
        async with self._turns:
            facts = Facts()
            try:
                await self._gather(environment, facts)
            except AdxError as error:
                facts.unchecked.append(_told_why(error))
            facts.change = self._change.of(environment, facts.delivered)
            await self._look_at_databases(facts, facts.change)
            return facts

    async def _look_at_databases(self, facts: Facts, change: EnvironmentChange) -> None:
        """What becomes of databases, where any is touched; by the base where nobody knows what is delivered."""
        start = facts.delivered if facts.is_delivered_known else change.base
        if change.after is None or not (change.edited_scripts or is_touched(start, change.after)):
            return
        from pipelines.preview.migrations.facts import Question, found_migrations  # noqa: PLC0415 - costs to import

        self._say(f"{change.environment}: looking at databases")
        question = Question(self._change, change.environment, start, change.after, self._environ)
        facts.migrations = await found_migrations(question)

    async def _gather(self, environment: str, facts: Facts) -> None:
        settings = EngineSettings.from_environment(self._environ)
        engine = Engine(settings, environment)
        self._say(f"{environment}: reading what is delivered")
        async with await Cluster.connect(str(settings.kubeconfig), settings.kube_context) as cluster:
            # Pulumi can plan without a cluster, by what it remembers; a reviewer must not take that for the truth.
            await cluster.version()
            facts.delivered = await self._delivered(engine, environment, facts)
            facts.is_delivered_known = True
            if engine.is_busy() and UNDER_WAY not in facts.notes:
                facts.notes.append(UNDER_WAY)
            after = self._change.of(environment, facts.delivered).after
            if after is None:
                return
            self._say(f"{environment}: planning {len(after.units)} units")
            facts.plan = await plan_environment(settings, facts.delivered, after)
            await _look_for_drift(settings, cluster, after, facts)
            facts.occupied = await occupied_namespaces(cluster, facts.delivered, after)
        facts.binding = binding_of(facts.delivered, after, facts.plan)

    async def _delivered(self, engine: Engine, environment: str, facts: Facts) -> DesiredState | None:
        """What the environment runs: as the ledger says, or without one as its own stack says."""
        if self._environ.get("ADX_LEDGER_URL") and self._environ.get("ADX_SNAPSHOT_STORE"):
            state, is_under_way = await recorded_state(self._environ, environment)
            if is_under_way:
                facts.notes.append(UNDER_WAY)
            return state
        if rules := self._change.after.environments.get(environment):
            _require_no_cells(environment, rules.environment.rollout.cells)
        return await self._told_by_stack(engine, environment, facts)

    async def _told_by_stack(self, engine: Engine, environment: str, facts: Facts) -> DesiredState | None:
        """What the stack was given last, with the inputs that git has of it."""
        known = await engine.delivered()
        if not known.commit:
            return None
        try:
            state = await asyncio.to_thread(delivered_state, self._change.repository, environment, known.commit)
        except CommitMissing as error:
            raise AdxError(
                f"{environment} runs {known.commit[:12]}, which this clone does not have",
                next_step="fetch the whole history (fetch-depth: 0 in a workflow)",
            ) from error
        if state is None:
            return None
        units = {id_: msgspec.structs.asdict(unit) for id_, unit in known.units.items()}
        if {unit.id: unit.digest for unit in state.units} != {id_: unit.digest for id_, unit in known.units.items()}:
            facts.notes.append("Another version of ADX delivered this environment: units may differ for that alone.")
        return with_pinned_commits(state, units)


def told(facts: Facts, policy: PolicyAnswer) -> Previewed:
    """The report on one environment; pure but for the time, which decides whether something holds rollouts back."""
    change = facts.known_change
    holds = _holds(change, facts)
    report = environment_report(
        environment=change.environment,
        before=facts.delivered,
        base=change.base,
        after=change.after,
        plan=facts.plan,
        rules=rule_changes(change),
        delivery=change.after_rules,
        holds=holds,
        findings=policy.findings.get(change.environment, ()),
        problems=occupied(change.after, facts.occupied) if change.after is not None else (),
        notes=facts.notes,
        unchecked=(*facts.unchecked, *policy.unchecked),
        digest=facts.binding.digest if facts.binding is not None else "",
        migrations=facts.migrations,
    )
    return Previewed(report, facts.binding)


def _holds(change: EnvironmentChange, facts: Facts) -> Holds:
    """What keeps a rollout waiting now; unknown where the calendar cannot be read."""
    try:
        return holds_now(change.after_rules, datetime.now(UTC))
    except AdxError as error:
        facts.unchecked.append(_told_why(error))
        return Holds()


def _told_why(error: AdxError) -> str:
    return " ".join(part for part in (f"{error}", error.next_step) if part)


async def recorded_state(environ: Mapping[str, str], environment: str) -> tuple[DesiredState | None, bool]:
    """What the ledger says was delivered last (None: nothing), and whether a rollout is under way. Raises AdxError."""
    from workflows.bodies import Bodies  # noqa: PLC0415 - only where a ledger is used
    from workflows.ledger import Ledger, environments, rollouts  # noqa: PLC0415
    from workflows.snapshots import open_store  # noqa: PLC0415

    async with await Ledger.open(environ["ADX_LEDGER_URL"]) as ledger:
        if await ledger.version() is None:  # no worker has ever run
            return None, False
        known = await environments.find(ledger, environment)
        is_under_way = bool(await rollouts.unfinished(ledger, environment))
    if known is None or known.delivered_state_digest is None:
        return None, is_under_way
    state = await Bodies(open_store(environ)).get(known.delivered_state_digest, DesiredState, environment)
    return state, is_under_way


def _require_no_cells(environment: str, cells: int) -> None:
    if cells:
        raise AdxError(
            f"the tenants of {environment} live in {cells} cells: only the ledger knows what was delivered to each",
            next_step="set ADX_LEDGER_URL and ADX_SNAPSHOT_STORE",
        )


async def _look_for_drift(settings: EngineSettings, cluster: Cluster, after: DesiredState, facts: Facts) -> None:
    """Note what is live otherwise than it was delivered, of the units that would change."""
    change_set = diff(facts.delivered, after)
    drift = await drift_before(facts.delivered, change_set, lambda stack: Engine(settings, stack), cluster)
    facts.notes += [f"Drifted: {line}" for line in drift.lines]
    facts.unchecked += [drift.failure] if drift.failure else []


def rule_changes(change: EnvironmentChange) -> tuple[FieldChange, ...]:
    """What differs in environment.yaml: it renders nothing, but decides who approves and what proves a delivery."""
    if change.base_rules is None or change.after_rules is None:
        return ()
    return field_changes(change.base_rules, change.after_rules)
