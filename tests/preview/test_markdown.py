"""A comment of any size: within the limit, the dangerous told, what is left out counted, nothing hostile alive."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import strategies as st

from pipelines.preview.build import environment_report
from pipelines.preview.folding import Item, Section, fitted, size
from pipelines.preview.layout import IMPORTANCE
from pipelines.preview.markdown import LIMIT, SMALLEST_LIMIT, markdown
from pipelines.preview.report import (
    Disruption,
    EnvironmentReport,
    Holds,
    Report,
    ResourceRow,
    Reverted,
    TenantEffect,
    ToolVersion,
    UnitRow,
)
from policies.change_set import FieldChange
from policies.errors import Problem
from policies.renames import Rename
from policies.tenancy.spec import ResourceLimits
from tests.preview import examples, inert
from tests.preview.examples import finding, outline, report, state
from tests.preview.plans import plan_between
from tests.preview.test_escaping import HOSTILE, MEANT
from tests.support.desired import platform_unit, service_spec, service_unit, tenant_unit
from tests.support.strategies import property_of

URL = "https://ci.example/runs/7/report.md"


def rows(count: int, action: str, **changes: object) -> tuple[ResourceRow, ...]:
    """Objects of many tenants, six for each."""
    made = ResourceRow(unit="", system="tenancy", kind="Namespace", name="n", action=action)
    fields = (FieldChange(path="spec.hard.limits.cpu", before='"4"', after='"8"'),) if action != "delete" else ()
    return tuple(
        msgspec.structs.replace(
            made,
            unit=f"tenant/customer-{number // 6:05}",
            kind=("Namespace", "ConfigMap", "ResourceQuota", "LimitRange", "NetworkPolicy", "Secret")[number % 6],
            name=f"object-of-customer-{number:05}",
            fields=tuple(msgspec.structs.replace(field, after=f'"{number}"') for field in fields),
            **changes,
        )
        for number in range(count)
    )


def of(**changes: object) -> Report:
    """A report on staging alone."""
    return report(EnvironmentReport(environment="staging", delivered_commit="", **changes))


def test_ten_thousand_deletions_do_not_fit_and_are_all_counted() -> None:
    """The headline and the table keep the whole number; what is not listed is said."""
    text = markdown(of(resources=rows(10_000, "delete")), artifact_url=URL)

    assert size(text) <= LIMIT
    assert "**In `staging`: deletes 10,000 objects (among them 1,667 namespaces with everything in them)" in text
    assert "| `staging` | `tenancy` | **10,000** |" in text
    left_out = re.search(r"… and ([\d,]+) objects that are deleted or replaced not shown here", text)
    assert left_out is not None
    assert 0 < int(left_out[1].replace(",", "")) < 10_000
    assert f"[the whole report](<{URL}>)" in text


def test_a_flood_of_deletions_leaves_room_for_the_rest() -> None:
    """No kind of thing may push out everything else."""
    problem = Problem(file="f.yaml", line=1, column=2, path="", what="wrong", fix="mend it", rule="r")
    text = markdown(
        of(
            resources=rows(10_000, "delete"),
            problems=(problem,),
            renames=(Rename(before="tenant/a", after="tenant/b", why="equal"),),
            disruptions=(Disruption(unit="tenant/a", downtime="certain", why="gone"),),
            findings=(finding(),),
        )
    )

    for expected in ("wrong", "ADX_K8S_1", "`tenant/a` → `tenant/b`", "**downtime**"):
        assert expected in text


def test_the_least_important_is_left_out_first() -> None:
    """Properties of updates go while everything that matters more stays whole."""
    units = tuple(
        UnitRow(
            unit=f"service/s{number}",
            action="change",
            file="f.yaml",
            fields=(FieldChange(path=f"p{number}", before="1", after="2"),),
        )
        for number in range(100)
    )
    fleet = outline(("1", "service/s0"), ("2", "service/s1"))
    text = markdown(of(resources=rows(6_000, "update"), units=units, fleet=fleet, digest="d"), artifact_url=URL)

    assert "not shown here" in text
    assert "updated objects with their properties not shown here" in text
    assert "units not shown here" not in text
    assert "Picture of the affected units" in text
    (summary,) = [line for line in text.splitlines() if line.startswith("**Left out here to fit:**")]
    assert summary.count("updated objects with their properties") == 1


def test_replacements_keep_their_properties_longer_than_updates() -> None:
    """The order is the one that is written down."""
    text = markdown(of(resources=(*rows(60, "replace"), *rows(6_000, "update"))), limit=20_000)

    assert "Properties of what is replaced" in text
    assert IMPORTANCE.index("properties of replacements") < IMPORTANCE.index("properties of updates")


def test_everything_is_in_a_report_without_a_narrow_limit() -> None:
    """The artifact holds what the comment cannot."""
    text = markdown(of(resources=rows(6_000, "update")), limit=50_000_000)

    assert "not shown here" not in text
    assert all(f"object-of-customer-{number:05}" in text for number in range(6_000))


def test_a_thousand_tenants_that_change_alike_are_told_as_one() -> None:
    """A reviewer reads it once."""
    before = [
        tenant_unit("staging", f"customer-{number:04}", display_name=f"Customer {number}") for number in range(1_000)
    ]
    limits = ResourceLimits(cpu="8", memory="16Gi", storage="50Gi", pods=40)
    after = [
        tenant_unit("staging", f"customer-{number:04}", display_name=f"Customer {number}", resource_limits=limits)
        for number in range(1_000)
    ]
    base, merged = state(platform_unit("staging"), *before), state(platform_unit("staging"), *after)
    one = environment_report(
        environment="staging", before=base, base=base, after=merged, plan=plan_between(base, merged)
    )
    text = markdown(report(one))

    assert size(text) <= 12_000
    assert "and 992 more" in text
    assert "not shown here" not in text


def test_a_small_limit_is_refused_rather_than_broken() -> None:
    """Below it not even the titles fit."""
    with pytest.raises(ValueError, match="at least 8000"):
        markdown(examples.nothing(), limit=SMALLEST_LIMIT - 1)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_values_stay_text(hostile: str) -> None:
    """Every text of a report is replaced by one that means something to Markdown, HTML or GitHub."""
    text = markdown(hostile_report(hostile), artifact_url=hostile or URL)

    for block in inert.html(text):
        assert re.fullmatch(
            r"(<details><summary>[^<>`@]*</summary>|</details>)(\n(<details>.*|</details>))*\n?", block.strip() + "\n"
        )
    assert MEANT.search(inert.words(text)) is None
    assert len({token.content for token in inert.tokens(text) if token.type == "fence"}) == 2


def hostile_report(text: str) -> Report:
    """A report with ``text`` wherever a text may stand."""
    json_text = msgspec.json.encode(text.encode("utf-8", "replace").decode()).decode()
    field = FieldChange(path=text, before=json_text, after=None)
    row = ResourceRow(
        unit=f"tenant/{text}",
        system=text,
        kind="Deployment",
        name=text,
        action="replace",
        namespace=text,
        fields=(field,),
        replaced_because=(text,),
    )
    problem = Problem(file=text, line=1, column=1, path=text, what=text, fix=text, rule=text)
    held = Holds(now=text, coming=(text,), windows=(text,))
    found = finding(check=text, title=text, unit=text, resource=text, file=text, path=text, fix=text)
    one = EnvironmentReport(
        environment=text,
        delivered_commit=text,
        units=tuple(
            UnitRow(unit=f"{kind}/{text}", action="change", file=text, fields=(field,))
            for kind in ("service", "tenant")
        ),
        rules=(field,),
        resources=(row, msgspec.structs.replace(row, action="update"), msgspec.structs.replace(row, action="create")),
        pending_units=(text,),
        renames=(Rename(before=text, after=text, why=text),),
        disruptions=(Disruption(unit=text, why=text),),
        tenants=(TenantEffect(tenant=text, is_direct=True), TenantEffect(tenant=text, through=(text,))),
        findings=(found, msgspec.structs.replace(found, is_blocking=False)),
        problems=(problem,),
        unchecked=(text,),
        notes=(text,),
        fleet=outline(
            ("core", f"service/{text}"), (text, f"tenant/{text}"), approvers=(text,), gates=(text,), holds=held
        ),
        digest=text,
    )
    return Report(
        base=text, head=text, merged=text, base_ref=text, head_ref=text, environments=(one,), policies_commit=text,
        reverts=(Reverted(commit=text, subject=text),), notes=(text,), tools=(ToolVersion(name=text, version=text),),
    )  # fmt: skip


wide = st.text(st.sampled_from("a|`\\<😀"), min_size=1, max_size=200)


@property_of(
    text=wide, count=st.integers(0, 400), environments=st.integers(1, 60), limit=st.integers(SMALLEST_LIMIT, 40_000)
)
def test_no_comment_is_longer_than_its_limit(text: str, count: int, environments: int, limit: int) -> None:
    """Counted in UTF-16 code units, for any number of anything."""
    one = hostile_report(text).environments[0]
    many = msgspec.structs.replace(
        one, resources=one.resources * count, units=one.units * count, disruptions=one.disruptions * count,
        problems=one.problems * count, findings=one.findings * count, notes=one.notes * count,
    )  # fmt: skip
    made = msgspec.structs.replace(
        hostile_report(text), environments=(many,) * min(environments, 3) + (one,) * environments
    )

    assert size(markdown(made, limit=limit)) <= limit


def test_the_picture_is_bounded_and_groups_what_is_too_much() -> None:
    """A thousand nodes are no picture."""
    units = tuple(
        UnitRow(unit=f"tenant/t{number}", action="change" if number % 2 else "add", file="f") for number in range(1_000)
    )
    waves = [(f"{start}", *(row.unit for row in units[start : start + 10])) for start in range(0, 1_000, 10)]
    two = [("1", units[0].unit), ("2", *(row.unit for row in units[1:]))]
    grouped, in_waves = (
        next(
            token.content
            for token in inert.tokens(markdown(of(units=units, fleet=outline(*one))))
            if token.info == "mermaid"
        )
        for one in (two, waves)
    )

    assert "499 × tenant" in grouped
    assert "92 more waves" in in_waves
    assert max(len(grouped.splitlines()), len(in_waves.splitlines())) < 120


@pytest.mark.parametrize("made", [examples.version_raised, examples.several_environments])
def test_no_picture_is_drawn_where_nothing_follows_anything(made: Callable[[], Report]) -> None:
    """A list says the same."""
    assert "mermaid" not in markdown(made())


def test_waves_are_drawn_in_their_order() -> None:
    """What is delivered first leads to what is delivered next."""
    units = tuple(UnitRow(unit=f"service/{name}", action="change", file="f") for name in "ab")
    text = markdown(of(units=units, fleet=outline(("canaries", "service/b"), ("1", "service/a"))))

    assert re.search(r'canaries"\]\n.*service/b.*\n +end\n.*"1"\]\n.*service/a', text)
    assert "e0w0 ==> e0w1" in text


def test_documents_show_only_the_lines_that_differ() -> None:
    """A flag among hundreds."""
    text = markdown(examples.flag_switched())

    assert '-       "enabled": true' in text
    assert "faster-search" not in text


def test_long_values_are_cut_around_what_differs() -> None:
    """The end of a value of a megabyte may be all that matters."""
    same = "x" * 1_000_000
    field = FieldChange(path="p", before=f'"{same}old"', after=f'"{same}new"')
    row = ResourceRow(unit="service/a", system="services", kind="ConfigMap", name="a", action="update", fields=(field,))
    text = markdown(of(resources=(row,)))

    assert 'old"' in text
    assert 'new"' in text
    assert size(text) < 5_000


def test_a_section_says_how_much_of_it_is_left_out() -> None:
    """By weight, not by number of items; nothing less important follows one that was cut."""
    items = [Item("x" * 90 + "\n", weight=5) for _ in range(10)]
    text = fitted(
        "start\n",
        [
            Section(importance=1, title="less\n", noun="lesser things", total=1, items=[Item("tiny\n")]),
            Section(importance=0, title="more\n", noun="things", total=50, items=items),
        ],
        "end\n",
        limit=900,
        whole="Everything: elsewhere.",
    )

    shown = text.count("x" * 90)
    assert 0 < shown < 10
    assert f"… and {50 - shown * 5} things not shown here" in text
    assert text.index("less") < text.index("more")
    assert text.rstrip().endswith("end")
    assert size(text) <= 900


def test_services_and_platform_changes_are_counted_by_system() -> None:
    """One row for each environment and system."""
    base = state(platform_unit("staging"), service_unit("staging", LOG_LEVEL="info"))
    after = state(
        platform_unit("staging", checkout_enabled=False),
        service_unit("staging", service_spec(version="v2"), LOG_LEVEL="debug"),
    )
    one = environment_report(environment="staging", before=base, base=base, after=after, plan=plan_between(base, after))
    text = markdown(report(one))

    assert "| `staging` | `configuration` |  |  | 2 |  |" in text
    assert "| `staging` | `services` |  |  | 1 |  |" in text
