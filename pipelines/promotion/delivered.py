"""What the ledger says was delivered to an environment, as it is written in git at the commits that brought it.

Not the head of a branch and not one commit: a unit that was restored is what
it was before, one that did not change since is of an older commit. Every
service that is read is resolved again and must have the digest that the ledger
has of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipelines.promotion.documents import Documents, documents_of
from pipelines.promotion.model import KINDS, Kind, SourceCommit
from pipelines.promotion.rules import Moment
from policies import git_process
from policies.configuration.spec import ConfigurationSpec, FlagsSpec
from policies.declarations import EnvironmentDeclarations
from policies.desired_state import PLATFORM_UNIT, digest_of, service_inputs
from policies.errors import AdxError
from policies.findings import environment_file, suggestion
from policies.git_tree import GitTree, check_commit_id, environment_names
from policies.infrastructure.spec import EnvironmentSpec
from policies.loader import load_documents
from policies.services.spec import ServicesSpec
from policies.spec import Spec
from workflows.ledger import Ledger, environments, units
from workflows.ledger.models import Environment, UnitRecord

MAX_COMMITS_BACK = 200
_IN_PLACE = ("applied", "restored")
Model = TypeVar("Model", bound=Spec)


class NothingDelivered(AdxError):
    """The ledger knows of no delivery to the source."""

    exit_code = 6


class EnvironmentMissing(AdxError):
    """The branch declares no such environment."""

    exit_code = 6


class DeliveredUnclear(AdxError):
    """What is in git is not what the ledger says was delivered."""


@dataclass(frozen=True)
class Delivered:
    """What the source holds. ``unclear`` are units whose state is not known, ``records`` the others by id."""

    environment: Environment
    commit: str
    documents: Documents
    records: dict[str, UnitRecord]
    unclear: frozenset[str]


async def delivered_to(ledger: Ledger, repository: Path, name: str) -> Delivered:
    """What ``name`` holds now. Raises NothingDelivered, DeliveredUnclear, and what git and the loader raise."""
    known = await environments.find(ledger, name)
    if known is None or known.delivered_commit is None:
        raise NothingDelivered(
            f"nothing was delivered to {name} yet", next_step=f"deliver to it first: `adx deploy {name}`"
        )
    records = {
        one.unit: one
        for one in await units.units_of(ledger, name)
        if (one.unit == PLATFORM_UNIT or one.unit.startswith("service/")) and one.status != "removed"
    }
    in_place = {unit: one for unit, one in records.items() if one.status in _IN_PLACE}
    return Delivered(
        environment=known,
        commit=known.delivered_commit,
        documents=_read(repository, name, in_place),
        records=in_place,
        unclear=frozenset(records.keys() - in_place.keys()),
    )


def declared_in(tree: GitTree, environment: str) -> dict[Kind, str]:
    """The documents of ``environment`` that promotions edit, as text by kind. Raises EnvironmentMissing."""
    paths = {kind: environment_file(environment, kind) for kind in KINDS}
    if not all(path in tree.entries() for path in paths.values()):
        known = environment_names(tree)
        raise EnvironmentMissing(
            f"the branch declares no environment {environment}",
            next_step=suggestion(environment, known, "declare it under environments/"),
        )
    texts = (data.decode("utf-8", "surrogateescape") for data in tree.read_many(paths.values()))
    return dict(zip(paths, texts, strict=True))


def documents_at(tree: GitTree, *environments: str) -> tuple[Documents, ...]:
    """The documents of each of ``environments`` in ``tree``, all read at once; what is not there is empty."""
    paths = [[environment_file(name, kind) for kind in KINDS] for name in environments]
    there = [path for of_one in paths for path in of_one if path in tree.entries()]
    files = dict(zip(there, tree.read_many(there), strict=True))
    return tuple(documents_of(*(files.get(path, b"") for path in of_one)) for of_one in paths)


def moments(repository: Path, commit: str, source: str, target: str) -> Iterator[Moment]:
    """Both environments at ``commit`` and at each earlier one that changed either, newest first.

    Only the first parents: what was on the branch. At most MAX_COMMITS_BACK.
    """
    folders = [f"environments/{name}" for name in (source, target)]
    _, output = git_process.run(
        repository, "rev-list", "--first-parent", f"--max-count={MAX_COMMITS_BACK}", "--end-of-options",
        check_commit_id(commit), "--", *folders,
    )  # fmt: skip
    for found in output.decode("ascii").split():
        tree = GitTree(repository, found, tuple(folders))
        of_source, of_target = documents_at(tree, source, target)
        yield of_source.cells(), of_target.cells()


def commits_of(repository: Path, commits: Iterable[str]) -> tuple[SourceCommit, ...]:
    """Each of ``commits`` once, with its subject."""
    wanted = [check_commit_id(one) for one in dict.fromkeys(commits)]
    if not wanted:  # git would show HEAD
        return ()
    _, output = git_process.run(repository, "show", "--no-patch", "--format=%H%x00%s", "--end-of-options", *wanted)
    rows = (line.partition("\0") for line in output.decode("utf-8", "replace").split("\n"))
    subjects = {commit: subject.strip() for commit, _, subject in rows}
    return tuple(SourceCommit(commit=one, subject=subjects[one]) for one in wanted)


def _read(repository: Path, environment: str, records: dict[str, UnitRecord]) -> Documents:
    """Every unit's documents, each from the commit that brought it."""
    services, configuration, flags = {}, {}, {}
    by_commit: dict[str, list[UnitRecord]] = {}
    for record in records.values():
        by_commit.setdefault(record.commit, []).append(record)
    for commit, brought in by_commit.items():
        tree = GitTree(repository, commit, (f"environments/{environment}",))
        (written,) = documents_at(tree, environment)
        digests = _digests(tree, environment)
        for record in brought:
            if record.unit == PLATFORM_UNIT:
                flags = written.flags
                continue
            name = record.unit.partition("/")[2]
            if digests.get(name) != record.digest:
                raise _unclear(environment, record)
            services[name] = written.services[name]
            configuration[name] = written.configuration.get(name, {})
    return Documents(services=services, configuration=configuration, flags=flags)


def _digests(tree: GitTree, environment: str) -> dict[str, str]:
    """What each service of the environment resolves to."""
    found = load_documents(tree, [environment_file(environment, kind) for kind in ("environment", *KINDS)])
    declared = EnvironmentDeclarations(
        environment=_typed(found[0], EnvironmentSpec),
        services=_typed(found[1], ServicesSpec),
        configuration=_typed(found[2], ConfigurationSpec),
        flags=_typed(found[3], FlagsSpec),
    )
    return {service.name: digest_of(service_inputs(service, declared)) for service in declared.services.services}


def _typed(spec: Spec, kind: type[Model]) -> Model:
    if not isinstance(spec, kind):  # the path decides the kind, the kind the model
        raise TypeError(f"{type(spec).__name__} came where {kind.__name__} was asked for")
    return spec


def _unclear(environment: str, record: UnitRecord) -> DeliveredUnclear:
    return DeliveredUnclear(
        f"{record.unit} of {environment} is not what {record.commit[:12]} declares: the ledger has another digest",
        next_step=f"deliver {environment} again with this version of ADX (`adx deploy {environment}`), then promote",
    )
