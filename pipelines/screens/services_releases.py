"""`adx services releases`: the releases of services, newest first, and the one that is under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pipelines.output import plain
from pipelines.screens.common import style_of
from pipelines.screens.releases import phase_words, shares_words
from pipelines.services.releases import DeliveredRelease, ServiceReleases
from pipelines.words import moment, short

_INDENT = 2


def service_releases_screen(found: Sequence[ServiceReleases], now: datetime) -> RenderableType:
    """A part for each service in each environment; two lines for each release, and why it was taken back."""
    if not found:
        return plain("No release was delivered yet. `adx deploy ENV` delivers some.")
    parts: list[RenderableType] = []
    for one in found:
        parts += [Text()] if parts else []
        parts.append(Text.assemble(plain(one.service, "bold"), plain(f" in {one.environment}")))
        parts += map(_indented, _rows(one, now))
    return Group(*parts)


def _rows(one: ServiceReleases, now: datetime) -> Iterator[RenderableType]:
    if one.under_way is not None:
        shares = plain(f"now  {shares_words(one.under_way.shares)}  ", "bold")
        yield shares.append_text(plain(phase_words(one.under_way, now), "cyan"))
        if one.under_way.line:
            yield _indented(plain(one.under_way.line, "dim"))
    if not one.releases:
        yield plain("none was delivered before" if one.under_way is not None else "no release is known", "dim")
    width = max((len(release.version or "-") for release in one.releases), default=0)
    for release in one.releases:
        yield _head(release, width)
        if release.reason:
            yield _indented(plain(release.reason, "red"))
        yield _indented(plain(_rollout(release), "dim"))


def _head(release: DeliveredRelease, width: int) -> Text:
    return Text.assemble(
        plain(f"{moment(release.at)}  "),
        plain(f"{release.version or '-':{width}}", "bold"),
        "  ",
        plain(release.outcome, style_of(release.outcome)),
        plain(f"  {_commits(release)}  by {release.by}"),
    )


def _commits(release: DeliveredRelease) -> str:
    """The commit that the service is of; of what was taken back, first the one that was tried."""
    if release.outcome == "removed":
        return f"{short(release.tried)} → gone"
    if release.outcome in ("restored", "frozen"):
        return f"{short(release.tried)} → {short(release.commit)}"
    return short(release.commit)


def _rollout(release: DeliveredRelease) -> str:
    return f"{release.rollout}, {release.rollout_outcome}"


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, _INDENT))
