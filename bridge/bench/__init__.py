"""Benchmarks, run by ``scripts/bench``: ratios to a reference in the same run, medians over rounds."""
