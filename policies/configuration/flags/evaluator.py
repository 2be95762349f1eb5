"""Flags → an object that says what a user gets, in this process. Pure: no I/O, no clock unless a flag has a schedule.

Reasons and error codes are those of OpenFeature (specification, types):

===================  ====================================================================
STATIC               everybody gets this always
TARGETING_MATCH      a rule fitted
SPLIT                a rule fitted, and the user's bucket decided
DEFAULT              no rule fitted, or outside its schedule, or without its prerequisites
DISABLED             the flag is switched off as a whole: the caller's own default counts
ERROR                see the error code
===================  ====================================================================

The user is the targeting key, the tenant the attribute ``tenant`` of the context.
Every answer is made while compiling, so that evaluating makes no objects.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from policies.configuration.flags.bucketing import hash_of, thresholds_of
from policies.configuration.flags.plan import FlagPlan, PlannedRule, plans_of
from policies.configuration.flags.prerequisites import order_of
from policies.configuration.flags.schedules import Span
from policies.configuration.flags.spec import FlagDecision, FlagPrerequisite

Reason = Literal["STATIC", "TARGETING_MATCH", "SPLIT", "DEFAULT", "DISABLED", "ERROR"]
ErrorCode = Literal["FLAG_NOT_FOUND", "PARSE_ERROR", "TYPE_MISMATCH", "TARGETING_KEY_MISSING", "INVALID_CONTEXT"]
ValueType = Literal["boolean", "string", "integer", "float", "object"]
Attributes = Mapping[str, object]

NOTHING: Attributes = {}


class Evaluation(msgspec.Struct, frozen=True, gc=False):
    """What one user gets. ``variant`` is None where the caller's own default counts; ``value`` then means nothing.

    ``value`` is shared between all answers: a mapping must not be changed.
    """

    value: Any
    variant: str | None
    reason: Reason
    error_code: ErrorCode | None = None
    error_message: str | None = None


Decide = Callable[[str | None, Attributes, float | None], Evaluation]
Fits = Callable[[str | None, Attributes, float | None], bool]

_NO_KEY = "the context has no targeting key, and a share of users is chosen by it"
_NO_TEXT = "the targeting key is no text that UTF-8 can write"


class Evaluator:
    """Flags, ready to be evaluated from any thread. See :func:`compiled`."""

    def __init__(self, decisions: Mapping[str, Decide], types: Mapping[str, frozenset[ValueType]]) -> None:
        """Use :func:`compiled`."""
        self._decide = dict(decisions)
        self._types = dict(types)
        self._typed: dict[ValueType, dict[str, Decide]] = {"boolean": {}, "string": {}, "integer": {}, "float": {}}
        self._typed["object"] = {}
        for key, decide in decisions.items():
            for type_ in types[key]:
                self._typed[type_][key] = decide

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the flags, ordered."""
        return tuple(sorted(self._decide))

    def evaluate(
        self, key: str, user: str | None = None, attributes: Attributes = NOTHING, now: float | None = None
    ) -> Evaluation:
        """What ``user`` (the targeting key) gets of the flag ``key``; never raises for what a context holds.

        ``now`` is in seconds since 1970, by default the time at which it is needed.
        """
        decide = self._decide.get(key)
        if decide is None:
            return failed("FLAG_NOT_FOUND", f"there is no flag {key}")
        return decide(user, attributes, now)

    def evaluate_as(
        self,
        type_: ValueType,
        key: str,
        user: str | None = None,
        attributes: Attributes = NOTHING,
        now: float | None = None,
    ) -> Evaluation:
        """The same for a caller that wants a value of ``type_``; a whole number is a float, too, a truth value is none.

        A flag whose variants are of another type is a TYPE_MISMATCH, whatever the user would get.
        """
        decide = self._typed[type_].get(key)
        if decide is None:
            if key in self._decide:
                if not self._types[key]:  # it cannot be read at all, and says why
                    return self._decide[key](user, attributes, now)
                listed = " or ".join(sorted(self._types[key]))
                return failed("TYPE_MISMATCH", f"the flag {key} has values of type {listed}, not {type_}")
            return failed("FLAG_NOT_FOUND", f"there is no flag {key}")
        return decide(user, attributes, now)


def compiled(
    flags: Mapping[str, FlagDecision],
    *,
    overrides: Mapping[str, bool] | None = None,
    unreadable: Mapping[str, str] | None = None,
) -> Evaluator:
    """The evaluator of ``flags``. Raises FlagInvalid.

    ``overrides`` are a tenant's own: the flag is on or off for it, whatever else
    is said; flags that are no on and off are left as they are. ``unreadable``
    are flags that could not be read, with the reason: a PARSE_ERROR for whoever asks.
    """
    plans = plans_of(flags)
    decisions: dict[str, Decide] = {}
    for key in order_of(flags):
        decisions[key] = _flag(plans[key], decisions)
    for key, is_on in (overrides or {}).items():
        if key in plans and plans[key].variants.keys() == {"on", "off"}:
            decisions[key] = _always(_answers(plans[key], "STATIC")["on" if is_on else "off"])
    types = {key: types_of(plan.variants) for key, plan in plans.items()}
    for key, reason in (unreadable or {}).items():
        decisions[key], types[key] = _always(failed("PARSE_ERROR", reason)), frozenset()
    return Evaluator(decisions, types)


