"""What a soak looks at: resident memory of every process of a run, and the numbers of its metrics endpoint."""

import os
import urllib.request
from pathlib import Path
from typing import NamedTuple

GAUGES = (
    "consumer_lag_records",
    "open_decisions",
    "open_decisions_bytes",
    "early_clicks",
    "queue_rows",
    "learner_rows_waiting",
    "checkpoint_age_seconds",
    "decisions_total",
    "outcomes_total",
    "log_errors_total",
)
_PREFIX = "streambandit_"


class Process(NamedTuple):
    """A process as the system has it."""

    pid: int
    parent: int
    command: str


def processes() -> list[Process]:
    """All of this machine."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are enough
        if not name.isdigit():
            continue
        try:
            stat = Path(f"/proc/{name}/stat").read_text()
            command = Path(f"/proc/{name}/cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue
        found.append(Process(int(name), int(stat.rpartition(")")[2].split()[1]), command))
    return found


def family(root: int) -> dict[int, str]:
    """A process and all that descend from it, by pid: `driver`, `runner`, `encoder`, or `ray` for Ray's own."""
    everybody = processes()
    roles = {root: "driver"}
    grown = True
    while grown:
        young = [each for each in everybody if each.parent in roles and each.pid not in roles]
        roles |= {each.pid: _role(each.command) for each in young}
        grown = bool(young)
    return roles


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB; 0.0 where it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1_024
    except OSError:
        pass
    return 0.0


def gauges(address: str) -> dict[str, float]:
    """The numbers of the endpoint, summed over labels; empty where it does not answer."""
    try:
        with urllib.request.urlopen(address, timeout=3) as answer:  # noqa: S310 - an address of this machine
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    values: dict[str, float] = {}
    for line in lines:
        name, _, value = line.rpartition(" ")
        short = name.partition("{")[0].removeprefix(_PREFIX)
        if short in GAUGES and not line.startswith("#"):
            values[short] = values.get(short, 0.0) + float(value)
    return values


def _role(command: str) -> str:
    if "StreamRunner" in command:
        return "runner"
    if "ncoder" in command and command.startswith("ray::"):
        return "encoder"
    return "ray"
