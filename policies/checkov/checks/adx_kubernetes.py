"""One checkov check for each rule of :mod:`policies.checkov.rules`. Decides nothing itself.

Needs the folder that holds ``policies`` on the path, and what is known about
the environments in the file that ``ADX_POLICY_CONTEXT`` names.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.kubernetes.checks.resource.base_spec_check import BaseK8Check

from policies.checkov.rules import RULES, Rule
from policies.checkov.surroundings import surroundings_of


@cache
def _context() -> dict[str, Any]:
    file = os.environ.get("ADX_POLICY_CONTEXT", "")
    return dict(json.loads(Path(file).read_bytes())) if file else {}


class RuleCheck(BaseK8Check):
    """``rule`` as a check of every kind of object; what is wrong is told in ``details``."""

    def __init__(self, id_: str, rule: Rule) -> None:
        title = (rule.__doc__ or "").strip().rstrip(".")
        super().__init__(title, id_, (CheckCategories.KUBERNETES,), ("*",))
        self._rule = rule

    def scan_spec_conf(self, conf: dict[str, Any]) -> CheckResult:
        """FAILED with details, PASSED, or UNKNOWN when the rule has nothing to do with the object."""
        wrong = self._rule(conf, surroundings_of(conf, _context()))
        if wrong is None:
            return CheckResult.UNKNOWN
        self.details = wrong
        return CheckResult.FAILED if wrong else CheckResult.PASSED


CHECKS = [RuleCheck(id_, rule) for id_, rule in RULES.items()]
