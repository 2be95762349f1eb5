"""Database migrations as they are declared: target versions, scripts, their checksums and what is safe. Pure."""
