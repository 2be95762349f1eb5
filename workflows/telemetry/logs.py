"""Structured logs: one line an event, with rollout, unit and commit on each.

Everything ends in one stream through one chain: events of ADX (structlog) and
of libraries (logging: Temporal, uvicorn, SQLAlchemy, warnings). The last two
processors before the renderer redact and put each value on one line, so
nothing can get around them.

    log = logs.logger()
    with logs.bound(rollout=workflow_id, unit=unit_id, commit=commit):
        log.info("step finished", step="apply", seconds=4.2)
"""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from workflows.telemetry.redaction import Redactor

_TRACEBACK = "exception"
_FIRST = ("timestamp", "level", "service", "event")


def logger(name: str = "adx") -> structlog.stdlib.BoundLogger:
    """The logger that activities, worker and receiver write events to."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def bound(**context: str | int | None) -> AbstractContextManager[None]:
    """Add ``context`` (rollout, environment, unit, commit) to every event inside; safe across tasks and threads."""
    return structlog.contextvars.bound_contextvars(
        **{key: value for key, value in context.items() if value is not None}
    )


def configure(
    service: str,
    *,
    redactor: Redactor,
    level: str = "INFO",
    pretty: bool | None = None,
    stream: TextIO | None = None,
) -> None:
    """Set up logging of this process; calling it again replaces the set-up.

    ``service`` is on every line. ``pretty`` None means: readable lines when
    ``stream`` (default stderr) is a terminal, JSON lines otherwise.
    """
    stream = stream or sys.stderr
    pretty = stream.isatty() if pretty is None else pretty
    shared = _shared_processors(service)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _temporal_context],
            processors=_final_processors(redactor, pretty=pretty, colours=stream.isatty()),
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _quieten_libraries()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a second configure, as tests and `adx demo` do, must reach existing loggers
    )


def _quieten_libraries() -> None:
    logging.captureWarnings(capture=True)
    for name in ("httpx", "httpcore", "uvicorn", "botocore", "urllib3", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _shared_processors(service: str) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _constant("service", service),
    ]


def _final_processors(redactor: Redactor, *, pretty: bool, colours: bool) -> list[Processor]:
    head: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        # In a terminal a traceback is indented, so that no line of an exception's text can pass for an event;
        # in JSON its line breaks are escaped by the encoding itself.
        _redact(redactor, traceback_prefix="  │ " if pretty else ""),
    ]
    if pretty:
        return [*head, structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0)]
    # ensure_ascii stays off: names keep their letters; control characters are already escaped.
    return [*head, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _constant(key: str, value: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault(key, value)
        return event

    return add


def _temporal_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the workflow or activity of a line that Temporal's own loggers wrote."""
    record = event.get("_record")
    for attribute in ("temporal_workflow", "temporal_activity"):
        details = getattr(record, attribute, None)
        if isinstance(details, dict):
            event.setdefault("rollout", details.get("workflow_id"))
    return event


def _redact(redactor: Redactor, *, traceback_prefix: str) -> Processor:
    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        ordered = {key: event[key] for key in (*_FIRST, *event) if key in event}
        clean: EventDict = {redactor.line(str(key)): redactor.field(str(key), value) for key, value in ordered.items()}
        traceback = event.get(_TRACEBACK)
        if isinstance(traceback, str):
            lines = redactor.text(traceback).split("\n")
            clean[_TRACEBACK] = "\n".join(traceback_prefix + redactor.line(line) for line in lines)
        return clean

    return redact
