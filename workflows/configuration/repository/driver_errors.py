"""Errors of SQLAlchemy, psycopg and PyMySQL → this package's own, by SQLSTATE or number, never by text.

Databases repeat the values of a row in their messages: only the class and the
number are passed on, and no cause, which would be written into histories.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pymysql
from sqlalchemy import exc

from policies.errors import AdxError
from workflows.configuration.errors import (
    StoreBusy,
    StoreFailed,
    StoreNotMigrated,
    StoreRefused,
    StoreTimedOut,
    StoreUnreachable,
)

# What a SQLSTATE begins with (PostgreSQL, appendix A), or a number of MariaDB (its error code reference).
_LOST = ("08", "57P", "53300", "25006", "25P03")
_LOST_NUMBERS = frozenset({1040, 1053, 1152, 1158, 1159, 1160, 1161, 1290, 1792, 1927, 2002, 2003, 2006, 2013, 2055})
_TIMED_OUT = ("57014", "55P03")
_TIMED_OUT_NUMBERS = frozenset({1205, 1969, 3024})
_COLLIDED = ("40",)
_COLLIDED_NUMBERS = frozenset({1020, 1213, 1614})
_NOT_MIGRATED = ("42P01", "42703")
_NOT_MIGRATED_NUMBERS = frozenset({1054, 1146})
_LOGIN_REFUSED = ("28", "3D000", "42501")
_LOGIN_REFUSED_NUMBERS = frozenset({1044, 1045, 1049, 1142, 1227, 1698})
_VALUES_REFUSED = ("22", "23")
_VALUES_REFUSED_NUMBERS = frozenset({1048, 1062, 1264, 1366, 1406, 3819, 4025})


def translate(error: BaseException) -> AdxError:
    """The error of this package that ``error`` means."""
    original = error.orig if isinstance(error, exc.StatementError) and error.orig is not None else error
    if isinstance(error, TimeoutError | exc.TimeoutError) or isinstance(original, psycopg.errors.ConnectionTimeout):
        return _timed_out()
    if isinstance(original, psycopg.Error):
        return _of_postgres(original)
    if isinstance(original, pymysql.Error):
        return _of_mysql(original)
    if isinstance(original, OSError | exc.DBAPIError | EOFError):
        return _unreachable(type(original).__name__)
    return StoreFailed(f"the configuration's database failed ({type(original).__name__})")


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Raise this package's errors instead of those of the drivers."""
    try:
        yield
    except (exc.SQLAlchemyError, psycopg.Error, pymysql.Error, TimeoutError, OSError, EOFError) as error:
        raise translate(error) from None


def is_duplicate(error: exc.IntegrityError) -> bool:
    """Whether a row of this key was there already."""
    original = error.orig
    if isinstance(original, psycopg.Error):
        return original.sqlstate == "23505"
    return bool(original is not None and original.args and original.args[0] == 1062)


def _of_postgres(error: psycopg.Error) -> AdxError:
    state = error.sqlstate
    if state is None and error.pgconn is not None and error.pgconn.used_password:
        # libpq gives no SQLSTATE while it connects; but a server that asked for the password is there.
        return _login("after the password was sent")
    if state is None or state.startswith(_LOST):
        return _unreachable(type(error).__name__)
    if state.startswith(_TIMED_OUT):
        return _timed_out()
    kinds = ((_COLLIDED, _busy), (_NOT_MIGRATED, _not_migrated), (_LOGIN_REFUSED, _login), (_VALUES_REFUSED, _values))
    for prefixes, made in kinds:
        if state.startswith(prefixes):
            return made(f"SQLSTATE {state}")
    return StoreFailed(f"the configuration's database failed (SQLSTATE {state})")


def _of_mysql(error: pymysql.Error) -> AdxError:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if number in _LOST_NUMBERS or isinstance(error, pymysql.InterfaceError):
        return _unreachable(f"error {number}")
    if number in _TIMED_OUT_NUMBERS:
        return _timed_out()
    kinds = (
        (_COLLIDED_NUMBERS, _busy),
        (_NOT_MIGRATED_NUMBERS, _not_migrated),
        (_LOGIN_REFUSED_NUMBERS, _login),
        (_VALUES_REFUSED_NUMBERS, _values),
    )
    for numbers, made in kinds:
        if number in numbers:
            return made(f"error {number}")
    return StoreFailed(f"the configuration's database failed (error {number})")


def _unreachable(summary: str) -> AdxError:
    return StoreUnreachable(
        f"the configuration's database cannot be reached ({summary})",
        next_step="check that it runs, and that ADX_CONFIGURATION_URL is right",
    )


def _timed_out() -> AdxError:
    return StoreTimedOut("the configuration's database did not answer in time", next_step="look at its load and locks")


def _busy(summary: str) -> AdxError:
    return StoreBusy(f"two transactions of the configuration collided ({summary})")


def _not_migrated(summary: str) -> AdxError:
    return StoreNotMigrated(
        f"the tables of the configuration are missing or old ({summary})",
        next_step="run `adx config migrate` with this version",
    )


def _login(summary: str) -> AdxError:
    return StoreRefused(
        f"the configuration's database refuses the login ({summary})",
        next_step="check user, password, database and rights in ADX_CONFIGURATION_URL",
    )


def _values(summary: str) -> AdxError:
    return StoreRefused(f"the configuration's database refuses the values ({summary})")
