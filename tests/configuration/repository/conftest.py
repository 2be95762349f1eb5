"""A store in each kind of database."""

from tests.support.configuration import database_url, postgres_server, postgres_url, store  # noqa: F401 - fixtures