def failed(code: ErrorCode, message: str) -> Evaluation:
    """The answer when there is none."""
    return Evaluation(None, None, "ERROR", code, message)


def types_of(variants: Mapping[str, Any]) -> frozenset[ValueType]:
    """As which types a flag with these variants can be read."""
    values = list(variants.values())
    if all(isinstance(value, bool) for value in values):
        return frozenset({"boolean"})
    if all(isinstance(value, str) for value in values):
        return frozenset({"string"})
    if all(isinstance(value, dict) for value in values):
        return frozenset({"object"})
    return frozenset({"integer", "float"} if all(isinstance(value, int) for value in values) else {"float"})


def _flag(plan: FlagPlan, others: Mapping[str, Decide]) -> Decide:
    if plan.disabled:
        return _always(Evaluation(None, None, "DISABLED"))
    if plan.fixed is not None:
        return _always(_answers(plan, "STATIC")[plan.fixed])
    default = _answers(plan, "DEFAULT")[plan.default]
    rules = [(_fits(rule), _outcome(plan, rule)) for rule in plan.rules]
    decide = _first(rules, default)
    for wanted in reversed(plan.prerequisites):
        decide = _with_prerequisite(wanted, others[wanted.flag], decide, default)
    return decide if plan.span is None else _within(plan.span, decide, default)


def _always(answer: Evaluation) -> Decide:
    return lambda _user, _attributes, _now: answer


def _first(rules: list[tuple[Fits | None, Decide]], default: Evaluation) -> Decide:
    """The first rule that fits; the common lengths without a loop."""
    if len(rules) == 1:
        fits, outcome = rules[0]
        if fits is None:
            return outcome
        return lambda user, attributes, now: outcome(user, attributes, now) if fits(user, attributes, now) else default
    asked = tuple((fits or _everybody, outcome) for fits, outcome in rules)

    def decide(user: str | None, attributes: Attributes, now: float | None) -> Evaluation:
        for fits, outcome in asked:
            if fits(user, attributes, now):
                return outcome(user, attributes, now)
        return default

    return decide


def _everybody(_user: str | None, _attributes: Attributes, _now: float | None) -> bool:
    return True


def _with_prerequisite(wanted: FlagPrerequisite, other: Decide, then: Decide, default: Evaluation) -> Decide:
    def decide(user: str | None, attributes: Attributes, now: float | None) -> Evaluation:
        found = other(user, attributes, now)
        if found.variant == wanted.variant:
            return then(user, attributes, now)
        return default if found.error_code is None else found

    return decide


def _within(span: Span, then: Decide, default: Evaluation) -> Decide:
    start, end, clock = span.start, span.end, time.time

    def decide(user: str | None, attributes: Attributes, now: float | None) -> Evaluation:
        at = clock() if now is None else now  # read once, so that no flag sees two times in one evaluation
        return then(user, attributes, at) if start <= at < end else default

    return decide


def _fits(rule: PlannedRule) -> Fits | None:
    """All conditions of the rule; None when there are none."""
    asked: list[Fits] = []
    if rule.span is not None:
        asked.append(_in_span(rule.span))
    if rule.users is not None:
        asked.append(_is_user(rule.users))
    if rule.tenants is not None:
        asked.append(_has_attribute("tenant", rule.tenants))
    asked += [_has_attribute(name, values) for name, values in rule.attributes]
    if len(asked) < 2:
        return asked[0] if asked else None
    conditions = tuple(asked)
    return lambda user, attributes, now: all(fits(user, attributes, now) for fits in conditions)


def _in_span(span: Span) -> Fits:
    start, end, clock = span.start, span.end, time.time
    return lambda _user, _attributes, now: start <= (clock() if now is None else now) < end


def _is_user(users: frozenset[str]) -> Fits:
    return lambda user, _attributes, _now: isinstance(user, str) and user in users


def _has_attribute(name: str, values: frozenset[str]) -> Fits:
    def fits(_user: str | None, attributes: Attributes, _now: float | None) -> bool:
        value = attributes.get(name)
        return isinstance(value, str) and value in values

    return fits


def _outcome(plan: FlagPlan, rule: PlannedRule) -> Decide:
    if not rule.is_split:
        return _always(_answers(plan, "TARGETING_MATCH")[rule.shares[0][0]])
    answers = _answers(plan, "SPLIT")
    shares = [answers[variant] for variant, _ in rule.shares]
    thresholds = thresholds_of([weight for _, weight in rule.shares])
    prefix = plan.key.encode()
    missing, unusable = failed("TARGETING_KEY_MISSING", _NO_KEY), failed("INVALID_CONTEXT", _NO_TEXT)

    def decide(user: str | None, _attributes: Attributes, _now: float | None) -> Evaluation:
        if not user:
            return missing
        try:
            return shares[bisect_right(thresholds, hash_of(prefix + user.encode()))]
        except (UnicodeEncodeError, AttributeError):
            return unusable

    return decide


def _answers(plan: FlagPlan, reason: Reason) -> dict[str, Evaluation]:
    return {name: Evaluation(value, name, reason) for name, value in plan.variants.items()}
