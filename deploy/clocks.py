"""The only place that reads the machine's clocks; everything else is handed one of these."""

import os
import time
from pathlib import Path

from agent.steps import Steps


def wall_clock_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def stopped_clock_ms() -> int:
    """A clock that stands, for worlds whose only time is that of their events."""
    return 0


def timer_s() -> float:
    """Seconds from an arbitrary start, for durations."""
    return time.perf_counter()


def steps_of_this_process() -> Steps:
    """The steps of this process's start, none reached yet."""
    return Steps(wall_clock_ms, _process_ms())


def _process_ms() -> int:
    """When this process was started, to 10 ms; where the system does not say it (it is no Linux), it is now."""
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return wall_clock_ms()
    return wall_clock_ms() - int(1_000 * age_s)
