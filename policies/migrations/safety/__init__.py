"""Whether scripts can be run on tables that are in use: what each statement locks, rewrites, loses. Pure."""
