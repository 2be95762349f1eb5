"""Mutation testing of the pure cores: which small changes of the code no test notices."""
