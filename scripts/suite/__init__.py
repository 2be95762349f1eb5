"""What is published of the tests, in docs/testing.md: coverage, the slowest, the mutation scores."""
