"""Worlds of known click rates on which our policy and strong peers learn side by side: `make bench-learning`."""
