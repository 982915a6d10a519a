"""Benchmarks of speed: ours beside the part it stands on, in one run, and what it was at earlier commits."""
