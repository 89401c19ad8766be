"""Timings with seeded input; never part of the tests. Each module says what it shows."""
