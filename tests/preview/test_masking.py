"""No secret reaches a report, whatever place it stands in."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import strategies as st

from infra.engine.plan import ResourceChange, plan_of
from pipelines.preview.build import environment_report
from pipelines.preview.markdown import markdown
from policies.change_set import FieldChange
from policies.checkov.findings import Waiver
from policies.errors import Problem
from policies.masking import MASKED, Masker, secrets_in
from tests.preview.examples import changed, finding, report, shop, state
from tests.preview.plans import plan_between
from tests.support.desired import service_spec, service_unit, tenant_unit
from tests.support.strategies import property_of

CANARY = "canary-5f1c0a77e2"
TOKEN = "ghp_" + "Canary5f1c0a77" * 3
NEXT_TOKEN = "ghp_" + "Another8d2b1c" * 3


def field(path: str, before: object, after: object) -> FieldChange:
    """A change of values, as the engine tells them."""
    texts = [None if value is None else json.dumps(value) for value in (before, after)]
    return FieldChange(path=path, before=texts[0], after=texts[1])


def shown(path: str, value: object, kind: str = "ConfigMap", masker: Masker | None = None) -> FieldChange:
    """How ``value``, where nothing was before, is shown."""
    (one,) = (masker or Masker()).fields([field(path, None, value)], kind)
    return one


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.DB_PASSWORD", CANARY),
        ("configuration.DB_PASSWORD", CANARY),
        ('configuration["db.password"]', CANARY),
        ("service.env.API_KEY", CANARY),
        ("data.credentials", {"user": CANARY, "more": [CANARY]}),
        ("spec.template.spec.containers[0].env[2]", {"name": "DB_PASSWORD", "value": CANARY}),
        ("spec.template.spec.containers[0]", {"env": [{"name": "API_TOKEN", "value": CANARY}]}),
        ("data", {"A": "b", "CLIENT_SECRET": CANARY}),
        ("data.app.json", json.dumps({"database": {"password": CANARY}}, indent=2)),
        ("data.app.properties", f"host=db\npassword = {CANARY}\nport=1"),
        ("data.run.sh", f"serve --db-password={CANARY} --verbose"),
        ("data.header", f"Authorization: Bearer {CANARY}"),
        ("data.LOG_LEVEL", TOKEN),
        ("data.url", f"postgresql://shop:{CANARY}@db/shop"),
        (f"data.{TOKEN}", "x"),
        ("data", {TOKEN: "x"}),
        ("data.key", {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": CANARY}),
    ],
)
def test_a_secret_is_masked_wherever_it_stands(path: str, value: object) -> None:
    """By its key, by its neighbour's name, by its shape, in documents within documents."""
    told = msgspec.json.encode(shown(path, value)).decode()

    assert CANARY not in told
    assert TOKEN not in told
    assert "•••" in told or "[secret]" in told


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.LOG_LEVEL", "debug"),
        ("spec.replicas", 3),
        ("spec.template.spec.automountServiceAccountToken", False),
        ("data.PASSWORD_MIN_LENGTH", "12"),
        ("data.password", ""),
        ("data.flags.json", '{\n  "new-checkout": {\n    "enabled": true\n  }\n}'),
        ("data.token", "[secret]"),
        ("spec.template.spec.containers[0].image", "registry.example/shop/cart:v1.3.0"),
    ],
)
def test_what_is_no_secret_stays_as_it_is(path: str, value: object) -> None:
    """Also what the engine has masked already."""
    assert shown(path, value) == field(path, None, value)


@pytest.mark.parametrize("path", ["data.tls.crt", "stringData.note", "data", ""])
def test_a_kubernetes_secret_shows_no_data(path: str) -> None:
    """Whatever its keys are called."""
    value = {"data": {"note": CANARY}} if path == "" else {"note": CANARY} if path == "data" else CANARY

    assert CANARY not in str(shown(path, value, "Secret"))
    assert shown("metadata.labels.a", "b", "Secret").after == '"b"'


def test_a_masked_value_still_counts_as_changed() -> None:
    """That a password changes is worth knowing."""
    (one,) = Masker().fields([field("data.DB_PASSWORD", "old-value", "new-value")])

    assert (one.before, one.after) == (MASKED, MASKED)


