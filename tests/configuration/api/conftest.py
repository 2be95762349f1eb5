"""The same servers as for readers."""

from tests.configuration.reading.conftest import servers  # noqa: F401 - a fixture
from tests.support.configuration import postgres_server, postgres_url  # noqa: F401 - fixtures
