"""Attacks on the guarantees: kill, flood, forge, and count what became of every event. `python -m chaos --help`."""
