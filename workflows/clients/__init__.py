"""Stateless adapters, one a backend. Each turns its library's errors into ADX's and leaks none of its types."""
