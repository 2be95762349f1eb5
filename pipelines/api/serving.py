"""`adx api serve`: the server's life, from its tokens to its graceful end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.api.app import application
from pipelines.api.limits import PER_SECOND, RateLimit
from pipelines.api.temporal import TemporalStarter
from pipelines.api.tokens import FILE_SETTING, LIST_SETTING, Known, TokenFile, TokensRefused, anybody, decoded, match
from pipelines.http.listening import is_loopback, stopped
from pipelines.settings import Settings
from workflows.errors import AdxValidationError
from workflows.ledger import Ledger
from workflows.telemetry import logs
from workflows.telemetry.redaction import Redactor
from workflows.telemetry.serving import bind, served

CONNECTIONS = 1_000
RATE_SETTING = "ADX_API_REQUESTS_PER_SECOND"


def known_of(values: Mapping[str, str], listen: str) -> Known:
    """Who is let in. Raises TokensRefused when anybody from elsewhere would be."""
    if values.get(FILE_SETTING):
        return TokenFile(Path(values[FILE_SETTING])).known
    if values.get(LIST_SETTING):
        callers = decoded(values[LIST_SETTING].encode(), LIST_SETTING)
        return lambda authorization: match(callers, authorization)
    if not is_loopback(listen):
        raise TokensRefused(
            f"{listen} can be reached from outside, and no tokens are set: anybody could migrate databases",
            next_step=f"make one with `adx api token` and set {FILE_SETTING}, or listen on 127.0.0.1",
        )
    return anybody


def rate_of(values: Mapping[str, str]) -> RateLimit:
    """How often one caller may ask. Raises AdxValidationError."""
    text = values.get(RATE_SETTING) or str(PER_SECOND)
    try:
        per_second = float(text)
    except ValueError:
        per_second = 0.0
    if not 0 < per_second <= 100_000:
        raise AdxValidationError(f"{RATE_SETTING} is {text[:20]!r}", next_step="write requests a second, such as 50")
    return RateLimit.of(per_second)


async def serve(settings: Settings, listen: str, redactor: Redactor) -> None:
    """Answer until SIGTERM or SIGINT. Raises AdxError when tokens, settings or the address cannot be used."""
    known, limit = known_of(settings.values, listen), rate_of(settings.values)
    _ = settings.temporal_address  # missing settings are told at the start, not with the first request
    stopping = stopped()
    async with Ledger(settings.ledger_url) as ledger:
        starter = TemporalStarter(settings, ledger)
        checks = {"ledger": ledger.ping, "temporal": starter.check_temporal}
        app = application(starter, known, checks=checks, redactor=redactor, limit=limit, stopping=stopping)
        async with served(app, bind(listen), concurrency=CONNECTIONS) as address:
            logs.logger().info("api ready", address=address, tokens=known is not anybody)
            await stopping.wait()
    logs.logger().info("api stopped")
