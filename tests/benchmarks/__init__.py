"""Benchmarks: run by hand (``python -m tests.benchmarks.<name>``), each writes its figures as JSON into ``results/``."""
