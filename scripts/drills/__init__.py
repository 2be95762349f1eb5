"""What an operator must be able to do when much is lost, done for real on a stack of its own (docs/operations.md)."""
