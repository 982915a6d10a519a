"""Judging policies by logs: readers of logs, target policies, estimates as a table, and the search for settings."""
