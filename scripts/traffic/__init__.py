"""Real requests to real processes, one for each pod of the local stack: for the demo, the benchmarks and the tests."""
