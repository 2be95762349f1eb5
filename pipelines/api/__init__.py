"""The HTTP API of migrations and operations.

Boundaries: ``starter.MigrationStarter`` is all that it knows of workflows;
``temporal.py`` connects the two. Wire models are pydantic's, since FastAPI writes
the OpenAPI document from them; nothing outside this package sees them.
"""
