"""What becomes of databases: which scripts would run where, what is unsafe, what is lost, what brings it back."""
