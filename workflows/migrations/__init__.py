"""Database migrations as work: proving a plan on a scratch database, asking squawk."""
