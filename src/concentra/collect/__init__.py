"""Observations become a population: readers of node files, and the rules of what is counted."""
