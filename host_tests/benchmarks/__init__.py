"""Figures of the whole terminal: `python -m host_tests.benchmarks`."""
