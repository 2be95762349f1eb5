"""How services read configuration."""

from __future__ import annotations

from workflows.configuration.reading.model import Health, Reading, Times, Values
from workflows.configuration.reading.reader import ConfigurationReader

__all__ = ["ConfigurationReader", "Health", "Reading", "Times", "Values"]
