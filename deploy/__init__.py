"""The composition root: settings, command line, metrics, reports, and what runs the loop."""