def test_the_value_of_a_variable_is_known_by_the_declarations() -> None:
    """In a list of variables the name does not change, so only the value is seen."""
    unit = service_unit("staging", service_spec(env={"DB_PASSWORD": CANARY, "PIN_SECRET": "1234"}))
    masker = Masker(secrets_in([unit]))

    assert shown("spec.template.spec.containers[0].env[0].value", CANARY, masker=masker).after == MASKED
    assert shown("spec.template.spec.containers[0].env[1].value", "1234", masker=masker).after == MASKED
    assert shown("data.note", f"use {CANARY} here", masker=masker).after == '"use ••• here"'


def test_a_variable_that_is_renamed_to_a_secret_hides_its_value() -> None:
    """Both differ, as two rows."""
    fields = [
        field("spec.env[0].name", "LOG_LEVEL", "DB_PASSWORD"),
        field("spec.env[0].value", "debug", CANARY),
    ]

    assert CANARY not in str(Masker().fields(fields))


def test_hidden_characters_are_made_visible_and_the_text_stays_json() -> None:
    """A value that reads differently than it is would fool the reviewer."""
    told = shown("data.note", "pay\u202e100\x7f").after or ""

    assert told.isascii()
    assert json.loads(told) == "pay\u202e100\x7f"
    assert "\\u202e" in told


def test_long_words_without_meaning_cost_little() -> None:
    """Text that looks nearly like an assignment, 200,000 times."""
    hostile = "a." * 100_000 + "=" * 100_000

    assert shown("data.note", hostile).after == json.dumps(hostile)


def test_canaries_in_every_input_reach_no_format() -> None:
    """Declarations, the plan, findings, problems, notes, and messages of errors."""
    spec = service_spec(env={"DB_PASSWORD": CANARY}, version="v2")
    tenant = tenant_unit("staging", configuration={"cart": {"API_TOKEN": CANARY}}, display_name=f"Acme {CANARY}")
    units = shop(cart=spec, tenants=(tenant, shop()[-1]))
    waiver = Waiver(check="X", owner=TOKEN, reason=f"password={CANARY}", expires="2026-12-31")
    problem = Problem(file=TOKEN, line=1, column=1, path="p", what=f"found {CANARY}", fix=TOKEN, rule="r")
    one = changed(
        units,
        findings=(finding(title=f"bad {TOKEN}", fix=f"remove {CANARY}", waiver=waiver),),
        problems=(problem,),
        notes=(f"note {CANARY}",),
        unchecked=(f"cannot reach https://user:{CANARY}@cluster.example",),
    )
    told = [msgspec.json.encode(one).decode(), markdown(report(one)), markdown(report(one), limit=10_000_000)]

    assert not [text for text in told if CANARY in text or TOKEN in text]
    assert all("•••" in text for text in told)


def test_old_values_from_the_state_are_masked_too() -> None:
    """What was delivered once may hold what would be refused now."""
    before = state(*shop(cart=service_spec(env={"DB_PASSWORD": CANARY})))
    after = state(*shop())
    one = environment_report(
        environment="staging", before=before, base=after, after=after, plan=plan_between(before, after)
    )

    assert CANARY not in msgspec.json.encode(one).decode()
    assert one.resources


keys = st.sampled_from(["DB_PASSWORD", "apiKey", "client-secret", "auth.token", "privateKey", "passphrase"])
ordinary = st.sampled_from(["data", "spec", "a.json", "env[0]", "note"])
values = st.recursive(
    st.just(CANARY),
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.dictionaries(ordinary, inner, min_size=1, max_size=2),
    max_leaves=4,
)


@property_of(
    path=st.lists(ordinary, max_size=2), key=keys, value=values, is_document=st.booleans(), is_own=st.booleans()
)
def test_whatever_stands_below_a_secret_key_is_masked(
    path: list[str], key: str, value: object, is_document: bool, is_own: bool
) -> None:
    """As a path, as a key of an object, as a document in a string."""
    if is_own:
        steps, told = [*path, key], value
    else:
        steps, told = path or ["data"], json.dumps({key: value}) if is_document else {key: value}
    change = ResourceChange(
        urn="u",
        type="kubernetes:core/v1:ConfigMap",
        name="service/cart/x",
        action="update",
        unit="service/cart",
        fields=(field(".".join(steps), "x", told),),
    )
    one = changed(shop(), plan=plan_of([change], same=0))

    assert CANARY not in msgspec.json.encode(one).decode()
    assert NEXT_TOKEN not in markdown(report(one))
