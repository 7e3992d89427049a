"""Measure the course into build/bench.json and build/bench.md; each file says what it measures."""
