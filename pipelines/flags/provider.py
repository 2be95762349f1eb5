"""ADX's provider for OpenFeature: evaluates in this process, from a file that is watched.

Evaluating does no I/O and takes no lock. A thread looks at the source every
``poll_seconds`` and emits PROVIDER_CONFIGURATION_CHANGED with the flags that
changed, PROVIDER_STALE when the source can no longer be read (the flags stay
what they were), and PROVIDER_READY when it can again.
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from pipelines.flags.live import LiveFlags, overrides_source
from pipelines.flags.source import Read, source_of
from policies.configuration.flags.evaluator import NOTHING, Evaluation, ValueType

Value = TypeVar("Value")
ObjectValue = Sequence[FlagValueType] | Mapping[str, FlagValueType]

_REASONS = {reason.value: reason for reason in Reason}
_CODES = {code.value: code for code in ErrorCode}


class AdxProvider(AbstractProvider):
    """The flags of one environment as ADX delivers them.

    ``source`` is the path of ``flags.json`` (default: what ADX_FLAGS_FILE names)
    or a callable that returns its bytes; ``overrides`` the path of a tenant's
    own ``flags.json``, for a service that runs for one tenant. Raises
    FlagsUnreadable when there is no source.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Read | None = None,
        *,
        overrides: str | Path | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        """Reads nothing yet: OpenFeature calls :meth:`initialize`."""
        super().__init__()
        self._flags = LiveFlags(source_of(source), overrides_source(overrides))
        self._poll_seconds = poll_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def get_metadata(self) -> Metadata:
        """What OpenFeature calls this provider."""
        return Metadata(name="adx")

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - OpenFeature's signature
        """Read the flags, then keep watching. Raises ProviderNotReadyError; flags that come later are taken up."""
        reasons: list[str] = []
        self._flags.look(changed=lambda _: None, stale=reasons.append, fresh=lambda: None)
        self._watch()
        if reasons:
            raise ProviderNotReadyError(reasons[0])

    def shutdown(self) -> None:
        """Stop watching; the last flags can still be read."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def look(self) -> None:
        """Look at the source now instead of at the next turn; emits what there is to tell."""
        was_stale = self._flags.is_stale
        self._flags.look(changed=self._changed, stale=lambda reason: self._stale(reason, was_stale), fresh=self._fresh)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """A truth value."""
        return _details(self._evaluate("boolean", flag_key, evaluation_context), default_value)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """A text."""
        return _details(self._evaluate("string", flag_key, evaluation_context), default_value)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """A whole number."""
        return _details(self._evaluate("integer", flag_key, evaluation_context), default_value)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """A number; a whole one becomes a float."""
        found = _details(self._evaluate("float", flag_key, evaluation_context), default_value)
        found.value = float(found.value)
        return found

    def resolve_object_details(
        self, flag_key: str, default_value: ObjectValue, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[ObjectValue]:
        """A mapping, the caller's own to change."""
        found = _details(self._evaluate("object", flag_key, evaluation_context), default_value)
        found.value = copy.deepcopy(found.value)
        return found

    def _evaluate(self, type_: ValueType, key: str, context: EvaluationContext | None) -> Evaluation:
        if context is None:
            return self._flags.evaluator.evaluate_as(type_, key)
        return self._flags.evaluator.evaluate_as(type_, key, context.targeting_key, context.attributes or NOTHING)

    def _watch(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._turn, name="adx-flags", daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            self.look()

    def _changed(self, names: list[str]) -> None:
        self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=names))

    def _stale(self, reason: str, was_stale: bool) -> None:
        if not was_stale:
            self.emit_provider_stale(ProviderEventDetails(message=reason))

    def _fresh(self) -> None:
        self.emit_provider_ready(ProviderEventDetails())


def _details(found: Evaluation, default: Any) -> FlagResolutionDetails[Any]:
    if found.variant is not None:
        return FlagResolutionDetails(found.value, None, None, _REASONS[found.reason], found.variant)
    code = None if found.error_code is None else _CODES[found.error_code]
    return FlagResolutionDetails(default, code, found.error_message, _REASONS[found.reason])
