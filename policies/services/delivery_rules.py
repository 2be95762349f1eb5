"""What must hold of the delivery of services that their JSON Schema cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from policies.declarations import EnvironmentDeclarations
from policies.findings import Finding, Rule, environment_file, environment_rule, repeated, suggestion
from policies.services.spec import AnalysisRules, Delivery, ServiceSpec

RELEASE_VARIABLE = "$release"
_WHOLE = 100
_ASKS_ABOUT_RELEASE = re.compile(r"\$release(?![A-Za-z0-9_])")


@environment_rule("services.delivery-service")
def two_releases_can_be_told_ready(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Requests go to a release that has pods, listens, and says when it is ready."""
    for path, service, _ in _delivered(declared):
        name = service.name
        if service.replicas == 0:
            what = f"{name} has no pods, so that no release of it can take over"
            yield _finding(environment, f"{path}.replicas", what, "write at least 1, or take delivery out")
        if not service.ports:
            what = f"{name} has a delivery, but no port that requests could come to"
            yield _finding(environment, f"{path}.delivery", what, "declare its ports, or take delivery out")
        if service.probes.readiness is None:
            what = f"{name} has a delivery, but does not say when it is ready for requests"
            yield _finding(environment, f"{path}.delivery", what, "declare probes.readiness, or take delivery out")


