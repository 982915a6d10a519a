"""Processor time of a process and of all below it, by what they are; on Linux."""

import os
from pathlib import Path

_NAMES = (
    *("gcs_server", "raylet/raylet", "log_monitor", "monitor.py", "dashboard.py"),
    *("RuntimeEnvAgent", "runtime_env", "DashboardAgent", "dashboard/agent"),
    *("ray::StreamRunner", "ray::EncoderServer", "ray::", "deploy.cli"),
)


def processor_seconds(root: int) -> dict[str, float]:
    """Seconds by name of the processes that live, the root's first.

    >>> list(processor_seconds(os.getpid()).values())[0] > 0 if Path("/proc/self/stat").exists() else True
    True
    """
    found = {entry: stat for entry in Path("/proc").glob("[0-9]*") if (stat := _stat(entry)) is not None}
    below, grown = {root}, True
    while grown:
        more = {int(entry.name) for entry, (parent, _) in found.items() if parent in below} - below
        below |= more
        grown = bool(more)
    seconds: dict[str, float] = {}
    for entry, (_, spent_s) in sorted(found.items(), key=lambda each: int(each[0].name) != root):
        if int(entry.name) in below:
            name = _name(entry)
            seconds[name] = seconds.get(name, 0.0) + spent_s
    return seconds


def _stat(entry: Path) -> tuple[int, float] | None:
    """Parent and processor seconds; None where the process has ended meanwhile."""
    try:
        fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _name(entry: Path) -> str:
    try:
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "ended"
    return next((name for name in _NAMES if name in command), "others")
