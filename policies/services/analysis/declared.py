"""What a delivery declares in per cent and milliseconds, as what is judged by: shares and seconds. Pure."""

from __future__ import annotations

from policies.services.analysis.models import LatencyRule, QueryRule, RateRule, Rules
from policies.services.spec import AnalysisRules, SuccessRateRule


def rules_of(declared: AnalysisRules) -> Rules:
    """The rules of ``declared``."""
    return Rules(
        rate=None if declared.success_rate is None else rate_of(declared.success_rate),
        latency=tuple(
            LatencyRule(
                quantile=rule.percentile / 100,
                worse_by=_share(rule.worse_by_percent),
                at_most_seconds=None if rule.at_most_milliseconds is None else rule.at_most_milliseconds / 1000,
            )
            for rule in declared.latency
        ),
        queries=tuple(
            QueryRule(rule.name, rule.at_most, rule.at_least, _share(rule.worse_by_percent))
            for rule in declared.queries
        ),
        minimum_requests=declared.minimum_requests,
    )


def rate_of(declared: SuccessRateRule) -> RateRule:
    """Declared are requests that succeed, judged those that fail."""
    least = declared.at_least_percent
    return RateRule(
        worse_by=_share(declared.worse_by_percent), at_most=None if least is None else round(1 - least / 100, 9)
    )


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100