@environment_rule("services.delivery-steps")
def steps_lead_upwards(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A canary has steps, each above the one before; a blue-green delivery has none."""
    for path, service, delivery in _delivered(declared):
        place, is_canary = f"{path}.delivery.steps", delivery.strategy == "canary"
        if is_canary and not delivery.steps:
            what = f"the canary of {service.name} has no step"
            yield _finding(environment, f"{path}.delivery.strategy", what, "write steps, or the strategy blue-green")
        if not is_canary and delivery.steps:
            what = f"the blue-green delivery of {service.name} has steps, but all requests move at once"
            yield _finding(environment, place, what, "leave them out, or write the strategy canary")
        for index, (before, step) in enumerate(pairwise(delivery.steps), start=1):
            if step.weight_percent <= before.weight_percent:
                what = f"a step of {service.name} leads from {before.weight_percent} % to {step.weight_percent} %"
                fix = f"write more than {before.weight_percent}, or take the step out"
                yield _finding(environment, f"{place}[{index}].weight_percent", what, fix)


@environment_rule("services.delivery-gateway")
def gateways_do_what_is_asked(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A selector gives all requests or none; an HTTPRoute's standard channel keeps no caller with a release."""
    for path, service, delivery in _delivered(declared):
        for field, is_asked in _beyond_all_or_nothing(delivery).items():
            if delivery.gateway == "selector" and is_asked:
                what = f"the selector of {service.name} gives a release all requests or none, so it has no {field}"
                fix = "leave it out, or write the gateway caddy or gateway-api"
                yield _finding(environment, f"{path}.delivery.{field}", what, fix)
        if delivery.gateway == "gateway-api" and delivery.stickiness is not None:
            what = f"an HTTPRoute cannot keep the callers of {service.name} with one release"
            fix = "leave it out, or write the gateway caddy"
            yield _finding(environment, f"{path}.delivery.stickiness", what, fix)


@environment_rule("services.delivery-measured")
def requests_are_counted_by_our_gateway(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Only Caddy counts requests by release; what others route is judged by declared queries."""
    for path, service, delivery in _delivered(declared):
        analysis = delivery.analysis
        if delivery.gateway == "caddy" or analysis is None:
            continue
        for field, is_there in (("success_rate", analysis.success_rate is not None), ("latency", analysis.latency)):
            if is_there:
                what = f"nobody counts the requests of {service.name} by release behind {delivery.gateway}"
                fix = "write queries of metrics that name the release, or the gateway caddy"
                yield _finding(environment, f"{path}.delivery.analysis.{field}", what, fix)


@environment_rule("services.delivery-name")
def registered_names_are_unique(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Registry and gateway are shared by environments, and know a service as ``<environment>--<service>``."""
    for path, service, delivery in _delivered(declared):
        if delivery.gateway == "caddy" and "--" in f"{environment}/{service.name}":
            what = f"{environment} and {service.name} must not have two hyphens in a row"
            yield _finding(environment, f"{path}.name", what, "choose a name without them")


@environment_rule("services.delivery-stickiness")
def callers_are_known_by_one_thing(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A caller is known by a cookie or by a header."""
    for path, service, delivery in _delivered(declared):
        known_by = delivery.stickiness
        if known_by is not None and (known_by.cookie is None) == (known_by.header is None):
            both = "both a cookie and a header" if known_by.cookie is not None else "neither a cookie nor a header"
            what = f"callers of {service.name} are known by {both}"
            yield _finding(environment, f"{path}.delivery.stickiness", what, "set exactly one of cookie and header")


@environment_rule("services.delivery-route")
def routes_belong_to_the_gateway_api(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """An HTTPRoute has a Gateway and a port of the service; the other gateways have no HTTPRoute."""
    for path, service, delivery in _delivered(declared):
        route, place = delivery.route, f"{path}.delivery.route"
        if delivery.gateway == "gateway-api" and route is None:
            what = f"the HTTPRoute of {service.name} belongs to no Gateway"
            fix = "write route with gateway_name and gateway_namespace"
            yield _finding(environment, f"{path}.delivery.gateway", what, fix)
        if delivery.gateway != "gateway-api" and route is not None:
            what = f"{service.name} has a route, but its gateway is {delivery.gateway}"
            yield _finding(environment, place, what, "leave it out, or write the gateway gateway-api")
        known = [port.name for port in service.ports]
        if route is not None and route.port is not None and route.port not in known:
            what = f"the service {service.name} has no port {route.port}"
            yield _finding(environment, f"{place}.port", what, suggestion(route.port, known, "name a port of it"))


@environment_rule("services.delivery-interval")
def every_bake_is_judged(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """A bake is long enough for one judgement; only a canary can do without the last, having been judged before."""
    for path, service, delivery in _delivered(declared):
        if delivery.analysis is None:
            continue
        interval_seconds = delivery.analysis.interval_seconds
        for place, bake_seconds in _bakes(delivery):
            if bake_seconds < interval_seconds:
                what = f"{service.name} is judged every {interval_seconds} s, longer than a bake of {bake_seconds} s"
                fix = f"write at least {interval_seconds}, or a shorter analysis.interval_seconds"
                yield _finding(environment, f"{path}.delivery.{place}", what, fix)


@environment_rule("services.delivery-analysis")
def analyses_judge_something(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """An analysis has rules, each of them a bound."""
    for path, service, delivery in _delivered(declared):
        analysis, place = delivery.analysis, f"{path}.delivery.analysis"
        if analysis is None:
            continue
        if analysis.success_rate is None and not analysis.latency and not analysis.queries:
            fix = "write success_rate, latency or queries, or leave analysis out"
            yield _finding(environment, place, f"the analysis of {service.name} judges nothing", fix)
        for rule, bounds in _bounds(analysis):
            if all(bound is None for bound in bounds.values()):
                what = f"this rule of {service.name} has no bound"
                yield _finding(environment, f"{place}.{rule}", what, f"set at least one of {', '.join(bounds)}")


@environment_rule("services.delivery-provable")
def bounds_can_be_shown_kept(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """However many requests succeed, they never show that none will fail: such a bound would fail every release."""
    for path, service, delivery in _delivered(declared):
        rate = delivery.analysis.success_rate if delivery.analysis is not None else None
        place = f"{path}.delivery.analysis.success_rate"
        what = f"no number of requests shows that no request of {service.name} fails"
        if rate is not None and rate.worse_by_percent == 0:
            yield _finding(environment, f"{place}.worse_by_percent", what, "write more than 0, for example 0.5")
        if rate is not None and rate.at_least_percent == _WHOLE:
            yield _finding(environment, f"{place}.at_least_percent", what, "write less than 100, for example 99.5")


@environment_rule("services.delivery-query")
def queries_ask_about_a_release(environment: str, declared: EnvironmentDeclarations) -> Iterator[Finding]:
    """Queries have names of their own and ask about one release; a percentile has one rule."""
    for path, service, delivery in _delivered(declared):
        if delivery.analysis is None:
            continue
        place, queries = f"{path}.delivery.analysis", delivery.analysis.queries
        for index, name, first in repeated(query.name for query in queries):
            what = f"the query {name} of {service.name} is already defined as queries[{first}]"
            yield _finding(environment, f"{place}.queries[{index}].name", what, "give each query a name of its own")
        for index, query in enumerate(queries):
            if not _ASKS_ABOUT_RELEASE.search(query.query):
                what = f"the query {query.name} of {service.name} asks about no release: both would answer the same"
                fix = f'compare a label of the series with it, such as release="{RELEASE_VARIABLE}"'
                yield _finding(environment, f"{place}.queries[{index}].query", what, fix)
        for index, _, first in repeated(str(rule.percentile) for rule in delivery.analysis.latency):
            what = f"this percentile of {service.name} already has a rule, latency[{first}]"
            yield _finding(environment, f"{place}.latency[{index}].percentile", what, "merge the two")


def _delivered(declared: EnvironmentDeclarations) -> Iterator[tuple[str, ServiceSpec, Delivery]]:
    for index, service in enumerate(declared.services.services):
        if service.delivery is not None:
            yield f"services[{index}]", service, service.delivery


def _beyond_all_or_nothing(delivery: Delivery) -> dict[str, bool]:
    """By field, whether it asks for more than moving all requests at once."""
    return {
        "steps": bool(delivery.steps),
        "stickiness": delivery.stickiness is not None,
        "testers": delivery.testers is not None,
        "mirror_percent": delivery.mirror_percent > 0,
    }


def _bakes(delivery: Delivery) -> Iterator[tuple[str, int]]:
    """Place and seconds of every bake that is judged."""
    for index, step in enumerate(delivery.steps):
        yield f"steps[{index}].bake_seconds", step.bake_seconds
    if delivery.bake_seconds or not delivery.steps:
        yield "bake_seconds", delivery.bake_seconds


def _bounds(analysis: AnalysisRules) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Place and bounds of every rule."""
    rate = analysis.success_rate
    if rate is not None:
        found = {"worse_by_percent": rate.worse_by_percent, "at_least_percent": rate.at_least_percent}
        yield "success_rate", found
    for index, latency in enumerate(analysis.latency):
        found = {
            "worse_by_percent": latency.worse_by_percent,
            "at_most_milliseconds": latency.at_most_milliseconds,
        }
        yield f"latency[{index}]", found
    for index, query in enumerate(analysis.queries):
        found = {"at_most": query.at_most, "at_least": query.at_least, "worse_by_percent": query.worse_by_percent}
        yield f"queries[{index}]", found


def _finding(environment: str, path: str, what: str, fix: str) -> Finding:
    return Finding(file=environment_file(environment, "services"), path=path, what=what, fix=fix)


RULES: tuple[Rule, ...] = (
    two_releases_can_be_told_ready,
    steps_lead_upwards,
    gateways_do_what_is_asked,
    requests_are_counted_by_our_gateway,
    registered_names_are_unique,
    callers_are_known_by_one_thing,
    routes_belong_to_the_gateway_api,
    every_bake_is_judged,
    analyses_judge_something,
    bounds_can_be_shown_kept,
    queries_ask_about_a_release,
)
