"""Per cent and milliseconds of a declaration become the shares and seconds that releases are judged by."""

from __future__ import annotations

from policies.services import spec
from policies.services.analysis.declared import rate_of, rules_of
from policies.services.analysis.models import LatencyRule, QueryRule, RateRule, Rules


def test_every_bound_is_taken_over_in_its_unit() -> None:
    """Given all of them: requests that succeed become those that fail, per cent shares, milliseconds seconds."""
    declared = spec.AnalysisRules(
        minimum_requests=7,
        success_rate=spec.SuccessRateRule(worse_by_percent=2, at_least_percent=99.9),
        latency=(spec.LatencyRule(percentile=99, worse_by_percent=10, at_most_milliseconds=250),),
        queries=(spec.QueryRule(name="lag", query="q", at_most=3, at_least=1, worse_by_percent=50),),
    )

    assert rules_of(declared) == Rules(
        rate=RateRule(worse_by=0.02, at_most=0.001),
        latency=(LatencyRule(quantile=0.99, worse_by=0.1, at_most_seconds=0.25),),
        queries=(QueryRule("lag", at_most=3, at_least=1, worse_by=0.5),),
        minimum_requests=7,
    )


def test_what_is_not_declared_is_not_judged() -> None:
    """Given one bound of two, the other stays away; given nothing, no rule is made up."""
    declared = spec.AnalysisRules(
        latency=(spec.LatencyRule(percentile=50, worse_by_percent=0),), queries=(spec.QueryRule(name="q", query="q"),)
    )

    assert rules_of(declared) == Rules(latency=(LatencyRule(0.5, worse_by=0.0),), queries=(QueryRule("q"),))
    assert rate_of(spec.SuccessRateRule(at_least_percent=100)) == RateRule(at_most=0.0)
    assert rate_of(spec.SuccessRateRule(worse_by_percent=0)) == RateRule(worse_by=0.0)
