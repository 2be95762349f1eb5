"""What services are declared, and whether they go together."""
